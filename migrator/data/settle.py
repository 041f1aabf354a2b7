"""Settling: what became of each row of a slice, from what the org wrote down about its job.

The result files come in no order; each of their rows repeats what was sent. A row is known by its external id, else by all its cells;
rows that are equal in every sent cell are interchangeable, and take the answers in their own order.

**Invariant:** either the files account for every row that was sent, exactly once, and every figure agrees, or there is no outcome at all.
"""

from collections import Counter
from collections.abc import Sequence

from migrator.data.faults import ResultsMismatch
from migrator.data.jobs import RestJob, Settled, SettleJob, WholeJob
from migrator.data.prepare import SLICE_ORDER
from migrator.data.scan import damage
from migrator.data.session import Session, csv_header, read_csv, read_parquet
from migrator.data.sql import canonical, cell, exact, ident, present, text
from migrator.data.workspace import Workspace, folder_name
from migrator.model.plan import Operation
from migrator.model.run import FileRef, Outcome

#: `CODE:message:field1,field2 --`, or `CODE:message:--` without fields; the message may hold colons and line ends
_FAULT = r"^([A-Za-z][A-Za-z0-9_]*):(.*):([^:]*)--\s*$"
#: the code of a row that the org never looked at, in the last round
UNPROCESSED = "UNPROCESSED"
#: what triggers and flows that took too long say, with one of several codes: fewer rows at once may succeed (Apex guide, "Execution Governors")
CPU_LIMIT = "Apex CPU time limit exceeded"
#: the code of a row whose record was deleted before (SOAP API guide, "StatusCode")
GONE = "ENTITY_IS_DELETED"
REPLY_COLUMNS = ("position", "id", "success", "created", "code", "message", "fields")


_TITLES = {"ok": "successful results", "bad": "failed results", "un": "unprocessed records"}
_OWN = {"ok": ("sf__Id", "sf__Created"), "bad": ("sf__Id", "sf__Error"), "un": ()}


def settle(session: Session, workspace: Workspace, job: SettleJob) -> Settled:
    """The outcomes of a slice from the three result files of its job."""
    # text nearly always comes back letter for letter: only when it does not is it worth to look at all its forms
    lost, foreign, alike = _correlate(session, workspace, job, thorough=False)
    if lost or foreign:
        lost, foreign, alike = _correlate(session, workspace, job, thorough=True)
    if lost or foreign:
        raise ResultsMismatch(f"{lost} sent rows are in no result file, {foreign} result rows were not sent")
    _check_ids(session, job.key_prefix, "SELECT told, id FROM answered WHERE kind = 'ok'")
    same = f"{alike} rows equal another one in every sent field: which record is whose does not matter"
    session.run(
        'CREATE TEMP VIEW replies AS SELECT "row", source_key, kind, id, created, '
        "CASE WHEN kind = 'bad' THEN coalesce(nullif(fault.code, ''), nullif(regexp_extract(error, '^[A-Z][A-Z0-9_]+'), ''), 'UNKNOWN') "
        "ELSE '' END AS code, "
        "coalesce(nullif(fault.message, ''), CASE WHEN fault.code <> '' THEN '' ELSE error END, '') AS message, "
        "trim(coalesce(fault.fields, '')) AS fields FROM (SELECT *, CASE WHEN kind = 'bad' THEN "
        f"regexp_extract(error, {text(_FAULT)}, ['code', 'message', 'fields'], 's') END AS fault FROM answered)"
    )
    return _write(session, workspace, job, (same,) if alike else ())


def _correlate(
    session: Session, workspace: Workspace, job: SettleJob, *, thorough: bool
) -> tuple[int, int, int]:
    """Makes `answered`; says how many sent rows have no answer, how many answers no row, and how many rows have an equal one."""
    _read(session, workspace, job, thorough=thorough)
    counts, distinct = Counter[str](), 0
    for kind, rows, keys in session.rows(
        "SELECT kind, count(*), count(DISTINCT key) FROM cells GROUP BY kind"
    ):
        counts[kind], distinct = rows, distinct + keys
    _check_counts(job, *(counts[kind] for kind in ("sent", "ok", "bad", "un")))
    _pair(session, single=distinct == counts.total())
    lost, foreign, alike = session.one(
        'SELECT count(*) FILTER (WHERE kind IS NULL), count(*) FILTER (WHERE "row" IS NULL), count(*) FILTER (WHERE nth > 1) FROM answered'
    )
    return lost, foreign, alike


