"""Unknown rows beside the records that they may have become.

With a key that only one record can have, each row is judged by itself: its record is there and holds what was sent, or the row may be sent again
without harm. Without such a key a record could be anybody's, so all rows and all records of the time in question must pair up one to one.

**Invariant:** a row gets a record only if no other reading of the facts is possible; otherwise both sides go into files for people.
"""

from collections.abc import Sequence
from pathlib import Path

from migrator.data.jobs import SentColumn, Settled
from migrator.data.keys import RecordKey
from migrator.data.later import ReconcileJob, UnknownRows
from migrator.data.lookups import loaded
from migrator.data.rows import cells, sent_names
from migrator.data.scan import scan
from migrator.data.session import Session, csv_header, read_parquet
from migrator.data.settle import UNKNOWN_FATE, publish
from migrator.data.sql import cell, ident, kept, present, text
from migrator.data.workspace import Workspace, folder_name
from migrator.model.plan import Operation
from migrator.model.run import FileRef, Outcome

#: the code of an outcome that a lookup gave
FOUND = "RECONCILED"


def reconcile(
    session: Session, workspace: Workspace, job: ReconcileJob
) -> tuple[Settled, tuple[FileRef, ...]]:
    """The outcomes of the unknown rows; and, when some are quarantined, the files of both sides."""
    session.run(f"CREATE TEMP TABLE mine AS {_rows(session, workspace, job.mine)}")
    if job.found is None:
        # deletes are sent once more, and the code says that this is the second time: what was deleted by the first is not there any more
        verdict = f"'' AS target_id, '' AS outcome, {text(UNKNOWN_FATE)} AS code, false AS final"
        session.run(f'CREATE TEMP TABLE verdicts AS SELECT "row", source_key, {verdict} FROM mine')
        return _settled(session, workspace, job, quiet=UNKNOWN_FATE), ()
    _candidates(session, workspace, job)
    if job.key is not None:
        _by_key(session, job, job.key)
    else:
        _by_content(session, workspace, job)
    settled = _settled(session, workspace, job)
    stuck = settled.tallies.get(Outcome.QUARANTINED, 0)
    return settled, _both_sides(session, workspace, job) if stuck else ()


def _rows(session: Session, workspace: Workspace, unknown: UnknownRows) -> str:
    source = f"(FROM {read_parquet([workspace.path(unknown.rows)])} WHERE slice = {unknown.slice})"
    if unknown.told is not None:
        source = (
            f'(FROM {source} ANTI JOIN {read_parquet([workspace.path(unknown.told)])} AS told USING ("row"))'
        )
    sent = cells(session, source, sent_names(session, source))
    return f'SELECT k.source_key, c.*, {unknown.attempt} AS attempt FROM {source} AS k JOIN {sent} AS c USING ("row")'


def _candidates(session: Session, workspace: Workspace, job: ReconcileJob) -> None:
    """`records`: what the lookup found, each record once, without those that other rows of the run have become."""
    assert job.found is not None  # noqa: S101 - asked before
    known = "(SELECT NULL::VARCHAR AS id WHERE false)"
    if job.known and job.operation is Operation.INSERT:
        outcomes = read_parquet([workspace.path(ref) for ref in job.known])
        known = f"(SELECT target_id AS id FROM {outcomes} WHERE final AND target_id <> '' AND {loaded()})"
    session.run(
        f'CREATE TEMP TABLE records AS SELECT * FROM (SELECT *, to18("Id") AS id FROM ({scan(workspace, job.found)})) AS r '
        f'ANTI JOIN {known} AS k ON k.id = r.id QUALIFY row_number() OVER (PARTITION BY r.id ORDER BY "#row") = 1'
    )


def _mine_alone(job: ReconcileJob) -> str:
    """SQL: the record was made by our user since the job began."""
    created = 'epoch_ms(try_cast(r."CreatedDate" AS TIMESTAMPTZ))'
    return f'({created} >= {int(job.since * 1000)} AND to18(r."CreatedById") = to18({text(job.user)}))'


