"""One request and its answer: counted, logged without content, every failure sorted.

**Invariant:** neither headers nor bodies nor query strings reach a log; nothing is repeated here.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import IO, Any

import httpx

from migrator.clock import Clock
from migrator.salesforce import bulk1_wire
from migrator.salesforce.answers import BAD_TOKEN, broken_answer, proxy_answer, refusal, transport_failure
from migrator.salesforce.body import BrokenBody, whole_body
from migrator.salesforce.secret import Secret
from migrator.salesforce.wire import parse_error
from migrator.salesforce.xmlread import soap_fault

JSON = "application/json"
CSV = "text/csv"
XML = "application/xml"
SOAP_XML = "text/xml"
#: where Bulk API v1 lives; it takes the session in a header of its own (Bulk API guide, "Set Up the Client")
ASYNC = "/services/async/"
#: where SOAP lives; it takes the session in the body
SOAP = "/services/Soap/"

#: SOAP answers every fault with 500; what REST would say (SOAP API guide, "ExceptionCode")
_SOAP_STATUS = {
    "INVALID_SESSION_ID": 401,
    "SERVER_UNAVAILABLE": 503,
    "UNKNOWN_EXCEPTION": 500,
    "REQUEST_LIMIT_EXCEEDED": 403,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make.

    `accept` is the content type that an answer with a body must have. `with_token` makes the content where the session stands in it.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | IO[bytes] | None = None
    with_token: Callable[[str], bytes] | None = None
    accept: str = JSON

    @property
    def repeatable(self) -> bool:
        """Whether it changes nothing in the org."""
        return self.method == "GET"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with a success status; the body parsed where it is JSON, as bytes where XML was asked for."""

    status: int
    headers: Mapping[str, str]
    body: Any = None


class Exchange:
    """The way to one org's hosts, shared by all threads."""

    def __init__(self, client: httpx.Client, clock: Clock, alias: str) -> None:
        self._client = client
        self._clock = clock
        self._alias = alias
        self._lock = threading.Lock()
        self._requests = 0
        self._under_way = 0
        self._skew: float | None = None

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self._requests

    @property
    def under_way(self) -> int:
        """How many requests have no whole answer yet."""
        return self._under_way

    def ended(self) -> None:
        """A request that was opened is over."""
        with self._lock:
            self._under_way -= 1

    @property
    def skew(self) -> float | None:
        """By how many seconds the org's clock was ahead of ours at its last answer; None: it does not tell."""
        return self._skew

    def where(self, call: Call) -> str:
        """Org and request, for messages."""
        return f"{self._alias}: {call.method} {call.path.partition('?')[0]}"

    def open(self, call: Call, origin: str, token: Secret | None = None) -> httpx.Response:
        """Send it and give the answer's head, which has a success status; the caller reads or closes the body, and then says that it is `ended`."""
        request = self._request(call, origin, token)
        with self._lock:
            self._requests += 1
            self._under_way += 1
        try:
            return self._send(call, request)
        except BaseException:
            self.ended()
            raise

    def _send(self, call: Call, request: httpx.Request) -> httpx.Response:
        started = self._clock.monotonic()
        try:
            response = self._client.send(request, stream=True)
        except (httpx.TransportError, OSError) as fault:
            _log.debug("%s failed: %s", self.where(call), type(fault).__name__)
            raise transport_failure(fault, self.where(call), request.url.host) from fault
        took = 1000 * (self._clock.monotonic() - started)
        _log.debug("%s %d %.0f ms", self.where(call), response.status_code, took)
        self._skew = self._told_skew(response.headers.get("Date", ""))
        try:
            self._check_head(call, response)
        except BaseException:
            response.close()
            raise
        return response

    def answer(self, call: Call, origin: str, token: Secret | None = None) -> Answer:
        """Send it and read the whole answer."""
        response = self.open(call, origin, token)
        try:
            content = self._read(call, response)
        finally:
            response.close()
            self.ended()
        return Answer(response.status_code, response.headers, self._parse(call, response, content))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _told_skew(self, date: str) -> float | None:
        """The header has whole seconds (RFC 9110, 6.6.1); one that cannot be read says nothing."""
        try:
            return parsedate_to_datetime(date).timestamp() - self._clock.now()
        except ValueError:
            return None

    def _request(self, call: Call, origin: str, token: Secret | None) -> httpx.Request:
        headers = {"Accept": call.accept, **call.headers}
        headers["Accept-Encoding"] = "gzip" if call.repeatable else "identity"
        content = call.content
        if token is not None and call.with_token is not None:
            content = call.with_token(token.reveal())
        elif token is not None:
            headers["Authorization"] = f"Bearer {token.reveal()}"
            if call.path.startswith(ASYNC):
                headers["X-SFDC-Session"] = token.reveal()
        return self._client.build_request(
            call.method,
            f"{origin}{call.path}",
            params=dict(call.params) or None,
            headers=headers,
            content=content,
        )

    def _check_head(self, call: Call, response: httpx.Response) -> None:
        status, kind = response.status_code, response.headers.get("Content-Type", "").lower()
        page = "html" in kind
        if page and status < 500:
            if status == 403 and self._read(call, response).strip() == BAD_TOKEN.encode():
                raise refusal(self.where(call), status, response.headers, (BAD_TOKEN, ""), self._clock.now())
            raise proxy_answer(self.where(call), status)
        if not 200 <= status < 300:
            error = ("", "") if page else self._error(call, response)
            if status == 500 and error[0] and call.path.startswith(SOAP):
                status = _SOAP_STATUS.get(error[0], 400)
            raise refusal(self.where(call), status, response.headers, error, self._clock.now())
        if call.repeatable and kind and not kind.startswith(call.accept):
            raise proxy_answer(self.where(call), status)

    def _error(self, call: Call, response: httpx.Response) -> tuple[str, str]:
        content = self._read(call, response)
        if call.path.startswith(SOAP):
            return soap_fault(content)
        if call.path.startswith(ASYNC) and "xml" in response.headers.get("Content-Type", "").lower():
            return bulk1_wire.parse_error(content)
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return "", ""
        if response.status_code == 300:
            return "MULTIPLE_CHOICES", ""
        return parse_error(body)

    def _read(self, call: Call, response: httpx.Response) -> bytes:
        try:
            return whole_body(response)
        except (httpx.TransportError, OSError, BrokenBody) as fault:
            reason = str(fault) if isinstance(fault, BrokenBody) else "it was cut"
            raise broken_answer(reason, self.where(call), response.status_code) from fault

    def _parse(self, call: Call, response: httpx.Response, content: bytes) -> Any:
        if not content:
            return None
        if call.accept in {XML, SOAP_XML}:
            return content
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as fault:
            raise broken_answer("it is not JSON", self.where(call), response.status_code) from fault
