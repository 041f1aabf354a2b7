"""The steps of a schedule, made from resolved plan objects, and the edges that order them.

**Invariant:** an edge carries its reason; two steps have at most one edge, however many reasons it has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from migrator.model.budget import NO_CANARY
from migrator.model.plan import Consistency, FilesEnd, Operation, OrgEnd, Plan, WhenMissing
from migrator.model.schedule import (
    Edge,
    ExtractStep,
    Guarantee,
    Lane,
    LinkStep,
    LoadStep,
    LookupSpec,
    MatchStep,
    Side,
    Step,
    VerifyStep,
    strong,
)
from migrator.planner.lanes import choose_lane, serial_class, slice_bytes, slice_rows
from migrator.planner.lockset import GROUP_MEMBERSHIP, lock_set
from migrator.planner.objects import Resolved
from migrator.planner.readable import file_path
from migrator.soql import queries

PINNED = "pinned by `after`"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The resolved objects by name, which of their fields link steps fill, and rows by object."""

    plan: Plan
    objects: Mapping[str, Resolved]
    links: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]
    #: of entries that delete: which other ones delete what their records look up
    deleted_later: Mapping[str, tuple[str, ...]]

    def made_by(self, name: str) -> str:
        """The step that makes the id map of that object."""
        return f"match.{name}" if self.objects[name].reference else f"load.{name}"

    def linked(self, one: Resolved) -> tuple[LookupSpec, ...]:
        """The lookups that a link step fills."""
        return tuple(each for each in one.lookups if each.rule.target in self.links.get(one.name, ()))

    def loaded(self, one: Resolved) -> tuple[LookupSpec, ...]:
        """The lookups that are filled on load."""
        return tuple(each for each in one.lookups if each.rule.target not in self.links.get(one.name, ()))


def steps_of(one: Resolved, wiring: Wiring) -> Iterator[Step]:
    """The steps of one plan object."""
    yield _source_extract(one, wiring)
    if one.match is not None:
        yield _target_extract(one)
        yield MatchStep(
            id=f"match.{one.name}",
            object_name=one.name,
            sobject=one.target.name,
            source_extract=f"extract.{one.name}",
            target_extract=f"extract.{one.name}.target",
            match=one.match,
            key=one.key,
        )
        return
    if _overwrites(one):
        yield _before(one)
    if _consistency(wiring) is not Consistency.FUZZY:
        yield _changes(one, wiring)
    yield _load(one, wiring)
    linked = wiring.linked(one)
    if linked:
        yield _link(one, linked, wiring)
    if _verified(one, wiring):
        yield _verify(one, linked, wiring.plan)


def _consistency(wiring: Wiring) -> Consistency:
    end = wiring.plan.source
    return end.consistency if isinstance(end, OrgEnd) else Consistency.FUZZY


def _changes(one: Resolved, wiring: Wiring) -> ExtractStep:
    """What changed of the source's records since the run began, read as late as possible."""
    first = _source_extract(one, wiring)
    columns = (*first.columns, "IsDeleted")
    return replace(
        first,
        id=f"changes.{one.name}",
        columns=columns,
        soql=queries.select(first.sobject, columns, one.plan.where),
        expected=None,
        since_start=True,
        where=one.plan.where or "",
    )


def _overwrites(one: Resolved) -> bool:
    """Whether records that the target has already may be changed, and are to be read before."""
    return one.plan.before_images and one.plan.operation in {Operation.UPDATE, Operation.UPSERT}


def _before(one: Resolved) -> ExtractStep:
    """What the target's records are before any of them is overwritten; of an upsert only those that it can find."""
    key = one.external_id
    sent = {spec.rule.target for spec in one.columns} | {spec.rule.target for spec in one.lookups}
    columns = ("Id", *sorted(sent - {"Id"}))
    return ExtractStep(
        id=f"before.{one.name}",
        object_name=one.name,
        sobject=one.target.name,
        side=Side.TARGET,
        columns=columns,
        soql=queries.select(one.target.name, columns, f"{key} != null" if key and key != "Id" else None),
    )


def _verified(one: Resolved, wiring: Wiring) -> bool:
    """Whether what was sent is read back: not when nothing may be left of it."""
    wanted = wiring.plan.verify.counts or wiring.plan.verify.sample != 0
    return wanted and not one.plan.operation.deletes


