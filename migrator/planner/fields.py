"""Which fields of a plan object travel, and where each value comes from.

`all` and `custom` take what both ends allow and stay silent about the rest; a field that the plan names must be right.
**Invariant:** each target field is chosen at most once, and everything is sorted by the target field's name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from migrator.model.plan import FieldRule, ObjectPlan, Operation, RelationshipRule
from migrator.model.schedule import ColumnSpec
from migrator.model.schema import FieldSchema, SObjectSchema
from migrator.planner.findings import Findings, did_you_mean
from migrator.planner.readable import UNREADABLE, Readable

#: set by Salesforce; writable only with "Set Audit Fields upon Record Creation", and then on insert only
AUDIT = frozenset({"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"})
#: never part of `all`, whatever a describe call says
SYSTEM = AUDIT | {
    "Id",
    "IsDeleted",
    "SystemModstamp",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
}
#: words of `fields.include` that are not field names
WORDS = frozenset({"all", "required", "custom"})


@dataclass(frozen=True, slots=True)
class LookupDraft:
    """A relationship field that travels, before it is known who answers it."""

    field: FieldSchema
    rule: RelationshipRule
    #: the plan has a relationship rule for it
    ruled: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """The fields that travel."""

    columns: tuple[ColumnSpec, ...]
    lookups: tuple[LookupDraft, ...]


def choose_fields(one: ObjectPlan, target: SObjectSchema, source: Readable, found: Findings) -> Chosen:
    """The fields of `one` that travel, its rules applied."""
    if one.operation.deletes:
        columns = dict(_mapped(one, target, source, found)) or dict(_record_id(one, target, source))
        return Chosen(tuple(columns.values()), ())
    wanted = {field.name: field for field in _included(one, target, source, found)}
    for position, name in enumerate(one.fields.exclude):
        excluded = target.field_named(name)
        if excluded is not None:
            wanted.pop(excluded.name, None)
        elif source.find(name) is None:
            _unknown_field(one, name, target, found, ("fields", "exclude", position))
    columns = dict(_mapped(one, target, source, found))
    lookups = dict(_related(one, target, source, found))
    for name in sorted(columns.keys() & lookups.keys()):
        found.error(
            "mapped-twice",
            f"{one.name}.{name} has a rule in `map` and one in `relationships`",
            one,
            *("relationships", name),
            hint="keep one: `relationships` finds the record, `map` sends the value as it is",
        )
    for name, field in wanted.items():
        column = source.find(name)
        if name in columns or name in lookups or column is None:
            continue
        if field.reference_to:
            lookups[name] = LookupDraft(field, RelationshipRule(target=name, source=column), ruled=False)
        else:
            columns[name] = column_spec(field, FieldRule(name, source=column, reads=(column,)), one)
    if one.operation is Operation.UPDATE and "Id" not in columns:
        columns.update(_record_id(one, target, source))
    return Chosen(
        tuple(columns[name] for name in sorted(columns)), tuple(lookups[name] for name in sorted(lookups))
    )


def _record_id(one: ObjectPlan, target: SObjectSchema, source: Readable) -> Iterator[tuple[str, ColumnSpec]]:
    """A file's own `Id` column names the target's records; an org's would name records of the wrong org."""
    if source.schema is not None:
        return
    field, column = target.field_named("Id"), source.find("Id")
    if field is not None and column is not None:
        yield "Id", column_spec(field, FieldRule("Id", source=column, reads=(column,)), one)


def column_spec(field: FieldSchema, rule: FieldRule, one: ObjectPlan) -> ColumnSpec:
    """A sent field with the facts of its target."""
    required = not field.nillable if one.operation.by_id else field.required_on_insert
    return ColumnSpec(
        rule=rule,
        type=field.type,
        length=field.length,
        scale=field.scale,
        numeric=field.numeric,
        required=required or _is(one.external_id, field.name),
    )


def writable(field: FieldSchema, operation: Operation) -> bool:
    """Whether the running user may set it in that operation."""
    return field.updateable if operation is Operation.UPDATE else field.createable


def _travels(field: FieldSchema, operation: Operation) -> bool:
    return (
        writable(field, operation)
        and field.type not in UNREADABLE
        and not field.calculated
        and not field.auto_number
        and field.name not in SYSTEM
    )


def _included(
    one: ObjectPlan, target: SObjectSchema, source: Readable, found: Findings
) -> Iterator[FieldSchema]:
    words = WORDS.intersection(one.fields.include)
    ruled = {rule.target.casefold() for rule in one.map}
    ruled |= {rule.target.casefold() for rule in one.relationships}
    for field in target.fields.values():
        asked = (
            "all" in words
            or ("custom" in words and field.custom)
            or ("required" in words and field.required_on_insert)
        )
        if asked and _travels(field, one.operation) and source.find(field.name) is not None:
            yield field
    for position, name in enumerate(one.fields.include):
        if name in WORDS:
            continue
        place = ("fields", "include", position)
        named = _named_field(one, name, target, found, place)
        if named is None:
            continue
        if source.find(name) is None and name.casefold() not in ruled:
            _unreadable(one, name, source, found, place)
        else:
            yield named


