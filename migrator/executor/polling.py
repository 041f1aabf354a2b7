"""A job that is not over yet is waited for, however long that takes; one that does not move for an hour is told.

**Invariant:** pure; nothing is sent again because something takes long.
"""

from dataclasses import replace

from migrator.errors import ExitCode
from migrator.executor.change import Change
from migrator.executor.run import Run, Stop, Streak
from migrator.model.run import Attempt, Facts
from migrator.model.wire import JobState

#: seconds without any change of a job's state or counters after which that is told, and told again
ALARM = 3_600.0
UNHEARD_OF = "the org tells a job state that this version does not know"


def waited(run: Run, attempt: Attempt, told: Attempt, now: float, due: float) -> Change:
    """The run with the job asked about again at `due`. `told`: the attempt as the org describes its job now."""
    polls = run.tries.get(attempt.id, 0)
    change = Change(replace(run, live={**run.live, attempt.id: told}))
    before = run.streaks.get(attempt.id)
    if before is None or before.lost or _figures(told) != _figures(attempt):
        before = Streak(now, 0)
    seconds = now - before.since
    alarms = int(seconds / ALARM)
    streak = replace(before, count=alarms)
    unknown = told.job_state == JobState.UNKNOWN.value
    why = UNHEARD_OF if unknown else f"job {attempt.job_id} has not moved for {alarms} h" if alarms else ""
    change = change.free(attempt.id, due=due, tries=polls + 1, streak=streak, why=why)
    if alarms <= before.count:
        return change
    facts: Facts = {
        "attempt": attempt.id,
        "step": attempt.step,
        "job": attempt.job_id,
        "seconds": round(seconds),
    }
    change = replace(change, events=(*change.events, ("job-not-moving", facts)))
    if not unknown:
        return change
    hint = "see whether there is a newer version of this program, then resume; nothing is sent again for it"
    what = f"{attempt.step}: {UNHEARD_OF}, of job {attempt.job_id}, for {alarms} h"
    return change.stopped(Stop("job-state-unknown", what, hint, ExitCode.PAUSED))


def _figures(attempt: Attempt) -> tuple[object, ...]:
    return attempt.job_state, attempt.processed, attempt.failed
