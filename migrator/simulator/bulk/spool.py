"""Uploads and results of jobs: bytes kept in memory while they are few and in a temporary file when they are many."""

import random
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import BinaryIO, cast

_IN_MEMORY = 1 << 20
_READ = 1 << 18


class Spool:
    """Bytes that are written once, in segments, and read from any thread."""

    def __init__(self) -> None:
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - lives as long as the spool
        self.file = cast("BinaryIO", file)
        self.size = 0
        self._segments: list[tuple[int, int]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def append(self, data: bytes) -> None:
        """Write a segment."""
        if not data:
            return
        with self._lock:
            self.file.seek(self.size)
            self.file.write(data)
        self._segments.append((self.size, len(data)))
        self.size += len(data)

    def read(self, offset: int, size: int) -> bytes:
        """Some of the bytes."""
        with self._lock:
            self.file.seek(offset)
            return self.file.read(size)

    def stream(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to `stop`, some at a time."""
        stop = self.size if stop is None else stop
        while start < stop:
            part = self.read(start, min(_READ, stop - start))
            yield part
            start += len(part)

    def shuffled(self, seed: str) -> Iterator[bytes]:
        """All segments in an order that the seed decides; as they were written when there is none."""
        order = list(self._segments)
        if seed:
            random.Random(seed).shuffle(order)  # noqa: S311 - deterministic on purpose
        for offset, size in order:
            yield self.read(offset, size)


class Pieces:
    """Bytes that grow among others in a spool that many share: thousands of them cost one file."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._segments: list[tuple[int, int]] = []
        self.size = 0

    def append(self, data: bytes) -> None:
        """Write a segment."""
        if data:
            self._segments.append((self._spool.size, len(data)))
            self._spool.append(data)
            self.size += len(data)

    def read(self) -> bytes:
        """All of the bytes."""
        return b"".join(self.stream())

    def stream(self) -> Iterator[bytes]:
        """The bytes, some at a time."""
        for start, size in self._segments:
            yield from self._spool.stream(start, start + size)


def spool_of(data: bytes, stream: BinaryIO | None = None) -> Spool:
    """A spool of these bytes, or of all that a file holds."""
    made = Spool()
    if stream is None:
        made.append(data)
        return made
    stream.seek(0)
    while part := stream.read(_READ):
        made.append(part)
    return made
