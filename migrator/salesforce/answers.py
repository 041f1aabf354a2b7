"""Failed exchanges → `RequestFailed`: what can have happened, whether to try again, what to tell the user."""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import httpx

from migrator.errors import ExitCode
from migrator.model.wire import Sent
from migrator.salesforce.failure import RequestFailed

#: however long an org asks us to wait, we look again after this
MAX_RETRY_AFTER = 900.0
_MAX_MESSAGE = 300

#: httpx raises these before the first byte of the request is out
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

#: REST API guide, "Status Codes and Error Responses": the whole org or user is shut out, not one request
BAD_TOKEN = "Bad_OAuth_Token"  # noqa: S105 - the word in which user information refuses a token
_SHUT_OUT = frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INACTIVE_USER", "USER_LOCKED_OUT"})


def transport_failure(fault: Exception, where: str, host: str) -> RequestFailed:
    """An exchange that ended without an answer. `where` names org and request."""
    causes = tuple(_causes(fault))
    if any(isinstance(cause, ssl.SSLError) for cause in causes) and isinstance(fault, httpx.ConnectError):
        return RequestFailed(
            "tls-failed",
            f"{where}: no trusted TLS connection could be made",
            hint="check the host name, the clock, and whether a proxy needs its certificate authority in `ca_file`",
            sent=Sent.NO,
            exit_code=ExitCode.REFUSED,
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        why = f"the host name {host} cannot be resolved"
    elif isinstance(fault, httpx.TimeoutException):
        why = "it timed out"
    else:
        why = "the connection failed"
    return RequestFailed(
        "network-failed",
        f"{where}: {why} ({type(fault).__name__})",
        hint="resume when the network is back; nothing is lost",
        sent=Sent.NO if isinstance(fault, _NEVER_LEFT) else Sent.MAYBE,
        retryable=True,
    )


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if fault is None:
            return
        yield fault
        fault = fault.__cause__ or fault.__context__


def broken_answer(reason: str, where: str, status: int) -> RequestFailed:
    """An answer that came in part, or not in the documented form. Whether a write happened is then unknown."""
    return RequestFailed(
        "answer-broken",
        f"{where}: the answer cannot be used: {reason}",
        sent=Sent.MAYBE,
        status=status,
        retryable=True,
    )


def proxy_answer(where: str, status: int) -> RequestFailed:
    """A page for people where the API's answer should be. Whether the org saw the request is unknown."""
    return RequestFailed(
        "proxy-answer",
        f"{where}: something between here and the org answered with a web page (HTTP {status})",
        hint="sign in to the proxy or the network, or check the org's URL, then resume",
        sent=Sent.MAYBE,
        status=status,
    )


def refusal(
    where: str,
    status: int,
    headers: Mapping[str, str],
    error: tuple[str, str],
    now: float,
) -> RequestFailed:
    """A whole answer that is not a success. `error` is Salesforce's code and message."""
    code, message = error[0], shown(error[1])
    said = ": ".join(part for part in (code, message) if part) or "no reason given"
    what = f"{where}: HTTP {status}: {said}"
    ours, exit_code, hint, again = _classify(status, code, message)
    return RequestFailed(
        ours,
        what,
        hint=hint,
        exit_code=exit_code,
        sent=Sent.YES,
        status=status,
        error_code=code,
        retryable=again,
        retry_after=retry_after(headers.get("Retry-After", ""), now),
    )


def _classify(status: int, code: str, message: str) -> tuple[str, ExitCode, str, bool]:
    """Our code, exit code, hint, and whether the same request may succeed later."""
    # a request that takes 20 seconds or longer counts while it does (REST API guide, "API Request Limits and Allocations"); the code is
    # that of the daily allowance
    if code == "REQUEST_LIMIT_EXCEEDED" and message.startswith("ConcurrentRequests"):
        return "org-busy", ExitCode.PAUSED, "resume with fewer --workers; nothing is lost", True
    if code in {"REQUEST_LIMIT_EXCEEDED", "ExceededQuota"}:
        return "request-limit-exceeded", ExitCode.PAUSED, "resume when the org's API requests are back", True
    if code in _SHUT_OUT:
        return "access-denied", ExitCode.REFUSED, "an administrator of the org has to allow API access", False
    # Bulk API v1 says 400 and a code of its own (Bulk API guide, "Errors")
    if status == 401 or code in {"InvalidSessionId", BAD_TOKEN}:
        return "session-expired", ExitCode.PAUSED, "sign in again, then resume", True
    if status in {408, 429} or status >= 500:
        return "org-unavailable", ExitCode.PAUSED, "resume when the org answers again; nothing is lost", True
    if 300 <= status < 400 and status != 300:
        hint = "the org may have moved to a new My Domain: check its URL in the settings"
        return "instance-moved", ExitCode.REFUSED, hint, False
    return "request-refused", ExitCode.REFUSED, "", False


def retry_after(text: str, now: float) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3); None when it is absent or not one."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None
    return min(max(0.0, at - now), MAX_RETRY_AFTER)


def shown(message: str) -> str:
    """A message of the org made fit for a terminal and a log: one line, no control characters, not long."""
    line = "".join(char if char.isprintable() else " " for char in message)
    line = " ".join(line.split())
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"
