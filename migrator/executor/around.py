"""What is looked at around a run each time before it is driven, and when it is over: clocks, jobs that nobody here knows, results that wait.

**Invariant:** reads only; a refusal comes before anything is sent.
"""

from dataclasses import dataclass
from pathlib import Path

from migrator.clock import Clock
from migrator.executor.run import Run
from migrator.model.run import Facts, LedgerState, NewEvent
from migrator.model.wire import JobInfo
from migrator.preflight import (
    Neighbours,
    accepted_until,
    check_clock,
    check_neighbours,
    find_neighbours,
    overdue,
)
from migrator.review import Ends
from migrator.salesforce import RequestFailed
from migrator.state import Ledger, known_jobs


@dataclass(frozen=True, slots=True)
class Around:
    """What is around the run in `folder`: both orgs, the time, and the other runs of its state folder."""

    folder: Path
    ends: Ends
    clock: Clock

    def look(self, run: Run, state: LedgerState, ledger: Ledger, *, accepted_by: str) -> None:
        """What must be true of both orgs each time, and what is worth a line in the log. `accepted_by`: who accepts jobs that no ledger here knows.

        Raises MigratorError `clock-skew`, `foreign-writer` and `ledger-behind`.
        """
        orgs = [one for one in (self.ends.source, self.ends.target) if one is not None]
        events: list[NewEvent | None] = [check_clock(one, self.clock) for one in orgs]
        found = self._neighbours(run, state)
        if found is not None:
            begun = any(one.job_id for one in state.attempts)
            unseen = found.accepted_to(accepted_until(ledger.events()))
            events.append(check_neighbours(unseen, state.run, begun=begun, accepted_by=accepted_by))
        else:
            events.append(("jobs-not-listed", {}))
        for late in overdue(state, self.clock.now()):
            late_facts: Facts = {
                "step": late.step,
                "job": late.job_id,
                "seconds": round(late.age),
                "urgent": late.urgent,
            }
            events.append(("results-overdue", late_facts))
        ledger.commit([], [one for one in events if one is not None])

    def orphans(self, run: Run, state: LedgerState) -> tuple[JobInfo, ...] | None:
        """Open jobs that a lost answer left; a run that is over does not fail because they cannot be listed."""
        try:
            found = self._neighbours(run, state)
        except RequestFailed:
            return None
        return None if found is None else found.orphans

    def _neighbours(self, run: Run, state: LedgerState) -> Neighbours | None:
        known = known_jobs(self.folder.parent)
        return find_neighbours(state, self.ends.target, run.schedule.written, known, self.clock)
