"""What a schedule relies on in the schema of its orgs, and what it means when that has changed since.

**Invariant:** pure; only sObjects and fields that the schedule uses count, and every change is one of three: it does no harm, it is worth a
word, or the step must not begin.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from migrator.model.plan import Operation
from migrator.model.schedule import (
    ExtractStep,
    GateStep,
    LinkStep,
    LoadStep,
    MatchStep,
    Schedule,
    Side,
    Step,
    VerifyStep,
)
from migrator.model.schema import FieldSchema, OrgSchema, SObjectSchema

#: sObject → what is used of it, as plain JSON values: `required` (fields a new record needs) and `fields` (facts by name)
Used = Mapping[str, Mapping[str, Any]]
#: facts of a field that matter, as the model names them
FACTS = (
    "type",
    "length",
    "precision",
    "scale",
    "nillable",
    "createable",
    "updateable",
    "unique",
    "external_id",
)
MORE_FACTS = ("restricted_picklist", "picklist_values", "reference_to", "label")


class Harm(StrEnum):
    """What a change of the schema does to a step."""

    BENIGN = "benign"
    WARN = "warn"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Drift:
    """One change."""

    harm: Harm
    what: str


def uses(step: Step) -> dict[tuple[Side, str], frozenset[str]]:
    """The fields that a step needs, by side and sObject. A path over a relationship is the other sObject's business."""
    match step:
        case ExtractStep():
            return {} if step.file else {(step.side, step.sobject): _plain(step.columns)}
        case LoadStep():
            sent = {one.rule.target for one in step.columns} | {one.rule.target for one in step.lookups}
            key = {step.external_id} if step.external_id else set()
            return {(Side.TARGET, step.sobject): frozenset(sent | key)}
        case LinkStep():
            return {(Side.TARGET, step.sobject): frozenset(one.rule.target for one in step.lookups)}
        case VerifyStep():
            return {(Side.TARGET, step.sobject): _plain(step.columns)}
        case GateStep() | MatchStep():
            return {}


def _plain(columns: tuple[str, ...]) -> frozenset[str]:
    return frozenset(one for one in columns if "." not in one)


def used_schema(schedule: Schedule, side: Side, schema: OrgSchema) -> dict[str, dict[str, Any]]:
    """What the schedule uses of one side, to be kept with the run."""
    wanted: dict[str, set[str]] = {}
    for step in schedule.steps:
        for (where, sobject), names in uses(step).items():
            if where is side:
                wanted.setdefault(sobject, set()).update(names)
    return {name: _facts_of(schema.sobject(name), fields) for name, fields in sorted(wanted.items())}


def _facts_of(sobject: SObjectSchema | None, names: set[str]) -> dict[str, Any]:
    if sobject is None:
        return {"required": [], "fields": {}}
    known = {name: sobject.field_named(name) for name in sorted(names)}
    return {
        "required": sorted(one.name for one in sobject.fields.values() if one.required_on_insert),
        "fields": {name: _facts(one) for name, one in known.items() if one is not None},
    }


def _facts(field: FieldSchema) -> dict[str, Any]:
    found = {name: getattr(field, name) for name in (*FACTS, *MORE_FACTS)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def drift(
    step: Step, side: Side, sobject: str, was: Mapping[str, Any], now: SObjectSchema | None
) -> tuple[Drift, ...]:
    """What has changed of an sObject since `was`, as the step sees it."""
    if now is None:
        return (Drift(Harm.BLOCKING, f"{sobject} is gone, or the user may not see it"),)
    names = sorted(uses(step).get((side, sobject), ()))
    found = [
        one
        for name in names
        for one in _field_drift(step, name, was["fields"].get(name), now.field_named(name))
    ]
    if isinstance(step, LoadStep) and step.operation in {Operation.INSERT, Operation.UPSERT}:
        sent = {one.casefold() for one in names}
        found += [
            Drift(Harm.BLOCKING, f"{one.name} is now required on new records, and is not sent")
            for one in sorted(now.fields.values(), key=lambda each: each.name)
            if one.required_on_insert and one.name not in was["required"] and one.name.casefold() not in sent
        ]
    return tuple(Drift(one.harm, f"{sobject}.{one.what}") for one in found)


def _field_drift(
    step: Step, name: str, was: Mapping[str, Any] | None, now: FieldSchema | None
) -> Iterator[Drift]:
    if was is None:  # it was not there when the run began, and a step was made all the same
        return
    if now is None:
        yield Drift(Harm.BLOCKING, f"{name} is gone, or the user may not see it")
        return
    if now.type != was["type"]:
        yield Drift(Harm.BLOCKING, f"{name} was of type {was['type']} and is of type {now.type}")
    if isinstance(step, LoadStep | LinkStep):
        yield from _written_drift(step, name, was, now)


def _written_drift(
    step: LoadStep | LinkStep, name: str, was: Mapping[str, Any], now: FieldSchema
) -> Iterator[Drift]:
    for fact in ("length", "precision", "scale"):
        before, after = was[fact], getattr(now, fact)
        if after < before:
            yield Drift(Harm.BLOCKING, f"{name} is shorter: {fact} was {before} and is {after}")
        elif after > before:
            yield Drift(Harm.BENIGN, f"{name} is longer")
    operation = step.operation if isinstance(step, LoadStep) else Operation.UPDATE
    if was["createable"] and not now.createable and operation in {Operation.INSERT, Operation.UPSERT}:
        yield Drift(Harm.BLOCKING, f"{name} cannot be set on new records any more")
    if was["updateable"] and not now.updateable and operation in {Operation.UPDATE, Operation.UPSERT}:
        yield Drift(Harm.BLOCKING, f"{name} cannot be set on existing records any more")
    if was["nillable"] and not now.nillable:
        yield Drift(Harm.BLOCKING, f"{name} is now required")
    yield from _key_drift(name, was, now, key=isinstance(step, LoadStep) and name == step.external_id)
    lost = sorted(set(was["reference_to"]) - set(now.reference_to))
    if lost:
        yield Drift(Harm.BLOCKING, f"{name} cannot look up {', '.join(lost)} any more")
    yield from _value_drift(name, was, now)


def _key_drift(name: str, was: Mapping[str, Any], now: FieldSchema, *, key: bool) -> Iterator[Drift]:
    if now.unique and not was["unique"]:
        yield Drift(Harm.BLOCKING, f"{name} is now unique")
    if was["unique"] and not now.unique:
        yield Drift(Harm.BLOCKING if key else Harm.WARN, f"{name} is not unique any more")
    if key and was["external_id"] and not now.external_id:
        yield Drift(Harm.BLOCKING, f"{name} is no external id any more")


def _value_drift(name: str, was: Mapping[str, Any], now: FieldSchema) -> Iterator[Drift]:
    before, after = set(was["picklist_values"]), set(now.picklist_values)
    if now.restricted_picklist and not was["restricted_picklist"]:
        yield Drift(Harm.WARN, f"{name} now refuses values that are not in its list")
    if now.restricted_picklist and before - after:
        yield Drift(
            Harm.WARN,
            f"{name} lost {len(before - after)} of its values; rows with one of them will be refused",
        )
    elif before != after:
        yield Drift(Harm.WARN, f"{name} has other values than before")
    if now.label != was["label"]:
        yield Drift(Harm.WARN, f"{name} has another label")
