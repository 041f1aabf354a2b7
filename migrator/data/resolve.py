"""A person's word on quarantined rows: which record is which row's, and which row has none.

**Invariant:** an assignment counts as a whole or not at all; no record is given to two rows.
"""

from migrator.data.later import Resolved, ResolveJob
from migrator.data.lookups import loaded
from migrator.data.session import Session, csv_header, read_csv, read_parquet
from migrator.data.settle import publish
from migrator.data.sql import text
from migrator.data.workspace import Workspace
from migrator.model.run import Outcome

#: in the column `target_id`: the row has no record in the target, and may be sent again
ABSENT = "none"
_ASSIGNED, _COLUMNS = "ASSIGNED", ("step", "attempt", "row", "target_id")


def resolve(session: Session, workspace: Workspace, job: ResolveJob) -> Resolved:
    """The outcomes with the assignment, or what is wrong with it."""
    header = csv_header(job.path)
    lacking = [name for name in _COLUMNS if name not in header]
    if lacking:
        return Resolved(None, 0, 0, 0, (f"the file has no column {lacking[0]}",))
    try:
        _read(session, workspace, job, header)
    except session.broken:
        return Resolved(None, 0, 0, 0, ("the file is not a CSV file of one shape",))
    faults = tuple(_faults(session, workspace, job))
    assigned, absent, left = session.one(
        f"SELECT count(*) FILTER (WHERE id <> ''), count(*) FILTER (WHERE said = {text(ABSENT)}), "
        "count(*) FILTER (WHERE said = '') FROM assigned"
    )
    if faults:
        return Resolved(None, assigned, absent, left, faults)
    outcome = (Outcome.CREATED if job.created else Outcome.UPDATED).value
    session.run(
        'CREATE TEMP TABLE settled AS SELECT o."row", o.source_key, '
        "CASE WHEN a.id <> '' THEN a.id ELSE o.target_id END AS target_id, "
        f"CASE WHEN a.id <> '' THEN {text(outcome)} WHEN a.said = {text(ABSENT)} THEN '' ELSE o.outcome END AS outcome, "
        f"CASE WHEN a.id <> '' THEN {text(_ASSIGNED)} ELSE o.code END AS code, o.message, o.fields, "
        f"o.final AND coalesce(a.said, '') <> {text(ABSENT)} AS final FROM outcomes AS o LEFT JOIN assigned AS a USING (\"row\")"
    )
    name = f"{job.slice}-{job.attempt}+r{job.nth}"
    settled = publish(session, workspace, job.step, name, quiet=frozenset({_ASSIGNED, "RECONCILED"}))
    return Resolved(settled, assigned, absent, left)


def _read(session: Session, workspace: Workspace, job: ResolveJob, header: tuple[str, ...]) -> None:
    session.run(
        'CREATE TEMP TABLE assigned AS SELECT try_cast("row" AS BIGINT) AS "row", said, '
        f"CASE WHEN said NOT IN ('', {text(ABSENT)}) THEN to18(said) ELSE '' END AS id FROM "
        "(SELECT \"row\", step, attempt, trim(coalesce(target_id, '')) AS said "
        f"FROM {read_csv([job.path], header)}) WHERE step = {text(job.step)} AND attempt = {text(str(job.attempt))}"
    )
    session.run(f"CREATE TEMP TABLE outcomes AS SELECT * FROM {read_parquet([workspace.path(job.outcomes)])}")


def _faults(session: Session, workspace: Workspace, job: ResolveJob) -> list[str]:
    known = read_parquet([workspace.path(ref) for ref in job.known]) if job.known else None
    mine = f"step = {text(job.step)} AND attempt = {text(str(job.attempt))}"
    taken = (
        f"(SELECT target_id FROM {known} WHERE final AND {loaded()})" if known else "(SELECT '' WHERE false)"
    )
    quarantined = f'(SELECT "row" FROM outcomes WHERE final AND outcome = {text(Outcome.QUARANTINED.value)})'
    checks = {
        "rows of the file are not quarantined rows of this run": f'said <> \'\' AND ("row" IS NULL OR "row" NOT IN {quarantined})',
        "rows stand in the file more than once": 'said <> \'\' AND "row" IN (SELECT "row" FROM assigned GROUP BY 1 HAVING count(*) > 1)',
        f"values are neither a record id of this sObject nor the word '{ABSENT}'": (
            f"id <> '' AND NOT (id = to18(substr(id, 1, 15)) AND starts_with(id, {text(job.key_prefix)}))"
        ),
        "record ids are given to more than one row": "id <> '' AND id IN (SELECT id FROM assigned GROUP BY 1 HAVING count(*) > 1)",
        "record ids belong to other rows of this run": f"id <> '' AND id IN {taken}",
    }
    found = []
    (others,) = session.one(
        f"SELECT count(*) FROM {read_csv([job.path], csv_header(job.path))} "
        f"WHERE NOT coalesce({mine}, false) AND trim(coalesce(target_id, '')) <> ''"
    )
    if others:
        found.append(f"{others} rows are of another attempt than the first one: resolve each file for itself")
    for what, when in checks.items():
        (count,) = session.one(f"SELECT count(*) FROM assigned WHERE {when}")
        if count:
            found.append(f"{count} {what}")
    return found
