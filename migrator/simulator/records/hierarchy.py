"""Hierarchies of standard sObjects have no circles: nothing is above itself."""

from migrator.simulator.records.execution import Saving, Step
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Table
from migrator.simulator.schema.model import Field, FieldType, SObject

CIRCLE = RowError("CIRCULAR_DEPENDENCY", "attempt to violate hierarchy constraints")


def hierarchy_checks(sobject: SObject) -> list[Step]:
    """A check for each standard field that names a record of the same sObject above it."""
    if sobject.custom:
        return []
    return [
        _check(field)
        for field in sobject.fields
        if field.type is FieldType.REFERENCE
        and field.reference_to == (sobject.name,)
        and field.updateable
        and not field.custom
    ]


def _check(field: Field) -> Step:
    name = field.name

    def check(saving: Saving) -> None:
        if not saving.updates or name not in saving.chunk.cells:
            return  # what is new is above nothing yet
        table = saving.table
        own = list(saving.updates.values())
        above = dict(zip(own, map(table.seq_of, saving.new(name)[len(saving.inserts) :]), strict=True))
        _climb(table, name, above)
        for row, seq in saving.updates.items():
            if _is_above_itself(seq, above):
                saving.fault(row, CIRCLE)

    return check


def _climb(table: Table, name: str, above: dict[int, int]) -> None:
    """Add to what is above what, level by level, everything that can be reached; each record is read once."""
    level = {parent for parent in above.values() if parent} - above.keys()
    while level:
        seqs = sorted(level)
        above.update(zip(seqs, map(table.seq_of, table.cells(seqs, name)), strict=True))
        level = {above[seq] for seq in seqs if above[seq]} - above.keys()


def _is_above_itself(seq: int, above: dict[int, int]) -> bool:
    seen = {seq}
    parent = above[seq]
    while parent and parent not in seen:
        seen.add(parent)
        parent = above[parent]
    return parent == seq