def _source_extract(one: Resolved, wiring: Wiring) -> ExtractStep:
    columns = _columns_read(one)
    end = wiring.plan.source
    step = ExtractStep(
        id=f"extract.{one.name}",
        object_name=one.name,
        sobject=one.plan.source_object if one.source.schema is None else one.source.schema.name,
        side=Side.SOURCE,
        columns=columns,
        expected=wiring.counts.get(one.name),
    )
    if isinstance(end, FilesEnd):
        return replace(step, file=file_path(end, one.plan), delimiter=end.delimiter, encoding=end.encoding)
    return replace(step, soql=queries.select(step.sobject, columns, one.plan.where))


def _columns_read(one: Resolved) -> tuple[str, ...]:
    """The source columns that later steps read: the key, then the others by name."""
    wanted = {name for spec in one.columns for name in spec.rule.reads}
    wanted |= {spec.rule.source for spec in one.columns if spec.rule.source}
    wanted |= {spec.rule.source or spec.rule.target for spec in one.lookups}
    wanted |= set(one.match.on if one.match else ())
    spelled = {one.source.find(name) or name for name in wanted}
    return (*one.key, *sorted(spelled - set(one.key)))


def _target_extract(one: Resolved) -> ExtractStep:
    on = one.match.on if one.match else ()
    fields = [field.name if (field := one.target.field_named(name)) else name for name in on]
    columns = ("Id", *(name for name in dict.fromkeys(fields) if name != "Id"))
    return ExtractStep(
        id=f"extract.{one.name}.target",
        object_name=one.name,
        sobject=one.target.name,
        side=Side.TARGET,
        columns=columns,
        soql=queries.select(one.target.name, columns),
    )


def _load(one: Resolved, wiring: Wiring) -> LoadStep:
    lookups = wiring.loaded(one)
    rows = wiring.counts.get(one.name)
    chosen = choose_lane(rows, one.guarantee, one.plan.lane)
    # fields that can be set on creation only make a repeated request fail: never where a request may be repeated
    lane = Lane.BULK2 if one.once and chosen is Lane.REST else chosen
    if lane is Lane.BULK2 and one.target.name in GROUP_MEMBERSHIP:
        lane = Lane.BULK1_SERIAL  # one lock for the whole org: batches side by side would only wait for it
    keys = lock_set(replace(one.plan.locks, group_by=one.group_by), lookups, one.target)
    binding = strong(keys)
    key = one.target.field_named(one.external_id) if one.external_id else None
    return LoadStep(
        id=f"load.{one.name}",
        object_name=one.name,
        sobject=one.target.name,
        key_prefix=one.target.key_prefix,
        operation=one.plan.operation,
        guarantee=serial_class(one.guarantee, lane),
        lane=lane,
        source_extract=f"extract.{one.name}",
        key=one.key,
        columns=one.columns,
        lookups=lookups,
        external_id=one.external_id,
        external_id_case_sensitive=bool(key and key.case_sensitive),
        follow=one.follow,
        lock_keys=keys,
        group_by=binding[0].field if len(binding) == 1 else None,
        on_lock=one.plan.locks.on_lock,
        max_in_flight=one.plan.locks.max_in_flight or 0,
        prefer=one.plan.locks.prefer,
        max_slice_rows=slice_rows(lane, locking=bool(binding)),
        max_slice_bytes=slice_bytes(lane),
        expected=rows,
        budget=one.plan.budget,
        # a series of REST requests is small, and answered one by one
        canary=one.plan.canary if lane is Lane.BULK2 else NO_CANARY,
        max_deletes=one.plan.max_deletes,
        changes=f"changes.{one.name}" if _consistency(wiring) is not Consistency.FUZZY else "",
        frozen=_consistency(wiring) is Consistency.FROZEN,
        clear_nulls=one.plan.clear_nulls and one.plan.operation in {Operation.UPDATE, Operation.UPSERT},
        headers=one.plan.headers,
    )


