"""Multipart requests: the parts of a body, however big, without reading it into memory."""

import io
import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from migrator.simulator.http import ApiError, Request
from migrator.simulator.records.blobs import PIECE

_NAME = re.compile(rb'[;\s]name="?([^";\r\n]+)"?', re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)

Buffer = bytes | mmap.mmap


def is_multipart(request: Request) -> bool:
    """Whether the request has parts."""
    return request.headers.get("Content-Type", "").lower().startswith("multipart/form-data")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its name, and where its content is."""

    name: str
    json: bool
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


class Parts:
    """The parts of a request by name."""

    def __init__(self, request: Request) -> None:
        found = _BOUNDARY.search(request.headers.get("Content-Type", ""))
        if not found:
            raise _bad("the content type has no boundary")
        self._buffer = _buffer(request)
        listed = list(_parts(self._buffer, b"--" + found[1].encode()))
        self.binary = {part.name: part for part in listed if not part.json}
        self._json = next((part for part in listed if part.json), None)

    def json(self) -> Any:
        """The part that is JSON."""
        if self._json is None:
            raise _bad("there is no part of type application/json")
        try:
            return json.loads(self._buffer[self._json.start : self._json.end])
        except ValueError as fault:
            raise ApiError(
                400, "JSON_PARSER_ERROR", f"Unexpected character at [line:1, column:1]: {fault}"
            ) from fault

    def pieces(self, part: Part) -> Iterator[bytes]:
        """The bytes of a part, some at a time."""
        for start in range(part.start, part.end, PIECE):
            yield self._buffer[start : min(part.end, start + PIECE)]


def _bad(what: str) -> ApiError:
    return ApiError(400, "INVALID_MULTIPART_REQUEST", f"Not a multipart request: {what}")


def _buffer(request: Request) -> Buffer:
    if request.stream is None:
        return request.body
    try:
        return mmap.mmap(request.stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return request.read()


def _parts(buffer: Buffer, mark: bytes) -> Iterator[Part]:
    place = buffer.find(mark)
    while place >= 0:
        start = place + len(mark)
        if buffer[start : start + 2] == b"--":
            return
        after = buffer.find(b"\n" + mark, start)
        if after < 0:
            raise _bad("the last boundary is missing")
        yield _part(buffer, start, after)
        place = after + 1


def _part(buffer: Buffer, start: int, after: int) -> Part:
    """The part between two boundaries; lines may end in LF only."""
    ends = [(buffer.find(end, start, after), end) for end in (b"\r\n\r\n", b"\n\n")]
    place, end = min(((found, end) for found, end in ends if found >= 0), default=(-1, b""))
    name = _NAME.search(buffer[start:place]) if place >= 0 else None
    if name is None:
        raise _bad("a part has no name")
    head = bytes(buffer[start:place]).lower()
    last = after - 1 if buffer[after - 1 : after] == b"\r" else after
    content = place + len(end)
    return Part(name[1].decode("utf-8", "replace"), b"application/json" in head, content, max(content, last))
