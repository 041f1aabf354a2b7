"""Faults that an org shows on purpose: which request they hit, and what goes wrong."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.simulator.http import Headers, Request, Response


class FaultKind(StrEnum):
    """What goes wrong."""

    DROP_BEFORE = "drop_before"  # the connection ends, and nothing happened
    DROP_AFTER_EFFECT = "drop_after_effect"  # it happened, and the connection ends without an answer
    STATUS = "status"  # another answer, and nothing happened
    DELAY = "delay"  # the answer comes late, on the org's clock
    TRUNCATE_BODY = "truncate_body"  # the answer ends in the middle
    HTML = "html"  # a page of a proxy where JSON was due, and nothing happened


class Dropped(ConnectionResetError):  # noqa: N818 - what happened to the connection
    """The connection ends here without (the rest of) an answer."""


@dataclass(slots=True)
class Fault:
    """A fault for requests whose method and path fit, from the `nth` on, `times` times."""

    kind: FaultKind
    path: str = ".*"  # regular expression, for the whole path
    method: str = ".*"
    nth: int = 1  # the first request it hits, among those that fit
    times: int = 1
    code: int = 503  # of STATUS
    body: bytes = b'[{"message":"Server unavailable","errorCode":"SERVER_UNAVAILABLE"}]'
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0  # of DELAY
    seen: int = 0

    def hits(self, request: Request) -> bool:
        """Whether it hits this request; counts the requests that fit."""
        if not (
            re.fullmatch(self.method, request.method)
            and re.fullmatch(self.path, request.path.rstrip("/") or "/")
        ):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times

    def instead(self) -> Response:
        """The answer in place of the real one."""
        if self.kind is FaultKind.HTML:
            page = b"<html><head><title>Down for Maintenance</title></head><body>We are down for maintenance.</body></html>"
            return Response(
                self.code, Headers({"Content-Type": "text/html; charset=UTF-8", **self.headers}), page
            )
        return Response(
            self.code, Headers({"Content-Type": "application/json;charset=UTF-8", **self.headers}), self.body
        )
