"""Which rows a fault refuses: by key, by value, or a share of them that content and seed decide."""

import binascii
import re
from collections.abc import Mapping, Sequence

from migrator.simulator.faults.model import RowFault, Rows
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.chunk import Chunk
from migrator.simulator.records.compile import Compiled
from migrator.simulator.records.results import RowError

_SHARES = 1 << 32


class RowFaults:
    """The row faults of an org, asked for each transaction; `org.part(RowFaults)`."""

    def __init__(self, org: OrgState) -> None:
        self.faults: list[RowFault] = []
        org.dml.refusals.append(self)

    def __call__(self, chunk: Chunk, _: Sequence[int]) -> Mapping[int, RowError]:
        """The rows that are refused, and why."""
        found: dict[int, RowError] = {}
        for fault in self.faults:
            for row in _struck(fault, chunk):
                found.setdefault(row, RowError(fault.code, fault.message, fault.fields))
        return found


def _struck(fault: RowFault, chunk: Chunk) -> list[int]:
    compiled = chunk.compiled
    wanted = fault.rows
    if wanted.sobject and wanted.sobject.lower() != compiled.sobject.name.lower():
        return []
    if fault.operation and fault.operation != compiled.operation.value:
        return []
    if chunk.count <= fault.above_rows:
        return []
    chosen = [row for row in _chosen(wanted, chunk, fault.seed) if _once_more(fault, chunk, row)]
    return list(range(chunk.count)) if chosen and fault.whole_transaction else chosen


def _chosen(wanted: Rows, chunk: Chunk, seed: int) -> list[int]:
    rows = list(range(chunk.count))
    if wanted.field:
        place = place_of(chunk.compiled, wanted.field)
        if place is None:
            return []
        cells = chunk.raw[place]
        if wanted.values:
            rows = [row for row in rows if cells[row] in wanted.values]
        if wanted.matches:
            pattern = re.compile(wanted.matches)
            rows = [row for row in rows if pattern.fullmatch(cells[row] or "")]
    if wanted.percent < 100:
        most = wanted.percent / 100 * _SHARES
        rows = [row for row in rows if _digest(chunk, row, seed) < most]
    return rows


def place_of(compiled: Compiled, field: str) -> int | None:
    """Where in the header a field is, or the relationship column that fills it."""
    name = field.lower()
    if name == "id":
        return compiled.id_place
    places = {found.field.name.lower(): found.place for found in compiled.parents}
    places |= {found.field.name.lower(): found.place for found in compiled.values}
    return places.get(name)


def _digest(chunk: Chunk, row: int, seed: int) -> int:
    cells = "\x1f".join(column[row] or "" for column in chunk.raw)
    return binascii.crc32(cells.encode(), seed * 0x9E3779B1 % _SHARES)


def _once_more(fault: RowFault, chunk: Chunk, row: int) -> bool:
    """Count the strike; False for a row that was struck often enough."""
    digest = _digest(chunk, row, fault.seed)
    before = fault.struck.get(digest, 0)
    if before >= fault.times:
        return False
    fault.struck[digest] = before + 1
    return True
