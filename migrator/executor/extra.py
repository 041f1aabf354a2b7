"""Records that our user made while the run's jobs were at work and that no result of them names: the org did something twice, or another program was there.

Salesforce puts what is left of a batch back into its queue when it takes too long. That this never repeats rows which were done is an assumption,
and this is how its end would be seen. A job makes records between its creation and its end, so that is when they are looked for: not in pauses, and
not between a run and its retry, when the same user may have worked by other means.

**Invariant:** counts only, and reads only.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

from migrator.errors import ExitCode, MigratorError
from migrator.executor.ingest import WRITTEN_UNTIL
from migrator.executor.jobs import sent_columns
from migrator.executor.reconcile import lookup_slice
from migrator.executor.run import Run
from migrator.model.plan import Operation
from migrator.model.run import Attempt, AttemptKind, AttemptState, Outcome
from migrator.model.schedule import Lane, LoadStep, VerifyStep
from migrator.salesforce import Org, RequestFailed
from migrator.soql import queries

#: which records of an sObject were not made along with others, where the org tells: the contacts of persons come with their accounts
_ALONG = {"Contact": "IsPersonAccount = FALSE"}
#: fields with which a run sets the marks of a record itself
_MARKS = frozenset({"CreatedDate", "CreatedById"})
#: spans of time in one query (a query travels in a URL, and each takes some eighty characters)
MOST_SPANS = 24

#: first and last instant, epoch seconds of the org
Span = tuple[float, float]


def extra_records(target: Org, run: Run, step: VerifyStep) -> int:
    """How many more records of the sObject our user made while jobs of the run were at work on it than the run knows of."""
    loads = list(_makers(run, step.sobject))
    at_work = spans(span for load in loads for span in _at_work(run, load))
    if (
        not step.counts
        or not at_work
        or any(_MARKS & {one.name for one in sent_columns(load)} for load in loads)
    ):
        return 0
    times = " OR ".join(
        # the org tells a job's times in whole seconds, cut off
        f"(CreatedDate >= {_time(first)} AND CreatedDate < {_time(last + 1)})"
        for first, last in at_work
    )
    where = f"CreatedById = '{run.row.target_user_id}' AND ({times})"
    found = _counted(target, step.sobject, where)
    if found is None:
        return 0
    return max(0, found - sum(_made(run, load) for load in loads))


def _counted(target: Org, sobject: str, where: str) -> int | None:
    """How many records meet the condition; None: the sObject does not tell who made its records."""
    also = _ALONG.get(sobject)
    for condition in filter(None, (also and f"{where} AND {also}", where)):
        try:
            return target.count(queries.count(sobject, condition))
        except RequestFailed as failed:
            if failed.status == 400:
                continue
            what = f"records of {sobject} could not be counted: {failed}"
            hint = "verify again when the org can be reached"
            raise MigratorError("org-does-not-answer", what, hint=hint, exit_code=ExitCode.PAUSED) from failed
    return None


def _at_work(run: Run, load: LoadStep) -> Iterator[Span]:
    """When each job of the step can have made records.

    Where its end was not told (its job was gone, or an older version wrote the ledger), until its rows were looked up, else until the step's last answer.
    """
    settled = run.settled.get(load.id, ())
    looked_up = _lookups(settled)
    for one in settled:
        if one.created_at is None or one.kind is AttemptKind.QUERY:
            continue
        lookup = looked_up.get(lookup_slice(one))
        told = one.ended_at or (lookup.created_at if lookup else None)
        yield (
            one.created_at,
            max(one.created_at, told or run.steps[load.id].counts.get(WRITTEN_UNTIL, 0)),
        )


def _lookups(settled: Iterable[Attempt]) -> dict[int, Attempt]:
    """The finished lookups among them, by the number that tells whose rows they looked up."""
    return {one.slice: one for one in settled if one.slice < 0 and one.state is AttemptState.HARVESTED}


def spans(found: Iterable[Span], most: int = MOST_SPANS) -> list[Span]:
    """The same time in spans that do not touch, in order; where there are more than `most`, those with the least time between them become one."""
    joined: list[Span] = []
    for first, last in sorted(found):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    gaps = sorted(after[0] - before[1] for before, after in pairwise(joined))
    least = gaps[len(joined) - most - 1] if len(joined) > most else 0
    kept: list[Span] = []
    for span in joined:
        if kept and span[0] - kept[-1][1] <= least:
            kept[-1] = (kept[-1][0], span[1])
        else:
            kept.append(span)
    return kept


def _makers(run: Run, sobject: str) -> Iterator[LoadStep]:
    for step in run.schedule.steps:
        makes = isinstance(step, LoadStep) and step.operation in {Operation.INSERT, Operation.UPSERT}
        if isinstance(step, LoadStep) and makes and step.sobject == sobject:
            yield step


def _made(run: Run, load: LoadStep) -> int:
    """How many records the step has made at most.

    What was sent twice comes back as updated, although the first sending may have created it; and so counts what a person gave to an upsert.
    Of quarantined rows nobody knows.
    """
    tallies = run.steps[load.id].tallies
    again = tallies.get(Outcome.UPDATED, 0)
    if load.lane is not Lane.REST:
        settled = run.settled.get(load.id, ())
        looked_up = _lookups(settled)
        doubtful = [one for one in settled if lookup_slice(one) in looked_up]
        again = min(again, sum(one.waiting + one.tallies.get(Outcome.UPDATED, 0) for one in doubtful))
    return tallies.get(Outcome.CREATED, 0) + tallies.get(Outcome.QUARANTINED, 0) + again


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
