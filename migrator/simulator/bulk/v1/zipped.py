"""Batches with files: a zip with `request.txt`, whose cells `#path` of base64 fields stand for the files beside it."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace

from migrator.simulator.bulk.v1.content import BatchFault, Rows
from migrator.simulator.records.blobs import PIECE, Blobs
from migrator.simulator.schema.model import FieldType, SObject

REQUEST = "request.txt"
MAX_FILES = 1_000  # of a batch; Bulk API guide, "Load Binary Attachments"
MAX_UNZIPPED = 20_000_000  # bytes


class Archive:
    """The zip of one batch; raises `BatchFault` when it is none, or too big."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError):
            raise BatchFault("InvalidBatch : Failed to read the zip file") from None
        listed = [each for each in self._zip.infolist() if not each.is_dir()]
        if len(listed) > MAX_FILES:
            raise BatchFault(f"InvalidBatch : The zip file has more than {MAX_FILES} files")
        if sum(each.file_size for each in listed) > MAX_UNZIPPED:
            raise BatchFault(f"InvalidBatch : The zip file holds more than {MAX_UNZIPPED} bytes")
        self._names = {each.filename.removeprefix("./") for each in listed}

    def request(self) -> bytes:
        """The records."""
        if REQUEST not in self._names:
            raise BatchFault(f"InvalidBatch : Unable to find {REQUEST} in the zip file")
        return b"".join(self._pieces(REQUEST))

    def with_files(self, rows: Rows, sobject: SObject, blobs: Blobs) -> Rows:
        """The rows with the files in the place of their paths."""
        fields = [sobject.field(name) for name in rows.header]
        places = [place for place, each in enumerate(fields) if each and each.type is FieldType.BASE64]
        if not places:
            return rows
        made: list[Sequence[str | None]] = []
        for row in rows.rows:
            cells = list(row)
            for place in places:
                cell = cells[place]
                if cell and cell.startswith("#") and cell != rows.null_marker:
                    cells[place] = blobs.put(self._pieces(self._found(cell[1:]))).cell
            made.append(cells)
        return replace(rows, rows=made)

    def _found(self, path: str) -> str:
        name = path.replace("\\", "/").removeprefix("./")
        if name not in self._names:
            raise BatchFault(f"InvalidBatch : Unable to find the file {path} in the zip file")
        return name

    def _pieces(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as file:
                while piece := file.read(PIECE):
                    yield piece
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError):
            raise BatchFault(f"InvalidBatch : Failed to read {name} of the zip file") from None
