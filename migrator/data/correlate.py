"""Correlating: which answer of a job's result files belongs to which row of its slice.

The result files come in no order; each of their rows repeats what was sent. Rows that are equal in every sent cell are interchangeable, and
take the answers in their own order, successes first.

**Invariant:** either every sent row has exactly one answer and every answer one sent row, and every figure agrees, or ResultsMismatch is raised.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from migrator.data import keys
from migrator.data.faults import ResultsMismatch
from migrator.data.jobs import SettleJob
from migrator.data.pairs import Finish, Pairs, Tallies, Told, check_counts
from migrator.data.rows import cells, sent_names
from migrator.data.session import Session, csv_header, read_csv, read_parquet
from migrator.data.sql import cell, ident, no_id, text, with_checked
from migrator.data.together import Together
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef

_TITLES = {"ok": "successful results", "bad": "failed results", "un": "unprocessed records"}
_OWN = {"ok": ("sf__Id", "sf__Created"), "bad": ("sf__Id", "sf__Error"), "un": ()}
_SMALL = 65_536
#: bytes of a job's result files from which on their rows cost much more than the asking: they have no company, and only one such job's are read at a time
_LARGE = 8 << 20


@dataclass(frozen=True, slots=True)
class _ResultFile:
    kind: str
    path: Path
    header: tuple[str, ...]

    def column(self, name: str) -> str:
        """The file's column of that name, in any case."""
        return ident(next(one for one in self.header if one.casefold() == name.casefold()))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A job and its result files."""

    job: SettleJob
    files: tuple[_ResultFile, ...]

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(one.path.stat().st_size for one in self.files)

    @property
    def kind(self) -> SettleJob:
        """What jobs have in common that can be paired by one statement."""
        job = self.job
        return replace(
            job,
            slice=0,
            attempt=0,
            sent=0,
            successful=job.rows,
            failed_results=job.rows,
            unprocessed=job.rows,
            processed=None,
            failed=None,
        )


@dataclass(frozen=True, slots=True)
class Correlated:
    """The rows of a slice, counted, and how many of them equal another one."""

    tallies: Tallies
    equal: int = 0


#: pairs jobs of several threads by one statement
Pairing = Together[_Asked, Pairs | None]


@contextmanager
def correlated(
    session: Session, workspace: Workspace, job: SettleJob, finish: Finish, pairing: Pairing
) -> Iterator[Correlated]:
    """For a while there is `settled`, made by `finish`, in an order that the rows determine. Raises ResultsMismatch."""
    # the rows file's order is one that does not depend on threads, and costs no sorting
    session.run("SET SESSION preserve_insertion_order = true")
    asked = _Asked(job, tuple(_result_files(workspace, job)))
    work = partial(_pair, session, workspace, finish)
    large = asked.size > _LARGE
    with pairing.turn if large else nullcontext():
        pairs = work([asked]) if large else pairing.do((asked.kind, finish), job.slice, asked, work)
        with pairs.lent(session) if pairs else nullcontext():
            tallies = pairs.tallies(session, job) if pairs else None
            if pairs and tallies is not None:
                session.run(
                    f"CREATE TEMP VIEW settled AS SELECT * FROM {pairs.table} WHERE slice = {job.slice}"
                )
                yield Correlated(tallies)
                return
        told = _read_answers(session, job, asked.files)
        equal = _thoroughly(session, workspace, job, told, finish.sql)
        check_ids(told.malformed, told.ok - told.ids)
        yield Correlated(session.rows(f"SELECT {finish.tally} FROM settled GROUP BY ALL ORDER BY ALL"), equal)


def correlate_told(session: Session, workspace: Workspace, job: SettleJob, finish: str) -> int:
    """The same for results that lack rows: makes `settled` of those rows that have an answer, and returns how many have none.

    What the org did tell must be consistent for all that: each answer is one row's, and no figure is larger than the job's counters allow.
    Raises ResultsMismatch.
    """
    told = _read_answers(session, job, tuple(_result_files(workspace, job)))
    rows = _make_sent(session, workspace, job)
    _check_room(job, rows, told)
    check_ids(told.malformed, told.ok - told.ids)
    answered = f"SELECT {job.slice} AS slice, {_ANSWERED} FROM {_NUMBERED_ROWS} AS s JOIN {_NUMBERED_ANSWERS} AS t USING (key, nth)"
    session.run(f"CREATE OR REPLACE TEMP TABLE settled AS WITH answered AS ({answered}) {finish}")
    (pairs,) = session.one("SELECT count(*) FROM settled")
    if pairs != told.rows:
        raise ResultsMismatch(f"{told.rows - pairs} result rows were not sent")
    return rows - told.rows


def _check_room(job: SettleJob, rows: int, told: Told) -> None:
    """Rows that have no answer are those that the org's counters leave room for."""
    if not 0 < told.rows < rows:
        raise ResultsMismatch(f"{rows} rows were sent, the results have {told.rows}")
    if job.processed is None or job.failed is None:
        raise ResultsMismatch("the job does not say how many rows it processed")
    room = {
        "succeeded": (told.ok, job.processed - job.failed),
        "failed": (told.bad, job.failed),
        "were not processed": (told.un, rows - job.processed),
    }
    for what, (found, counted) in room.items():
        if found > counted:
            raise ResultsMismatch(f"the job counts {counted} rows that {what}, the results have {found}")


