"""What a decision or a reply changes: the run in memory, the rows and the events that the ledger must take in one commit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from migrator.errors import ExitCode
from migrator.executor.budget import judge, judge_run
from migrator.executor.dispatch import in_order
from migrator.executor.run import Key, Run, Stop, Streak, released, with_attempt, with_step
from migrator.model.run import Attempt, Facts, LedgerRow, Outcome, Slice, StepPhase, StepRow
from migrator.model.schedule import LinkStep, LoadStep


@dataclass(frozen=True, slots=True)
class Change:
    """A run and what of it is not in the ledger yet."""

    run: Run
    rows: tuple[LedgerRow, ...] = ()
    events: tuple[tuple[str, Facts], ...] = ()

    def attempt(self, attempt: Attempt, kind: str, **facts: str | float | bool | None) -> "Change":
        """With the attempt changed, and an event that says so."""
        told: Facts = {"attempt": attempt.id, "step": attempt.step, "slice": attempt.slice, **facts}
        return Change(with_attempt(self.run, attempt), (*self.rows, attempt), (*self.events, (kind, told)))

    def step(self, row: StepRow, kind: str = "", **facts: str | float | bool | None) -> "Change":
        """With the step row changed."""
        events = (*self.events, (kind, {"step": row.step, **facts})) if kind else self.events
        return Change(with_step(self.run, row), (*self.rows, row), events)

    def slices(self, step: str, slices: tuple[Slice, ...]) -> "Change":
        """With more slices to send."""
        run = replace(
            self.run,
            slices={**self.run.slices, **{(one.step, one.no): one for one in slices}},
            queue={**self.run.queue, step: (*self.run.queue.get(step, ()), *in_order(slices))},
        )
        return Change(run, (*self.rows, *slices), self.events)

    def requeue(self, attempt: Attempt) -> "Change":
        """With the attempt's slice first in the queue again."""
        queue = (attempt.slice, *self.run.queue.get(attempt.step, ()))
        return replace(self, run=replace(self.run, queue={**self.run.queue, attempt.step: queue}))

    def free(
        self,
        key: Key,
        *,
        due: float | None = None,
        tries: int | None = None,
        streak: Streak | None = None,
        why: str = "",
    ) -> "Change":
        """With `key` no longer busy; `why` it waits until `due`, for those who watch."""
        return replace(self, run=released(self.run, key, due=due, tries=tries, streak=streak, why=why))

    def stopped(self, stop: Stop) -> "Change":
        """With the run stopping; the first reason stays."""
        if self.run.stop is not None:
            return self
        event = ("run-stopping", {"code": stop.code})
        return Change(replace(self.run, stop=stop), self.rows, (*self.events, event))


def added(tallies: Mapping[Outcome, int], more: Mapping[Outcome, int]) -> dict[Outcome, int]:
    """The sum of two tallies, in the order of `Outcome`."""
    sums = {one: tallies.get(one, 0) + more.get(one, 0) for one in Outcome}
    return {one: count for one, count in sums.items() if count}


def finished(change: Change, step: str, now: float, *, checked: bool = False) -> Change:
    """With the step DONE when nothing of it is left to send; a sum that does not add up stops the run instead.

    Within a slice no two rows share a record; of several slices it has to be `checked`, which a step waits for.
    """
    run = change.run
    row = run.steps[step]
    if not run.ended(step) or (run.slices_answered(step) > 1 and not checked):
        return change
    if sum(row.tallies.values()) != row.total:
        return change.stopped(unbalanced(row))
    return change.step(replace(row, phase=StepPhase.DONE, finished=now), "step-done", total=row.total)


def held(change: Change, step: str) -> Change:
    """With the step held when its failures are more than its budget allows, or the run when all failures together are."""
    run = change.run
    judged = run.schedule.step(step)
    if not isinstance(judged, LoadStep | LinkStep) or not any(
        isinstance(one, StepRow) for one in change.rows
    ):
        return change
    found = [
        judge(judged, run.steps[step], run.settled.get(step, ())),
        judge_run(run.schedule, run.steps) if run.schedule.run_budget.limited else None,
    ]
    for trip in found:
        if trip is None or trip.step in change.run.trips:
            continue
        change = replace(change, run=replace(change.run, trips={**change.run.trips, trip.step: trip}))
        row = change.run.steps[step]
        row = replace(row, notes=(*row.notes, f"stopped: {trip.what.partition(': ')[2]}"))
        change = change.step(row, "budget-exceeded", code=trip.code)
    return change


def repeated_ids(step: str, repeated: int) -> Stop:
    """Why a run stops in which the org said of two rows that they became one record: what it says cannot be believed."""
    return Stop(
        "target-ids-repeat",
        f"{step}: {repeated} record ids stand in the results of several rows",
        "look these records up in the target and find out what became of the rows; `migrator report` lists them with their ids",
        ExitCode.REFUSED,
    )


def unbalanced(row: StepRow) -> Stop:
    """Why a run stops whose outcomes do not add up: a bug of ours, found before it can do harm."""
    from_outcomes = sum(row.tallies.values())
    return Stop(
        "outcomes-do-not-add-up",
        f"{row.step}: {from_outcomes} outcomes for {row.total} rows",
        "this is a bug; the run folder holds everything that an issue needs",
        ExitCode.BUG,
    )
