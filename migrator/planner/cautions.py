"""What is allowed and still worth a second look: values that may not fit, columns nobody reads, fields set once only.

**Invariant:** only warnings and notes come from here.
"""

from collections.abc import Sequence

from migrator.model.plan import FieldRule, ObjectPlan, Operation
from migrator.model.schedule import ColumnSpec
from migrator.model.schema import FieldSchema, SObjectSchema
from migrator.planner.fields import Chosen
from migrator.planner.findings import Findings, listed
from migrator.planner.readable import Readable

_NUMBERS = "number"
#: kinds of values, by describe's field types; every other type is text, which takes anything
_KINDS = {
    **dict.fromkeys(("double", "currency", "percent", "int", "long"), _NUMBERS),
    "date": "date",
    "datetime": "datetime",
    "time": "time",
    "boolean": "boolean",
}


#: on Account and Contact of an org that has person accounts
_PERSON = "IsPersonAccount"
#: sObjects with assignment rules (Bulk API guide, "Create a Job": `assignmentRuleId`)
_ASSIGNED = ("Case", "Lead")


def caution(
    one: ObjectPlan, target: SObjectSchema, source: Readable, chosen: Chosen, found: Findings
) -> None:
    """Warn about the fields that travel."""
    if one.headers.assignment_rule and target.name not in _ASSIGNED:
        found.warning(
            "header-without-effect",
            f"{one.name} asks for an assignment rule, and only {listed(_ASSIGNED)} have them",
            one,
            "headers",
            "assignment_rule",
            hint="remove it",
        )
    once = create_only(one, target, chosen)
    if once:
        found.warning(
            "create-only-field",
            f"{one.name} upserts {listed(once)}, which can be set on creation only: "
            "the target refuses rows whose record exists already",
            one,
            "operation",
            hint="leave it out, or use `insert`",
        )
    for spec in chosen.columns:
        origin = _copied(spec.rule, source)
        if origin is not None:
            _caution_values(one, spec, origin, found)
    _caution_persons(one, target, source, chosen, found)
    if source.schema is None:
        _caution_unread(one, source, chosen, found)


def create_only(one: ObjectPlan, target: SObjectSchema, chosen: Chosen) -> tuple[str, ...]:
    """The fields of an upsert that a record takes only once: sending a row again would fail it."""
    if one.operation is not Operation.UPSERT:
        return ()
    names = [spec.rule.target for spec in chosen.columns] + [draft.field.name for draft in chosen.lookups]
    return tuple(sorted(name for name in names if name != "Id" and not target.fields[name].updateable))


def _copied(rule: FieldRule, source: Readable) -> FieldSchema | None:
    """The source field whose values are sent as they are, if there is one."""
    changed = rule.expression or rule.values or rule.mask or rule.truncate
    if source.schema is None or rule.source is None or changed:
        return None
    return source.schema.field_named(rule.source)


def _caution_values(one: ObjectPlan, spec: ColumnSpec, origin: FieldSchema, found: Findings) -> None:
    name = spec.rule.target
    from_kind, to_kind = _KINDS.get(origin.type, "text"), _KINDS.get(spec.type, "text")
    if to_kind not in {"text", from_kind}:
        found.warning(
            "type-differs",
            f"{one.name}.{name} is a {spec.type} and gets the values of {origin.name}, a {origin.type}",
            one,
            *("map", name),
            hint="make them fit with an `expression` or `values`",
        )
    elif to_kind == from_kind == "text" and 0 < spec.length < origin.length:
        found.warning(
            "may-not-fit",
            f"{one.name}.{name} takes {spec.length} characters, {origin.name} holds up to {origin.length}",
            one,
            *("map", name),
            hint=f"rows with longer values will fail; cut them with `truncate: {spec.length}` if that is meant",
        )


def _caution_persons(
    one: ObjectPlan, target: SObjectSchema, source: Readable, chosen: Chosen, found: Findings
) -> None:
    """Where both orgs have person accounts: a person has no `Name` of its own that could be sent, and its contact is made with it.

    An entry whose filter tells persons apart knows of that.
    """
    if source.schema is None or _PERSON.casefold() in (one.where or "").casefold():
        return
    if source.schema.field_named(_PERSON) is None or target.field_named(_PERSON) is None:
        return
    if target.name == "Contact" and one.operation in {Operation.INSERT, Operation.UPSERT}:
        found.warning(
            "person-accounts",
            f"{one.name} sends the contacts of person accounts too, and the target makes those with their accounts",
            one,
            "where",
            hint=f"say `where: {_PERSON} = false`",
        )
    named = (spec.rule for spec in chosen.columns if spec.rule.target == "Name")
    if target.name == "Account" and any(_copied(rule, source) for rule in named):
        found.warning(
            "person-accounts",
            f"{one.name} sends Name, which the target refuses for persons",
            one,
            "where",
            hint=f"make two entries, one `where: {_PERSON} = false` and one `where: {_PERSON} = true` with `fields: {{exclude: [Name]}}`",
        )


def _caution_unread(one: ObjectPlan, source: Readable, chosen: Chosen, found: Findings) -> None:
    read = {name.casefold() for spec in chosen.columns for name in spec.rule.reads}
    read |= {spec.rule.source.casefold() for spec in chosen.columns if spec.rule.source}
    read |= {(draft.rule.source or draft.field.name).casefold() for draft in chosen.lookups}
    read |= {name.casefold() for name in one.key}
    unread: Sequence[str] = [name for folded, name in source.names.items() if folded not in read]
    if unread:
        found.note(
            "columns-unused",
            f"{one.name}: {listed(unread)} of {source.label} {'is' if len(unread) == 1 else 'are'} not sent",
            one,
            hint="give a column to a field with `map`, if it is to travel",
        )
