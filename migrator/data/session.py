"""DuckDB as an engine over files: short-lived connections to one in-memory database, its limits and its dialect spelled out.

**Invariant:** nothing is sniffed and nothing is loaded from the network; every CSV option that matters is stated here.
"""

import csv
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from migrator.data.sql import MACROS, ident, text
from migrator.data.workspace import Workspace, disk_faults
from migrator.errors import ExitCode, MigratorError

_T = TypeVar("_T")

#: read buffer of one CSV file: it must hold the longest record, 400,000 characters (Bulk API 2.0 limits), in UTF-8 and quoted
_LINE_BYTES = 2_097_152
_BUFFER_BYTES = 2 * _LINE_BYTES
#: a header row is at most 32,000 characters (Bulk API 2.0, "Prepare CSV Files")
_HEADER_BYTES = 1 << 20
#: and nearly always much shorter
_MOST_HEADERS = 1 << 12
#: a row group of a parquet file: small ones keep the writer's memory flat and let one slice be read without its neighbours
_GROUP_ROWS = 30_720
_GROUP_BYTES = 8 << 20
#: rows that DuckDB handles together
_VECTOR = 2_048
#: bytes that files take while they are read and written
_BUFFERS = 48_000_000
#: the optimizer takes a CSV scan for a few rows and would build its hash table of all of them, so joins stand as written; the other one
#: takes longer over the counts of a slice than counting does
_NOT_WANTED = "join_order,build_side_probe_side,distinct_aggregate_rewrite"


@dataclass(frozen=True, slots=True)
class Session:
    """A connection and a folder for what it makes on the way. `memory`: its limit, in bytes, which it shares with others; `broken`: what it raises on a
    file that it cannot parse.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    memory: int
    threads: int = 1
    broken: type[Exception] = duckdb.InvalidInputException

    @property
    def room(self) -> float:
        """Bytes of memory that rows may take."""
        return max(self.memory - _BUFFERS, self.memory / 4)

    def run(self, sql: str) -> None:
        """Execute a statement for its effect."""
        self.connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The few rows of an aggregate."""
        return self.connection.execute(sql).fetchall()

    def one(self, sql: str) -> tuple[Any, ...]:
        """The only row of an aggregate."""
        (row,) = self.rows(sql)
        return row

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a summary that may be long, some thousand at a time."""
        cursor = self.connection.execute(sql)
        while chunk := cursor.fetchmany(4096):
            yield from chunk

    def do_all(self, tasks: Sequence[Callable[[], _T]], *, at_once: int) -> list[_T]:
        """Do what does not depend on each other."""
        with ThreadPoolExecutor(at_once) as pool:
            return [done.result() for done in [pool.submit(task) for task in tasks]]

    @contextmanager
    def on_disk(self) -> Iterator[None]:
        """For a while joins hold on disk what they join with. Left alone, one whose table just fits takes all the memory, and what reads and writes finds none."""
        self.run("SET SESSION debug_force_external = true")
        try:
            yield
        finally:
            self.run("SET SESSION debug_force_external = false")

    def run_in_order(self, sql: str) -> None:
        """Execute a statement that needs no temporary objects; its rows keep the order of the file that they come from."""
        self._run_apart("SET SESSION preserve_insertion_order = true", sql)

    def _run_apart(self, *statements: str) -> None:
        with self.connection.cursor() as connection:
            for sql in statements:
                connection.execute(sql)

    def write_parquet(self, sql: str, name: str, *, metadata: Mapping[str, str] | None = None) -> Path:
        """The result of a query as a parquet file in the scratch folder. `metadata`: texts that the file carries."""
        path = self.folder / name
        self.run(_parquet(sql, path, _GROUP_ROWS, metadata or {}, f", ROW_GROUP_SIZE_BYTES {_GROUP_BYTES}"))
        return path

    def write_in_order(self, sql: str, name: str, *, width: int, metadata: Mapping[str, str]) -> Path:
        """The same for a query that needs no temporary objects, and whose rows keep the order of the files that they come from.

        They are about `width` bytes long: their row groups are cut by number.
        """
        path = self.folder / name
        vectors = _GROUP_BYTES // max(width, 1) // _VECTOR
        self.run_in_order(_parquet(sql, path, min(_GROUP_ROWS, max(vectors, 1) * _VECTOR), metadata))
        return path


def _parquet(sql: str, path: Path, rows: int, metadata: Mapping[str, str], group: str = "") -> str:
    noted = ", ".join(f"{key}: {text(value)}" for key, value in metadata.items())
    more = f", KV_METADATA {{{noted}}}" if noted else ""
    return f"COPY ({sql}) TO {text(str(path))} (FORMAT parquet, ROW_GROUP_SIZE {rows}{group}, DICTIONARY_SIZE_LIMIT 1000{more})"


class Database:
    """One in-memory DuckDB for all calls of an engine, so that its memory limit holds for them together.

    It is opened at the first call and spills into the run folder. Each call has its own connection, and temporary objects of its own.
    """

    def __init__(self, workspace: Workspace, *, memory_limit_mb: int, threads: int) -> None:
        self._workspace = workspace
        self._threads = threads
        self._memory = memory_limit_mb * 1_000_000
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_limit_mb}MB",
            "threads": threads,
            "temp_directory": str(workspace.spill),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        }
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A fresh connection and a scratch folder; both are gone afterwards."""
        root = self._workspace.root
        with self._workspace.scratch() as folder, _engine_faults(root, self._memory), disk_faults(root):
            connection = self._connect()
            try:
                yield Session(connection, folder, self._memory, self._threads)
            finally:
                connection.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._root is None:
                self._root = duckdb.connect(":memory:", config=self._config)
                self._root.execute("SET GLOBAL TimeZone = 'UTC'")
                # files are immutable, and a slice is read from a file of many
                self._root.execute("SET GLOBAL parquet_metadata_cache = true")
                self._root.execute(f"SET GLOBAL disabled_optimizers = '{_NOT_WANTED}'")
                for macro in MACROS:
                    self._root.execute(macro)
            return self._root.cursor()

    def close(self) -> None:
        """Free its memory and its spill files."""
        with self._lock:
            if self._root is not None:
                self._root.close()
                self._root = None


