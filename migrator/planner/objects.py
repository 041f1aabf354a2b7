"""One plan object against the schemas of both ends: what it reads, sends, and looks up."""

from dataclasses import dataclass, replace

from migrator.model.plan import FilesEnd, Match, ObjectPlan, Operation, Plan, WhenMissing
from migrator.model.schedule import ColumnSpec, Guarantee, LookupSpec
from migrator.model.schema import OrgSchema, SObjectSchema
from migrator.planner.cautions import caution, create_only
from migrator.planner.fields import check_required, choose_fields
from migrator.planner.findings import Findings, did_you_mean, listed
from migrator.planner.guarantees import guarantee_of
from migrator.planner.lookups import Answerers, left_empty, not_linkable, resolve_lookup
from migrator.planner.readable import FileColumns, Readable, file_path, readable_file, readable_sobject
from migrator.soql import SoqlError, queries


@dataclass(frozen=True, slots=True)
class Resolved:
    """A plan object whose names are all known."""

    plan: ObjectPlan
    target: SObjectSchema
    source: Readable
    #: the source columns that identify a row; empty: the row's number
    key: tuple[str, ...]
    guarantee: Guarantee
    columns: tuple[ColumnSpec, ...] = ()
    lookups: tuple[LookupSpec, ...] = ()
    external_id: str | None = None
    follow: str | None = None
    group_by: str | None = None
    match: Match | None = None
    #: relationship fields that may be filled by a link step
    linkable: frozenset[str] = frozenset()
    #: it sends fields that a record takes only once, so that a row must not be sent twice
    once: bool = False
    decisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The object's name in the plan."""
        return self.plan.name

    @property
    def reference(self) -> bool:
        """Whether it is matched, not written."""
        return self.plan.operation is Operation.REFERENCE


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends as the planner sees them."""

    plan: Plan
    source: OrgSchema | FileColumns
    target: OrgSchema
    index: Answerers


def resolve_object(one: ObjectPlan, ends: Ends, found: Findings) -> Resolved | None:
    """The object against both ends, or None when it cannot be planned; everything wrong is in `found`."""
    if one.refuse_existing:
        # a new record or none: what the org's uniqueness does to a second insert
        one = replace(one, operation=Operation.INSERT)
    target = _target(one, ends.target, found)
    source = _source(one, ends, found)
    if target is None or source is None:
        return None
    key = _key(one, ends, source, found)
    _check_where(one, source, found)
    _check_after(one, ends.index, found)
    if one.operation is Operation.REFERENCE:
        return _reference(one, target, source, key, found)
    return _written(one, target, source, key, ends, found)


def _target(one: ObjectPlan, target: OrgSchema, found: Findings) -> SObjectSchema | None:
    schema = target.sobject(one.object)
    if schema is None:
        _unknown_object(one, one.object, "target", target, found)
        return None
    refused = {
        "created": one.operation in {Operation.INSERT, Operation.UPSERT} and not schema.createable,
        "updated": one.operation in {Operation.UPDATE, Operation.UPSERT} and not schema.updateable,
        "deleted": one.operation.deletes and not schema.deletable,
        "queried": one.operation is Operation.REFERENCE and not schema.queryable,
    }
    for verb in (verb for verb, wrong in refused.items() if wrong):
        found.error(
            "object-not-supported",
            f"{schema.name} cannot be {verb} in the target org",
            one,
            "object",
            hint="check the user's object permissions; some sObjects are read-only for the API",
        )
    return schema


def _source(one: ObjectPlan, ends: Ends, found: Findings) -> Readable | None:
    if isinstance(ends.source, FileColumns):
        columns = ends.source.columns.get(one.name, ())
        path = file_path(ends.plan.source, one) if isinstance(ends.plan.source, FilesEnd) else one.name
        if not columns:
            found.error(
                "source-file-empty", f"{one.name}: file {path} is missing or has no header", one, "file"
            )
            return None
        return readable_file(path, columns)
    schema = ends.source.sobject(one.source_object)
    if schema is None:
        _unknown_object(one, one.source_object, "source", ends.source, found)
        return None
    if not schema.queryable:
        found.error(
            "object-not-supported", f"{schema.name} cannot be queried in the source org", one, "object"
        )
    return readable_sobject(schema)


def _unknown_object(one: ObjectPlan, name: str, side: str, org: OrgSchema, found: Findings) -> None:
    found.error(
        "unknown-object",
        f"the {side} org has no sObject {name}",
        one,
        "object",
        hint=did_you_mean(name, org.names or org.sobjects)
        or "check the name and the user's permission to see it",
    )


def _key(one: ObjectPlan, ends: Ends, source: Readable, found: Findings) -> tuple[str, ...]:
    if source.schema is not None and one.key != ("Id",):
        found.error("key-unfit", f"{one.name}: records of an org are identified by their Id", one, "key")
        return ("Id",)
    given = (*one.path, "key") in ends.plan.places
    if source.schema is None and one.key in {(), ("Id",)} and not given:
        own = source.find("Id")
        return (own,) if own else ()  # a file without an Id column: its rows are identified by their number
    for position, name in enumerate(one.key):
        if source.find(name) is None:
            hint = did_you_mean(name, source.names.values())
            found.error(
                "unknown-field", f"{source.label} has no column {name}", one, "key", position, hint=hint
            )
    return tuple(source.find(name) or name for name in one.key)


def _check_where(one: ObjectPlan, source: Readable, found: Findings) -> None:
    if not one.where:
        return
    if source.schema is None:
        found.error(
            "source-kind", f"{one.name}: a file has no SOQL filter", one, "where", hint="filter the file"
        )
        return
    try:
        names = sorted(set(queries.fields_read(one.where)))
    except SoqlError as wrong:
        found.error("where-syntax", f"{one.name}: {wrong}", one, "where")
        return
    for name in names:
        if source.find(name) is None and source.schema.field_named(name) is None:
            hint = did_you_mean(name, source.names.values())
            found.error(
                "unknown-field", f"{source.label} has no field {name} to filter by", one, "where", hint=hint
            )


def _check_after(one: ObjectPlan, index: Answerers, found: Findings) -> None:
    for position, name in enumerate(one.after):
        if name not in index.by_name:
            hint = did_you_mean(name, index.by_name) or "name an entry of `objects`"
            what = f"{one.name} is to run after {name}, which is not in the plan"
            found.error("object-not-in-plan", what, one, "after", position, hint=hint)


def _reference(
    one: ObjectPlan, target: SObjectSchema, source: Readable, key: tuple[str, ...], found: Findings
) -> Resolved | None:
    if one.match is None or not one.match.on:
        found.error(
            "missing-key", f"{one.name} is a reference and has no `match`", one, hint="add `match: {on: …}`"
        )
        return None
    for position, name in enumerate(one.match.on):
        missing = [] if source.find(name) else [source.label]
        if target.field_named(name) is None and "." not in name:
            missing.append(f"sObject {target.name} of the target org")
        if missing:
            hint = did_you_mean(name, {*target.fields, *source.names.values()})
            what = f"{one.name} is matched on {name}, which is missing in {listed(missing)}"
            found.error("unknown-field", what, one, "match", "on", position, hint=hint)
    on = tuple(source.find(name) or name for name in one.match.on)
    return Resolved(one, target, source, key, Guarantee.READ, match=Match(on, one.match.transform))


def _written(
    one: ObjectPlan,
    target: SObjectSchema,
    source: Readable,
    key: tuple[str, ...],
    ends: Ends,
    found: Findings,
) -> Resolved:
    chosen = choose_fields(one, target, source, found)
    caution(one, target, source, chosen, found)
    lookups, decisions = [], []
    for draft in chosen.lookups:
        if left_empty(draft, ends.index):
            decisions.append(f"{one.name}.{draft.field.name} is not sent: nothing in the plan answers it")
        elif (lookup := resolve_lookup(one, draft, ends.index, found)) is not None:
            lookups.append(lookup)
    sent = {spec.rule.target for spec in chosen.columns} | {draft.field.name for draft in chosen.lookups}
    check_required(one, target, sent, found)
    external_id, guarantee = guarantee_of(one, target, sent, found)
    names = {lookup.rule.target for lookup in lookups}
    follow = _relationship(one, one.follow, target, names, ("follow",), found)
    group_by = _relationship(one, one.locks.group_by, target, names, ("locks", "group_by"), found)
    for name in (*one.locks.keys, *one.locks.weights):
        _relationship(
            one, name, target, names, ("locks", "keys" if name in one.locks.keys else "weights"), found
        )
    for lookup in lookups:
        if lookup.when_missing is WhenMissing.LINK and lookup.rule.target in {follow, group_by}:
            what = f"{one.name}.{lookup.rule.target} is filled by a link step, so its rows cannot be followed or grouped"
            found.error("when-missing-unfit", what, one, "relationships", lookup.rule.target, "when_missing")
    if not chosen.columns and not lookups:
        found.error("nothing-to-send", f"{one.name} has no field to send", one, "fields")
    fixed = {follow, group_by}
    linkable = frozenset(
        name for name in names if name not in fixed and not not_linkable(target.fields[name])
    )
    return Resolved(
        one,
        target,
        source,
        key,
        guarantee,
        chosen.columns,
        tuple(lookups),
        external_id,
        follow,
        group_by,
        linkable=linkable,
        once=bool(create_only(one, target, chosen)),
        decisions=(*decisions, *_made_only(one)),
    )


def _made_only(one: ObjectPlan) -> tuple[str, ...]:
    """A word for those who asked for an upsert and see an insert."""
    if not one.refuse_existing:
        return ()
    return (f"{one.name} is inserted: a row whose {one.external_id} the target has already fails",)


def _relationship(
    one: ObjectPlan,
    name: str | None,
    target: SObjectSchema,
    sent: set[str],
    place: tuple[str, ...],
    found: Findings,
) -> str | None:
    """The sent relationship field that `follow` or `group_by` names."""
    field = target.field_named(name) if name else None
    if name is None or (field is not None and field.name in sent):
        return field.name if field else None
    hint = did_you_mean(name, sent) or "name a relationship field that is sent"
    what = f"{one.name}: {name} is not a relationship field that is sent"
    found.error("not-a-relationship", what, one, *place, hint=hint)
    return None
