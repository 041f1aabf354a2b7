"""Login and logout over SOAP, partner or enterprise: what older clients do before they speak REST or Bulk API v1."""

from migrator.simulator.auth.oauth import Tokens, knows
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route
from migrator.simulator.xmltree import HEAD, NotXml, Parsed, escape, local, read

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}
_INVALID_LOGIN = "Invalid username, password, security token; or user locked out."


def routes() -> list[Route]:
    """The SOAP endpoints; clients come back to the longer one that the login names."""
    base = "/services/Soap/{api}/{version}"
    return [
        Route("POST", base, _soap, public=True, counted=False),
        Route("POST", base + "/{organization}", _soap, public=True, counted=False),
    ]


def _soap(org: OrgState, call: Call) -> Response:
    try:
        found = _operation(read(call.request.read()))
    except NotXml:
        return _fault(call, "soapenv:Client", "The request is no XML")
    name = "" if found is None else local(found)
    if name == "login":
        return _login(org, call, _text(found, "username"), _text(found, "password"))
    if name == "logout":
        org.part(Tokens).revoke(_session(call.request))
        return _answer(call, "<logoutResponse/>")
    return _fault(call, "UNKNOWN_EXCEPTION", f"The operation {name} is not available here")


def _operation(envelope: Parsed) -> Parsed | None:
    body = next((child for child in envelope if local(child) == "Body"), ())
    return next(iter(body), None)


def _text(element: Parsed, name: str) -> str:
    return next((each.text or "" for each in element.iter() if local(each) == name), "")


def _session(request: Request) -> str:
    return _text(read(request.read()), "sessionId")


def _login(org: OrgState, call: Call, username: str, password: str) -> Response:
    if not knows(org, username, password):
        return _fault(call, "INVALID_LOGIN", _INVALID_LOGIN)
    settings, base = org.settings, call.request.base_url
    user = org.store.table("User").get(org.store.table("User").seq_of(org.user_id))
    short = settings.organization_id[:15]
    soap = f"{base}/services/Soap"
    info = {
        "organizationId": settings.organization_id,
        "organizationName": settings.name,
        "profileId": user.get("ProfileId", ""),
        "sessionSecondsValid": str(int(settings.token_lifetime)),
        "userEmail": user["Email"],
        "userFullName": f"{user.get('FirstName', '')} {user['LastName']}".strip(),
        "userId": org.user_id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": user["Username"],
        "userTimeZone": "GMT",
        "userType": "Standard",
    }
    result = {
        "metadataServerUrl": f"{soap}/m/{call.version}/{short}",
        "passwordExpired": "false",
        "sandbox": "true" if settings.sandbox else "false",
        "serverUrl": f"{soap}/{call.params['api']}/{call.version}/{short}",
        "sessionId": org.part(Tokens).issue(),
        "userId": org.user_id,
    }
    inside = f"{_elements(result)}<userInfo>{_elements(info)}</userInfo>"
    return _answer(call, f"<loginResponse><result>{inside}</result></loginResponse>")


def _elements(shown: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in shown.items())


def _fault(call: Call, code: str, text: str) -> Response:
    shown = text if code.startswith("soapenv:") else f"{code}: {text}"
    inside = _elements({"faultcode": code, "faultstring": shown})
    return _answer(call, f"<soapenv:Fault>{inside}</soapenv:Fault>", status=500)


def _answer(call: Call, inside: str, *, status: int = 200) -> Response:
    namespace = _NAMESPACES.get(call.params["api"], _NAMESPACES["u"])
    envelope = f'<soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns="{namespace}">'
    body = f"{HEAD}{envelope}<soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
    return Response(status, Headers({"Content-Type": "text/xml; charset=utf-8"}), body.encode())
