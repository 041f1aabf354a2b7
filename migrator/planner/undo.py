"""The schedule that takes a run back: what it created is deleted, what it overwrote is put back, in reverse.

First everything is read as it is now, before any of it changes: taking back one record may touch another. Then the steps follow one
another, values first, so that no record is deleted while another one that stays still looks it up because of the run.

**Invariant:** pure, like all of the planner.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from migrator.model.plan import FieldRule, Operation
from migrator.model.platform import BATCH_ROWS
from migrator.model.schedule import (
    ColumnSpec,
    Edge,
    ExtractStep,
    Guarantee,
    Lane,
    LinkStep,
    LoadStep,
    Schedule,
    Side,
    Step,
    TakeBack,
)
from migrator.planner.estimate import estimate
from migrator.planner.lanes import choose_lane, slice_rows
from migrator.soql import queries

#: a record's own time and who changed it last; both are set by the org on every change
_MARKS = ("SystemModstamp", "LastModifiedById")
_AUDIT = frozenset({"LastModifiedById", "LastModifiedDate"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What a load step of the run left: records that it created, with the fields in which they look up others, and records that
    it overwrote and whose fields can be put back."""

    created: int = 0
    parents: tuple[str, ...] = ()
    updated: int = 0
    fields: tuple[ColumnSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class UndoneRun:
    """The run that is taken back: its schedule, what its load steps left (by step id), as whom it wrote, and when (epoch seconds)."""

    schedule: Schedule
    taken: Mapping[str, Taken]
    users: tuple[str, ...]
    since: float
    not_after: float
    changed_too: bool = False


def restorable(step: LoadStep, links: Iterable[LinkStep]) -> tuple[ColumnSpec, ...]:
    """The fields whose former values can be put back: all that the step and its link steps send, but what names the record."""
    every = (*step.lookups, *(lookup for link in links for lookup in link.lookups))
    lookups = tuple(ColumnSpec(FieldRule(one.rule.target), "reference") for one in every)
    sent = (*step.columns, *lookups)
    named = {"Id", step.external_id}
    return tuple(
        ColumnSpec(
            FieldRule(one.rule.target, source=one.rule.target), one.type, one.length, one.scale, one.numeric
        )
        for one in sent
        if one.rule.target not in named
    )


def undo_schedule(run: UndoneRun, *, plan_name: str) -> Schedule:
    """The steps, in order: reads, then values that are put back, then deletes in reverse order of the run's loads."""
    loads = [step for step in run.schedule.steps if isinstance(step, LoadStep)]
    left = [step for step in reversed(loads) if run.taken.get(step.id, Taken()) != Taken()]
    reads: list[Step] = []
    currents: list[str] = []
    for step in left:
        taken = run.taken[step.id]
        reads += _kept_files(step, taken)
        reads.append(_current(step, run))
        currents.append(reads[-1].id)
    writes = [*_restores(left, run), *_deletes(left, run)]
    edges = [Edge(one, writes[0].id, "everything is read before anything changes") for one in currents]
    # a step that is done once more needs what it looks at to be read once more
    edges += [
        Edge(one.undoes.current, one.id, "what somebody changed since stays")
        for one in writes[1:]
        if one.undoes
    ]
    edges += [
        Edge(before.id, after.id, "what was done last is taken back first")
        for before, after in pairwise(writes)
    ]
    steps = (*reads, *writes)
    return Schedule(
        plan_name=plan_name,
        plan_digest=run.schedule.plan_digest,
        steps=steps,
        edges=tuple(edges),
        estimate=estimate(steps),
    )


def _kept_files(step: LoadStep, taken: Taken) -> Iterator[ExtractStep]:
    """What the run knows about the records; these files are there before the undo begins."""
    if taken.created:
        yield ExtractStep(
            id=f"created.{step.object_name}",
            object_name=step.object_name,
            sobject=step.sobject,
            side=Side.SOURCE,
            columns=("Id", *taken.parents),
            file=f"created/{step.object_name}",
            expected=taken.created,
        )
    if taken.updated:
        yield ExtractStep(
            id=f"before.{step.object_name}",
            object_name=step.object_name,
            sobject=step.sobject,
            side=Side.SOURCE,
            columns=("Id", *(one.rule.target for one in taken.fields)),
            file=f"before/{step.object_name}",
            expected=taken.updated,
        )


def _current(step: LoadStep, run: UndoneRun) -> ExtractStep:
    columns = ("Id", *_MARKS)
    since = datetime.fromtimestamp(run.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ExtractStep(
        id=f"current.{step.object_name}",
        object_name=step.object_name,
        sobject=step.sobject,
        side=Side.TARGET,
        columns=columns,
        # whatever the run wrote was modified since it began
        soql=queries.select(step.sobject, columns, f"SystemModstamp >= {since}"),
    )


def _restores(left: list[LoadStep], run: UndoneRun) -> Iterator[LoadStep]:
    for step in left:
        taken = run.taken[step.id]
        if not taken.updated:
            continue
        lane = choose_lane(taken.updated, Guarantee.UPDATE)
        yield LoadStep(
            id=f"restore.{step.object_name}",
            object_name=step.object_name,
            sobject=step.sobject,
            key_prefix=step.key_prefix,
            operation=Operation.UPDATE,
            guarantee=Guarantee.UPDATE,
            lane=lane,
            source_extract=f"before.{step.object_name}",
            key=("Id",),
            columns=(_ID, *taken.fields),
            lookups=(),
            max_slice_rows=slice_rows(lane, locking=True),
            expected=taken.updated,
            undoes=_take_back(step, run),
        )


def _deletes(left: list[LoadStep], run: UndoneRun) -> Iterator[LoadStep]:
    before: list[str] = []
    for step in left:
        taken = run.taken[step.id]
        if not taken.created:
            continue
        yield LoadStep(
            id=f"undo.{step.object_name}",
            object_name=step.object_name,
            sobject=step.sobject,
            key_prefix=step.key_prefix,
            operation=Operation.DELETE,
            guarantee=Guarantee.DELETE,
            lane=Lane.BULK2,
            source_extract=f"created.{step.object_name}",
            key=("Id",),
            columns=(_ID,),
            lookups=(),
            max_slice_rows=BATCH_ROWS,
            expected=taken.created,
            undoes=_take_back(step, run, tuple(before)),
        )
        before.append(f"undo.{step.object_name}")


def _take_back(step: LoadStep, run: UndoneRun, children: tuple[str, ...] = ()) -> TakeBack:
    sent = {one.rule.target for one in step.columns} | {one.rule.target for one in step.lookups}
    return TakeBack(
        current=f"current.{step.object_name}",
        users=() if sent & _AUDIT else run.users,
        not_after=run.not_after,
        children=children,
        changed_too=run.changed_too,
    )


_ID = ColumnSpec(FieldRule("Id", source="Id"), "id", required=True)
