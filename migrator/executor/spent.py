"""The org takes no more records (or batches) today: whatever would send more waits until some of the last 24 hours' have left the window.

The org does not tell how many records are left, so it is tried again from time to time; a job that comes too early fails without having done anything.

**Invariant:** pure; rows that were not processed for this travel again, and that does not count among what goes wrong.
"""

from dataclasses import replace

from migrator.errors import ExitCode
from migrator.executor.budget import NOT_SENT, allowance_spent
from migrator.executor.change import Change
from migrator.executor.run import Key, Stop
from migrator.model.run import Attempt, Facts, StepPhase
from migrator.model.schedule import LinkStep, LoadStep

#: seconds between two tries: the window rolls, so that some of it is free again all the time once a day is over
PAUSE = 3_600.0
_WHY = "the org takes no more records within 24 hours; tried again every hour"


def waiting_for_allowance(change: Change, attempt: Attempt, now: float) -> Change:
    """The run with everything that sends held for a while when that ended the attempt's job; stopped, when it is not to wait."""
    if not allowance_spent(attempt):
        return change
    run = change.run
    what = f"{attempt.step}: the org takes no more records within 24 hours (job {attempt.job_id}: {attempt.note})"
    if not run.policy.wait:
        hint = "resume when some of the last day's records have left the window; nothing is lost"
        return change.stopped(Stop("record-limit-exceeded", what, hint, ExitCode.PAUSED))
    held: list[Key] = [
        step.id
        for step in run.schedule.steps
        if isinstance(step, LoadStep | LinkStep) and run.steps[step.id].phase is not StepPhase.DONE
    ]
    unsent: list[Key] = [
        one.id for one in run.live.values() if one.state in NOT_SENT and one.id not in run.busy
    ]
    until = now + PAUSE
    due = {key: max(run.due.get(key, until), until) for key in (*held, *unsent)}
    waits: dict[Key, str] = {**run.waits, **dict.fromkeys(unsent, _WHY)}
    change = replace(change, run=replace(run, due={**run.due, **due}, waits=waits))
    row = change.run.steps[attempt.step]
    note = "the org took no more records for some time: its allowance of 24 hours was used up"
    if note not in row.notes:
        change = change.step(replace(row, notes=(*row.notes, note)))
    facts: Facts = {"attempt": attempt.id, "step": attempt.step, "job": attempt.job_id, "seconds": PAUSE}
    return replace(change, events=(*change.events, ("allowance-spent", facts)))