def _read(session: Session, workspace: Workspace, job: SettleJob, *, thorough: bool) -> None:
    """Makes `cells` (kind, row, source_key, id, created, error, key): the sent rows and the three files, known by the same key.

    Each step names columns only: one expression inside another would be planned over and over.
    """
    columns = list(enumerate(job.columns))
    raw = ", ".join(f"{cell(column.name)} AS v{n}" for n, column in columns)
    sent = (
        f"SELECT 'sent' AS kind, \"row\", source_key, '' AS id, false AS created, '' AS error, {raw} "
        f"FROM {read_parquet([workspace.path(job.rows)])} WHERE slice = {job.slice}"
    )
    parts = [sent]
    for kind, ref in (("ok", job.successful), ("bad", job.failed_results), ("un", job.unprocessed)):
        parts.append(_result_rows(workspace, job, kind, ref))
    own = 'kind, "row", source_key, id, created, error'
    formed = {n for n, column in columns if thorough or not exact(column)}
    said = ", ".join(f"{present(f'v{n}') if n in formed else f'v{n}'} AS p{n}" for n, _ in columns)
    alike = ", ".join(
        f"{canonical(column, f'p{n}') if n in formed else f'p{n}'} AS k{n}" for n, column in columns
    )
    try:
        session.run(
            f"CREATE OR REPLACE TEMP TABLE cells AS WITH raw AS ({' UNION ALL '.join(filter(None, parts))}), "
            f"said AS (SELECT {own}, {said} FROM raw), alike AS (SELECT {own}, {alike} FROM said) "
            f"SELECT {own}, {_key(job)} AS key FROM alike"
        )
    except session.broken as fault:
        # the text of the fault quotes the record, which is a value and stays out of messages
        raise ResultsMismatch(
            "a result file has a record without the header's number of cells, or is not text"
        ) from fault


def _pair(session: Session, *, single: bool) -> None:
    """Makes `answered`: sent rows beside result rows of the same key; equal ones (`nth`) in row order, successes first.

    `single`: no key repeats, neither among the sent rows nor in a result file, and counting is not needed; then a key that is in two
    result files leaves another one unanswered, or pairs twice and is seen by the counts.
    """
    order = "\"row\", CASE kind WHEN 'ok' THEN 0 WHEN 'bad' THEN 1 ELSE 2 END, id, error"
    nth = "1" if single else f"row_number() OVER (PARTITION BY key ORDER BY {order})"
    session.run(
        'CREATE OR REPLACE TEMP TABLE answered AS SELECT s."row", s.source_key, a.kind, a.id AS told, to18(substr(a.id, 1, 15)) AS id, '
        "a.created, a.error, coalesce(s.nth, a.nth) AS nth "
        f"FROM (SELECT *, {nth} AS nth FROM cells WHERE kind = 'sent') AS s "
        f"FULL JOIN (SELECT *, {nth} AS nth FROM cells WHERE kind <> 'sent') AS a ON s.key = a.key AND s.nth = a.nth"
    )


def _key(job: SettleJob) -> str:
    """SQL by which a row is known: its external id (or record id), else a digest of all its cells."""
    by_id = job.external_id or "Id" if job.operation.by_id else None
    field = job.external_id if job.operation is Operation.UPSERT else by_id
    for n, column in enumerate(job.columns):
        if column.name.casefold() == (field or "").casefold():
            return f"coalesce(trim(k{n}), '')"
    # separators keep cells apart, and where a value holds one, the hash of the cells does
    cells = [f"k{n}" for n in range(len(job.columns))]
    parts = ", ".join(f"coalesce({one}, chr(30))" for one in cells)
    return f"md5(concat_ws(chr(31), hash({', '.join(cells)}), {parts}))"


def _result_rows(workspace: Workspace, job: SettleJob, kind: str, ref: FileRef) -> str:
    """SQL of the rows of a result file; nothing when it is empty."""
    path = workspace.path(ref)
    header = csv_header(path)
    if not header:
        return ""
    # most jobs leave nothing unprocessed: a file of one line, the header, is not worth a scan
    only_header = ref.size < _SMALL and path.read_bytes().rstrip(b"\r\n").count(b"\n") == 0
    names = {name.casefold(): ident(name) for name in header}
    wanted = (*_OWN[kind], *(column.name for column in job.columns))
    lacking = next((name for name in wanted if name.casefold() not in names), None)
    if lacking is not None:
        raise ResultsMismatch(f"the {_TITLES[kind]} have no column {lacking}")
    if len(names) != len(header):
        raise ResultsMismatch(f"a column of the {_TITLES[kind]} repeats")
    damaged = damage(path)
    if damaged:
        raise ResultsMismatch(f"the file of the {_TITLES[kind]} is damaged: {damaged}")
    if only_header:
        return ""
    own = {name: f"coalesce({names[name.casefold()]}, '')" for name in _OWN[kind]}
    raw = ", ".join(f"{names[column.name.casefold()]} AS v{n}" for n, column in enumerate(job.columns))
    return (
        f'SELECT {text(kind)} AS kind, NULL::BIGINT AS "row", NULL::VARCHAR AS source_key, {own.get("sf__Id", _NOTHING)} AS id, '
        f"lower({own.get('sf__Created', _NOTHING)}) = 'true' AS created, {own.get('sf__Error', _NOTHING)} AS error, {raw} "
        f"FROM {read_csv([path], header)}"
    )


