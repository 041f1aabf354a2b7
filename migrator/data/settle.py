"""Settling: what became of each row of a slice, from what the org wrote down about its job.

The result files come in no order; each of their rows repeats what was sent. A row is known by its external id, else by all its cells;
rows that are equal in every sent cell are interchangeable, and take the answers in their own order.

**Invariant:** either the files account for every row that was sent, exactly once, and every figure agrees, or there is no outcome at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.data.faults import PageBroken, ResultsMismatch
from migrator.data.jobs import RestJob, SentColumn, Settled, SettleJob, WholeJob
from migrator.data.prepare import SLICE_ORDER
from migrator.data.scan import count, whole_quotes
from migrator.data.session import Session, csv_header, read_csv, read_parquet
from migrator.data.sql import canonical, cell, ident, text
from migrator.data.workspace import Workspace, folder_name
from migrator.model.plan import Operation
from migrator.model.run import FileRef, Outcome

#: `CODE:message:field1,field2 --`, or `CODE:message:--` without fields; the message may hold colons and line ends
_FAULT = r"^([A-Za-z][A-Za-z0-9_]*):(.*):([^:]*)--\s*$"
#: the code of a row that the org never looked at, in the last round
UNPROCESSED = "UNPROCESSED"
REPLY_COLUMNS = ("position", "id", "success", "created", "code", "message", "fields")
_ID = "[0-9A-Za-z]{15}([A-Z0-5]{3})?"


@dataclass(frozen=True, slots=True)
class _Results:
    """One result file: the relation of its rows as (kind, id, created, error, key)."""

    kind: str
    rows: int
    sql: str


def settle(session: Session, workspace: Workspace, job: SettleJob) -> Settled:
    """The outcomes of a slice from the three result files of its job."""
    rows = _load_sent(session, workspace, job)
    found = [
        _read(session, workspace, job, "ok", job.successful),
        _read(session, workspace, job, "bad", job.failed_results),
        _read(session, workspace, job, "un", job.unprocessed),
    ]
    _check_counts(job, rows, *(one.rows for one in found))
    session.run(
        "CREATE TEMP TABLE answers AS SELECT *, row_number() OVER (PARTITION BY key ORDER BY "
        f"CASE kind WHEN 'ok' THEN 0 WHEN 'bad' THEN 1 ELSE 2 END, id, error) AS nth FROM ({' UNION ALL '.join(one.sql for one in found)})"
    )
    _check_keys(session)
    _check_ids(session, job.key_prefix, "SELECT id FROM answers WHERE kind = 'ok'")
    notes = []
    (alike,) = session.one(
        "SELECT count(*) FROM sent SEMI JOIN (SELECT key FROM sent WHERE nth = 2) USING (key)"
    )
    if alike:
        notes.append(f"{alike} rows are equal in every sent field: which record is whose does not matter")
    session.run(
        f'CREATE TEMP TABLE answered AS SELECT s."row", s.source_key, a.kind, a.id, a.created, a.error, '
        f"regexp_extract(a.error, {text(_FAULT)}, ['code', 'message', 'fields'], 's') AS fault "
        "FROM sent AS s JOIN answers AS a USING (key, nth)"
    )
    session.run(
        'CREATE TEMP VIEW replies AS SELECT "row", source_key, kind, id, created, '
        "CASE WHEN kind = 'bad' THEN coalesce(nullif(fault.code, ''), nullif(regexp_extract(error, '^[A-Z][A-Z0-9_]+'), ''), 'UNKNOWN') "
        "ELSE '' END AS code, "
        "coalesce(nullif(fault.message, ''), CASE WHEN fault.code <> '' THEN '' ELSE error END, '') AS message, "
        "trim(coalesce(fault.fields, '')) AS fields FROM answered"
    )
    return _write(session, workspace, job, tuple(notes))


def _load_sent(session: Session, workspace: Workspace, job: SettleJob) -> int:
    """Makes `sent` (row, source_key, key, nth) and says how many rows it has."""
    source = read_parquet([workspace.path(job.rows)])
    key = _key(job, {column.name: cell(column.name) for column in job.columns})
    session.run(
        f'CREATE TEMP TABLE sent AS SELECT *, row_number() OVER (PARTITION BY key ORDER BY "row") AS nth FROM '
        f'(SELECT "row", source_key, {key} AS key FROM {source} WHERE slice = {job.slice})'
    )
    return int(session.one("SELECT count(*) FROM sent")[0])


def _key(job: SettleJob, cells: dict[str, str]) -> str:
    """SQL by which a row is known: its external id (or record id), else a digest of all its cells."""
    by_name = {column.name.casefold(): column for column in job.columns}
    field = {Operation.UPSERT: job.external_id, Operation.UPDATE: job.external_id or "Id"}.get(job.operation)
    column = by_name.get((field or "").casefold())
    if column is not None:
        return f"coalesce(trim({canonical(column, cells[column.name])}), '')"
    # lengths keep cells apart: no text can pretend to be two cells
    parts = [_framed(column, cells[column.name]) for column in job.columns]
    return f"md5(concat({', '.join(parts)}))"


def _framed(column: SentColumn, value: str) -> str:
    form = canonical(column, value)
    return f"coalesce(strlen({form})::VARCHAR || ':' || {form}, '-')"


def _read(session: Session, workspace: Workspace, job: SettleJob, kind: str, ref: FileRef) -> _Results:
    path = workspace.path(ref)
    own = {"ok": ("sf__Id", "sf__Created"), "bad": ("sf__Id", "sf__Error"), "un": ()}[kind]
    header = csv_header(path)
    if not header:
        return _Results(kind, 0, _relation(kind, {}, "''", "(SELECT 1 WHERE false)"))
    names = {name.casefold(): name for name in header}
    lacking = [
        name for name in (*own, *(column.name for column in job.columns)) if name.casefold() not in names
    ]
    if lacking or len(names) != len(header):
        raise ResultsMismatch(
            f"the {_TITLES[kind]} have no column {lacking[0]}"
            if lacking
            else f"a column of the {_TITLES[kind]} repeats"
        )
    if not whole_quotes(path):
        raise ResultsMismatch(f"the {_TITLES[kind]} end inside a quoted value")
    try:
        rows = count(session, path, header)
    except PageBroken as fault:
        raise ResultsMismatch(f"the {_TITLES[kind]} cannot be read: {fault.reason}") from fault
    cells = {column.name: ident(names[column.name.casefold()]) for column in job.columns}
    return _Results(kind, rows, _relation(kind, names, _key(job, cells), read_csv([path], header)))


_TITLES = {"ok": "successful results", "bad": "failed results", "un": "unprocessed records"}


def _relation(kind: str, names: dict[str, str], key: str, source: str) -> str:
    def own(name: str) -> str:
        return f"coalesce({ident(names[name])}, '')" if name in names and kind != "un" else "''"

    created = f"lower({own('sf__created')}) = 'true'"
    return (
        f"SELECT {text(kind)} AS kind, to18({own('sf__id')}) AS id, {created} AS created, {own('sf__error')} AS error, {key} AS key "
        f"FROM {source}"
    )


def _check_counts(job: SettleJob, rows: int, ok: int, bad: int, un: int) -> None:
    """The org's counters, its three files and what was sent must agree (the processed rows include the failed ones)."""
    if ok + bad + un != rows:
        raise ResultsMismatch(f"{rows} rows were sent, the results have {ok} + {bad} + {un}")
    if job.failed is not None and bad != job.failed:
        raise ResultsMismatch(f"the job counts {job.failed} failed rows, the failed results have {bad}")
    if job.processed is not None and job.failed is not None and ok != job.processed - job.failed:
        raise ResultsMismatch(
            f"the job counts {job.processed - job.failed} rows that succeeded, the successful results have {ok}"
        )