def _same(job: ReconcileJob, mine: str, theirs: str) -> str:
    """SQL: the record holds what was sent; a cell that was not sent is the org's business."""
    parts = []
    for column in job.columns:
        sent, found = f"{mine}.{cell(column.name)}", f"{theirs}.{ident(column.name)}"
        left, right = kept(column, present(sent)), kept(column, present(found))
        parts.append(f"({sent} IS NULL OR {left} IS NOT DISTINCT FROM {right})")
    return " AND ".join(parts) or "true"


def _by_key(session: Session, job: ReconcileJob, key: str) -> None:
    """A row whose record holds what was sent is done; any other is sent again, which cannot make a second record."""
    made = _mine_alone(job)
    outcome = text(Outcome.UPDATED.value)
    if job.operation is Operation.UPSERT:
        outcome = f"CASE WHEN {made} THEN {text(Outcome.CREATED.value)} ELSE {outcome} END"
    known = RecordKey.of(key, job.columns, case_sensitive=not any(one.folded for one in job.columns))
    joined = f"{known.form(f'm.{cell(key)}')} = {known.form(f'r.{ident(key)}')}"
    session.run(
        "CREATE TEMP TABLE verdicts AS SELECT m.\"row\", m.source_key, coalesce(min(r.id), '') AS target_id, "
        f"coalesce(min({outcome}), '') AS outcome, CASE WHEN count(r.id) = 1 THEN {text(FOUND)} ELSE '' END AS code, count(r.id) = 1 AS final "
        f'FROM mine AS m LEFT JOIN records AS r ON {joined} AND {_same(job, "m", "r")} GROUP BY m."row", m.source_key'
    )
    session.run("UPDATE verdicts SET target_id = '', outcome = '' WHERE NOT final")


def _by_content(session: Session, workspace: Workspace, job: ReconcileJob) -> None:
    """All unknown rows of the sObject and all records of the time pair up one to one by their content, or none does."""
    rows = " UNION ALL BY NAME ".join(
        ["SELECT * FROM mine", *(_rows(session, workspace, one) for one in job.others)]
    )
    key_of_row = _content([(column, cell(column.name)) for column in job.columns])
    key_of_record = _content([(column, ident(column.name)) for column in job.columns])
    session.run(
        'CREATE TEMP TABLE unknown AS SELECT attempt, "row", key, row_number() OVER (PARTITION BY key ORDER BY attempt, "row") AS nth '
        f"FROM (SELECT *, {key_of_row} AS key FROM ({rows}))"
    )
    session.run(
        "CREATE TEMP TABLE present AS SELECT id, key, row_number() OVER (PARTITION BY key ORDER BY id) AS nth "
        f"FROM (SELECT *, {key_of_record} AS key FROM records)"
    )
    alone, foreign = session.one(
        "SELECT count(*) FILTER (WHERE p.id IS NULL), count(*) FILTER (WHERE u.key IS NULL) "
        "FROM unknown AS u FULL JOIN present AS p ON p.key = u.key AND p.nth = u.nth"
    )
    if alone or foreign:
        verdict = f"'' AS target_id, {text(Outcome.QUARANTINED.value)} AS outcome, {text(UNKNOWN_FATE)} AS code, true AS final"
        session.run(f'CREATE TEMP TABLE verdicts AS SELECT "row", source_key, {verdict} FROM mine')
        return
    outcome = text(Outcome.CREATED.value)
    if job.operation is Operation.UPSERT:
        outcome = f"CASE WHEN {_mine_alone(job)} THEN {outcome} ELSE {text(Outcome.UPDATED.value)} END"
    session.run(
        f'CREATE TEMP TABLE verdicts AS SELECT m."row", m.source_key, p.id AS target_id, {outcome} AS outcome, {text(FOUND)} AS code, true AS final '
        f'FROM mine AS m JOIN unknown AS u ON u."row" = m."row" AND u.attempt = {job.mine.attempt} '
        "JOIN present AS p ON p.key = u.key AND p.nth = u.nth JOIN records AS r ON r.id = p.id"
    )


