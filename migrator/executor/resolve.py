"""Settling quarantined rows by a person's word: recorded as a decision, with who took it.

**Invariant:** nothing is sent here; a row that a person says is absent waits like any other row, and `resume` sends it.
"""

import csv
from dataclasses import replace
from pathlib import Path

from migrator.clock import Clock
from migrator.data import Engine, Workspace
from migrator.data.later import Resolved, ResolveJob
from migrator.errors import ExitCode, MigratorError
from migrator.executor.change import Change, added
from migrator.executor.jobs import ANEW, operation, quarantine, sending
from migrator.executor.retry import refuse_undone, resolved, to_go_on
from migrator.executor.run import Goal, Policy, Run, from_ledger
from migrator.model.plan import Operation
from migrator.model.run import Attempt, AttemptState, Facts, Outcome, StepPhase
from migrator.model.schedule import LoadStep
from migrator.model.schedule_text import parse_schedule
from migrator.state import open_ledger


def resolve_rows(folder: Path, path: Path, *, by: str, apply: bool, clock: Clock, memory_mb: int) -> Resolved:
    """What the filled-in file of rows comes to; with `apply`, committed as the decision of `by`.

    Raises MigratorError `assignment-refused` with everything that is wrong with the file, `run-undone`.
    """
    step, number = _about(path)
    with open_ledger(folder, clock) as ledger:
        state = ledger.state()
        refuse_undone(state.run)
        run = from_ledger(state, parse_schedule(state.run.schedule_json), Goal.LOAD, Policy())
        attempt = _attempt(run, step, number, path)
        engine = Engine(Workspace(folder), memory_limit_mb=memory_mb)
        try:
            if attempt.outcomes is None:
                attempt = replace(attempt, outcomes=engine.settle_whole(quarantine(run, attempt)).outcomes)
            found = engine.resolve(_job(run, attempt, path))
        finally:
            engine.close()
        if found.faults or found.settled is None:
            raise _refused(path, "; ".join(found.faults))
        if apply:
            change = _resolved(run, attempt, found, by)
            more = () if change.run.all_done else (to_go_on(run.row),)
            ledger.commit((*more, *change.rows), change.events)
    return found


def _about(path: Path) -> tuple[str, int]:
    """The step and the attempt that the file is about, from its first row."""
    try:
        with path.open("r", encoding="utf-8-sig", newline="") as file:
            first = next(csv.DictReader(file), None)
        if first is None:
            raise _refused(path, "it has no rows")
        return first["step"], int(first["attempt"])
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as wrong:
        raise _refused(path, "it cannot be read as a file of quarantined rows") from wrong


def _refused(path: Path, why: str) -> MigratorError:
    hint = "fill the column target_id of the run's quarantine/…-rows.csv with record ids, or 'none' where the target has no such record"
    return MigratorError("assignment-refused", f"{path}: {why}", hint=hint, exit_code=ExitCode.USAGE)


def _attempt(run: Run, step: str, number: int, path: Path) -> Attempt:
    for one in run.settled.get(step, ()):
        settled = one.outcomes is not None or one.state is AttemptState.QUARANTINED
        if one.id == number and settled and one.slice >= 0:
            return one
    raise _refused(path, f"run {run.row.run_id} has no settled attempt {number} of {step}")


def _job(run: Run, attempt: Attempt, path: Path) -> ResolveJob:
    step = sending(run.schedule.step(attempt.step))
    assert attempt.outcomes is not None  # noqa: S101 - `_attempt` looked for one that has them
    return ResolveJob(
        step=step.id,
        slice=attempt.slice,
        attempt=attempt.id,
        nth=attempt.outcomes.path.count("+r") + run.steps[step.id].rounds,
        outcomes=attempt.outcomes,
        path=path,
        key_prefix=step.key_prefix,
        known=tuple(
            file
            for one in run.schedule.steps
            if isinstance(one, LoadStep) and one.sobject == step.sobject
            for file in run.outcome_files(one.id)
        ),
        # an upsert may have found the record: whether it made it, nobody can say
        created=operation(step) is Operation.INSERT,
    )


def _resolved(run: Run, attempt: Attempt, found: Resolved, by: str) -> Change:
    settled = found.settled
    assert settled is not None  # noqa: S101 - refused before otherwise
    row = run.steps[attempt.step]
    gone = {one: -count for one, count in attempt.tallies.items()}
    tallies = added(added(row.tallies, gone), settled.tallies)
    counts = {**row.counts, ANEW: 1} if settled.waiting else row.counts
    row = replace(
        row,
        tallies={one: count for one, count in tallies.items() if count},
        waiting=row.waiting - attempt.waiting + settled.waiting,
        counts=counts,
        notes=(
            *row.notes,
            f"{found.assigned:,} quarantined rows were assigned and {found.absent:,} declared absent by {by}",
        ),
    )
    if settled.waiting:
        row = replace(row, phase=StepPhase.OPEN, finished=None)
    revised = replace(
        attempt,
        state=AttemptState.HARVESTED,
        outcomes=settled.outcomes,
        tallies=settled.tallies,
        waiting=settled.waiting,
        faults=settled.faults,
    )
    left = settled.tallies.get(Outcome.QUARANTINED, 0)
    told: Facts = {
        "attempt": attempt.id,
        "step": attempt.step,
        "assigned": found.assigned,
        "absent": found.absent,
        "left": left,
        "by": by,
    }
    change = Change(run, (revised,), (("rows-resolved", told),)).step(row)
    return resolved(change, attempt.step) if found.assigned or found.absent else change
