"""Correlating: which answer of a job's result files belongs to which row of its slice.

The result files come in no order; each of their rows repeats what was sent. Rows that are equal in every sent cell are interchangeable, and
take the answers in their own order, successes first.

**Invariant:** either every sent row has exactly one answer and every answer one sent row, and every figure agrees, or ResultsMismatch is raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.data import keys
from migrator.data.faults import ResultsMismatch
from migrator.data.jobs import SettleJob
from migrator.data.rows import cells, sent_names
from migrator.data.session import Session, csv_header, read_csv, read_parquet
from migrator.data.sql import cell, ident, no_id, text, with_capitals
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef

_TITLES = {"ok": "successful results", "bad": "failed results", "un": "unprocessed records"}
_OWN = {"ok": ("sf__Id", "sf__Created"), "bad": ("sf__Id", "sf__Error"), "un": ()}
_SMALL = 65_536


@dataclass(frozen=True, slots=True)
class _Told:
    """What the files have: rows by kind, ids of successes that are none, and different ids of successes."""

    ok: int
    bad: int
    un: int
    malformed: int
    ids: int

    @property
    def rows(self) -> int:
        return self.ok + self.bad + self.un


@dataclass(frozen=True, slots=True)
class _ResultFile:
    kind: str
    path: Path
    header: tuple[str, ...]

    def column(self, name: str) -> str:
        """The file's column of that name, in any case."""
        return ident(next(one for one in self.header if one.casefold() == name.casefold()))


def correlate(session: Session, workspace: Workspace, job: SettleJob, finish: str) -> int:
    """Makes `settled` by `finish`: SQL over `answered` (row, source_key, kind, id, created, error, key) that keeps `row`, `kind` and `key`,
    and gives the ids of successes as `target_id`.

    Returns how many rows equal another one. Raises ResultsMismatch.
    """
    files = _result_files(workspace, job)
    source = f"(FROM {read_parquet([workspace.path(job.rows)])} WHERE slice = {job.slice})"
    if _quickly(session, job, source, files, finish):
        return 0
    told = _read_answers(session, job, files)
    equal = _thoroughly(session, job, source, told, finish)
    check_ids(told.malformed, told.ok - told.ids)
    return equal


