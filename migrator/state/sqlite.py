"""A ledger in a SQLite file: one file a run, beside the run's other files.

**Invariant:** the file that is written is the one in the run folder, and only while this process has its lock.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from migrator.errors import MigratorError
from migrator.model.run import Attempt, Event, LedgerRow, LedgerState, Page, RunRow, Slice, StepRow
from migrator.state.chain import Stored
from migrator.state.lease import Locks
from migrator.state.rows import ATTEMPT, PAGE, RUN, SLICE, SQLITE, STEP, TABLES, Table, dumps, table_of
from migrator.state.runstore import Head, lost
from migrator.state.storage import corrupt, explained
from migrator.state.transitions import IllegalWrite

_INSERTS = {table.name: table.insert(SQLITE) for table in TABLES}
_EVENTS = "SELECT seq, at, kind, facts, hash FROM event WHERE seq > ? ORDER BY seq"


class SqliteStore:
    """One run's ledger file, opened for writing. `locks` are held until it is closed."""

    def __init__(self, path: Path, connection: sqlite3.Connection, locks: Locks) -> None:
        self._path = path
        self._connection = connection
        self._locks = locks
        self._file = _identity_of(path)
        self._epoch = 0

    @property
    def place(self) -> str:
        return str(self._path)

    def take_over(self) -> int:
        with explained(self._path), transaction(self._connection):
            self._connection.execute("UPDATE ledger SET epoch = epoch + 1 WHERE one = 1")
            found = self._connection.execute("SELECT epoch FROM ledger").fetchone()
        if found is None:
            raise corrupt(self.place, "it does not say how far it has come")
        self._epoch = int(found[0])
        return self._epoch

    def head(self) -> Head:
        with explained(self._path):
            return Head(*self._connection.execute("SELECT head, events, content FROM ledger").fetchone())

    def state(self) -> LedgerState:
        with explained(self._path):
            return read_state(self._connection, self._path)

    def stored(self, after: int = 0) -> tuple[Stored, ...]:
        with explained(self._path):
            return tuple(self._connection.execute(_EVENTS, (after,)))

    def write(self, rows: Sequence[LedgerRow], events: Sequence[Event], before: Head, after: Head) -> None:
        self._check_place()
        with explained(self._path), transaction(self._connection):
            done = self._connection.execute(
                "UPDATE ledger SET head = ?, events = ?, content = ? WHERE one = 1 AND epoch = ? AND head = ?",
                (after.hash, after.events, after.content, self._epoch, before.hash),
            )
            if done.rowcount != 1:
                raise lost(self._path.parent.name)
            for row in rows:
                table = table_of(row)
                self._connection.execute(_INSERTS[table.name], table.values(row))
            self._connection.executemany(
                "INSERT INTO event (seq, at, kind, facts, hash) VALUES (?, ?, ?, ?, ?)",
                [(one.seq, one.at, one.kind, dumps(one.facts), one.hash) for one in events],
            )

    def hold(self, scopes: Sequence[str]) -> None:
        self._locks.hold(scopes)

    def close(self) -> None:
        self._connection.close()
        self._locks.close()

    def _check_place(self) -> None:
        """Refuse to write into a file that is no longer the one in the run folder: nobody would ever read it."""
        if _identity_of(self._path) != self._file:
            raise MigratorError(
                "state-lost",
                f"{self._path} was removed or replaced during the run",
                hint="nothing more was sent",
            )


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that nothing read inside can change."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")  # foreign keys are judged here
    except BaseException as fault:
        # SQLite may have rolled back by itself, e.g. on a full disk
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(fault, sqlite3.IntegrityError):
            raise IllegalWrite(str(fault)) from fault
        raise


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def read_run(connection: sqlite3.Connection, path: Path) -> RunRow:
    """The one row of the run."""
    found = connection.execute(RUN.select(SQLITE)).fetchall()
    if len(found) != 1:
        raise corrupt(str(path), f"it holds {len(found)} runs")
    return cast("RunRow", RUN.row(found[0]))


def read_state(connection: sqlite3.Connection, path: Path) -> LedgerState:
    """Everything but the log, of one instant."""
    connection.execute("BEGIN")
    try:
        return _rows(connection, path)
    finally:
        connection.execute("COMMIT")


def read_all(connection: sqlite3.Connection, path: Path) -> tuple[LedgerState, tuple[Stored, ...], Head]:
    """Everything, of one instant."""
    connection.execute("BEGIN")
    try:
        head = connection.execute("SELECT head, events, content FROM ledger").fetchone()
        if head is None:
            raise corrupt(path, "it does not say how far it has come")
        return _rows(connection, path), tuple(connection.execute(_EVENTS, (0,))), Head(*head)
    finally:
        connection.execute("COMMIT")


def _rows(connection: sqlite3.Connection, path: Path) -> LedgerState:
    def rows(table: Table) -> Iterator[LedgerRow]:
        return (table.row(one) for one in connection.execute(table.select(SQLITE)))

    try:
        return LedgerState(
            run=read_run(connection, path),
            steps={one.step: one for one in cast("Iterator[StepRow]", rows(STEP))},
            slices=tuple(cast("Iterator[Slice]", rows(SLICE))),
            attempts=tuple(cast("Iterator[Attempt]", rows(ATTEMPT))),
            pages=tuple(cast("Iterator[Page]", rows(PAGE))),
        )
    except (ValueError, KeyError, TypeError) as fault:  # a cell that is no JSON, or no value of ours
        raise corrupt(str(path), "a row of it cannot be read") from fault
