"""Records that the platform makes or changes by itself, as part of the transaction that made it do so."""

from collections.abc import Mapping, Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.dml import MAX_ROWS
from migrator.simulator.records.table import Table


def make_records(
    org: OrgState, sobject: str, columns: Mapping[str, Sequence[str]], context: Context
) -> list[str]:
    """Make records, given column by column, and return their ids. What comes with them comes too; nothing is refused."""
    described = org.schema.sobject(sobject)
    if described is None:
        return []
    compiled = org.dml.compile(described, list(columns), Operation.INSERT, trusted=True)
    rows = list(zip(*columns.values(), strict=True))
    made: list[str] = []
    for first in range(0, len(rows), MAX_ROWS):
        done = org.dml.execute(compiled, rows[first : first + MAX_ROWS], context)
        if done.errors:
            error = next(iter(done.errors.values()))[0]
            raise AssertionError(f"{sobject}: {error.status_code} {error.message}")
        made += done.ids
    return made


class Lookup:
    """Cells of records by id, each looked up once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._known: dict[tuple[str, str], str] = {}

    def cell(self, record_id: str, name: str) -> str:
        """A field of a record; null where there is no such record."""
        key = (record_id, name)
        found = self._known.get(key)
        if found is None:
            seq = self.table.seq_of(record_id) if record_id else 0
            found = self._known[key] = self.table.cell(seq, name) if self.table.exists(seq) else ""
        return found

    def cells(self, record_ids: Sequence[str], name: str) -> list[str]:
        """A field of many records."""
        return [self.cell(record_id, name) for record_id in record_ids]
