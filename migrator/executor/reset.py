"""A sandbox that is refreshed under a run may keep its id, and has none of the run's records any more.

Records that the user may not see look the same: only somebody who has looked with other eyes can say that they are there.

**Invariant:** reads only; an org that has a single one of the records goes on: people may delete the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from migrator.data import Engine
from migrator.errors import ExitCode, MigratorError
from migrator.executor.change import Change
from migrator.executor.run import Run
from migrator.model.run import FileRef, Outcome
from migrator.model.schedule import LoadStep
from migrator.salesforce import Org, RequestFailed
from migrator.soql import queries

#: records of an sObject that are asked for at once
SAMPLE = 20
#: the event of somebody's word that the records are there
ACCEPTED = "unseen-accepted"
#: in `StepRow.counts`: the last attempt of which that was said
UNSEEN = "unseen.attempt"


def check_not_reset(run: Run, engine: Engine, target: Org, *, accepted_by: str = "") -> Change:
    """Look for a few of the records that the run has created since somebody last said that they need not be seen.

    With `accepted_by` their steps are noted as unseen when none is there. Raises MigratorError `target-reset` (REFUSED) otherwise.
    """
    unseen: dict[str, int] = {}
    for step, files in _made_something(run):
        ids = engine.some_ids(files, SAMPLE)
        found = _present(target, step.sobject, ids) if ids else None
        if found:
            return Change(run)
        if found is not None:
            unseen[step.id] = len(ids)
    asked = sum(unseen.values())
    if asked and not accepted_by:
        raise MigratorError(
            "target-reset",
            f"org {run.row.target_org_id} shows none of {asked} records that the run created there: "
            "its data was reset, they were deleted, or this user may not see them",
            hint="a run does not go on in an org that has forgotten it: begin a new run. If somebody has seen the records there: "
            f"migrator resume {run.row.run_id} --accept-unseen, which goes into the log",
            exit_code=ExitCode.REFUSED,
        )
    change = Change(run)
    for name, count in unseen.items():
        row = run.steps[name]
        note = f"none of {count} records that it created could be seen in the target; {accepted_by} says that they are there"
        counts = {**row.counts, UNSEEN: run.next_attempt - 1}
        noted = replace(row, counts=counts, notes=tuple(dict.fromkeys((*row.notes, note))))
        change = change.step(noted, ACCEPTED, by=accepted_by, asked=count)
    return change


def _made_something(run: Run) -> Iterator[tuple[LoadStep, tuple[FileRef, ...]]]:
    """The load steps that have created records since they were last accepted unseen, and the outcomes of those."""
    for step in run.schedule.steps:
        if not isinstance(step, LoadStep):
            continue
        until = run.steps[step.id].counts.get(UNSEEN, 0)
        files = tuple(
            one.outcomes
            for one in run.settled.get(step.id, ())
            if one.id > until and one.outcomes is not None and one.tallies.get(Outcome.CREATED)
        )
        if files:
            yield step, files


def _present(target: Org, sobject: str, ids: Iterable[str]) -> int | None:
    """How many of the records are there; None: the user may not ask."""
    listed = ", ".join(f"'{one}'" for one in ids)
    try:
        return target.count(queries.count(sobject, f"Id IN ({listed})"))
    except RequestFailed as failed:
        if failed.status in {400, 403, 404}:
            return None
        raise
