"""Records that our user made in the time of a run and that no result of it names: the org did something twice, or another program was there.

Salesforce puts what is left of a batch back into its queue when it takes too long. That this never repeats rows which were done is an assumption,
and this is how its end would be seen.

**Invariant:** counts only, and reads only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from migrator.errors import ExitCode, MigratorError
from migrator.executor.ingest import WRITTEN_UNTIL
from migrator.executor.jobs import sent_columns
from migrator.executor.reconcile import lookup_of
from migrator.executor.run import Run
from migrator.model.plan import Operation
from migrator.model.run import AttemptKind, Outcome
from migrator.model.schedule import Lane, LoadStep, VerifyStep
from migrator.salesforce import Org, RequestFailed
from migrator.soql import queries

#: fields with which a run sets the marks of a record itself
_MARKS = frozenset({"CreatedDate", "CreatedById"})


def extra_records(target: Org, run: Run, step: VerifyStep) -> int:
    """How many more records of the sObject our user made since the first job was created and until the last answer came than the run knows of."""
    loads = list(_makers(run, step.sobject))
    began = [
        one.created_at
        for load in loads
        for one in run.settled.get(load.id, ())
        if one.created_at is not None and one.kind is not AttemptKind.QUERY
    ]
    if (
        not step.counts
        or not began
        or any(_MARKS & {one.name for one in sent_columns(load)} for load in loads)
    ):
        return 0
    until = max(run.steps[load.id].counts.get(WRITTEN_UNTIL, 0) for load in loads)
    where = f"CreatedById = '{run.row.target_user_id}' AND CreatedDate >= {_time(min(began))} AND CreatedDate <= {_time(until)}"
    try:
        found = target.count(queries.count(step.sobject, where))
    except RequestFailed as failed:
        if failed.status == 400:
            return 0  # the sObject does not tell who made its records
        what = f"records of {step.sobject} could not be counted: {failed}"
        hint = "verify again when the org can be reached"
        raise MigratorError("org-does-not-answer", what, hint=hint, exit_code=ExitCode.PAUSED) from failed
    return max(0, found - sum(_made(run, load) for load in loads))


def _makers(run: Run, sobject: str) -> Iterator[LoadStep]:
    for step in run.schedule.steps:
        makes = isinstance(step, LoadStep) and step.operation in {Operation.INSERT, Operation.UPSERT}
        if isinstance(step, LoadStep) and makes and step.sobject == sobject:
            yield step


def _made(run: Run, load: LoadStep) -> int:
    """How many records the step has made at most.

    What was sent twice comes back as updated, although the first sending may have created it; and so counts what a person gave to an upsert.
    """
    tallies = run.steps[load.id].tallies
    again = tallies.get(Outcome.UPDATED, 0)
    if load.lane is not Lane.REST:
        doubtful = [one for one in run.settled.get(load.id, ()) if lookup_of(run, one)]
        again = min(again, sum(one.waiting + one.tallies.get(Outcome.UPDATED, 0) for one in doubtful))
    return tallies.get(Outcome.CREATED, 0) + again


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
