"""A sandbox that is refreshed under a run may keep its id, and has none of the run's records any more.

**Invariant:** reads only; an org that has a single one of the records goes on: people may delete the others.
"""

from collections.abc import Iterable, Iterator

from migrator.data import Engine
from migrator.errors import ExitCode, MigratorError
from migrator.executor.run import Run
from migrator.model.run import Outcome
from migrator.model.schedule import LoadStep
from migrator.salesforce import Org, RequestFailed
from migrator.soql import queries

#: records that are asked for at once
SAMPLE = 20


def check_not_reset(run: Run, engine: Engine, target: Org) -> None:
    """Look for a few of the records that the run has created. Raises MigratorError `target-reset` (REFUSED) when none is there."""
    asked = 0
    for step in _made_something(run):
        ids = engine.some_ids(run.outcome_files(step.id), SAMPLE)
        found = _present(target, step.sobject, ids) if ids else None
        if found:
            return
        asked += len(ids) if found is not None else 0
    if asked:
        raise MigratorError(
            "target-reset",
            f"org {run.row.target_org_id} has none of {asked} records that the run created there: its data was reset, or deleted",
            hint="a run does not go on in an org that has forgotten it; begin a new run",
            exit_code=ExitCode.REFUSED,
        )


def _made_something(run: Run) -> Iterator[LoadStep]:
    for step in run.schedule.steps:
        if isinstance(step, LoadStep) and run.steps[step.id].tallies.get(Outcome.CREATED):
            yield step


def _present(target: Org, sobject: str, ids: Iterable[str]) -> int | None:
    """How many of the records are there; None: the user may not ask."""
    listed = ", ".join(f"'{one}'" for one in ids)
    try:
        return target.count(queries.count(sobject, f"Id IN ({listed})"))
    except RequestFailed as failed:
        if failed.status in {400, 403, 404}:
            return None
        raise