def _check_keys(session: Session) -> None:
    (lost,) = session.one("SELECT count(*) FROM sent ANTI JOIN answers USING (key, nth)")
    (foreign,) = session.one("SELECT count(*) FROM answers ANTI JOIN sent USING (key, nth)")
    if lost or foreign:
        raise ResultsMismatch(f"{lost} sent rows are in no result file, {foreign} result rows were not sent")


def _check_ids(session: Session, prefix: str, ids: str) -> None:
    """Ids of records that exist: well-formed, of this sObject, no two rows with the same."""
    wrong = f"NOT regexp_full_match(id, '{_ID}') OR to18(substr(id, 1, 15)) <> id OR NOT starts_with(id, {text(prefix)})"
    malformed, repeated = session.one(
        f"SELECT count(*) FILTER (WHERE {wrong}), count(*) - count(DISTINCT id) FROM ({ids})"
    )
    if malformed:
        raise ResultsMismatch(f"{malformed} rows succeeded with something that is no id of this sObject")
    if repeated:
        raise ResultsMismatch(f"{repeated} rows share a record id with another row")


def settle_rest(session: Session, workspace: Workspace, job: RestJob) -> Settled:
    """The outcomes of a slice that was sent over REST: answers there come in the order of the request."""
    source = read_parquet([workspace.path(job.rows)])
    session.run(
        f'CREATE TEMP TABLE sent AS SELECT "row", source_key, row_number() OVER (ORDER BY {SLICE_ORDER}) - 1 AS position '
        f"FROM {source} WHERE slice = {job.slice}"
    )
    answers = (
        f"SELECT position::BIGINT AS position, to18(coalesce(id, '')) AS id, success = 'true' AS success, created = 'true' AS created, "
        f"coalesce(code, '') AS code, coalesce(message, '') AS message, coalesce(fields, '') AS fields "
        f"FROM {read_csv([workspace.path(job.replies)], REPLY_COLUMNS)}"
    )
    session.run(f"CREATE TEMP TABLE answers AS {answers}")
    sent, matched, told = session.one(
        "SELECT (SELECT count(*) FROM sent), (SELECT count(*) FROM sent SEMI JOIN answers USING (position)), (SELECT count(*) FROM answers)"
    )
    if not sent == matched == told:
        raise ResultsMismatch(f"{sent} rows were sent, {told} were answered, {matched} of them once")
    _check_ids(session, job.key_prefix, "SELECT id FROM answers WHERE success")
    session.run(
        "CREATE TEMP VIEW replies AS SELECT \"row\", source_key, CASE WHEN success THEN 'ok' ELSE 'bad' END AS kind, id, created, "
        "CASE WHEN success THEN '' ELSE coalesce(nullif(code, ''), 'UNKNOWN') END AS code, message, fields "
        "FROM sent JOIN answers USING (position)"
    )
    return _write(session, workspace, job, ())


