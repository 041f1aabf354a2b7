"""Master-detail relationships and roll-up summaries of a schema file: what can be, and of which type a summary is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from migrator.simulator.schema.model import (
    NUMBERS,
    Field,
    FieldType,
    FilterOperation,
    OnDelete,
    SObject,
    Summary,
    SummaryFilter,
    SummaryOperation,
)

MAX_MASTERS = 2  # master-detail relationships of an sObject; "Considerations for Object Relationships"
MAX_LEVELS = 3  # of custom details under a master; the same page
MAX_SUMMARIES = 40  # roll-up summaries of an sObject, the most that an org can get
_DATES = frozenset({FieldType.DATE, FieldType.DATETIME})


def read_summary(given: Mapping[str, Any]) -> Summary:
    """A roll-up summary: `of` is the child with its reference (`Line__c.Invoice__c`)."""
    child, dot, reference = str(given["of"]).partition(".")
    if not dot:
        raise ValueError("of: names the child and its reference, as Line__c.Invoice__c")
    return Summary(
        child,
        reference,
        SummaryOperation(given["operation"]),
        str(given.get("field", "")),
        tuple(_filter(each) for each in given.get("filters") or ()),
    )


def _filter(given: Mapping[str, Any]) -> SummaryFilter:
    value = given.get("value", "")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    values = tuple(each.strip() for each in text.split(","))
    return SummaryFilter(str(given["field"]), FilterOperation(given["operation"]), values)


def with_summaries(objects: Mapping[str, SObject]) -> dict[str, SObject]:
    """The sObjects with their roll-up summaries typed; a ValueError says what cannot be."""
    made = dict(objects)
    for name, sobject in objects.items():
        summaries = [each for each in sobject.fields if each.summary is not None]
        if len(summaries) > MAX_SUMMARIES:
            raise ValueError(f"{name}: more than {MAX_SUMMARIES} roll-up summaries")
        if summaries:
            fields = tuple(
                _typed(objects, sobject, each) if each.summary else each for each in sobject.fields
            )
            made[name] = replace(sobject, fields=fields)
        _check_masters(objects, sobject)
    return made


def _typed(objects: Mapping[str, SObject], parent: SObject, field: Field) -> Field:
    summary = field.summary
    if summary is None:
        return field
    where = f"{parent.name}.{field.name}"
    child = objects.get(summary.child)
    reference = child.field(summary.reference) if child else None
    if child is None or reference is None or parent.name not in reference.reference_to:
        raise ValueError(f"{where}: {summary.child}.{summary.reference} does not refer to {parent.name}")
    if reference.on_delete is not OnDelete.CASCADE:
        raise ValueError(f"{where}: {summary.child}.{summary.reference} is no master-detail relationship")
    for each in summary.filters:
        if child.field(each.field) is None:
            raise ValueError(f"{where}: {child.name} has no field {each.field}")
    if summary.operation is SummaryOperation.COUNT:
        return replace(field, type=FieldType.DOUBLE, precision=18, scale=0)
    summed = child.field(summary.field)
    fits = NUMBERS | {FieldType.INT}
    if summary.operation is not SummaryOperation.SUM:
        fits |= _DATES
    if summed is None or summed.type not in fits:
        raise ValueError(f"{where}: cannot {summary.operation} {child.name}.{summary.field or '(no field)'}")
    kind = FieldType.DOUBLE if summed.type is FieldType.INT else summed.type
    return replace(field, type=kind, precision=18 if kind in NUMBERS else 0, scale=summed.scale)


def _check_masters(objects: Mapping[str, SObject], sobject: SObject) -> None:
    masters = [each for each in sobject.fields if each.relationship_order is not None]
    if not sobject.custom or not masters:
        return
    if len(masters) > MAX_MASTERS:
        raise ValueError(f"{sobject.name}: more than {MAX_MASTERS} master-detail relationships")
    if _level(objects, sobject, ()) > MAX_LEVELS:
        raise ValueError(f"{sobject.name}: more than {MAX_LEVELS} levels of details")


def _level(objects: Mapping[str, SObject], sobject: SObject, seen: tuple[str, ...]) -> int:
    """How many details deep the sObject is; 0 without a master."""
    if sobject.name in seen:
        raise ValueError(f"{sobject.name}: is its own master")
    masters = [each for each in sobject.fields if each.relationship_order is not None and sobject.custom]
    above = [objects[each.reference_to[0]] for each in masters if each.reference_to[0] in objects]
    return max((1 + _level(objects, each, (*seen, sobject.name)) for each in above), default=0)