def _link(one: Resolved, linked: tuple[LookupSpec, ...], wiring: Wiring) -> LinkStep:
    rows = wiring.counts.get(one.name)
    lane = choose_lane(rows, Guarantee.UPDATE, one.plan.lane)
    # in the second pass `link` itself no longer says what to do with a missing record: the row is blocked
    lookups = tuple(
        replace(each, when_missing=WhenMissing.FAIL) if each.when_missing is WhenMissing.LINK else each
        for each in linked
    )
    return LinkStep(
        id=f"link.{one.name}",
        object_name=one.name,
        sobject=one.target.name,
        key_prefix=one.target.key_prefix,
        load_step=f"load.{one.name}",
        lookups=lookups,
        lane=lane,
        # the records looked up are locked: one slice is one Salesforce batch
        on_lock=one.plan.locks.on_lock,
        max_in_flight=one.plan.locks.max_in_flight or 0,
        prefer=one.plan.locks.prefer,
        max_slice_rows=slice_rows(lane, locking=True),
        max_slice_bytes=slice_bytes(lane),
        expected=rows,
        budget=one.plan.budget,
        headers=replace(one.plan.headers, assignment_rule=""),
    )


def _verify(one: Resolved, linked: Sequence[LookupSpec], plan: Plan) -> VerifyStep:
    sent = {spec.rule.target for spec in one.columns} | {spec.rule.target for spec in one.lookups}
    columns = ("Id", *sorted(sent - {"Id"}))
    return VerifyStep(
        id=f"verify.{one.name}",
        object_name=one.name,
        sobject=one.target.name,
        load_step=f"load.{one.name}",
        link_steps=(f"link.{one.name}",) if linked else (),
        soql=queries.select(one.target.name, columns),
        columns=columns,
        counts=plan.verify.counts,
        sample=plan.verify.sample,
    )


def edges_of(one: Resolved, wiring: Wiring) -> Iterator[Edge]:
    """The edges into the steps of one plan object; reasons of one pair come one by one."""
    extract = f"extract.{one.name}"
    if one.reference:
        match = f"match.{one.name}"
        yield Edge(extract, match, "pairs what was extracted")
        yield Edge(f"{extract}.target", match, "pairs what was extracted")
        yield from (Edge(wiring.made_by(name), f"{extract}.target", PINNED) for name in one.plan.after)
        return
    load = f"load.{one.name}"
    yield Edge(extract, load, "sends what was extracted")
    yield from _change_edges(one, wiring)
    if _overwrites(one):
        yield Edge(f"before.{one.name}", load, "may overwrite what was there before")
    for lookup in wiring.loaded(one):
        for name in lookup.via:
            reason = f"{one.name}.{lookup.rule.target} looks up {name}"
            yield Edge(wiring.made_by(name), load, reason)
            if wiring.objects[name].source.schema is not None:
                yield Edge(extract, f"extract.{name}", f"{reason} (children are extracted first)")
    yield from (Edge(wiring.made_by(name), load, PINNED) for name in one.plan.after)
    yield from (
        Edge(load, wiring.made_by(name), f"{one.name} goes before {name}, which it looks up")
        for name in wiring.deleted_later.get(one.name, ())
    )
    linked = wiring.linked(one)
    link = f"link.{one.name}"
    if linked:
        yield Edge(load, link, "updates the records that were loaded")
    for lookup in linked:
        for name in lookup.via:
            if name != one.name:
                yield Edge(wiring.made_by(name), link, f"{one.name}.{lookup.rule.target} looks up {name}")
    if _verified(one, wiring):
        verify = f"verify.{one.name}"
        yield Edge(load, verify, "compares what was sent")
        if linked:
            yield Edge(link, verify, "compares what was linked")


def _change_edges(one: Resolved, wiring: Wiring) -> Iterator[Edge]:
    if _consistency(wiring) is Consistency.FUZZY:
        return
    changes = f"changes.{one.name}"
    yield Edge(f"extract.{one.name}", changes, "looks for what changed since")
    yield Edge(changes, f"load.{one.name}", "sends what was extracted, as it is by now")
    for name in sorted({name for lookup in wiring.loaded(one) for name in lookup.via}):
        yield Edge(wiring.made_by(name), changes, f"{one.name} is looked at once more when {name} is through")


def merged(edges: Iterator[Edge]) -> list[Edge]:
    """One edge for each pair of steps, its reasons joined."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        told = reasons.setdefault((edge.before, edge.after), [])
        if edge.reason not in told:
            told.append(edge.reason)
    return [Edge(before, after, "; ".join(sorted(told))) for (before, after), told in reasons.items()]


def file_key_problem(parent: Resolved) -> str:
    """Why no lookup can name a row of that object, or nothing when it can."""
    if len(parent.key) == 1:
        return ""
    return "its key has several columns" if parent.key else "its file has no key column"
