"""Another chance for rows that failed or were blocked, in the ledger of the same run.

Their outcomes are taken back in one commit: the rows wait, and what is left to do is decided from the ledger as ever. They are prepared anew,
from a fresh extract when the data was mended, against what the id maps hold now.

**Invariant:** a row that is in the target, was skipped, or whose fate is unknown is never touched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from migrator.clock import Clock
from migrator.data import Engine, Workspace
from migrator.data.later import ReopenJob
from migrator.errors import ExitCode, MigratorError
from migrator.executor.budget import accepted
from migrator.executor.change import Change
from migrator.executor.gates import passed_again
from migrator.executor.jobs import ANEW, OUTCOMES, ROUND_BASE
from migrator.executor.memory import memory_for
from migrator.executor.run import Goal, Policy, Run, from_ledger
from migrator.executor.second_run import forgotten
from migrator.model.run import (
    Attempt,
    AttemptState,
    Facts,
    FileRef,
    Outcome,
    RunRow,
    RunStatus,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import LinkStep, LoadStep, MatchStep, Schedule, VerifyStep
from migrator.model.schedule_text import dump_schedule, parse_schedule
from migrator.state import open_ledger

K = TypeVar("K", bound=str)
_NO_KEY = (
    "its rows have no key to be found by in the file as it is now: they are retried as they were first read"
)


def begin_retry(
    folder: Path, *, reread: bool, by: str, clock: Clock, memory_mb: int | None, changed_too: bool = False
) -> int:
    """Let failed and blocked rows of a run wait again, as `by` wants it; how many they are. Nothing is sent yet: the run is resumed for that.

    `reread`: the source may have been mended, so it is read again. `changed_too`: a run that takes another one back takes back also what somebody changed since.

    Raises MigratorError `nothing-to-retry`, `run-undone`, `usage` when nothing is taken back, and those of a ledger that cannot be opened.
    """
    with open_ledger(folder, clock) as ledger:
        state = ledger.state()
        refuse_undone(state.run)
        schedule = parse_schedule(state.run.schedule_json)
        if changed_too:
            schedule = _changed_too(schedule, state.run.run_id)
        run = from_ledger(state, schedule, Goal.LOAD, Policy())
        engine = Engine(Workspace(folder), memory_limit_mb=memory_mb or memory_for(run.schedule))
        try:
            change = reopened(run, engine, reread=reread)
        finally:
            engine.close()
        waiting = {step: row.waiting - run.steps[step].waiting for step, row in change.run.steps.items()}
        count = sum(waiting.values())
        if not count:
            raise MigratorError(
                "nothing-to-retry",
                f"run {state.run.run_id} has no row that failed or was blocked",
                hint="quarantined rows are settled by `migrator resolve`",
                exit_code=ExitCode.USAGE,
            )
        facts: Facts = {"rows": count, "by": by, **({"changed_too": True} if changed_too else {})}
        row = to_go_on(run.row)
        row = replace(row, schedule_json=dump_schedule(schedule)) if changed_too else row
        ledger.commit((row, *change.rows), (*change.events, ("retry-begun", facts)))
    return count


def refuse_undone(row: RunRow) -> None:
    """Raises MigratorError `run-undone` for a run that never goes on."""
    if row.status is RunStatus.UNDONE:
        what = f"run {row.run_id} has been taken back by `undo`"
        raise MigratorError("run-undone", what, hint="run the plan again", exit_code=ExitCode.USAGE)


def to_go_on(row: RunRow) -> RunRow:
    """The run as one that has something to do: what is not complete any more is neither verified nor taken for done before it is resumed."""
    return replace(row, status=RunStatus.PAUSED, finished=None)


def _changed_too(schedule: Schedule, run_id: str) -> Schedule:
    """The schedule of an undo that no longer spares what somebody changed."""
    steps = tuple(
        replace(one, undoes=replace(one.undoes, changed_too=True))
        if isinstance(one, LoadStep) and one.undoes
        else one
        for one in schedule.steps
    )
    if steps == schedule.steps:
        raise MigratorError(
            "usage",
            f"--changed-too is about a run that takes another one back, and {run_id} is none",
            hint="retry it without --changed-too",
            exit_code=ExitCode.USAGE,
        )
    return replace(schedule, steps=steps)


def reopened(run: Run, engine: Engine, *, reread: bool) -> Change:
    """The run with its failed and blocked rows waiting, and with everything that they need to be prepared anew."""
    change = Change(run)
    open_again: set[str] = set()
    for step in run.schedule.steps:
        if isinstance(step, LoadStep | LinkStep) and run.steps[step.id].total is not None:
            before = change.run.steps[step.id].waiting
            change = _step_reopened(change, step, engine)
            if change.run.steps[step.id].waiting > before:
                open_again.add(step.id)
    more = {one for one in _begun_links(run, open_again) if one not in open_again}
    change = taken_up_again(change, more) if open_again else change
    open_again |= more
    if reread:
        change = _as_they_were(change, open_again)
    for name in dict.fromkeys(_reads(run, open_again, reread=reread)):
        row = change.run.steps[name]
        change = change.step(
            replace(row, phase=StepPhase.PENDING, total=None, tallies={}, finished=None), "read-again"
        )
    return change


def _as_they_were(change: Change, steps: set[str]) -> Change:
    """With a word on rows that have no key: in a file that was mended, a row's number may be another row's, which has been loaded already."""
    for step in change.run.schedule.steps:
        if isinstance(step, LoadStep) and step.id in steps and not step.key:
            row = change.run.steps[step.id]
            change = change.step(replace(row, notes=tuple(dict.fromkeys((*row.notes, _NO_KEY)))))
    return change


def resolved(change: Change, load: str) -> Change:
    """The run in which a person has settled rows of the load: their records need their links, and nothing of them was verified."""
    return taken_up_again(change, set(_begun_links(change.run, {load})))


def taken_up_again(change: Change, links: set[str]) -> Change:
    """The run with more to do: second passes that get new rows, gates to be passed before, and what is verified anew afterwards."""
    for step in change.run.schedule.steps:
        row = change.run.steps[step.id]
        if step.id in links:
            change = _anew(change, forgotten(row))
        elif isinstance(step, VerifyStep):
            change = change.step(StepRow(step.id))
        elif forgotten(row) != row:
            change = change.step(forgotten(row))
    sends = links or any(row.waiting for row in change.run.steps.values())
    return passed_again(change) if sends else change


def _begun_links(run: Run, loads: set[str]) -> Iterator[str]:
    """The second passes of these loads that have rows already: records that are loaded after all need their links too."""
    for step in run.schedule.steps:
        if isinstance(step, LinkStep) and step.load_step in loads and run.steps[step.id].total is not None:
            yield step.id


def _step_reopened(change: Change, step: LoadStep | LinkStep, engine: Engine) -> Change:
    run = change.run
    row = run.steps[step.id]
    nth = row.rounds
    count = 0
    files: list[FileRef] = []
    for file in row.files:
        again = engine.reopen(ReopenJob(file, nth)) if file.path.startswith(OUTCOMES) else None
        files.append(again.outcomes if again else file)
        if again and again.tallies:
            count += sum(again.tallies.values())
            row = _less(row, again.tallies)
            faults = {f"fault.{code}": n for code, n in again.faults.items()}
            row = replace(row, counts=_minus(row.counts, faults))
    for attempt in run.settled.get(step.id, ()):
        if attempt.outcomes is None or attempt.state is not AttemptState.HARVESTED:
            continue
        again = engine.reopen(ReopenJob(attempt.outcomes, nth))
        if not again.tallies:
            continue
        rows = sum(again.tallies.values())
        count += rows
        row = _less(row, again.tallies)
        revised = replace(
            attempt,
            outcomes=again.outcomes,
            tallies=_minus(attempt.tallies, again.tallies),
            faults=_minus(attempt.faults, again.faults),
            waiting=attempt.waiting + rows,
        )
        change = _revised(change, revised)
    if not count:
        return change
    row = replace(row, files=tuple(files), waiting=row.waiting + count)
    return _anew(change, accepted(row, run.next_attempt - 1))


def _revised(change: Change, attempt: Attempt) -> Change:
    """With the settled attempt in the place of the one with its id."""
    mine = tuple(attempt if one.id == attempt.id else one for one in change.run.settled[attempt.step])
    run = replace(change.run, settled={**change.run.settled, attempt.step: mine})
    told: Facts = {"attempt": attempt.id, "step": attempt.step, "waiting": attempt.waiting}
    return Change(run, (*change.rows, attempt), (*change.events, ("outcomes-taken-back", told)))


def _anew(change: Change, row: StepRow) -> Change:
    counts = {**row.counts, ANEW: 1, ROUND_BASE: row.rounds}
    # a link step may have no row that waits and yet get new ones
    return change.step(
        replace(row, phase=StepPhase.OPEN, finished=None, counts=counts), "step-reopened", rows=row.waiting
    )


def _less(row: StepRow, tallies: Mapping[Outcome, int]) -> StepRow:
    return replace(row, tallies=_minus(row.tallies, tallies))


def _minus(counts: Mapping[K, int], less: Mapping[K, int]) -> dict[K, int]:
    """The counts without those of `less`; what was lowered to nothing is gone."""
    left = {key: n - less.get(key, 0) for key, n in counts.items()}
    return {key: n for key, n in left.items() if n or key not in less}


def _reads(run: Run, steps: set[str], *, reread: bool) -> Iterator[str]:
    """The extract and match steps that the reopened steps need anew."""
    for step in run.schedule.steps:
        if not isinstance(step, LoadStep | LinkStep) or step.id not in steps:
            continue
        if isinstance(step, LoadStep) and step.undoes:
            # what is taken back stands in the run's files; what it is now, in the target
            yield step.undoes.current
            continue
        loaded = run.schedule.step(step.load_step) if isinstance(step, LinkStep) else step
        if reread and isinstance(loaded, LoadStep) and loaded.key:
            yield loaded.source_extract
            if loaded.changes:
                yield loaded.changes
        for lookup in step.lookups:
            for name in lookup.via:
                yield from _match_reads(run, name)


def _match_reads(run: Run, object_name: str) -> Iterator[str]:
    for step in run.schedule.steps:
        if isinstance(step, MatchStep) and step.object_name == object_name:
            yield from (step.source_extract, step.target_extract, step.id)