def settle_whole(session: Session, workspace: Workspace, job: WholeJob) -> Settled:
    """One outcome for all rows of a slice, or all of them wait."""
    source = read_parquet([workspace.path(job.rows)])
    outcome = "''" if job.outcome is None else text(job.outcome.value)
    session.run(
        f"CREATE TEMP TABLE settled AS SELECT \"row\", source_key, '' AS target_id, {outcome} AS outcome, {text(job.code)} AS code, "
        f"{text(job.message)} AS message, '' AS fields, {str(job.outcome is not None).lower()} AS final "
        f"FROM {source} WHERE slice = {job.slice}"
    )
    return _publish(session, workspace, job, ())


def _write(
    session: Session, workspace: Workspace, job: SettleJob | RestJob, notes: tuple[str, ...]
) -> Settled:
    """From `replies` to outcomes: what may be tried again waits, unless there is no other round."""
    retryable = ", ".join(text(code) for code in sorted(job.retryable)) or "NULL"
    waits = (
        "false"
        if job.last_round
        else f"(kind = 'un' OR (kind = 'bad' AND coalesce(code IN ({retryable}), false)))"
    )
    succeeded = {
        Operation.INSERT: text(Outcome.CREATED.value),
        Operation.UPDATE: text(Outcome.UPDATED.value),
    }.get(
        job.operation,
        f"CASE WHEN created THEN {text(Outcome.CREATED.value)} ELSE {text(Outcome.UPDATED.value)} END",
    )
    session.run(
        f"CREATE TEMP TABLE settled AS SELECT \"row\", source_key, CASE WHEN kind = 'ok' THEN id ELSE '' END AS target_id, "
        f"CASE WHEN kind = 'ok' THEN {succeeded} WHEN {waits} THEN '' ELSE {text(Outcome.FAILED.value)} END AS outcome, "
        f"CASE WHEN kind = 'un' THEN {text(UNPROCESSED)} ELSE code END AS code, message, fields, NOT {waits} AS final FROM replies"
    )
    return _publish(session, workspace, job, notes)


def _publish(
    session: Session, workspace: Workspace, job: SettleJob | RestJob | WholeJob, notes: Sequence[str]
) -> Settled:
    path = session.write_parquet('SELECT * FROM settled ORDER BY "row"', "outcomes.parquet")
    (count,) = session.one("SELECT count(*) FROM settled")
    relpath = f"outcomes/{folder_name(job.step)}/{job.slice}-{job.attempt}.parquet"
    tallies = session.rows("SELECT outcome, count(*) FROM settled WHERE final GROUP BY 1 ORDER BY 1")
    faults = session.rows(
        f"SELECT code, count(*) FROM settled WHERE code NOT IN ('', {text(UNPROCESSED)}) OR (code <> '' AND final) GROUP BY 1 ORDER BY 1"
    )
    (waiting,) = session.one("SELECT count(*) FROM settled WHERE NOT final")
    return Settled(
        outcomes=workspace.adopt(relpath, path, count),
        tallies={Outcome(name): n for name, n in tallies},
        waiting=waiting,
        faults=dict(faults),
        notes=tuple(notes),
    )
