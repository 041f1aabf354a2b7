"""Record types of records, and the picklist values that a record type or a controlling field allows.

Only restricted picklists are held to it, and only where a row gives the field: so does the platform for its APIs.
"""

from collections.abc import Callable, Mapping

from migrator.simulator.records.execution import Saving, Step
from migrator.simulator.records.references import not_for_the_user
from migrator.simulator.records.store import Store
from migrator.simulator.records.values import bad_value
from migrator.simulator.schema.model import Field, FieldType, SObject


def choice_checks(store: Store, sobject: SObject) -> list[Step]:
    """The checks that an sObject needs."""
    checks: list[Step] = []
    record_type = sobject.field("RecordTypeId")
    if record_type is not None:
        checks.append(_RecordTypes(store, sobject, record_type))
    for field in sobject.fields:
        if not field.restricted:
            continue
        limits = {
            each.developer_name: each.picklists[field.name]
            for each in sobject.record_types
            if field.name in each.picklists
        }
        if limits:
            checks.append(_by_record_type(store, field, limits))
        if field.controller is not None:
            checks.append(_by_controller(sobject, field))
    return checks


class _RecordTypes:
    """A record type must be one of the sObject, and active."""

    def __init__(self, store: Store, sobject: SObject, field: Field) -> None:
        self._types = store.table("RecordType")
        self._sobject = sobject.name
        self._field = field

    def __call__(self, saving: Saving) -> None:
        cells = saving.chunk.cells.get("RecordTypeId")
        if cells is None:
            return
        bad = {each for each in set(cells) if each and not self._fits(each)}
        for row in saving.rows if bad else ():
            if cells[row] in bad:
                saving.fault(row, not_for_the_user(self._field, cells[row]))

    def _fits(self, record_id: str) -> bool:
        seq = self._types.seq_of(record_id)
        return (
            self._types.cell(seq, "SobjectType") == self._sobject
            and self._types.cell(seq, "IsActive") == "true"
        )


def _by_record_type(store: Store, field: Field, limits: Mapping[str, frozenset[str]]) -> Step:
    """Only values that the record's type allows."""
    types = store.table("RecordType")

    def allowed(record_type: str) -> frozenset[str] | None:
        return limits.get(types.cell(types.seq_of(record_type), "DeveloperName")) if record_type else None

    return _paired(field, "RecordTypeId", allowed)


def _by_controller(sobject: SObject, field: Field) -> Step:
    """Only values that are valid for the controlling field's value; without one, none is."""
    controller = sobject.field(field.controller or "")
    if controller is None:
        raise AssertionError(f"{field.name} depends on a field that is not there")
    valid: dict[str, set[str]] = {}
    for choice in field.choices:
        for value in choice.valid_for if choice.active else ():
            valid.setdefault(value, set()).add(choice.value)
    known = {value: frozenset(values) for value, values in valid.items()}
    return _paired(field, controller.name, lambda value: known.get(value, frozenset()))


def _paired(field: Field, other: str, allowed: Callable[[str], frozenset[str] | None]) -> Step:
    """A check of the field's values against what the other field's value allows; None allows all."""
    several = field.type is FieldType.MULTIPICKLIST

    def check(saving: Saving) -> None:
        if field.name not in saving.chunk.cells:
            return
        given = saving.chunk.cells[field.name]
        pairs = [(by, given[row]) for by, row in zip(saving.new(other), saving.rows, strict=True)]
        bad: dict[tuple[str, str], str] = {}
        for pair in set(pairs):
            by, cell = pair
            values = allowed(by) if cell else None
            if values is not None:
                wrong = [each for each in (cell.split(";") if several else (cell,)) if each not in values]
                if wrong:
                    bad[pair] = wrong[0]
        for row, pair in zip(saving.rows, pairs, strict=True) if bad else ():
            if pair in bad:
                saving.fault(row, bad_value(field, bad[pair]))

    return check
