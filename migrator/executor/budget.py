"""How much may go wrong: error budgets, the canary, and faults after which no row of an object can succeed.

A step over its budget is *held*: what the org has been told to do is followed to its end and harvested, nothing more is sent,
and whatever waits for the step does not begin. Its rows have no outcome yet, so nothing is lost; who has looked into it says so
(`accepted`), and then the counting begins anew.

**Invariant:** pure, and made from what the ledger has, so a resumed run is held by the same rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from migrator.model.budget import ErrorBudget, OnExceeded
from migrator.model.platform import GONE_FAULT
from migrator.model.run import Attempt, AttemptState, Outcome, StepPhase, StepRow
from migrator.model.schedule import LinkStep, LoadStep, Schedule
from migrator.salesforce import RETRYABLE_FAULTS

#: the org has no room for any other record (SOAP API guide, "StatusCode")
NO_ROOM = "STORAGE_LIMIT_EXCEEDED"
#: a job's fault when a daily allowance is used up (Bulk API guide, "Bulk API Limits")
QUOTA = "ExceededQuota"
#: ingest jobs of one step that may end as Failed or Aborted one after the other
MAX_LOST_JOBS = 3
#: states in which the org has not been told to do anything yet
NOT_SENT = frozenset({AttemptState.PLANNED, AttemptState.CREATED, AttemptState.UPLOADED})
#: the number of the slice that is the step's canary, in `StepRow.counts`
CANARY = "canary.slice"
_ACCEPTED = "accepted."


@dataclass(frozen=True, slots=True)
class Trip:
    """Why a step is held (`step` empty: the whole run). `everything`: it holds all other steps too."""

    step: str
    code: str
    what: str
    everything: bool = False


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows since somebody accepted what was wrong before."""

    failed: int
    quarantined: int
    settled: int

    def __add__(self, other: "_Counted") -> "_Counted":
        return _Counted(
            self.failed + other.failed, self.quarantined + other.quarantined, self.settled + other.settled
        )


def judge(step: LoadStep | LinkStep, row: StepRow, attempts: Iterable[Attempt]) -> Trip | None:
    """Why the step is to be held, None when it may go on. `attempts`: those of the step that are final."""
    since = [one for one in attempts if one.id > row.counts.get(_ACCEPTED + "attempt", 0)]
    everything = step.budget.on_exceeded is OnExceeded.STOP_RUN
    refused = sum(one.faults.get(NO_ROOM, 0) for one in since)
    if refused:
        what = f"the org has no room for more records: {refused:,} rows were refused with {NO_ROOM}"
        return Trip(step.id, "storage-full", f"{step.id}: {what}", everything)
    if isinstance(step, LoadStep):
        wrong = _canary(step, row, since)
        if wrong:
            return Trip(step.id, "canary-failed", f"{step.id}: {wrong}", everything)
    if step.budget.on_exceeded is OnExceeded.CONTINUE:
        return None
    return _exceeded(step.id, step.id, step.budget, _counted(row))


def judge_run(schedule: Schedule, steps: Mapping[str, StepRow]) -> Trip | None:
    """Why the run as a whole is to be held."""
    if not schedule.run_budget.limited:
        return None
    counted = _Counted(0, 0, 0)
    for step in schedule.steps:
        if isinstance(step, LoadStep | LinkStep):
            counted += _counted(steps[step.id])
    return _exceeded("", "the run", schedule.run_budget, counted)


def _exceeded(step: str, name: str, budget: ErrorBudget, counted: _Counted) -> Trip | None:
    everything = budget.on_exceeded is OnExceeded.STOP_RUN
    if budget.max_quarantined.exceeded(counted.quarantined, counted.settled):
        what = f"{name}: {counted.quarantined:,} rows are quarantined, and {budget.max_quarantined} may be"
        return Trip(step, "rows-quarantined", what, everything)
    allowed = budget.max_failed
    if allowed.share is not None and counted.settled < budget.min_sample:
        return None
    if allowed.exceeded(counted.failed, counted.settled):
        what = f"{name}: {counted.failed:,} of {counted.settled:,} rows failed, and {allowed} may"
        return Trip(step, "budget-exceeded", what, everything)
    return None


