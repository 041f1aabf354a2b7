"""The bytes of an answer, decoded and proven whole.

**Invariant:** an answer that was cut short never looks like one that ended: its length, its chunks and its gzip stream are
checked. (httpx does not mind a gzip stream without its end, nor an in-process transport a short body.)
"""

import zlib
from collections.abc import Iterator

import httpx

#: of JSON, decoded; a describe of the largest standard sObjects is about 2 MB
MAX_JSON_BYTES = 64 << 20
#: gzip that inflates more than this, once MAX_JSON_BYTES are out, is a bomb; rows with distinct ids stay far below
MAX_INFLATION = 500
#: no single step of inflating makes more than this
_STEP = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


class BrokenBody(Exception):  # noqa: N818 - says what the body is
    """The body is cut, longer than told, wrongly encoded, or too big."""


def whole_body(response: httpx.Response, limit: int = MAX_JSON_BYTES) -> bytes:
    """All of a short body, decoded."""
    parts, size = [], 0
    for part in decoded(response):
        size += len(part)
        if size > limit:
            raise BrokenBody(f"it is longer than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def decoded(response: httpx.Response) -> Iterator[bytes]:
    """The body piece by piece, decoded; raises BrokenBody where it turns out not to be whole."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    raw = _counted(response)
    match encoding:
        case "" | "identity":
            return raw
        case "gzip" | "x-gzip":
            return _inflated(raw)
        case _:
            raise BrokenBody("it has an encoding that we did not ask for")


def _counted(response: httpx.Response) -> Iterator[bytes]:
    told = response.headers.get("Content-Length", "")
    size = 0
    for part in response.iter_raw():
        size += len(part)
        if part:
            yield part
    if told.isdigit() and size != int(told):
        raise BrokenBody(f"{told} bytes were announced and {size} came")


def _inflated(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip, possibly of several members one after the other."""
    stream, ended = zlib.decompressobj(_GZIP), False
    taken = made = 0
    for part in raw:
        taken += len(part)
        waiting = part
        while waiting:
            if ended:
                stream, ended = zlib.decompressobj(_GZIP), False
            piece, waiting = _step(stream, waiting)
            ended = stream.eof
            made += len(piece)
            if made > MAX_JSON_BYTES and made > MAX_INFLATION * (taken - len(waiting)):
                raise BrokenBody("it inflates without measure")
            if piece:
                yield piece
    if taken and not ended:
        raise BrokenBody("its gzip stream has no end")


def _step(stream: "zlib._Decompress", waiting: bytes) -> tuple[bytes, bytes]:
    try:
        piece = stream.decompress(waiting, _STEP)
    except zlib.error as fault:
        raise BrokenBody("its gzip stream is damaged") from fault
    return piece, stream.unused_data if stream.eof else stream.unconsumed_tail
