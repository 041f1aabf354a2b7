"""Taking a run back: a run of its own, made from the ledger and the files of the one that it undoes.

It is driven, killed and resumed like any other; what is special about it is in its schedule and in how its rows are judged.

**Invariant:** the run that is undone is marked when the undo has all it needs, and never goes on afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from migrator import __version__
from migrator.clock import Clock
from migrator.data import Engine, Workspace
from migrator.data.jobs import Pages
from migrator.data.later import Left, LeftJob
from migrator.errors import ExitCode, MigratorError
from migrator.executor.ingest import WRITTEN_UNTIL
from migrator.executor.jobs import ROWS
from migrator.executor.memory import memory_for
from migrator.executor.run import Goal, Policy, Run, from_ledger
from migrator.executor.users import check_org, target_users
from migrator.model.plan import Operation
from migrator.model.run import (
    AttemptKind,
    AttemptState,
    FileRef,
    Outcome,
    RunRow,
    RunStatus,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import LinkStep, LoadStep, Schedule
from migrator.model.schedule_text import dump_schedule, parse_schedule
from migrator.planner import Taken, UndoneRun, restorable, undo_schedule
from migrator.state import open_ledger, read_audited, read_ledger

#: the run may have begun on a clock that is behind the org's; a sign-in fails long before the clocks are an hour apart
CLOCK_MARGIN = 3_600.0
#: begins the source of a run that takes back another one, whose name follows
_TAKES_BACK = "run:"
#: attempts in these states have told the org to do nothing
_HARMLESS = frozenset({AttemptState.PLANNED, AttemptState.CREATED})


@dataclass(frozen=True, slots=True)
class Undoable:
    """What an object's load step left, as its ledger counts it."""

    object_name: str
    created: int
    updated: int
    before_images: bool
    #: an undo brings none of them back
    deleted: int = 0
    for_good: bool = False
    #: whether these rows have records nobody can tell, so they stay
    quarantined: int = 0