def _counted(row: StepRow) -> _Counted:
    def since(name: str, count: int) -> int:
        return max(0, count - row.counts.get(_ACCEPTED + name, 0))

    return _Counted(
        failed=since("failed", row.tallies.get(Outcome.FAILED, 0)),
        quarantined=since("quarantined", row.tallies.get(Outcome.QUARANTINED, 0)),
        settled=since("settled", sum(row.tallies.values())),
    )


def _canary(step: LoadStep, row: StepRow, attempts: Iterable[Attempt]) -> str:
    """What is wrong with the canary; empty: nothing, or it is not back yet."""
    no = row.counts.get(CANARY)
    for one in attempts:
        if no is None or one.slice != no or one.state is AttemptState.ABANDONED:
            continue
        failed = one.tallies.get(Outcome.FAILED, 0) + one.tallies.get(Outcome.QUARANTINED, 0)
        if failed > step.canary.max_failed * one.rows:
            return f"{failed:,} of the {one.rows:,} rows of the canary did not succeed{_main_code(one)}"
        # what may pass is tried again and judged when its tries are over; what a delete finds gone is done
        fine = RETRYABLE_FAULTS | ({GONE_FAULT} if step.operation.deletes else frozenset())
        final = [item for item in one.faults.items() if item[0] not in fine]
        code, count = max(final, key=lambda item: item[1], default=("", 0))
        if count > step.canary.max_same_code * one.rows and one.locked < count:
            return f"{count:,} of the {one.rows:,} rows of the canary were refused with {code}"
    return ""


def _main_code(attempt: Attempt) -> str:
    code = max(attempt.faults, key=lambda one: attempt.faults[one], default="")
    return f", most of them with {code}" if code else ""


def canary_under_way(row: StepRow, settled: Iterable[Attempt]) -> int | None:
    """The number of the canary's slice as long as it has no outcome; None when there is nothing to wait for."""
    no = row.counts.get(CANARY)
    back = any(one.slice == no and one.state is not AttemptState.ABANDONED for one in settled)
    return None if no is None or back else no


def allowance_spent(attempt: Attempt) -> bool:
    """Whether the attempt's job failed because the org's allowance of records or batches is used up."""
    return attempt.job_state == "Failed" and attempt.note.partition(":")[0].strip() == QUOTA


def lost_jobs(attempts: Iterable[Attempt]) -> list[str]:
    """The states of the last ingest jobs, as long as they ended as Failed or Aborted one after the other."""
    ended = [
        one.job_state
        for one in attempts
        if one.job_id
        and one.slice >= 0
        and one.state is not AttemptState.ABANDONED
        and not allowance_spent(one)
    ]
    found: list[str] = []
    for state in reversed(ended):
        if state not in {"Failed", "Aborted"}:
            break
        found.append(state)
    return found


def accepted(row: StepRow, last_attempt: int) -> StepRow:
    """The row with everything that has gone wrong so far accepted: it no longer counts."""
    facts = {
        "attempt": last_attempt,
        "failed": row.tallies.get(Outcome.FAILED, 0),
        "quarantined": row.tallies.get(Outcome.QUARANTINED, 0),
        "settled": sum(row.tallies.values()),
    }
    return replace(row, counts={**row.counts, **{_ACCEPTED + name: count for name, count in facts.items()}})


def trips(
    schedule: Schedule, steps: Mapping[str, StepRow], settled: Mapping[str, tuple[Attempt, ...]]
) -> Iterator[Trip]:
    """Everything that is held, in schedule order, the run itself first."""
    whole = judge_run(schedule, steps)
    if whole is not None:
        yield whole
    for step in schedule.steps:
        if isinstance(step, LoadStep | LinkStep) and steps[step.id].phase is not StepPhase.PENDING:
            found = judge(step, steps[step.id], settled.get(step.id, ()))
            if found is not None:
                yield found
