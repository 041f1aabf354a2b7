"""Settling: what became of each row of a slice, from what the org wrote down about its job.

A job's result files are paired with its rows by `correlate`; answers over REST stand in the order of their request.

**Invariant:** either every row that was sent is accounted for, exactly once, and every figure agrees, or there is no outcome at all.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from migrator.data.correlate import Pairing, check_ids, correlate_told, correlated
from migrator.data.faults import ResultsMismatch
from migrator.data.jobs import LockSigns, RestJob, Settled, SettleJob, WholeJob
from migrator.data.locked import locked_keys, met_lock, said
from migrator.data.pairs import Finish, Tallies, tally
from migrator.data.session import Session, read_csv, read_parquet
from migrator.data.sql import no_id, text, with_checked
from migrator.data.workspace import Workspace, folder_name
from migrator.model.plan import Operation
from migrator.model.platform import GONE_FAULT, NOWHERE_FAULT
from migrator.model.run import Outcome

#: `CODE:message:field1,field2 --`, or `CODE:message:--` without fields; the message may hold colons and line ends
_FAULT = r"^([A-Za-z][A-Za-z0-9_]*):(.*):([^:]*)--\s*$"
#: the code of a row that the org never looked at, in the last round
UNPROCESSED = "UNPROCESSED"
#: the code of a row of which nothing tells what happened to it
UNKNOWN_FATE = "FATE_UNKNOWN"
_NO_SIGNS = LockSigns()
REPLY_COLUMNS = ("position", "id", "success", "created", "code", "message", "fields")


def settle(session: Session, workspace: Workspace, job: SettleJob, pairing: Pairing) -> Settled:
    """The outcomes of a slice from the three result files of its job."""
    finish = Finish(_finish(workspace, job), _BY, _counts(job.locks, job.limits))
    with correlated(session, workspace, job, finish, pairing) as found:
        settled = _publish(session, workspace, job, tallies=found.tallies, order="")
    same = f"{found.equal} rows equal another one in every sent field: which record is whose does not matter"
    return replace(settled, notes=(same,)) if found.equal else settled


def settle_told(session: Session, workspace: Workspace, job: SettleJob) -> Settled:
    """The outcomes of those rows of a slice whose results the org has recorded, where it has not recorded all. Raises ResultsMismatch."""
    missing = correlate_told(session, workspace, job, _finish(workspace, job))
    found = publish(session, workspace, job.step, f"{job.slice}-{job.attempt}-told")
    return replace(found, missing=missing)


def _finish(workspace: Workspace, job: SettleJob) -> str:
    return f"{_PARSED} {_outcomes(job, keep=', kind, key, slice', gone=_gone(workspace, job))}"


#: from `answered`, what the result files say, to `replies`
_PARSED = f"""
, parsed AS (SELECT *, CASE WHEN kind = 'bad' THEN regexp_extract(error, {text(_FAULT)}, ['code', 'message', 'fields'], 's') END AS fault FROM answered)
, replies AS (
  SELECT "row", source_key, kind, id, created, CASE WHEN kind = 'bad'
         THEN coalesce(nullif(fault.code, ''), nullif(regexp_extract(error, '^[A-Z][A-Z0-9_]+'), ''), 'UNKNOWN') ELSE '' END AS code,
         coalesce(nullif(fault.message, ''), CASE WHEN fault.code <> '' THEN '' ELSE error END, '') AS message,
         trim(coalesce(fault.fields, '')) AS fields, key, slice FROM parsed)"""


def settle_rest(session: Session, workspace: Workspace, job: RestJob) -> Settled:
    """The outcomes of a slice that was sent over REST: answers there come in the order of the request."""
    source = read_parquet([workspace.path(job.rows)])
    session.run(
        'CREATE TEMP TABLE sent AS SELECT "row", source_key, row_number() OVER (ORDER BY file_row_number) - 1 AS position '
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
    malformed, repeated = session.one(
        f"SELECT count(*) FILTER ({no_id('id', job.key_prefix)}), count(*) - count(DISTINCT id) "
        f"FROM {with_checked('answers', 'id', job.key_prefix)} WHERE success"
    )
    check_ids(malformed, repeated)
    session.run(
        "CREATE TEMP TABLE settled AS WITH replies AS (SELECT \"row\", source_key, CASE WHEN success THEN 'ok' ELSE 'bad' END AS kind, id, created, "
        "CASE WHEN success THEN '' ELSE coalesce(nullif(code, ''), 'UNKNOWN') END AS code, message, fields "
        f"FROM sent JOIN answers USING (position)) {_outcomes(job, gone=_gone(workspace, job))}"
    )
    return _publish(session, workspace, job)


def settle_whole(session: Session, workspace: Workspace, job: WholeJob) -> Settled:
    """One outcome for all rows of a slice, or all of them wait."""
    source = read_parquet([workspace.path(job.rows)])
    outcome = "''" if job.outcome is None else text(job.outcome.value)
    session.run(
        f"CREATE TEMP TABLE settled AS SELECT \"row\", source_key, '' AS target_id, {outcome} AS outcome, {text(job.code)} AS code, "
        f"{text(job.message)} AS message, '' AS fields, {str(job.outcome is not None).lower()} AS final "
        f"FROM {source} WHERE slice = {job.slice}"
    )
    return _publish(session, workspace, job)


def _gone(workspace: Workspace, job: SettleJob | RestJob) -> str:
    """SQL over `replies`: the record is gone, which is what was wanted: by this job, by one whose answer was lost, or by somebody else.

    That there is no such record says it only of a row that was sent before and whose answer was lost: of any other it says that its id is a wrong one.
    """
    if not job.operation.deletes:
        return "false"
    said_so = f"code = {text(GONE_FAULT)}"
    if job.doubted:
        before = read_parquet([workspace.path(ref) for ref in job.doubted])
        doubted = f'(SELECT "row" FROM {before} WHERE code = {text(UNKNOWN_FATE)} AND NOT final)'
        said_so = f'({said_so} OR (code = {text(NOWHERE_FAULT)} AND "row" IN {doubted}))'
    return f"(kind = 'bad' AND {said_so})"


def _outcomes(job: SettleJob | RestJob, *, gone: str, keep: str = "") -> str:
    """SQL from `replies` to outcomes: what may be tried again waits, unless there is no other round. `keep`: more columns of `replies`; `gone`: those
    whose record is gone, as it should be."""
    retryable = ", ".join(text(code) for code in sorted(job.retryable)) or "NULL"
    limited = said(job.limits) if job.first_round else "false"
    waits = (
        "false"
        if job.last_round
        else f"(kind = 'un' OR (kind = 'bad' AND (coalesce(code IN ({retryable}), false) OR {met_lock(job.locks)} OR {limited})))"
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
    return (
        "SELECT \"row\", source_key, CASE WHEN kind = 'ok' THEN id ELSE '' END AS target_id, "
        f"CASE WHEN kind = 'ok' OR {gone} THEN {succeeded} WHEN {waits} THEN '' ELSE {text(Outcome.FAILED.value)} END AS outcome, "
        f"CASE WHEN kind = 'un' THEN {text(UNPROCESSED)} WHEN {gone} THEN {text(GONE_FAULT)} ELSE code END AS code, message, fields, NOT {waits} AS final{keep} FROM replies"
    )


def _publish(
    session: Session,
    workspace: Workspace,
    job: SettleJob | RestJob | WholeJob,
    *,
    tallies: Tallies | None = None,
    order: str = 'ORDER BY "row"',
) -> Settled:
    name = f"{job.slice}-{job.attempt}"
    if isinstance(job, WholeJob):
        return publish(session, workspace, job.step, name)
    found = publish(
        session,
        workspace,
        job.step,
        name,
        signs=job.locks,
        limits=job.limits,
        tallies=tallies,
        order=order,
    )
    if not found.locked or not job.columns:
        return found
    source = f"(FROM {read_parquet([workspace.path(job.rows)])} WHERE slice = {job.slice})"
    keys = locked_keys(session, source, job.columns, job.locks, job.key_prefix, known=job.lock_fields)
    return replace(found, lock_keys=keys)


#: what outcomes are counted by
_BY = ("outcome", "code", "final")


def _counts(signs: LockSigns, limits: Sequence[str]) -> tuple[str, ...]:
    """SQL of what is counted of outcomes: those that met a lock, and those that came to a limit of Apex."""
    return f"count(*) FILTER ({met_lock(signs)})", f"count(*) FILTER ({said(limits)})"


def publish(
    session: Session,
    workspace: Workspace,
    step: str,
    name: str,
    *,
    quiet: frozenset[str] = frozenset(),
    signs: LockSigns = _NO_SIGNS,
    limits: Sequence[str] = (),
    tallies: Tallies | None = None,
    order: str = 'ORDER BY "row"',
) -> Settled:
    """The relation `settled` as an outcome file, counted. `quiet`: codes that are no faults; `signs`: by which rows that met a lock are known;
    `limits`: what is said of rows that came to a limit of Apex; `tallies`: when it is counted already, by `_BY` with `_counts`.

    `order`: empty when the relation is in an order that the rows determine, and the session keeps it.
    """
    path = session.write_parquet(
        f'SELECT "row", source_key, target_id, outcome, code, message, fields, final FROM settled {order}',
        "outcomes.parquet",
    )
    if tallies is None:
        columns = tally(_BY, _counts(signs, limits))
        tallies = session.rows(f"SELECT {columns} FROM settled GROUP BY ALL ORDER BY ALL")
    counts: Counter[Outcome] = Counter()
    faults: Counter[str] = Counter()
    waiting = locked = limited = 0
    for outcome, code, final, n, met, came in tallies:
        locked += met if code else 0
        limited += came if code else 0
        if final:
            counts[Outcome(outcome)] += n
        else:
            waiting += n
        # a row that the org never looked at has no fault, unless it ends there
        if code and code not in quiet and (final or code != UNPROCESSED):
            faults[code] += n
    relpath = f"outcomes/{folder_name(step)}/{name}.parquet"
    ref = workspace.adopt(relpath, path, counts.total() + waiting)
    return Settled(ref, dict(counts), waiting, dict(faults), locked=locked, limited=limited)
