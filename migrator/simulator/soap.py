"""SOAP as the platform speaks it: the operation and the session of a request, and answers and faults around values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migrator.simulator.http import ApiError, Headers, Request, Response
from migrator.simulator.xmltree import HEAD, INSTANCE, NotXml, Parsed, escape, local, read

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
MAX_REQUEST = 52_428_800  # bytes; "Maximum size of request" of the SOAP APIs


class SoapFault(Exception):  # noqa: N818 - SOAP's word
    """A request that is answered with a fault. A code without a prefix is one of the platform's own."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for: the first element of its body, and the session of its header."""

    element: Parsed
    session: str

    @property
    def name(self) -> str:
        """The operation's name without its namespace."""
        return local(self.element)

    def text(self, name: str) -> str:
        """The text of the operation's child of that name."""
        return text_of(self.element, name)


def read_operation(request: Request) -> Operation:
    """The operation of a request; raises `SoapFault` for what is none."""
    data = request.read()
    if len(data) > MAX_REQUEST:
        text = f"Maximum size of request reached. Maximum size of request is {MAX_REQUEST} bytes."
        raise SoapFault("EXCEEDED_MAX_SIZE_REQUEST", text)
    try:
        envelope = read(data)
    except NotXml:
        raise SoapFault("soapenv:Client", "The request is no XML") from None
    body = child(envelope, "Body")
    found = next(iter(body), None) if body is not None else None
    if found is None:
        raise SoapFault("soapenv:Client", "The request has no operation")
    session = next((each.text or "" for each in envelope.iter() if local(each) == "sessionId"), "")
    return Operation(found, session.strip())


def child(element: Parsed, name: str) -> Parsed | None:
    """The first child of that name, in any namespace."""
    return next((each for each in element if local(each) == name), None)


def children(element: Parsed, name: str) -> list[Parsed]:
    """All children of that name, in any namespace."""
    return [each for each in element if local(each) == name]


def text_of(element: Parsed, name: str) -> str:
    """The text of the first child of that name; empty when there is none."""
    found = child(element, name)
    return "" if found is None else (found.text or "").strip()


def xml_of(name: str, value: Any) -> str:
    """An element of a value: a mapping nests, a list repeats, None is nil; `@type` in a mapping is its XSI type."""
    match value:
        case list():
            return "".join(xml_of(name, each) for each in value)
        case dict():
            kind = f' xsi:type="{value["@type"]}"' if "@type" in value else ""
            inside = "".join(xml_of(key, each) for key, each in value.items() if key != "@type")
            return f"<{name}{kind}>{inside}</{name}>"
        case None:
            return f'<{name} xsi:nil="true"/>'
        case bool():
            return f"<{name}>{str(value).lower()}</{name}>"
        case _:
            return f"<{name}>{escape(str(value))}</{name}>"


def answer(namespace: str, name: str, value: Any) -> Response:
    """The answer to an operation."""
    return _enveloped(namespace, xml_of(name, value))


def fault(namespace: str, problem: SoapFault, *, prefix: str = "") -> Response:
    """A fault. Codes of the platform stand under `prefix` and are repeated in the text."""
    own = problem.code.startswith("soapenv:")
    shown: Mapping[str, str] = {
        "faultcode": problem.code if own else prefix + problem.code,
        "faultstring": problem.text if own else f"{problem.code}: {problem.text}",
    }
    return _enveloped(namespace, xml_of("soapenv:Fault", dict(shown)), status=500)


_NAMESPACES = {
    "u": "urn:partner.soap.sforce.com",
    "c": "urn:enterprise.soap.sforce.com",
    "m": "http://soap.sforce.com/2006/04/metadata",
}


def namespace_of(path: str) -> str:
    """The namespace of a SOAP endpoint: that of the partner API unless the path says another."""
    return _NAMESPACES.get(path.split("/")[3] if path.count("/") > 2 else "", _NAMESPACES["u"])


def refusal(request: Request, error: ApiError) -> Response:
    """What any API refuses (a limit, a retired version) in SOAP's words."""
    return fault(namespace_of(request.path), SoapFault(error.code, error.message), prefix="sf:")


def _enveloped(namespace: str, inside: str, *, status: int = 200) -> Response:
    spaces = f'xmlns:soapenv="{ENVELOPE}" xmlns="{namespace}" xmlns:sf="{namespace}" xmlns:xsi="{INSTANCE}"'
    body = f"{HEAD}<soapenv:Envelope {spaces}><soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
    return Response(status, Headers({"Content-Type": "text/xml; charset=utf-8"}), body.encode())
