"""Jobs in the target that this run knows nothing of: somebody else's work, what an older ledger has forgotten, what a lost answer left.

**Invariant:** pure; nothing is ever concluded about a job that another user made, or whose sObject the plan does not write.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from migrator.model.ids import to_18
from migrator.model.run import RunRow
from migrator.model.wire import JobInfo, JobState

#: how far back another writer is looked for, in seconds
DAY = 86_400.0
#: clocks of the org and of this machine may differ by so much before the run is refused for it
CLOCKS = 180.0


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Unknown jobs of our user on what the run writes, by what they may mean.

    `orphans`: open ones, which nothing happens to. `foreign`: closed ones of the day before the run. `behind`: closed ones since.
    `accepted`: closed ones of either kind that somebody has accepted.
    """

    orphans: tuple[JobInfo, ...] = ()
    foreign: tuple[JobInfo, ...] = ()
    behind: tuple[JobInfo, ...] = ()
    accepted: tuple[JobInfo, ...] = ()

    def accepted_to(self, then: float) -> "Neighbours":
        """The same, once somebody has accepted the closed jobs up to that time (the org's clock)."""
        closed = (*self.foreign, *self.behind)
        return Neighbours(
            self.orphans,
            tuple(one for one in self.foreign if (one.created or 0.0) > then),
            tuple(one for one in self.behind if (one.created or 0.0) > then),
            (*self.accepted, *(one for one in closed if (one.created or 0.0) <= then)),
        )


def neighbours(
    jobs: Iterable[JobInfo], run: RunRow, sobjects: Collection[str], known: Collection[str], now: float
) -> Neighbours:
    """Sort the org's jobs. `known`: the ids of jobs in any ledger that can be asked; `now` by the org's clock, as the jobs' times."""
    ours = {one.casefold() for one in sobjects}
    user = to_18(run.target_user_id)
    ids = frozenset(known)
    unknown = sorted(
        (
            one
            for one in jobs
            if one.id not in ids
            and one.object.casefold() in ours
            and one.created_by
            and to_18(one.created_by) == user
        ),
        key=lambda one: (one.created or 0.0, one.id),
    )
    closed = [one for one in unknown if one.state not in {JobState.OPEN, JobState.ABORTED}]
    since = run.started - CLOCKS
    # orgs tell a job's time in whole seconds: one of the second in which the run began may be its own
    began = float(int(run.started))
    return Neighbours(
        orphans=tuple(one for one in unknown if one.state is JobState.OPEN and (one.created or 0.0) >= since),
        foreign=tuple(one for one in closed if max(now - DAY, 0.0) <= (one.created or 0.0) < began),
        behind=tuple(one for one in closed if (one.created or 0.0) >= began),
    )


def named(jobs: Collection[JobInfo]) -> str:
    """A few of the jobs for a message."""
    shown = ", ".join(f"{one.id} ({one.operation} {one.object}, {one.state.value})" for one in list(jobs)[:5])
    return shown + (f" and {len(jobs) - 5} more" if len(jobs) > 5 else "")