def _quickly(
    session: Session, job: SettleJob, source: str, files: Sequence[_ResultFile], finish: str
) -> bool:
    """Pair by the quick key while the files are read. False, and nothing is known, unless everything pairs up one to one.

    Every key stands in one pair then, and no row or answer is without one. Keys that repeat make many pairs: there is no need
    for more than the files can have rows, which have a byte for each cell.
    """
    most = sum(one.path.stat().st_size // len(one.header) + 1 for one in files)
    answered = f"SELECT {_ANSWERED} FROM {source} AS s FULL JOIN ({_answers(job, files, thorough=False)}) AS t USING (key) LIMIT {most + 1}"
    _read(session, f"CREATE OR REPLACE TEMP TABLE settled AS WITH answered AS ({answered}) {finish}")
    pairs, rows, answers, different, *told = session.one(
        f'SELECT count(*), count("row"), count(kind), count(DISTINCT key), {_figures(job, "target_id")} FROM {with_capitals("settled", "target_id")}'
    )
    found = _Told(*told)
    if not pairs == rows == answers == different or found.malformed or found.ids != found.ok:
        return False
    _check_counts(job, rows, found)
    return True


def _thoroughly(session: Session, job: SettleJob, source: str, told: _Told, finish: str) -> int:
    """Pair by the thorough key, and equal rows by their order. Raises ResultsMismatch."""
    session.run(f"CREATE TEMP TABLE slice AS FROM {source}")
    names = sent_names(session, "slice")
    written = {name.casefold(): name for name in names}
    raw = [cell(written[column.name.casefold()]) for column in job.columns]
    session.run(
        f'CREATE TEMP TABLE sent AS SELECT "row", source_key, {_thorough_key(job)} AS key FROM ('
        f'SELECT slice."row", source_key, {_thorough_forms(job, raw)} FROM slice JOIN {cells(session, "slice", names)} AS c ON c."row" = slice."row")'
    )
    (rows,) = session.one("SELECT count(*) FROM sent")
    _check_counts(job, rows, told)
    order = "CASE kind WHEN 'ok' THEN 0 WHEN 'bad' THEN 1 ELSE 2 END, id, second"
    answered = (
        f'SELECT {_ANSWERED} FROM (SELECT *, row_number() OVER (PARTITION BY key ORDER BY "row") AS nth FROM sent) AS s '
        f"FULL JOIN (SELECT *, row_number() OVER (PARTITION BY key ORDER BY {order}) AS nth FROM told) AS t USING (key, nth)"
    )
    session.run(f"CREATE OR REPLACE TEMP TABLE settled AS WITH answered AS ({answered}) {finish}")
    pairs, rows, answers = session.one('SELECT count(*), count("row"), count(kind) FROM settled')
    if pairs > rows or pairs > answers:
        raise ResultsMismatch(
            f"{pairs - answers} sent rows are in no result file, {pairs - rows} result rows were not sent"
        )
    (equal,) = session.one("SELECT count(*) - count(DISTINCT key) FROM sent")
    return int(equal)


def _read_answers(session: Session, job: SettleJob, files: Sequence[_ResultFile]) -> _Told:
    """Makes `told` (kind, id, second, key): the rows of the result files."""
    _read(session, f"CREATE TEMP TABLE told AS {_answers(job, files, thorough=True)}")
    return _Told(*session.one(f"SELECT {_figures(job, 'id')} FROM {with_capitals('told', 'id')}"))


def _answers(job: SettleJob, files: Sequence[_ResultFile], *, thorough: bool) -> str:
    parts = [_result_rows(job, each, thorough=thorough) for each in _alike_files(files)]
    return " UNION ALL ".join(parts) or _NO_ANSWERS


def _read(session: Session, sql: str) -> None:
    """Run what reads result files. Raises ResultsMismatch."""
    try:
        session.run(sql)
    except session.broken as fault:
        # the text of the fault quotes the record, which is a value and stays out of messages
        raise ResultsMismatch(
            "a result file has a record without the header's number of cells, or is not text"
        ) from fault


def _figures(job: SettleJob, identity: str) -> str:
    """SQL of the figures of `_Told` over answers with that column of ids."""
    return (
        "count(*) FILTER (kind = 'ok'), count(*) FILTER (kind = 'bad'), count(*) FILTER (kind = 'un'), "
        f"count(*) FILTER (kind = 'ok' AND {no_id(identity, job.key_prefix)}), count(DISTINCT {identity}) FILTER (kind = 'ok')"
    )


def _alike_files(files: Sequence[_ResultFile]) -> list[list[_ResultFile]]:
    """Files whose columns stand in the same places are read together: a scan costs more than the rows of a short file."""
    found: dict[tuple[str, ...], list[_ResultFile]] = {}
    for one in files:
        own = {name.casefold() for name in _OWN[one.kind]}
        shape = tuple("" if name.casefold() in own - {"sf__id"} else name.casefold() for name in one.header)
        found.setdefault(shape, []).append(one)
    return list(found.values())


def _result_rows(job: SettleJob, files: Sequence[_ResultFile], *, thorough: bool) -> str:
    """SQL of the rows of result files of one shape, read by the header of the first."""
    first = files[0]
    kind = " ".join(f"WHEN {text(str(one.path))} THEN {text(one.kind)}" for one in files)
    own = [first.column(name) for name in _OWN[first.kind]] or ["NULL", "NULL"]
    raw = [first.column(column.name) for column in job.columns]
    source = read_csv([one.path for one in files], first.header, filename="#file")
    own_columns = f'CASE "#file" {kind} END AS kind, {own[0]} AS id, {own[1]} AS second'
    if thorough:
        keyed = f"SELECT kind, id, second, {_thorough_key(job)} AS key FROM (SELECT {own_columns}, {_thorough_forms(job, raw)} FROM {source})"
    else:
        # ids that are not of 18 characters make no quick pairs
        key = keys.quick_key(job.columns, raw, _key_field(job))
        return f"SELECT {own_columns}, {key} AS key FROM {source}"
    return f"SELECT kind, to18(id) AS id, second, key FROM ({keyed})"


_NO_ANSWERS = "SELECT '' AS kind, '' AS id, '' AS second, NULL AS key WHERE false"
#: `second`: whether the record was created, or the fault
_ANSWERED = "s.\"row\", s.source_key, t.kind, coalesce(t.id, '') AS id, coalesce(lower(t.second) = 'true', false) AS created, CASE WHEN t.kind = 'bad' THEN coalesce(t.second, '') ELSE '' END AS error, key"


def _key_field(job: SettleJob) -> str | None:
    return keys.key_field(job.operation, job.external_id)


def _thorough_forms(job: SettleJob, raw: Sequence[str]) -> str:
    return ", ".join(f"{value} AS k{n}" for n, value in enumerate(keys.thorough_forms(job.columns, raw)))


def _thorough_key(job: SettleJob) -> str:
    return keys.thorough_key(job.columns, [f"k{n}" for n in range(len(job.columns))], _key_field(job))


def _result_files(workspace: Workspace, job: SettleJob) -> list[_ResultFile]:
    """The files that have rows, once their columns are the ones that a job with these fields has. Raises ResultsMismatch."""
    found = [
        _result_file(workspace, job, kind, ref)
        for kind, ref in (("ok", job.successful), ("bad", job.failed_results), ("un", job.unprocessed))
    ]
    return [one for one in found if one is not None]


def _result_file(workspace: Workspace, job: SettleJob, kind: str, ref: FileRef) -> _ResultFile | None:
    path = workspace.path(ref)
    header = csv_header(path)
    if not header:
        return None
    names = {name.casefold() for name in header}
    wanted = (*_OWN[kind], *(column.name for column in job.columns))
    lacking = next((name for name in wanted if name.casefold() not in names), None)
    if lacking is not None:
        raise ResultsMismatch(f"the {_TITLES[kind]} have no column {lacking}")
    if len(names) != len(header):
        raise ResultsMismatch(f"a column of the {_TITLES[kind]} repeats")
    if _ends_inside(path):
        raise ResultsMismatch(f"the file of the {_TITLES[kind]} is damaged: it ends inside a record")
    # most jobs leave nothing unprocessed: a file of one line, the header, is not worth a scan
    if ref.size < _SMALL and path.read_bytes().rstrip(b"\r\n").count(b"\n") == 0:
        return None
    return _ResultFile(kind, path, header)


def _ends_inside(path: Path) -> bool:
    """Whether the last record is cut off after a cell; one that is cut off inside quotes is dropped by the reader, and missed in the counts."""
    with path.open("rb", buffering=0) as file:
        file.seek(-1, 2)
        return file.read(1) not in {b"\n", b"\r", b'"'}


def _check_counts(job: SettleJob, rows: int, told: _Told) -> None:
    """The org's counters, its three files and what was sent must agree (the processed rows include the failed ones)."""
    if told.rows != rows:
        raise ResultsMismatch(f"{rows} rows were sent, the results have {told.ok} + {told.bad} + {told.un}")
    if job.failed is not None and told.bad != job.failed:
        raise ResultsMismatch(f"the job counts {job.failed} failed rows, the failed results have {told.bad}")
    if job.processed is not None and job.failed is not None and told.ok != job.processed - job.failed:
        raise ResultsMismatch(
            f"the job counts {job.processed - job.failed} rows that succeeded, the successful results have {told.ok}"
        )


def check_ids(malformed: int, repeated: int) -> None:
    """Ids of records that exist: well-formed, of this sObject, no two rows with the same. Raises ResultsMismatch."""
    if malformed:
        raise ResultsMismatch(f"{malformed} rows succeeded with something that is no id of this sObject")
    if repeated:
        raise ResultsMismatch(f"{repeated} rows share a record id with another row")
