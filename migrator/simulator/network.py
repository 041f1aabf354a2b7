"""The network between a client and the org, where faults play: connections that are reset, fall silent or crawl.

**Invariant:** what a connection does is decided by the org's faults alone; without any, it is the HTTP server's own.
"""

import socket
import struct
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

from migrator.clock import SystemClock
from migrator.simulator.http import Delivery

APART = 4_096  # pieces of an answer that are sent one by one; the rest follows at once
LOOK = 0.1  # seconds between looks at a slow connection


class _Parser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """One request on its way in."""

    def __init__(self, adj: Any, channel: "Channel") -> None:
        super().__init__(adj)
        self._channel = channel
        self._cut: int | None = None

    def received(self, data: bytes) -> int:
        """Take some bytes; how many of them are this request's."""
        if not self.headers_finished:
            taken = int(super().received(data))
            if self.headers_finished and not self.empty and not self.error:
                self._cut = self._channel.cut_of(self)
            if self._cut is not None and self.completed:
                return self._end(data)  # it has no body
            return taken
        if self._cut is None:
            return int(super().received(data))
        room = self._cut - self.body_bytes_received
        if len(data) < room:
            return int(super().received(data))
        return self._end(data)

    def _end(self, data: bytes) -> int:
        """Nobody will hear of this request."""
        self.completed = self.empty = True
        self.close()
        self._channel.reset()
        return len(data)


class Channel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """A connection. The server that makes it knows which requests are cut (`cuts_body`)."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._clock = SystemClock()
        self._delivery = Delivery()
        self._due = 0.0  # when the next bytes may be sent
        self._apart = 0  # pieces of this answer that were sent by themselves
        self._turn = False
        self._silent_until: float | None = None
        self.parser_class = lambda adj: _Parser(adj, self)

    # --- on the way in -----------------------------------------------------------------------------------------

    def cut_of(self, request: Any) -> int | None:
        """Behind how many bytes of its body the request ends, whose head was read just now."""
        share = self.server.cuts_body(request.command, "/" + str(request.path).lstrip("/"))
        return None if share is None else max(1, int((request.content_length or 1) * share))

    def reset(self) -> None:
        """End the connection at once, with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.will_close = True

    # --- on the way out ----------------------------------------------------------------------------------------

    def deliver(self, delivery: Delivery) -> None:
        """How the answer that comes now, and all after it, travel."""
        self._delivery = delivery
        self._apart = 0
        if delivery.silent:
            self._silent_until = self._clock.monotonic() + delivery.silent
        if delivery.segment:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def service(self) -> None:
        """Answer a request."""
        super().service()
        if self._delivery.hang_up:
            self.close_when_flushed = True

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send some of the bytes; how many."""
        if self._silent_until is not None:
            return len(data)  # swallowed
        given = self._delivery
        if given.bytes_per_second:
            now = self._clock.monotonic()
            if now < self._due:
                return 0
            self._due = now + LOOK
            data = data[: max(1, int(given.bytes_per_second * LOOK))]
        if given.segment and self._apart < APART:
            self._turn = not self._turn
            if not self._turn:
                return 0  # the next piece goes out at the next look, so that the pieces stay apart
            self._apart += 1
            data = data[: given.segment]
        return int(super().send(data, do_close=do_close))

    def writable(self) -> bool:
        """Whether there is something to send now."""
        now = self._clock.monotonic()
        if self._silent_until is not None:
            if now >= self._silent_until:
                self.reset()
            return bool(self.will_close)
        waits = self._delivery.bytes_per_second and now < self._due
        return bool(self.will_close) or (not waits and bool(super().writable()))


def channel_of(environ: dict[str, Any]) -> Channel | None:
    """The connection that a request came by, where it came by one of these."""
    owner = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    return owner if isinstance(owner, Channel) else None
