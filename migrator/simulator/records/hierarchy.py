"""Hierarchies of standard sObjects have no circles: nothing is above itself."""

from migrator.simulator.records.execution import Saving, Step
from migrator.simulator.records.results import RowError
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
        new = saving.new(name)
        first = len(saving.inserts)
        above = dict(zip(list(saving.updates.values()), new[first:], strict=True))
        for row, seq in saving.updates.items():
            seen = {seq}
            parent = above[seq]
            while parent:
                number = table.seq_of(parent)
                if number in seen:
                    if number == seq:
                        saving.fault(row, CIRCLE)
                    break
                seen.add(number)
                parent = above[number] if number in above else table.cell(number, name) if number else ""

    return check
