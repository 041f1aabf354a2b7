"""Preparing a step: stage, settle repeated keys, cut, and write what the executor needs.

What comes out: the rows file (what is sent, with its slice), the outcomes of rows that are not sent, and the slice files.

**Invariant:** every staged row is in the rows file or in the outcomes, never in both; a slice file holds the rows of its slice in
the order of the rows file: those of a group stand together, by their source key.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from migrator.data.again import judge_taken_keys, stage_again
from migrator.data.catchup import caught_up
from migrator.data.cutting import Divided, divide
from migrator.data.jobs import CutSlice, LinkJob, LoadJob, LockKeys, Prepared, RetryJob
from migrator.data.keys import RecordKey
from migrator.data.later import AgainJob, UndoJob
from migrator.data.locking import lock_column, locked_records
from migrator.data.lookups import DUPLICATE_SOURCE_KEY
from migrator.data.ordering import Size, ordered, sizes
from migrator.data.packing import Limits
from migrator.data.rows import (
    GROUPING,
    PACKING,
    cells,
    grouping_of,
    header,
    latest,
    line_column,
    packing_text,
    sent_names,
)
from migrator.data.session import Session, read_parquet
from migrator.data.slicing import slice_files
from migrator.data.sql import cell, present, text
from migrator.data.stage import Staged, stage_link, stage_load
from migrator.data.undo import stage_undo
from migrator.data.workspace import Workspace, folder_name
from migrator.errors import MigratorError
from migrator.model.run import FileRef, Outcome

#: ends the name of a rows file whose rows were prepared anew
_ANEW = "-anew"
#: there is no canary unless there are so many times its rows
CANARY_SHARE = 10


def prepared_anew(rows: FileRef) -> bool:
    """Whether the rows of that rows file were not cut from an older one."""
    return rows.path.endswith(f"{_ANEW}.parquet")


def prepare_load(session: Session, workspace: Workspace, job: LoadJob) -> Prepared:
    """Make the slices of a load step."""
    job, notes = caught_up(session, workspace, job)
    staged = stage_load(session, workspace, job)
    expected = sum(ref.rows for ref in job.pages.files)
    (found,) = session.one(f"SELECT count(*) FROM {read_parquet([staged.path])}")
    _check_whole(f"the extract of step {job.step} was read", found, expected)
    prepared = _prepare(session, workspace, staged, job)
    return replace(prepared, notes=(*notes, *prepared.notes))


def _check_whole(what: str, found: int, expected: int) -> None:
    """Refuse to go on where rows have vanished or doubled: nothing that comes later would notice."""
    if found != expected:
        raise MigratorError(
            "state-corrupt",
            f"{what} as {found} rows, and there are {expected}",
            hint="the run folder or this version of the data plane cannot be trusted; start a new run",
        )


def prepare_link(session: Session, workspace: Workspace, job: LinkJob) -> Prepared:
    """Make the slices of a link step."""
    job, _ = caught_up(session, workspace, job)
    return _prepare(session, workspace, stage_link(session, workspace, job), job)


def prepare_again(session: Session, workspace: Workspace, job: AgainJob) -> Prepared:
    """Make the slices of the rows that get another chance."""
    if not isinstance(job.fresh, UndoJob):
        fresh, _ = caught_up(session, workspace, job.fresh)
        job = replace(job, fresh=fresh)
    return _prepare(session, workspace, stage_again(session, workspace, job), job.fresh, again=job)


def prepare_undo(session: Session, workspace: Workspace, job: UndoJob) -> Prepared:
    """Make the slices of a step that takes a run back."""
    return _prepare(session, workspace, stage_undo(session, workspace, job), job)


def _prepare(
    session: Session,
    workspace: Workspace,
    staged: Staged,
    job: LoadJob | LinkJob | UndoJob,
    *,
    again: AgainJob | None = None,
) -> Prepared:
    dropped = _judge_repeats(session, workspace, staged, again)
    folder = folder_name(job.step)
    outcomes_name, rows_name = (
        ("prepared", "1") if again is None else (f"again-{again.round}", f"{again.round}{_ANEW}")
    )
    limits = _limits(job, staged.names)
    _exclude_oversized(session, limits)
    outcomes = _write_outcomes(session, workspace, f"outcomes/{folder}/{outcomes_name}.parquet")
    wanted = job.canary_rows if isinstance(job, LoadJob) and again is None else 0
    canary = job.first_no if wanted and _set_apart(session, wanted, limits) else None
    locks = job.locks if isinstance(job, LoadJob) else None
    target = _Round(folder, rows_name, job.first_no, staged.grouped_by, canary)
    cut = _cut(session, staged.names, target, limits, locks)
    every = "sendable" if canary is None else "every_sendable"
    # the disk takes the files while what is in them is counted
    with ThreadPoolExecutor(1) as beside:
        written = beside.submit(_write, session, workspace, staged.names, target, cut)
        # how they were cut is told by the figures of what they lock
        counted = cut.divided.counted if canary is None else ""
        locked = locked_records(session, every, _lock_fields(job), counted=counted) if again is None else ()
        (returns,) = session.one(f"SELECT count(*) FROM {every} WHERE returns")
        rows, slices = written.result()
    total = rows.rows + (outcomes.rows if outcomes else 0)
    (expected,) = session.one("SELECT count(*) FROM staged")
    _check_whole(f"step {job.step} was cut", total + dropped, expected)
    notes = [cut.divided.trade] if cut.divided.trade else []
    if dropped:
        notes.append(f"{dropped} rows came twice in the extract and count once")
    if returns:
        notes.append(f"{returns} rows had their line ends inside values changed to LF")
    return Prepared(
        rows=rows,
        outcomes=outcomes,
        total=total,
        slices=slices,
        tallies={
            Outcome(name): n
            for name, n in session.rows("SELECT outcome, count(*) FROM unsent GROUP BY 1 ORDER BY 1")
        },
        faults=dict(session.rows("SELECT code, count(*) FROM unsent GROUP BY 1 ORDER BY 1")),
        notes=tuple(notes),
        canary=canary,
        locked=locked,
    )


def _lock_fields(job: LoadJob | LinkJob | UndoJob) -> tuple[str, ...]:
    """The fields whose values stand in the lock columns."""
    if not isinstance(job, LoadJob):
        return ()
    return job.locks.fields if job.locks else (job.group_by,) if job.group_by else ()


def _set_apart(session: Session, wanted: int, limits: Limits) -> bool:
    """Take the canary's rows out of `sendable` into `canary`, picked by the hash of their keys; False: there are too few rows.

    It travels alone, so that rows of one group in it and in another slice never wait for each other's locks. It is a slice, and no larger than one may be.
    """
    (count,) = session.one("SELECT count(*) FROM sendable")
    if count < wanted * CANARY_SHARE:
        return False
    order = "ORDER BY hash(source_key), source_key"
    session.run(
        f"CREATE TEMP TABLE canary AS SELECT * EXCLUDE (upto) FROM (SELECT *, sum(bytes) OVER ({order} ROWS UNBOUNDED PRECEDING) AS upto "
        f"FROM (FROM sendable {order} LIMIT {min(wanted, limits.rows or wanted)})) WHERE upto <= {limits.bytes}"
    )
    session.run("ALTER VIEW sendable RENAME TO every_sendable")
    session.run(
        "CREATE TEMP VIEW sendable AS SELECT * FROM every_sendable ANTI JOIN canary USING (source_key)"
    )
    return True


def cut_again(session: Session, workspace: Workspace, job: RetryJob) -> Prepared:
    """New slices of the rows that wait: not final in any outcome file, and told to wait in one."""
    source = latest(workspace, job.rows)
    names = sent_names(session, source)
    if job.settled:
        settled = read_parquet([workspace.path(ref) for ref in job.settled])
        session.run(
            f'CREATE TEMP TABLE waiting AS SELECT "row" FROM {settled} GROUP BY "row" HAVING NOT bool_or(final)'
        )
    else:
        session.run('CREATE TEMP TABLE waiting ("row" BIGINT)')
    session.run(
        f'CREATE TEMP VIEW again AS SELECT * EXCLUDE (slice) FROM {source} AS r SEMI JOIN waiting ON waiting."row" = r."row"'
    )
    grouped_by = job.locks.fields if job.locks else grouping_of(session, workspace.path(job.rows[-1]))
    _group(session, names, grouped_by)
    limits = _limits(job, names)
    target = _Round(folder_name(job.step), str(job.round), job.first_no, grouped_by)
    cut = _cut(session, names, target, limits, job.locks)
    rows, slices = _write(session, workspace, names, target, cut)
    (expected,) = session.one("SELECT count(*) FROM waiting")
    _check_whole(f"round {job.round} of step {job.step} was cut", rows.rows, expected)
    notes = tuple(filter(None, (cut.divided.how, cut.divided.trade)))
    return Prepared(rows=rows, outcomes=None, total=rows.rows, slices=slices, notes=notes)


def _group(session: Session, names: Sequence[str], grouped_by: Sequence[str]) -> None:
    """Makes `sendable` of `again`, with the lock columns: what is sent of these fields."""
    locks = ", ".join(
        f"{present(f'g.{cell(name)}') if name in names else 'NULL::VARCHAR'} AS {lock_column(n)}"
        for n, name in enumerate(grouped_by or [""])
    )
    source = "again"
    if set(grouped_by) & set(names):
        session.run(f"CREATE TEMP TABLE grouped AS FROM {cells(session, 'again', names)}")
        source = 'again JOIN grouped AS g USING ("row")'
    session.run(f"CREATE TEMP VIEW sendable AS SELECT again.*, {locks} FROM {source}")


def _limits(job: LoadJob | LinkJob | RetryJob | UndoJob, names: Sequence[str]) -> Limits:
    """What the rows of a slice may take: the header is part of the file."""
    return Limits(job.max_slice_rows, job.max_slice_bytes - len(header(names).encode()) - 1)


def _judge_repeats(session: Session, workspace: Workspace, staged: Staged, again: AgainJob | None) -> int:
    """Rows whose key an earlier row has: equal rows count once, others fail; equal record keys all fail.

    Makes `overrides` (row, code, fields; code NULL: dropped) and the views `sendable` and `unsent`.
    """
    source = read_parquet([staged.path])
    session.run(f"CREATE TEMP VIEW staged AS SELECT * FROM {source}")
    session.run('CREATE TEMP TABLE overrides ("row" BIGINT, code VARCHAR, fields VARCHAR)')
    if staged.keyed:
        _judge_source_keys(session, staged)
    (dropped,) = session.one("SELECT count(*) FROM overrides WHERE code IS NULL")
    if staged.key is not None:
        _judge_record_keys(session, staged.key)
        if again is not None:
            judge_taken_keys(session, workspace, again, staged.key)
    (any_override,) = session.one("SELECT count(*) FROM overrides")
    rest = 'staged ANTI JOIN overrides ON overrides."row" = staged."row"' if any_override else "staged"
    session.run(f"CREATE TEMP VIEW judged AS SELECT * FROM {rest}")
    return int(dropped)


def _judge_source_keys(session: Session, staged: Staged) -> None:
    # hashes are cheaper to compare, and hardly ever repeat where keys do not
    (repeats,) = session.one("SELECT count(*) - count(DISTINCT hash(source_key)) FROM staged")
    if not repeats:
        return
    session.run("CREATE TEMP TABLE repeated AS SELECT source_key FROM staged GROUP BY 1 HAVING count(*) > 1")
    later = (
        "NULL" if staged.drop_repeats else f"CASE WHEN same THEN NULL ELSE {text(DUPLICATE_SOURCE_KEY)} END"
    )
    content = f"md5(to_json(row(outcome, code, {line_column(staged.names)}))::VARCHAR)"
    session.run(
        f'INSERT INTO overrides SELECT "row", {later}, \'\' FROM (SELECT "row", row_number() OVER w AS nth, '
        f"{content} = first_value({content}) OVER w AS same FROM staged SEMI JOIN repeated USING (source_key) "
        f'WINDOW w AS (PARTITION BY source_key ORDER BY "row")) WHERE nth > 1'
    )


def _judge_record_keys(session: Session, key: RecordKey) -> None:
    value = key.form("staged.record_key")
    candidates = 'staged ANTI JOIN overrides ON overrides."row" = staged."row"'
    session.run(
        f"CREATE TEMP TABLE repeated_records AS SELECT {value} AS value FROM {candidates} WHERE outcome IS NULL "
        "GROUP BY 1 HAVING count(*) > 1"
    )
    session.run(
        f"INSERT INTO overrides SELECT staged.\"row\", 'DUPLICATE_KEY', {text(key.name)} FROM {candidates} "
        f"WHERE outcome IS NULL AND {value} IN (SELECT value FROM repeated_records)"
    )


def _exclude_oversized(session: Session, limits: Limits) -> None:
    """Makes `sendable`, and `unsent`: every row that got its outcome here."""
    session.run(
        f"CREATE TEMP VIEW sendable AS SELECT * FROM judged WHERE outcome IS NULL AND bytes <= {limits.bytes}"
    )
    failed = text(Outcome.FAILED.value)
    session.run(
        "CREATE TEMP VIEW unsent AS "
        "SELECT \"row\", source_key, outcome, code, coalesce(message, '') AS message, coalesce(fields, '') AS fields "
        "FROM judged WHERE outcome IS NOT NULL UNION ALL "
        f"SELECT \"row\", source_key, {failed}, 'DATA_TOO_LONG', '', '' FROM judged WHERE outcome IS NULL AND bytes > {limits.bytes} "
        f"UNION ALL SELECT staged.\"row\", source_key, {failed}, overrides.code, '', overrides.fields "
        'FROM staged JOIN overrides ON overrides."row" = staged."row" WHERE overrides.code IS NOT NULL'
    )


def _write_outcomes(session: Session, workspace: Workspace, relpath: str) -> FileRef | None:
    (count,) = session.one("SELECT count(*) FROM unsent")
    if not count:
        return None
    path = session.write_parquet(
        'SELECT "row", source_key, \'\' AS target_id, outcome, code, message, fields, true AS final FROM unsent ORDER BY "row"',
        "unsent.parquet",
    )
    return workspace.adopt(relpath, path, count)


@dataclass(frozen=True, slots=True)
class _Round:
    """Where the files of a round go, how its slices are numbered, and the fields by which its rows are grouped (see `rows`).

    `canary`: the number of the slice that `canary` is.
    """

    folder: str
    name: str
    first_no: int
    grouped_by: tuple[str, ...]
    canary: int | None = None


@dataclass(frozen=True, slots=True)
class _Cut:
    """The rows file, in a scratch folder, with its slices. `divided`: how that was decided."""

    made: Path
    sizes: Sequence[Size]
    divided: Divided


def _cut(
    session: Session, names: Sequence[str], target: _Round, limits: Limits, locks: LockKeys | None
) -> _Cut:
    """Make the rows file of what is `sendable`, and of the `canary` before it."""
    first_no = target.first_no if target.canary is None else target.first_no + 1
    divided = divide(session, locks, limits, first_no, beside=first_no - target.first_no)
    columns = f'"row", source_key, {{}} AS slice, bytes, key, {line_column(names)}, {{}} AS place'
    rows = f"SELECT {columns.format('slice', divided.place)} FROM {divided.relation}"
    if target.canary is not None:
        rows += f" UNION ALL SELECT {columns.format(f'{target.canary}::INTEGER', 'NULL')} FROM canary"
    noted = {PACKING: packing_text(divided.packing), GROUPING: json.dumps(target.grouped_by)}
    made = ordered(
        session, f"({rows})", "rows.parquet", rows=divided.rows, size=divided.bytes, metadata=noted
    )
    return _Cut(made, sizes(session, made), divided)


def _write(
    session: Session, workspace: Workspace, names: Sequence[str], target: _Round, cut: _Cut
) -> tuple[FileRef, tuple[CutSlice, ...]]:
    """Publish the rows file and the slice files."""
    # the disk takes the rows file while slices are cut out of it
    with ThreadPoolExecutor(1) as beside:
        sealed = beside.submit(workspace.seal, cut.made)
        files = slice_files(session, workspace, cut.made, names, f"slices/{target.folder}", cut.sizes)
    slices = tuple(CutSlice(no, ref, *cut.divided.packing.get(no, ("", 0))) for no, ref in files)
    relpath = f"rows/{target.folder}/{target.name}.parquet"
    ref = workspace.adopt(relpath, cut.made, sum(one.rows for one in cut.sizes), sealed.result())
    return ref, slices
