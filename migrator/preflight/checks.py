"""What is asked of the outside each time before a run is driven, and what it leaves behind in the org.

**Invariant:** reads only; a refusal comes before anything is sent.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import AttemptKind, AttemptState, Event, Facts, LedgerState, NewEvent, RunRow
from migrator.preflight.neighbours import Neighbours, named, neighbours
from migrator.salesforce import Org, RequestFailed

#: a signed token is refused when the clocks differ by more (JWT bearer flow: `exp` at most three minutes ahead)
MAX_SKEW = 180.0
WARN_SKEW = 60.0
#: results can be had for seven days after a job's end (Bulk API guide, "Get Job Successful Record Results"); told after one and after five
TOLD_AFTER = (86_400.0, 5 * 86_400.0)
#: the event of jobs that no ledger knows and that somebody has accepted
ACCEPTED = "foreign-jobs-accepted"


@dataclass(frozen=True, slots=True)
class Overdue:
    """An attempt whose results have not been fetched for so many seconds; `urgent`: within two days of being gone."""

    step: str
    job_id: str
    age: float
    urgent: bool


def overdue(state: LedgerState, now: float) -> tuple[Overdue, ...]:
    """Attempts whose results should have been fetched long ago."""
    closed = {AttemptState.CLOSING, AttemptState.CLOSED, AttemptState.TERMINAL}
    return tuple(
        Overdue(one.step, one.job_id, now - one.created_at, now - one.created_at > TOLD_AFTER[1])
        for one in state.attempts
        if one.state in closed
        and one.kind is not AttemptKind.QUERY
        and one.created_at is not None
        and now - one.created_at > TOLD_AFTER[0]
    )


def check_clock(org: Org, clock: Clock) -> NewEvent | None:
    """Refuse an org whose clock differs by minutes; an event for one that differs by more than a minute.

    A simulated org may have a time of its own: an event says so.
    """
    skew = org.skew
    if skew is None or abs(skew) <= WARN_SKEW:
        return None
    if abs(skew) > MAX_SKEW and not org.own_clock:
        here = clock.now()
        raise MigratorError(
            "clock-skew",
            f"this machine's clock says {_utc(here)}, that of org {org.alias} says {_utc(here + skew)}",
            hint="set this machine's clock; sign-in and the age of jobs depend on it",
            exit_code=ExitCode.REFUSED,
        )
    return ("clock-skew", {"org": org.alias, "seconds": round(skew, 1)})


def _utc(at: float) -> str:
    seconds = int(at)
    days, rest = divmod(seconds, 86_400)
    del days
    return f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} UTC"


def find_neighbours(
    state: LedgerState, target: Org, sobjects: Collection[str], known: Collection[str], clock: Clock
) -> Neighbours | None:
    """Unknown jobs of our user in the target; None when the user may not list jobs."""
    try:
        jobs = target.ingest_jobs()
    except RequestFailed as failed:
        if failed.status in {401, 403, 404}:
            return None
        raise
    return neighbours(jobs, state.run, sobjects, known, clock.now() + (target.skew or 0.0))


def accepted_until(events: Iterable[Event]) -> float:
    """Up to when somebody has accepted jobs that no ledger knows (epoch seconds, the org's clock); 0: nobody has."""
    told = (one.facts.get("until") for one in events if one.kind == ACCEPTED)
    return max((float(one) for one in told if isinstance(one, int | float)), default=0.0)


def check_neighbours(found: Neighbours, run: RunRow, *, begun: bool, accepted_by: str) -> NewEvent | None:
    """Refuse a run beside another writer, or one whose ledger has forgotten jobs; an event when somebody accepts that.

    `begun`: whether the run has had jobs of its own.
    """
    others = (*found.foreign, *found.behind)
    if not others:
        return None
    if accepted_by:
        facts: Facts = {
            "by": accepted_by,
            "jobs": ", ".join(one.id for one in others[:20]),
            "count": len(others),
            "until": max(one.created or 0.0 for one in others),
        }
        return (ACCEPTED, facts)
    # whatever command has met them: the run is there, and goes on
    go_on = f"migrator resume {run.run_id} --allow-foreign-jobs"
    if begun and found.behind:
        raise MigratorError(
            "ledger-behind",
            f"the org has {len(found.behind)} jobs of this user since run {run.run_id} began that its ledger does not know: "
            f"{named(found.behind)}",
            hint=f"bring back the newest ledger. If another program made those jobs: {go_on}",
            exit_code=ExitCode.REFUSED,
        )
    raise MigratorError(
        "foreign-writer",
        f"in the last 24 hours this user had {len(others)} jobs on what the plan writes that no ledger here knows: {named(others)}",
        hint=f"find out who writes there, and give each tool a user of its own. If it is done with: {go_on}",
        exit_code=ExitCode.LEASE,
    )