def _mapped(
    one: ObjectPlan, target: SObjectSchema, source: Readable, found: Findings
) -> Iterator[tuple[str, ColumnSpec]]:
    seen: set[str] = set()
    for rule in one.map:
        place = ("map", rule.target)
        field = _named_field(one, rule.target, target, found, place)
        for name in rule.reads or ((rule.source,) if rule.source else ()):
            if source.find(name) is None:
                _unreadable(one, name, source, found, (*place, "from"))
        if field is None:
            continue
        if field.name in seen:
            found.error("mapped-twice", f"{one.name}.{field.name} has two rules in `map`", one, *place)
        seen.add(field.name)
        _warn_of_source_ids(one, rule, field, source, found)
        column = source.find(rule.source) if rule.source else None
        reads = rule.reads or ((column,) if column else ())
        yield (
            field.name,
            column_spec(field, replace(rule, target=field.name, source=column, reads=reads), one),
        )


def _related(
    one: ObjectPlan, target: SObjectSchema, source: Readable, found: Findings
) -> Iterator[tuple[str, LookupDraft]]:
    for rule in one.relationships:
        place = ("relationships", rule.target)
        field = _named_field(one, rule.target, target, found, place)
        column = source.find(rule.source or rule.target)
        if column is None:
            _unreadable(one, rule.source or rule.target, source, found, place)
        if field is None:
            continue
        if not field.reference_to:
            found.error(
                "not-a-relationship",
                f"{one.name}.{field.name} is not a relationship field, its type is {field.type}",
                one,
                *place,
                hint="give it a rule in `map`",
            )
        elif column is not None:
            spelled = replace(rule, target=field.name, source=column)
            yield field.name, LookupDraft(field, spelled, ruled=True)


def _warn_of_source_ids(
    one: ObjectPlan, rule: FieldRule, field: FieldSchema, source: Readable, found: Findings
) -> None:
    origin = source.schema.field_named(rule.source) if source.schema and rule.source else None
    if field.reference_to and origin is not None and origin.reference_to and not rule.values:
        found.warning(
            "source-ids-sent",
            f"{one.name}.{field.name} would get record ids of the source org as they are",
            one,
            *("map", rule.target),
            hint=f"use `relationships: {{{field.name}: {{}}}}` to find the target's records",
        )


def _named_field(
    one: ObjectPlan,
    name: str,
    target: SObjectSchema,
    found: Findings,
    place: tuple[str | int, ...],
) -> FieldSchema | None:
    """The target field that the plan names, if it can be sent."""
    field = target.field_named(name)
    if field is None:
        _unknown_field(one, name, target, found, place)
        return None
    if field.name == "Id" and (one.operation.by_id or _is(one.external_id, "Id")):
        return field
    reason = _why_not(field, one.operation)
    if reason is None:
        return field
    what, hint = reason
    code = "field-not-updateable" if one.operation is Operation.UPDATE else "field-not-createable"
    found.error(code, f"{one.name}.{field.name} cannot be sent: {what}", one, *place, hint=hint)
    return None


def _why_not(field: FieldSchema, operation: Operation) -> tuple[str, str] | None:
    """Why that field cannot be sent and what to do, or None when it can; the first reason that holds."""
    refused = not writable(field, operation)
    permission = "give the user the permission `Set Audit Fields upon Record Creation`, or leave it out"
    verb = "updated" if operation is Operation.UPDATE else "created"
    reasons = (
        (field.type in {"address", "location"}, f"it is a compound {field.type}", "name its parts instead"),
        (field.type == "base64", "it holds a file", "leave it out; files do not travel in a column"),
        (
            field.name in AUDIT and operation is Operation.UPSERT,
            "audit fields are taken on insert only",
            "use `operation: insert`, or leave it out",
        ),
        (refused and field.auto_number, "Salesforce numbers it", "map it to a text field of the target"),
        (refused and field.calculated, "it is calculated", "leave it out: the target calculates it"),
        (refused and field.name in AUDIT, "it is an audit field", permission),
        (
            refused,
            f"the target does not let it be {verb}",
            "check the user's field permissions, or leave it out",
        ),
    )
    return next(((what, hint) for holds, what, hint in reasons if holds), None)


def _unknown_field(
    one: ObjectPlan, name: str, target: SObjectSchema, found: Findings, place: tuple[str | int, ...]
) -> None:
    found.error(
        "unknown-field",
        f"{target.name} has no field {name} in the target org",
        one,
        *place,
        hint=did_you_mean(name, target.fields) or "check the name and the user's permission to read it",
    )


def _unreadable(
    one: ObjectPlan, name: str, source: Readable, found: Findings, place: tuple[str | int, ...]
) -> None:
    found.error(
        "unknown-field",
        f"{source.label} has no column {name} to read",
        one,
        *place,
        hint=did_you_mean(name, source.names.values())
        or "check the name and the user's permission to read it",
    )


def check_required(
    one: ObjectPlan, target: SObjectSchema, sent: Mapping[str, object] | set[str], found: Findings
) -> None:
    """Tell which required fields an insert would miss, all in one diagnostic."""
    if one.operation not in {Operation.INSERT, Operation.UPSERT}:
        return
    missing = sorted(
        field.name for field in target.fields.values() if field.required_on_insert and field.name not in sent
    )
    if missing:
        found.error(
            "required-field-missing",
            f"{one.name} does not send required {'fields' if len(missing) > 1 else 'field'} {', '.join(missing)}",
            one,
            "fields",
            hint=f"include {'them' if len(missing) > 1 else 'it'}, or give a value in `map`",
        )


def _is(name: str | None, other: str) -> bool:
    return name is not None and name.casefold() == other.casefold()