class Undo:
    """Taking back the run in `folder`.

    Raises MigratorError `run-not-settled` while jobs of the run may be under way, `run-undone` when it has been taken back already.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = _run(folder)

    @property
    def left(self) -> list[Undoable]:
        """What the run left, in the order in which it would be taken back."""
        steps = self._seen.steps
        return [
            Undoable(
                step.object_name,
                steps[step.id].tallies.get(Outcome.CREATED, 0),
                steps[step.id].tallies.get(Outcome.UPDATED, 0),
                f"before.{step.object_name}" in steps,
                steps[step.id].tallies.get(Outcome.DELETED, 0),
                step.operation is Operation.HARD_DELETE,
                steps[step.id].tallies.get(Outcome.QUARANTINED, 0),
            )
            for step in reversed(_loads(self._seen.schedule))
        ]

    def begin(
        self,
        into: Path,
        *,
        run_id: str,
        clock: Clock,
        memory_mb: int | None,
        restore_updates: bool = False,
        changed_too: bool = False,
        by: str = "",
        user: str = "",
        organization: str = "",
    ) -> int:
        """Make the run that takes it back, as `by` wants it; nothing is sent yet. `user`: who will send it (empty: who sent the run); `organization`: the id of the
        org that it would be sent to.

        Gives the number of records that count as updated though they were not there before the run: who created them cannot be told, and they stay.
        Raises MigratorError `nothing-to-undo`, `org-mismatch`, `lease-held` while a process has the run, and those of the constructor: the run may have gone on since.
        """
        # a process that drives the run is kept out, or keeps us out, before there is an undo that somebody might resume
        with open_ledger(self._folder, clock) as ledger:
            run = _run(self._folder)
            check_org(run.row.target, run.row.target_org_id, organization or run.row.target_org_id)
            with Workspace.founded(into) as workspace:
                left = self._looked_through(run, workspace, memory_mb or memory_for(run.schedule))
                taken = {
                    step.id: _taken(run, step, left[step.id], restore_updates=restore_updates)
                    for step in _loads(run.schedule)
                }
                if all(one == Taken() for one in taken.values()):
                    raise MigratorError(
                        "nothing-to-undo",
                        f"run {run.row.run_id} left nothing that could be taken back",
                        hint="records that it changed are put back with --restore-updates, if their before-images were kept; "
                        "records that it deleted are never brought back: look in the org's recycle bin",
                        exit_code=ExitCode.USAGE,
                    )
                ends = [row.counts.get(WRITTEN_UNTIL, 0) for row in run.steps.values()]
                undone = UndoneRun(
                    schedule=run.schedule,
                    taken=taken,
                    users=target_users(run.row, read_audited(self._folder)[1]),
                    since=run.row.started - CLOCK_MARGIN,
                    not_after=max(ends) or run.row.finished or clock.now(),
                    changed_too=changed_too,
                )
                schedule = undo_schedule(undone, plan_name=f"undo-{run.row.plan_name}")
                row = _row(run, schedule, run_id=run_id, clock=clock, user=user)
                _create(row, schedule, [*left.values()], self._folder, into, clock)
            marked = replace(run.row, status=RunStatus.UNDONE)
            ledger.commit((marked,), (("undo-begun", {"run": run_id, "by": by}),))
            return sum(one.lacking for one in left.values())

    def _looked_through(self, run: Run, into: Workspace, memory_mb: int) -> dict[str, Left]:
        """What each load step left, row for row."""
        engine = Engine(into, memory_limit_mb=memory_mb)
        try:
            return {
                step.id: engine.left_by(Workspace(self._folder), _left_job(run, step))
                for step in _loads(run.schedule)
            }
        finally:
            engine.close()


def see_to_the_mark(folder: Path, row: RunRow, *, by: str, clock: Clock) -> None:
    """Mark the run that the run in `folder` takes back, if a crash came between the two ledgers; nothing is sent before.

    Raises MigratorError `lease-held` while a process has it. Where it is not there any more, or cannot be read, it goes on no more either.
    """
    if not row.source.startswith(_TAKES_BACK):
        return
    undone = folder.parent / row.source.removeprefix(_TAKES_BACK)
    try:
        if read_ledger(undone).run.status is RunStatus.UNDONE:
            return
    except MigratorError:
        return
    with open_ledger(undone, clock) as ledger:
        marked = replace(ledger.state().run, status=RunStatus.UNDONE)
        ledger.commit((marked,), (("undo-begun", {"run": row.run_id, "by": by}),))


def _row(run: Run, schedule: Schedule, *, run_id: str, clock: Clock, user: str) -> RunRow:
    return RunRow(
        run_id=run_id,
        plan_name=schedule.plan_name,
        plan_path=run.row.plan_path,
        plan_digest=run.row.plan_digest,
        schedule_json=dump_schedule(schedule),
        tool_version=__version__,
        api_version=run.row.api_version,
        source=f"{_TAKES_BACK}{run.row.run_id}",
        target=run.row.target,
        source_org_id="",
        target_org_id=run.row.target_org_id,
        target_user_id=user or run.row.target_user_id,
        started=clock.now(),
    )


def _create(
    row: RunRow, schedule: Schedule, left: Sequence[Left], undone: Path, into: Path, clock: Clock
) -> None:
    files = {file.path.split("/")[1]: file for one in left for file in (one.created, one.updated) if file}
    wanted = {step.id for step in schedule.steps}
    rows = [
        StepRow(
            name, StepPhase.DONE, total=file.rows, files=(file,), started=row.started, finished=row.started
        )
        for name, file in files.items()
        if name in wanted
    ]
    with open_ledger(into, clock, create=row, beside=undone) as ledger:
        ledger.commit(rows, (("undo-of", {"run": row.source.removeprefix(_TAKES_BACK)}),))


def _run(folder: Path) -> Run:
    state = read_ledger(folder)
    run = from_ledger(state, parse_schedule(state.run.schedule_json), Goal.LOAD, Policy())
    name = run.row.run_id
    if any(step.undoes for step in _loads(run.schedule)):
        raise MigratorError(
            "nothing-to-undo",
            f"run {name} takes back another one itself",
            hint="run the plan again",
            exit_code=ExitCode.USAGE,
        )
    if run.row.status is RunStatus.UNDONE:
        hint = "resume the run that takes it back, or retry it if it is over"
        raise MigratorError(
            "run-undone", f"run {name} has been taken back already", hint=hint, exit_code=ExitCode.USAGE
        )
    busy = [one for one in run.live.values() if one.state not in _HARMLESS]
    if busy and all(one.kind is AttemptKind.GATE for one in busy):
        raise MigratorError(
            "run-not-settled",
            f"run {name} has {len(busy)} gates open, which only it can put back",
            hint=f"migrator gates close {name}, then undo it",
        )
    if busy:
        raise MigratorError(
            "run-not-settled",
            f"run {name} has {len(busy)} jobs whose end is not known yet",
            hint="resume it first, so that nothing of it is overlooked",
        )
    return run


def _loads(schedule: Schedule) -> list[LoadStep]:
    return [step for step in schedule.steps if isinstance(step, LoadStep)]


def _links(schedule: Schedule, load: str) -> list[LinkStep]:
    return [step for step in schedule.steps if isinstance(step, LinkStep) and step.load_step == load]


def _left_job(run: Run, step: LoadStep) -> LeftJob:
    links = _links(run.schedule, step.id)
    before = f"before.{step.object_name}"
    pages = run.extract_files(before) if before in run.steps else ()
    return LeftJob(
        name=step.object_name,
        outcomes=run.outcome_files(step.id),
        rows=_rows_files(run, step.id),
        lookups=tuple(one.rule.target for one in step.lookups),
        links=tuple(file for one in links for file in _rows_files(run, one.id)),
        linked=tuple(lookup.rule.target for one in links for lookup in one.lookups),
        before=Pages(pages) if pages else None,
        fields=tuple(one.rule.target for one in restorable(step, links)),
    )


def _rows_files(run: Run, step: str) -> tuple[FileRef, ...]:
    return tuple(one for one in run.steps[step].files if one.path.startswith(ROWS))


def _taken(run: Run, step: LoadStep, left: Left, *, restore_updates: bool) -> Taken:
    links = _links(run.schedule, step.id)
    parents = (*step.lookups, *(lookup for one in links for lookup in one.lookups))
    restored = left.updated if restore_updates else None
    return Taken(
        created=left.created.rows if left.created else 0,
        parents=tuple(one.rule.target for one in parents) if left.created else (),
        updated=restored.rows if restored else 0,
        fields=restorable(step, links) if restored else (),
    )