@contextmanager
def _engine_faults(root: Path, memory: int) -> Iterator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as fault:
        message = str(fault)
        if "No space left" in message or "max_temp_directory_size" in message or "Disk quota" in message:
            raise MigratorError(
                "disk-full",
                f"no space left for the run folder {root}",
                hint="free some space, then `migrator resume`: nothing is lost",
                exit_code=ExitCode.PAUSED,
            ) from fault
        if isinstance(fault, duckdb.OutOfMemoryException):
            raise MigratorError(
                "memory-limit",
                f"the data plane needs more than the {memory // 1_000_000} MB of memory that it was given",
                hint=f"go on with twice as much, `migrator resume --memory {2 * memory // 1_000_000}`: nothing is lost",
                exit_code=ExitCode.PAUSED,
            ) from fault
        raise


def read_csv(paths: Sequence[Path], columns: Sequence[str], *, delimiter: str = ",") -> str:
    """SQL that reads CSV files with that header as text; an empty cell is NULL, quoted or not. `file_index` is the place of a row's file.

    `parallel` is off because the parallel reader can fail on multi-line values, `new_line` is not given because with it
    DuckDB 2.0 can return no rows at all; both have a test.
    """
    shape = ", ".join(f"{text(name)}: 'VARCHAR'" for name in columns)
    files = ", ".join(text(str(path)) for path in paths)
    return (
        f"read_csv([{files}], header = true, auto_detect = false, columns = {{{shape}}}, delim = {text(delimiter)}, "
        f"""quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = true, null_padding = false, """
        f"parallel = false, max_line_size = {_LINE_BYTES}, buffer_size = {_BUFFER_BYTES}, compression = 'none')"
    )


def csv_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """A CSV file of what Python decided, for `read_csv`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read_parquet(paths: Sequence[Path]) -> str:
    """SQL that reads parquet files of one shape."""
    return f"read_parquet([{', '.join(text(str(path)) for path in paths)}])"


def csv_header(path: Path, *, delimiter: str = ",") -> tuple[str, ...]:
    """The column names of a UTF-8 CSV file; none when the file is empty."""
    record: list[str] = []
    for size in (_MOST_HEADERS, _HEADER_BYTES):
        with path.open("r", encoding="utf-8-sig", errors="replace", newline="") as file:
            start = file.read(size)
        lines = _physical_lines(start)
        record = next(csv.reader(lines, delimiter=delimiter), [])
        # a line is left, so the header did not end where the text was cut
        if len(start) < size or next(lines, None) is not None:
            break
    return tuple(record)


def _physical_lines(start: str) -> Iterator[str]:
    """Lines ending at LF; `splitlines` would also cut at U+2028 and the like."""
    begin = 0
    while begin < len(start):
        end = start.find("\n", begin) + 1 or len(start)
        yield start[begin:end]
        begin = end


def quoted(names: Sequence[str]) -> str:
    """Column names as a SQL list."""
    return ", ".join(ident(name) for name in names)
