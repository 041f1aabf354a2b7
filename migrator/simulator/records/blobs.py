"""The bytes of files, outside of memory: one file that only grows, and gone with the org.

A cell of a base64 field holds where its bytes are and what they are: `offset:length:md5`.
"""

import base64
import binascii
import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

from migrator.simulator.records.results import RowError
from migrator.simulator.records.values import Faults
from migrator.simulator.schema.model import Field

PIECE = 1 << 20  # bytes read at once


class Stored(str):
    """A cell whose bytes are in the store already; nothing that a client sends can look like one."""

    __slots__ = ()


class Blob(NamedTuple):
    """Where some bytes are and what they are."""

    offset: int
    length: int
    md5: str

    @property
    def cell(self) -> Stored:
        """As a cell keeps it."""
        return Stored(f"{self.offset}:{self.length}:{self.md5}")


def blob_of(cell: str) -> Blob:
    """The blob that a cell names."""
    offset, length, md5 = cell.split(":")
    return Blob(int(offset), int(length), md5)


class Blobs:
    """The files of one org."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self.size = 0  # bytes

    def put(self, pieces: Iterable[bytes]) -> Blob:
        """Keep some bytes."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="migrator-blobs-")  # noqa: SIM115 - ends with the org
            weakref.finalize(self, self._file.close)
        start, digest = self.size, hashlib.md5(usedforsecurity=False)
        for piece in pieces:
            self._file.write(piece)
            digest.update(piece)
            self.size += len(piece)
        self._file.flush()
        return Blob(start, self.size - start, digest.hexdigest())

    def read(self, cell: str) -> Iterator[bytes]:
        """The bytes of a cell, some at a time."""
        blob = blob_of(cell)
        if self._file is None:
            return
        place, end = blob.offset, blob.offset + blob.length
        while place < end:
            piece = os.pread(self._file.fileno(), min(PIECE, end - place), place)
            place += len(piece)
            yield piece

    def check(self, field: Field, cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        """Cells of base64 text become cells of the store."""
        made: list[str] = []
        faults: Faults = {}
        for place, cell in enumerate(cells):
            if not cell or isinstance(cell, Stored):
                made.append(cell)
                continue
            try:
                data = base64.b64decode("".join(cell.split()), validate=True)
            except (binascii.Error, ValueError):
                text = f"{field.label}: the value is not base64"
                faults[place] = RowError("INVALID_BASE64", text, (field.name,))
                made.append("")
            else:
                made.append(self.put([data]).cell)
        return made, faults
