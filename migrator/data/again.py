"""Rows that get another chance: failed and blocked ones wait again, and are prepared anew from the extract.

An outcome file is never changed: the rows that are taken back are written as waiting into a new file, which takes its place in the ledger.

**Invariant:** a row keeps its number through all of it, also when the extract was read anew and holds the rows in another order.
"""

from collections import Counter
from pathlib import PurePosixPath

from migrator.data.jobs import LinkJob, LoadJob
from migrator.data.keys import RecordKey
from migrator.data.later import AgainJob, Reopened, ReopenJob, UndoJob
from migrator.data.lookups import DUPLICATE_SOURCE_KEY, loaded
from migrator.data.rows import cells, latest, sent_names
from migrator.data.session import Session, read_parquet
from migrator.data.sql import cell, text
from migrator.data.stage import Staged, stage_link, stage_load
from migrator.data.undo import stage_undo
from migrator.data.workspace import Workspace
from migrator.model.run import Outcome

#: rows that no key tells apart from others cannot be found again in the extract
_UNKNOWN = (DUPLICATE_SOURCE_KEY, "SOURCE_KEY_NULL")
GONE = "SOURCE_ROW_GONE"
_NO_OUTCOMES = "(SELECT NULL::BIGINT AS \"row\", '' AS source_key, true AS final WHERE false)"


def reopen(session: Session, workspace: Workspace, job: ReopenJob) -> Reopened:
    """The file again, with its failed and blocked rows waiting."""
    source = read_parquet([workspace.path(job.outcomes)])
    taken = (
        f"final AND outcome IN ({text(Outcome.FAILED.value)}, {text(Outcome.BLOCKED.value)}) "
        f"AND code NOT IN ({', '.join(text(code) for code in _UNKNOWN)})"
    )
    tallies: Counter[Outcome] = Counter()
    faults: Counter[str] = Counter()
    for outcome, code, n in session.rows(
        f"SELECT outcome, code, count(*) FROM {source} WHERE {taken} GROUP BY ALL"
    ):
        tallies[Outcome(outcome)] += n
        faults[code] += n
    if not tallies:
        return Reopened(job.outcomes, {}, {})
    path = session.write_parquet(
        f"SELECT * REPLACE (CASE WHEN {taken} THEN '' ELSE outcome END AS outcome, final AND NOT ({taken}) AS final) "
        f'FROM {source} ORDER BY "row"',
        "reopened.parquet",
    )
    old = PurePosixPath(job.outcomes.path)
    ref = workspace.adopt(str(old.with_name(f"{old.stem}+{job.nth}.parquet")), path, job.outcomes.rows)
    return Reopened(ref, dict(tallies), dict(faults))


def stage_again(session: Session, workspace: Workspace, job: AgainJob) -> Staged:
    """The rows that wait, staged anew; also, for a link step, the rows of records that were loaded since."""
    fresh = job.fresh
    staged = _stage(session, workspace, fresh)
    # a second pass that had nothing to fill has no outcomes, and may get rows all the same
    settled = read_parquet([workspace.path(ref) for ref in job.settled]) if job.settled else _NO_OUTCOMES
    session.run(
        f'CREATE TEMP TABLE wanted AS SELECT "row", min(source_key) AS source_key FROM {settled} GROUP BY "row" HAVING NOT bool_or(final)'
    )
    found = read_parquet([staged.path])
    if isinstance(fresh, LinkJob) and fresh.loaded.files:
        known = read_parquet([workspace.path(ref) for ref in fresh.loaded.files])
        session.run(
            f'INSERT INTO wanted SELECT k."row", k.source_key FROM {known} AS k SEMI JOIN {found} AS s USING (source_key) '
            f"ANTI JOIN {settled} AS o ON o.source_key = k.source_key WHERE k.final AND {loaded('k.outcome')}"
        )
    path = session.write_parquet(
        f'SELECT w."row", s.* EXCLUDE ("row") FROM {found} AS s JOIN wanted AS w USING (source_key) '
        'QUALIFY row_number() OVER (PARTITION BY source_key ORDER BY s."row") = 1 '
        'UNION ALL BY NAME SELECT "row", source_key, '
        f"{text((Outcome.SKIPPED if isinstance(fresh, LinkJob) else Outcome.FAILED).value)} AS outcome, {text(GONE)} AS code, "
        f"'' AS fields, '' AS message, false AS returns, 0 AS bytes FROM wanted WHERE source_key NOT IN (SELECT source_key FROM {found})",
        "again.parquet",
    )
    return Staged(
        path,
        staged.names,
        keyed=False,
        key=staged.key,
        grouped_by=staged.grouped_by,
    )


def _stage(session: Session, workspace: Workspace, job: LoadJob | LinkJob | UndoJob) -> Staged:
    match job:
        case LoadJob():
            return stage_load(session, workspace, job)
        case LinkJob():
            return stage_link(session, workspace, job)
        case UndoJob():
            return stage_undo(session, workspace, job)


def judge_taken_keys(session: Session, workspace: Workspace, job: AgainJob, key: RecordKey) -> None:
    """A key that a row of this step was loaded with is taken: the org would take both rows for one record."""
    if not job.rows or not job.settled:
        return
    outcomes = read_parquet([workspace.path(ref) for ref in job.settled])
    source = latest(workspace, job.rows)
    arrived = f'(SELECT "row" FROM {outcomes} WHERE final AND {loaded()})'
    relation = f'(FROM {source} AS r SEMI JOIN {arrived} AS o ON o."row" = r."row")'
    known = cells(session, relation, sent_names(session, source))
    taken = f"SELECT {key.form(cell(key.name))} FROM {known}"
    session.run(
        f"INSERT INTO overrides SELECT \"row\", 'DUPLICATE_KEY', {text(key.name)} FROM staged WHERE outcome IS NULL "
        f'AND "row" NOT IN (SELECT "row" FROM overrides) AND {key.form("staged.record_key")} IN ({taken})'
    )