def _content(columns: Sequence[tuple[SentColumn, str]]) -> str:
    """SQL of a digest of all cells in the form that compares; a box that was not ticked is an empty cell."""
    forms = []
    for column, name in columns:
        form = kept(column, present(name))
        if column.type == "boolean":
            form = f"coalesce({form}, 'false')"
        forms.append(f"coalesce({form}, chr(30))")
    return f"md5(concat_ws(chr(31), {', '.join(forms)}))" if forms else "''"


def _settled(session: Session, workspace: Workspace, job: ReconcileJob, *, quiet: str = FOUND) -> Settled:
    told = ""
    if job.mine.told is not None:
        columns = '"row", source_key, target_id, outcome, code, message, fields, final'
        told = f" UNION ALL SELECT {columns} FROM {read_parquet([workspace.path(job.mine.told)])}"
    session.run(
        "CREATE TEMP TABLE settled AS SELECT \"row\", source_key, target_id, outcome, code, '' AS message, '' AS fields, final FROM verdicts"
        + told
    )
    return publish(
        session, workspace, job.step, f"{job.mine.slice}-{job.mine.attempt}", quiet=frozenset({quiet})
    )


def quarantined_rows(
    session: Session, workspace: Workspace, step: str, unknown: UnknownRows, columns: Sequence[SentColumn]
) -> FileRef:
    """CSV of rows whose fate is unknown and that nothing was looked up for, with a column to fill in."""
    session.run(f"CREATE TEMP TABLE mine AS {_rows(session, workspace, unknown)}")
    (count,) = session.one("SELECT count(*) FROM mine")
    path = _rows_file(session, step, columns)
    return workspace.adopt(rows_place(step, unknown), path, count)


def rows_place(step: str, unknown: UnknownRows) -> str:
    """Where the file of the quarantined rows of an attempt is."""
    return f"quarantine/{folder_name(step)}/{unknown.slice}-{unknown.attempt}-rows.csv"


def _rows_file(session: Session, step: str, columns: Sequence[SentColumn]) -> Path:
    path = session.folder / "rows.csv"
    shown = "".join(
        f", for_people({cell(one.name)}) AS {ident(one.name)}" for one in columns if one.name != "Id"
    )
    session.run(
        f'COPY (SELECT {text(step)} AS step, attempt, "row", source_key, \'\' AS target_id{shown} FROM mine ORDER BY "row") '
        f"TO {text(str(path))} (FORMAT csv, HEADER true, FORCE_QUOTE *)"
    )
    return path


def _both_sides(session: Session, workspace: Workspace, job: ReconcileJob) -> tuple[FileRef, ...]:
    """CSV files for people: the rows, with a column to fill in, and the records that may be theirs."""
    place = f"quarantine/{folder_name(job.step)}/{job.mine.slice}-{job.mine.attempt}"
    rows, records = _rows_file(session, job.step, job.columns), session.folder / "records.csv"
    assert job.found is not None  # noqa: S101 - nothing is quarantined without a lookup
    header = csv_header(workspace.path(job.found.files[0])) if job.found.files else ("Id",)
    names = ", ".join(f"for_people({ident(name)}) AS {ident(name)}" for name in header)
    session.run(
        f"COPY (SELECT {names} FROM records ORDER BY id) TO {text(str(records))} (FORMAT csv, HEADER true, FORCE_QUOTE *)"
    )
    counts = session.one("SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM records)")
    return (
        workspace.adopt(rows_place(job.step, job.mine), rows, counts[0]),
        workspace.adopt(f"{place}-records.csv", records, counts[1]),
    )
