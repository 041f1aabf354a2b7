"""Who answers a relationship field: the plan objects whose id maps name the target's records."""

from collections.abc import Mapping
from dataclasses import dataclass

from migrator.model.plan import ObjectPlan, Plan, RelationshipRule, WhenMissing
from migrator.model.schedule import LookupSpec
from migrator.model.schema import FieldSchema
from migrator.planner.fields import LookupDraft
from migrator.planner.findings import Findings, did_you_mean, listed


@dataclass(frozen=True, slots=True)
class Answerers:
    """The plan objects by name and by (casefolded) sObject, each list in the plan's order."""

    by_name: Mapping[str, ObjectPlan]
    by_sobject: Mapping[str, tuple[str, ...]]


def answerers(plan: Plan) -> Answerers:
    """The index of a plan."""
    by_sobject: dict[str, tuple[str, ...]] = {}
    for one in plan.objects:
        if one.operation.deletes:
            continue  # what is deleted answers no lookup
        key = one.object.casefold()
        by_sobject[key] = (*by_sobject.get(key, ()), one.name)
    return Answerers({one.name: one for one in plan.objects}, by_sobject)


def resolve_lookup(
    one: ObjectPlan, draft: LookupDraft, index: Answerers, found: Findings
) -> LookupSpec | None:
    """The lookup with its answering plan objects; None when it cannot be sent (and that was told) or is left empty."""
    field, rule = draft.field, draft.rule
    via = _via_named(one, draft, rule.via, index, found) if rule.via else _via_types(one, draft, index, found)
    if not via:
        return None
    _check_when_missing(one, field, rule, found)
    if not rule.via and not rule.types and rule.when_missing is WhenMissing.FAIL:
        _note_unanswered(one, field, index, found)
    return LookupSpec(rule, via, rule.when_missing, required=field.required_on_insert)


def left_empty(draft: LookupDraft, index: Answerers) -> bool:
    """Whether nobody in the plan answers the field and the plan says to send nothing then."""
    return (
        draft.rule.when_missing is WhenMissing.NULL
        and not draft.field.required_on_insert
        and not draft.rule.via
        and not draft.rule.types
        and not any(index.by_sobject.get(name.casefold()) for name in draft.field.reference_to)
    )


def _via_named(
    one: ObjectPlan, draft: LookupDraft, name: str, index: Answerers, found: Findings
) -> tuple[str, ...]:
    place = ("relationships", draft.field.name, "via")
    answering = index.by_name.get(name)
    if answering is None:
        found.error(
            "object-not-in-plan",
            f"{one.name}.{draft.field.name} is to be resolved via {name}, which is not in the plan",
            one,
            *place,
            hint=did_you_mean(name, index.by_name) or "name an entry of `objects`",
        )
        return ()
    if not _looks_up(draft.field, answering.object):
        found.error(
            "dangling-lookup",
            f"{one.name}.{draft.field.name} looks up {listed(draft.field.reference_to, 'or')}, not {answering.object}",
            one,
            *place,
            hint=f"name a plan object that is {listed(draft.field.reference_to, 'or')}",
        )
        return ()
    return (name,)


def _via_types(one: ObjectPlan, draft: LookupDraft, index: Answerers, found: Findings) -> tuple[str, ...]:
    field, types = draft.field, draft.rule.types
    for position, name in enumerate(types):
        if not _looks_up(field, name):
            found.error(
                "dangling-lookup",
                f"{one.name}.{field.name} cannot look up {name} in the target org",
                one,
                *("relationships", field.name, "types", position),
                hint=did_you_mean(name, field.reference_to)
                or f"it looks up {listed(field.reference_to, 'or')}",
            )
        elif name.casefold() not in index.by_sobject:
            _dangling(one, field, (name,), found, ("types", position))
    if not types and not any(name.casefold() in index.by_sobject for name in field.reference_to):
        if not left_empty(draft, index):
            _dangling(one, field, field.reference_to, found)
        return ()
    wanted = {name.casefold() for name in (types or field.reference_to) if _looks_up(field, name)}
    names = [name for key in sorted(wanted) for name in index.by_sobject.get(key, ())]
    return tuple(sorted(names, key=lambda name: index.by_name[name].position))


def _note_unanswered(one: ObjectPlan, field: FieldSchema, index: Answerers, found: Findings) -> None:
    others = sorted(name for name in field.reference_to if name.casefold() not in index.by_sobject)
    if others:
        found.note(
            "lookup-partly-answered",
            f"{one.name}.{field.name} may also look up {listed(others, 'or')}, which the plan does not have: "
            "such rows will not be sent",
            one,
            *("relationships", field.name),
            hint=f"say what to do with them: `relationships: {{{field.name}: {{when_missing: null}}}}` or `skip`",
        )


def _dangling(
    one: ObjectPlan,
    field: FieldSchema,
    types: tuple[str, ...],
    found: Findings,
    below: tuple[str | int, ...] = (),
) -> None:
    ways = [
        f"add an object {listed(types, 'or')} (with `match` and no operation, if its records exist already)"
    ]
    if below:
        ways.append("take it out of `types`")
    else:
        if field.nillable or field.defaulted_on_create:
            ways.append(f"leave the field out with `fields: {{exclude: [{field.name}]}}`")
            ways.append(f"send none with `relationships: {{{field.name}: {{when_missing: null}}}}`")
        if field.polymorphic:
            ways.append("name the `types` that the plan moves")
    what = f"{one.name}.{field.name} looks up {listed(types, 'or')}, and no object of the plan "
    what += "is one" if len(types) == 1 else "is any of them"
    place = ("relationships", field.name, *below)
    found.error("dangling-lookup", what, one, *place, hint="; or ".join(ways))


def _check_when_missing(one: ObjectPlan, field: FieldSchema, rule: RelationshipRule, found: Findings) -> None:
    problem = hint = ""
    match rule.when_missing:
        case WhenMissing.LINK if why := not_linkable(field):
            problem, hint = f"`link` fills it after the insert, but {why}", "use `fail`, `skip` or `default`"
        case WhenMissing.NULL if field.required_on_insert:
            problem, hint = "`null` leaves it empty, but it is required", "use `fail`, `skip` or `default`"
        case WhenMissing.DEFAULT if not rule.default:
            problem, hint = "`default` needs a record", "write `when_missing: {default: <key of the record>}`"
        case _:
            return
    found.error(
        "when-missing-unfit",
        f"{one.name}.{field.name}: {problem}",
        one,
        *("relationships", field.name, "when_missing"),
        hint=hint,
    )


def not_linkable(field: FieldSchema) -> str:
    """Why a field cannot be filled by a later update, or nothing when it can."""
    if field.required_on_insert or not field.nillable:
        return "it is required on insert"
    return "" if field.updateable else "it cannot be updated"


def _looks_up(field: FieldSchema, sobject: str) -> bool:
    return sobject.casefold() in {name.casefold() for name in field.reference_to}