def _pair(session: Session, workspace: Workspace, finish: Finish, asked: Sequence[_Asked]) -> Pairs | None:
    """Pair by the quick key while the files are read; None when a file cannot be read: whose it is comes out when each job's are read for themselves.

    Keys that repeat make many pairs: there is no need for more than the files can have rows, which have a byte for each cell.
    """
    # not a temporary table: it is there for the other jobs' connections
    table = f"memory.main.{ident(session.folder.name)}"
    most = sum(file.path.stat().st_size // len(file.header) + 1 for one in asked for file in one.files)
    slices = ", ".join(str(one.job.slice) for one in asked)
    job = asked[0].job
    rows = f'SELECT slice, "row", source_key, key FROM {read_parquet([workspace.path(job.rows)])} WHERE slice IN ({slices})'
    answered = (
        f"SELECT slice, {_ANSWERED} FROM ({rows}) AS s FULL JOIN ({_answers(asked, thorough=False)}) AS t "
        f"USING (slice, key) LIMIT {most + 1}"
    )
    try:
        session.run(f"CREATE TABLE {table} AS WITH answered AS ({answered}) {finish.sql}")
    except session.broken:
        return None
    return Pairs(table, finish, job.key_prefix, len(asked), most=most)


def _thoroughly(session: Session, workspace: Workspace, job: SettleJob, told: Told, finish: str) -> int:
    """Pair by the thorough key, and equal rows by their order. Raises ResultsMismatch."""
    rows = _make_sent(session, workspace, job)
    check_counts(job, rows, told)
    answered = f"SELECT {job.slice} AS slice, {_ANSWERED} FROM {_NUMBERED_ROWS} AS s FULL JOIN {_NUMBERED_ANSWERS} AS t USING (key, nth)"
    session.run(
        f'CREATE OR REPLACE TEMP TABLE settled AS WITH answered AS ({answered}) {finish} ORDER BY "row"'
    )
    pairs, rows, answers = session.one('SELECT count(*), count("row"), count(kind) FROM settled')
    if pairs > rows or pairs > answers:
        raise ResultsMismatch(
            f"{pairs - answers} sent rows are in no result file, {pairs - rows} result rows were not sent"
        )
    (equal,) = session.one("SELECT count(*) - count(DISTINCT key) FROM sent")
    return int(equal)


def _make_sent(session: Session, workspace: Workspace, job: SettleJob) -> int:
    """Makes `sent` (row, source_key, key): the rows of the slice by the thorough key; how many they are."""
    source = read_parquet([workspace.path(job.rows)])
    session.run(f"CREATE TEMP TABLE slice AS FROM {source} WHERE slice = {job.slice}")
    names = sent_names(session, "slice")
    written = {name.casefold(): name for name in names}
    raw = [cell(written[column.name.casefold()]) for column in job.columns]
    session.run(
        f'CREATE TEMP TABLE sent AS SELECT "row", source_key, {_thorough_key(job)} AS key FROM ('
        f'SELECT slice."row", source_key, {_thorough_forms(job, raw)} FROM slice JOIN {cells(session, "slice", names)} AS c ON c."row" = slice."row")'
    )
    (rows,) = session.one("SELECT count(*) FROM sent")
    return int(rows)


def _read_answers(session: Session, job: SettleJob, files: tuple[_ResultFile, ...]) -> Told:
    """Makes `told` (kind, id, second, key): the rows of the result files. Raises ResultsMismatch."""
    try:
        session.run(f"CREATE TEMP TABLE told AS {_answers([_Asked(job, files)], thorough=True)}")
    except session.broken as fault:
        # the text of the fault quotes the record, which is a value and stays out of messages
        raise ResultsMismatch(
            "a result file has a record without the header's number of cells, or is not text"
        ) from fault
    return Told(
        *session.one(f"SELECT {_figures(job, 'id')} FROM {with_checked('told', 'id', job.key_prefix)}")
    )


def _answers(asked: Sequence[_Asked], *, thorough: bool) -> str:
    """SQL of the rows of the result files: kind, id, second, key and, unless thorough, slice."""
    files = [(one.job.slice, file) for one in asked for file in one.files]
    parts = [_result_rows(asked[0].job, each, thorough=thorough) for each in _alike_files(files)]
    return " UNION ALL ".join(parts) or _NO_ANSWERS


def _figures(job: SettleJob, identity: str) -> str:
    """SQL of the figures of `Told` over answers with that column of ids."""
    return (
        "count(*) FILTER (kind = 'ok'), count(*) FILTER (kind = 'bad'), count(*) FILTER (kind = 'un'), "
        f"count(*) FILTER (kind = 'ok' AND {no_id(identity, job.key_prefix)}), count(DISTINCT {identity}) FILTER (kind = 'ok')"
    )


def _alike_files(files: Sequence[tuple[int, _ResultFile]]) -> list[list[tuple[int, _ResultFile]]]:
    """Files (of a slice each) whose columns stand in the same places are read together: a scan costs more than the rows of a short file."""
    found: dict[tuple[str, ...], list[tuple[int, _ResultFile]]] = {}
    for no, one in files:
        own = {name.casefold() for name in _OWN[one.kind]}
        shape = tuple("" if name.casefold() in own - {"sf__id"} else name.casefold() for name in one.header)
        found.setdefault(shape, []).append((no, one))
    return list(found.values())


def _result_rows(job: SettleJob, files: Sequence[tuple[int, _ResultFile]], *, thorough: bool) -> str:
    """SQL of the rows of result files of one shape, read by the header of the first."""
    _, first = files[0]
    own = [first.column(name) for name in _OWN[first.kind]] or ["NULL", "NULL"]
    raw = [first.column(column.name) for column in job.columns]
    source = read_csv([one.path for _, one in files], first.header)
    own_columns = (
        f"{_by_file(text(one.kind) for _, one in files)} AS kind, {own[0]} AS id, {own[1]} AS second"
    )
    if thorough:
        keyed = f"SELECT kind, id, second, {_thorough_key(job)} AS key FROM (SELECT {own_columns}, {_thorough_forms(job, raw)} FROM {source})"
        return f"SELECT kind, to18(id) AS id, second, key FROM ({keyed})"
    # ids that are not of 18 characters make no quick pairs
    key = keys.quick_key(job.columns, raw, _key_field(job))
    return (
        f"SELECT {own_columns}, {key} AS key, {_by_file(str(no) for no, _ in files)} AS slice FROM {source}"
    )


def _by_file(values: Iterable[str]) -> str:
    """SQL of what a row is by the place of its file in the list of a scan."""
    return f"CASE file_index {' '.join(f'WHEN {n} THEN {value}' for n, value in enumerate(values))} END"


#: equal rows and equal answers, each numbered: the first row gets the first answer, successes first
_NUMBERED_ROWS = '(SELECT *, row_number() OVER (PARTITION BY key ORDER BY "row") AS nth FROM sent)'
_FIRST = "CASE kind WHEN 'ok' THEN 0 WHEN 'bad' THEN 1 ELSE 2 END, id, second"
_NUMBERED_ANSWERS = f"(SELECT *, row_number() OVER (PARTITION BY key ORDER BY {_FIRST}) AS nth FROM told)"
_NO_ANSWERS = "SELECT '' AS kind, '' AS id, '' AS second, NULL AS key, NULL::INTEGER AS slice WHERE false"
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


def check_ids(malformed: int, repeated: int) -> None:
    """Ids of records that exist: well-formed, of this sObject, no two rows with the same. Raises ResultsMismatch."""
    if malformed:
        raise ResultsMismatch(f"{malformed} rows succeeded with something that is no id of this sObject")
    if repeated:
        raise ResultsMismatch(f"{repeated} rows share a record id with another row")
