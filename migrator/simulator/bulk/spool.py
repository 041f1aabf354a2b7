"""Uploads and results of jobs: bytes kept in memory while they are few, and in a temporary file when they are many.

**Invariant:** all spools of a process share one open file, so thousands of jobs take no more of them than one.
"""

import io
import itertools
import os
import random
import tempfile
import threading
import weakref
from collections.abc import Iterator
from functools import cached_property
from typing import BinaryIO

_IN_MEMORY = 1 << 20
_READ = 1 << 18
_BLOCK = 1 << 18


class _Blocks:
    """A temporary file in blocks, which spools take and give back. It takes no lock: a spool may end whenever memory is collected."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._new = itertools.count()

    @cached_property
    def _file(self) -> BinaryIO:
        return tempfile.TemporaryFile(prefix="migrator-spool-", buffering=0)  # ends with the process

    def take(self) -> int:
        """The number of a block that is nobody's."""
        try:
            return self._free.pop()
        except IndexError:
            return next(self._new)

    def give(self, blocks: list[int]) -> None:
        """Blocks that are nobody's any more."""
        self._free.extend(blocks)

    def write(self, block: int, at: int, data: memoryview) -> None:
        """Fill some of a block."""
        place = block * _BLOCK + at
        while data:
            written = os.pwrite(self._file.fileno(), data, place)
            data, place = data[written:], place + written

    def read(self, block: int, at: int, size: int) -> bytes:
        """Some of a block."""
        return os.pread(self._file.fileno(), size, block * _BLOCK + at)


_SHARED = _Blocks()


class Spool:
    """Bytes that are written once, in segments, and read from any thread."""

    def __init__(self) -> None:
        self.size = 0
        self._memory = bytearray()
        self._blocks: list[int] = []
        self._segments: list[tuple[int, int]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _SHARED.give, self._blocks)

    def append(self, data: bytes) -> None:
        """Write a segment."""
        if not data:
            return
        with self._lock:
            if not self._blocks and self.size + len(data) <= _IN_MEMORY:
                self._memory += data
            else:
                self._write(self.size - len(self._memory), bytes(self._memory) + data)
                self._memory.clear()
        self._segments.append((self.size, len(data)))
        self.size += len(data)

    def _write(self, offset: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            number, at = divmod(offset, _BLOCK)
            if number == len(self._blocks):
                self._blocks.append(_SHARED.take())
            part = rest[: _BLOCK - at]
            _SHARED.write(self._blocks[number], at, part)
            rest, offset = rest[len(part) :], offset + len(part)

    def read(self, offset: int, size: int) -> bytes:
        """Some of the bytes; fewer at their end."""
        parts = []
        with self._lock:
            if not self._blocks:
                return bytes(self._memory[offset : offset + size])
            stop = min(offset + size, self.size)
            while offset < stop:
                number, at = divmod(offset, _BLOCK)
                parts.append(_SHARED.read(self._blocks[number], at, min(_BLOCK - at, stop - offset)))
                offset += len(parts[-1])
        return b"".join(parts)

    def file(self) -> BinaryIO:
        """The bytes as a file to read."""
        return io.BufferedReader(_Reader(self), _READ)

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


class _Reader(io.RawIOBase):
    """The bytes of a spool, from one place to the next."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._spool.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # all that `BufferedReader` gives
        data = self._spool.read(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


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