_NOTHING = "''"
_SMALL = 65_536


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


def _check_ids(session: Session, prefix: str, ids: str) -> None:
    """Ids of records that exist: well-formed, of this sObject, no two rows with the same."""
    wrong = f"NOT (told = id OR told = substr(id, 1, 15)) OR strlen(id) <> 18 OR NOT starts_with(id, {text(prefix)})"
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
        f"SELECT position::BIGINT AS position, coalesce(id, '') AS told, to18(substr(coalesce(id, ''), 1, 15)) AS id, success = 'true' AS success, created = 'true' AS created, "
        f"coalesce(code, '') AS code, coalesce(message, '') AS message, coalesce(fields, '') AS fields "
        f"FROM {read_csv([workspace.path(job.replies)], REPLY_COLUMNS)}"
    )
    session.run(f"CREATE TEMP TABLE answers AS {answers}")
    sent, matched, told = session.one(
        "SELECT (SELECT count(*) FROM sent), (SELECT count(*) FROM sent SEMI JOIN answers USING (position)), (SELECT count(*) FROM answers)"
    )
    if not sent == matched == told:
        raise ResultsMismatch(f"{sent} rows were sent, {told} were answered, {matched} of them once")
    _check_ids(session, job.key_prefix, "SELECT told, id FROM answers WHERE success")
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


def _write(session: Session, workspace: Workspace, job: SettleJob | RestJob, notes: Sequence[str]) -> Settled:
    """From `replies` to outcomes: what may be tried again waits, unless there is no other round."""
    retryable = ", ".join(text(code) for code in sorted(job.retryable)) or "NULL"
    slow = f"contains(message, {text(CPU_LIMIT)})" if job.first_round else "false"
    waits = (
        "false"
        if job.last_round
        else f"(kind = 'un' OR (kind = 'bad' AND (coalesce(code IN ({retryable}), false) OR {slow})))"
    )
    succeeded = {
        Operation.INSERT: text(Outcome.CREATED.value),
        Operation.UPDATE: text(Outcome.UPDATED.value),
        Operation.DELETE: text(Outcome.DELETED.value),
        Operation.HARD_DELETE: text(Outcome.DELETED.value),
    }.get(
        job.operation,
        f"CASE WHEN created THEN {text(Outcome.CREATED.value)} ELSE {text(Outcome.UPDATED.value)} END",
    )
    # the record is gone, which is what was wanted: by this job, by one whose answer was lost, or by somebody else
    gone = f"(kind = 'bad' AND code = {text(GONE)})" if job.operation.deletes else "false"
    session.run(
        f"CREATE TEMP TABLE settled AS SELECT \"row\", source_key, CASE WHEN kind = 'ok' THEN id ELSE '' END AS target_id, "
        f"CASE WHEN kind = 'ok' OR {gone} THEN {succeeded} WHEN {waits} THEN '' ELSE {text(Outcome.FAILED.value)} END AS outcome, "
        f"CASE WHEN kind = 'un' THEN {text(UNPROCESSED)} ELSE code END AS code, message, fields, NOT {waits} AS final FROM replies"
    )
    return _publish(session, workspace, job, notes)


def _publish(
    session: Session, workspace: Workspace, job: SettleJob | RestJob | WholeJob, notes: Sequence[str]
) -> Settled:
    path = session.write_parquet('SELECT * FROM settled ORDER BY "row"', "outcomes.parquet")
    tallies: Counter[Outcome] = Counter()
    faults: Counter[str] = Counter()
    waiting = 0
    for outcome, code, final, n in session.rows(
        "SELECT outcome, code, final, count(*) FROM settled GROUP BY ALL ORDER BY ALL"
    ):
        if final:
            tallies[Outcome(outcome)] += n
        else:
            waiting += n
        # a row that the org never looked at has no fault, unless it ends there
        if code and (final or code != UNPROCESSED):
            faults[code] += n
    relpath = f"outcomes/{folder_name(job.step)}/{job.slice}-{job.attempt}.parquet"
    ref = workspace.adopt(relpath, path, tallies.total() + waiting)
    return Settled(ref, dict(tallies), waiting, dict(faults), tuple(notes))
