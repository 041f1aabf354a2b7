"""The ledger: the durable truth of a run, written by one process at a time.

**Invariant:** a commit is all or nothing, on the disk when it returns, and refused when another process has opened the
ledger since. One thread owns it.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self, cast

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import Attempt, Event, LedgerRow, LedgerState, Page, RunRow, Slice, StepRow
from migrator.state.chain import Facts, broken_at, chained, first_hash
from migrator.state.lease import Lease
from migrator.state.rows import ATTEMPT, PAGE, RUN, SLICE, STEP, dumps, table_of
from migrator.state.storage import corrupt, explained
from migrator.state.transitions import IllegalWrite, check_transition

#: what a run never changes
_IDENTITY = ("plan_digest", "source_org_id", "target_org_id", "target_user_id", "api_version", "started")


class Ledger:
    """The ledger of one run; made by `open_ledger`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lease: Lease, clock: Clock) -> None:
        self._path = path
        self._connection = connection
        self._lease = lease
        self._clock = clock
        self._file = _identity_of(path)
        self._epoch, self._head, self._seq = self._take_over()
        #: the attempts as committed, so that a transition is judged without asking the disk
        self._attempts = {one.id: one for one in read_attempts(connection)}
        self._run = read_run(connection, path)

    @property
    def epoch(self) -> int:
        """How often the ledger has been opened for writing."""
        return self._epoch

    def commit(self, rows: Sequence[LedgerRow], events: Sequence[tuple[str, Facts]] = ()) -> None:
        """Write all rows and events, or nothing.

        Raises IllegalWrite for a transition that the protocol does not know, MigratorError `lease-lost`, `disk-full`,
        `state-read-only` or `state-corrupt` when it cannot be written.
        """
        attempts, run = self._checked(rows)
        at, head, seq = self._clock.now(), self._head, self._seq
        chain: list[Event] = []
        for kind, facts in events:
            seq += 1
            chain.append(chained(head, seq, at, kind, facts))
            head = chain[-1].hash
        self._check_place()
        with explained(self._path), transaction(self._connection):
            self._fence(head, seq)
            self._write(rows, chain)
        self._head, self._seq, self._run = head, seq, run
        self._attempts |= attempts

    def state(self) -> LedgerState:
        """Everything, as committed."""
        with explained(self._path):
            return read_state(self._connection, self._path)

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """The events behind number `after`."""
        with explained(self._path):
            return read_events(self._connection, after)

    def close(self) -> None:
        """Let go of the file and of the lease; twice is harmless."""
        self._connection.close()
        self._lease.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_over(self) -> tuple[int, str, int]:
        """A new epoch: whoever opened the ledger before can write no more."""
        with transaction(self._connection):
            self._connection.execute("UPDATE ledger SET epoch = epoch + 1 WHERE one = 1")
            found = self._connection.execute("SELECT epoch, head, events FROM ledger").fetchone()
        return cast("tuple[int, str, int]", found)

    def _write(self, rows: Sequence[LedgerRow], chain: Sequence[Event]) -> None:
        for row in rows:
            table = table_of(row)
            self._connection.execute(table.insert, table.values(row))
        self._connection.executemany(
            "INSERT INTO event (seq, at, kind, facts, hash) VALUES (?, ?, ?, ?, ?)",
            [(one.seq, one.at, one.kind, dumps(one.facts), one.hash) for one in chain],
        )

    def _fence(self, head: str, seq: int) -> None:
        done = self._connection.execute(
            "UPDATE ledger SET head = ?, events = ? WHERE one = 1 AND epoch = ?", (head, seq, self._epoch)
        )
        if done.rowcount != 1:
            raise MigratorError(
                "lease-lost",
                f"another process has taken over run {self._run.run_id}",
                hint="let that one finish; `status` shows how it stands",
                exit_code=ExitCode.LEASE,
            )

    def _check_place(self) -> None:
        """Refuse to write into a file that is no longer the one in the run folder: nobody would ever read it."""
        if _identity_of(self._path) != self._file:
            raise MigratorError(
                "state-lost",
                f"{self._path} was removed or replaced during the run",
                hint="nothing more was sent",
            )

    def _checked(self, rows: Sequence[LedgerRow]) -> tuple[dict[int, Attempt], RunRow]:
        """The attempts and the run as they will stand after these rows, each judged against the one before."""
        attempts: dict[int, Attempt] = {}
        run = self._run
        for row in rows:
            if isinstance(row, Attempt):
                check_transition(attempts.get(row.id, self._attempts.get(row.id)), row)
                attempts[row.id] = row
            elif isinstance(row, RunRow):
                if row.run_id != run.run_id or any(
                    getattr(row, one) != getattr(run, one) for one in _IDENTITY
                ):
                    raise IllegalWrite("a run changes what it is")
                run = row
        return attempts, run


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
    found = connection.execute(RUN.select).fetchall()
    if len(found) != 1:
        raise corrupt(path, f"it holds {len(found)} runs")
    return cast("RunRow", RUN.row(found[0]))


def read_attempts(connection: sqlite3.Connection) -> tuple[Attempt, ...]:
    """All attempts in order."""
    return tuple(cast("Attempt", ATTEMPT.row(one)) for one in connection.execute(ATTEMPT.select))


def read_state(connection: sqlite3.Connection, path: Path) -> LedgerState:
    """Everything, of one instant."""
    connection.execute("BEGIN")
    try:
        steps = tuple(cast("StepRow", STEP.row(one)) for one in connection.execute(STEP.select))
        return LedgerState(
            run=read_run(connection, path),
            steps={one.step: one for one in steps},
            slices=tuple(cast("Slice", SLICE.row(one)) for one in connection.execute(SLICE.select)),
            attempts=read_attempts(connection),
            pages=tuple(cast("Page", PAGE.row(one)) for one in connection.execute(PAGE.select)),
        )
    finally:
        connection.execute("COMMIT")


def read_events(connection: sqlite3.Connection, after: int = 0) -> tuple[Event, ...]:
    """The events behind number `after`, in order."""
    found = connection.execute(
        "SELECT seq, at, kind, facts, hash FROM event WHERE seq > ? ORDER BY seq", (after,)
    )
    return tuple(Event(seq, at, kind, json.loads(facts), mark) for seq, at, kind, facts, mark in found)


def check_chain(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a ledger whose log was tampered with or is not whole."""
    run = read_run(connection, path)
    broken = broken_at(
        run.run_id, connection.execute("SELECT seq, at, kind, facts, hash FROM event ORDER BY seq")
    )
    if broken is not None:
        raise corrupt(path, f"event {broken} of its log does not follow from those before it")
    head, count = connection.execute("SELECT head, events FROM ledger").fetchone()
    last = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    if (count, head) != (last or (0, first_hash(run.run_id))):
        raise corrupt(path, "the end of its log is missing")
