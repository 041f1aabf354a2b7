"""Ledgers in PostgreSQL: those of a team, in one schema, each run with the lease of whoever works on it.

**Invariant:** a commit counts only while the leases of this process do, by the time of the database.
"""

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar, cast

import psycopg
from psycopg import errors as faults

from migrator.clock import Clock
from migrator.errors import MigratorError
from migrator.model.run import Attempt, Event, LedgerRow, LedgerState, Page, RunRow, Slice, StepRow
from migrator.state.chain import Stored, first_hash
from migrator.state.content import hash_of
from migrator.state.ddl import POSTGRES as TABLES
from migrator.state.ddl import POSTGRES_MIGRATIONS, SCHEMA, VERSION
from migrator.state.heartbeat import TTL, Heartbeat, renew
from migrator.state.lease import Holder, object_held, run_held
from migrator.state.pglink import Connection, connect, explained, place_of
from migrator.state.rows import ATTEMPT, PAGE, POSTGRES, RUN, SLICE, STEP, Table, dumps, table_of
from migrator.state.runstore import Head, lost
from migrator.state.storage import corrupt

T = TypeVar("T")
#: how often a commit whose connection broke is looked for and tried again, and the pause before each time
_RECONNECTS, _PAUSE = 6, 2.0
_EVENTS = "SELECT seq, at, kind, facts, hash FROM event WHERE run = %s AND seq > %s ORDER BY seq"


def prepare(connection: Connection, place: str) -> None:
    """Make the tables, or bring older ones up to date, in one transaction; refuse newer ones."""
    with connection.transaction():
        # two first runs at once: the second waits and finds the tables
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('migrator ledger'))")
        if not _has_tables(connection):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            for statement in TABLES:
                connection.execute(_sql(statement))
            return
        found = check_version(connection, place, may_migrate=True)
        for version in range(found, VERSION):
            for statement in POSTGRES_MIGRATIONS[version]:
                connection.execute(_sql(statement))
        connection.execute("UPDATE format SET version = %s", (VERSION,))


def _has_tables(connection: Connection, name: str = "format") -> bool:
    return connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.{name}",)).fetchone() != (None,)


def check_version(connection: Connection, place: str, *, may_migrate: bool) -> int:
    """The version of the tables. Raises MigratorError for a newer one, and for an older one that may not be changed here."""
    found = connection.execute("SELECT version FROM format").fetchone()
    version = int(found[0]) if found else 0
    if version > VERSION or (version < VERSION and not may_migrate):
        newer = version > VERSION
        raise MigratorError(
            "state-too-new" if newer else "state-too-old",
            f"{place} has format {version}, this version writes {VERSION}",
            hint="use the version that made it, or a newer one" if newer else "resume the run first",
        )
    return version


def create(connection: Connection, run: RunRow) -> None:
    """A run without steps. Raises MigratorError `run-exists`."""
    with connection.transaction():
        try:
            connection.execute(
                "INSERT INTO ledger (run, epoch, head, events, content) VALUES (%s, 0, %s, 0, %s)",
                (run.run_id, first_hash(run.run_id), f"{hash_of(run):064x}"),
            )
        except faults.UniqueViolation as fault:
            raise MigratorError(
                "run-exists", f"there is a run {run.run_id} already", hint="resume it, or start a new one"
            ) from fault
        connection.execute(_sql(RUN.insert(POSTGRES)), RUN.values(run))


class PostgresStore:
    """One run's ledger, opened for writing: the run's lease is taken when it is made, and kept alive by a thread."""

    def __init__(self, url: str, run_id: str, clock: Clock, *, ttl: float = TTL) -> None:
        self._url, self._run, self._clock, self._ttl = url, run_id, clock, ttl
        self._token = secrets.token_hex(16)
        self._epoch = 0
        self._leases = 0
        with explained(self.place):
            self._connection = connect(url)
        self._beat: Heartbeat | None = None
        try:
            with explained(self.place):
                self.hold([f"run:{run_id}"])
            self._beat = Heartbeat(lambda: connect(url), self._token, clock, ttl=ttl)
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        return place_of(self._url)

    def take_over(self) -> int:
        with explained(self.place):
            found = self._connection.execute(
                "UPDATE ledger SET epoch = epoch + 1 WHERE run = %s RETURNING epoch", (self._run,)
            ).fetchone()
        if found is None:
            raise corrupt(self.place, f"it does not say how far run {self._run} has come")
        self._epoch = int(found[0])
        return self._epoch

    def head(self) -> Head:
        with explained(self.place):
            return read_head(self._connection, self._run)

    def state(self) -> LedgerState:
        with explained(self.place):
            return read_state(self._connection, self._run, self.place)

    def stored(self, after: int = 0) -> tuple[Stored, ...]:
        with explained(self.place):
            return cast("tuple[Stored, ...]", tuple(self._connection.execute(_EVENTS, (self._run, after))))

    def write(self, rows: Sequence[LedgerRow], events: Sequence[Event], before: Head, after: Head) -> None:
        with explained(self.place):
            for trial in range(_RECONNECTS + 1):
                try:
                    if trial:
                        self._reconnect()
                        if read_head(self._connection, self._run) == after:
                            return  # the answer was lost, not the commit
                    self._write(rows, events, before, after)
                except psycopg.OperationalError:
                    if not self._connection.broken and not self._connection.closed:
                        raise
                    if trial == _RECONNECTS or not self._clock.wait(_PAUSE):
                        raise
                else:
                    return

    def _write(self, rows: Sequence[LedgerRow], events: Sequence[Event], before: Head, after: Head) -> None:
        if self._beat is not None and self._beat.late:
            # this process stood still, or the way to the server was cut: whether somebody took the leases meanwhile is seen below
            began = self._clock.monotonic()
            renew(self._connection, self._token, self._ttl)
            self._beat.in_time(began)
        with self._connection.transaction():
            done = self._connection.execute(
                "UPDATE ledger SET head = %s, events = %s, content = %s WHERE run = %s AND epoch = %s AND head = %s"
                " AND %s = (SELECT count(*) FROM (SELECT 1 FROM lease WHERE token = %s FOR SHARE) AS mine)",
                (*_head(after), self._run, self._epoch, before.hash, self._leases, self._token),
            )
            if done.rowcount != 1:
                raise lost(self._run)
            with self._connection.cursor() as cursor:
                for row in rows:
                    table = table_of(row)
                    run = () if table is RUN else (self._run,)
                    cursor.execute(_sql(table.insert(POSTGRES)), (*run, *table.values(row)))
                cursor.executemany(
                    "INSERT INTO event (run, seq, at, kind, facts, hash) VALUES (%s, %s, %s, %s, %s, %s)",
                    [(self._run, one.seq, one.at, one.kind, dumps(one.facts), one.hash) for one in events],
                )

    def _reconnect(self) -> None:
        self._connection.close()
        self._connection = connect(self._url)

    def hold(self, scopes: Sequence[str]) -> None:
        with explained(self.place), self._connection.transaction():
            for scope in scopes:
                if self._take(scope):
                    continue
                who = holder_of(self._connection, scope)
                if who is not None and _dead(who):
                    self._connection.execute(
                        "UPDATE lease SET until = '-infinity', token = '' WHERE scope = %s AND pid = %s",
                        (scope, who.pid),
                    )
                if not self._take(scope):
                    who = who or Holder(0, "?", 0.0)
                    raise run_held(self._run, who) if scope.startswith("run:") else object_held(scope, who)
        self._leases += len(scopes)

    def _take(self, scope: str) -> bool:
        done = self._connection.execute(
            "INSERT INTO lease (scope, epoch, token, run, host, pid, since, until) VALUES"
            " (%s, 1, %s, %s, %s, %s, clock_timestamp(), clock_timestamp() + make_interval(secs => %s))"
            " ON CONFLICT (scope) DO UPDATE SET epoch = lease.epoch + 1, token = excluded.token, run = excluded.run,"
            " host = excluded.host, pid = excluded.pid, since = excluded.since, until = excluded.until"
            " WHERE lease.until < clock_timestamp()",
            (scope, self._token, self._run, socket.gethostname(), os.getpid(), self._ttl),
        )
        return bool(done.rowcount == 1)

    def close(self) -> None:
        if self._beat is not None:
            self._beat.close()
        if not self._connection.closed and not self._connection.broken:
            # a server that is gone needs no farewell: the leases run out
            with suppress(psycopg.OperationalError):
                self._connection.execute(
                    "UPDATE lease SET until = clock_timestamp(), token = '' WHERE token = %s", (self._token,)
                )
        self._connection.close()


def _dead(who: Holder) -> bool:
    """Whether the holder was a process of this machine that is no more; were it wrong, that process could still not commit."""
    if who.host != socket.gethostname():
        return False
    try:
        os.kill(who.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _head(head: Head) -> tuple[str, int, str]:
    return head.hash, head.events, head.content


def _sql(text: str) -> bytes:
    """A statement made of constants only, as psycopg's types want it: they are told so here, and nowhere else."""
    return text.encode()


def read_head(connection: Connection, run_id: str) -> Head:
    """Where the run's ledger stands."""
    found = connection.execute(
        "SELECT head, events, content FROM ledger WHERE run = %s", (run_id,)
    ).fetchone()
    if found is None:
        raise corrupt("the ledger", f"it does not say how far run {run_id} has come")
    return Head(*found)


def read_state(connection: Connection, run_id: str, place: str) -> LedgerState:
    """Everything of one run but its log, of one instant."""
    with _instant(connection):
        return _rows(connection, run_id, place)


def read_all(
    connection: Connection, run_id: str, place: str
) -> tuple[LedgerState, tuple[Stored, ...], Head, str]:
    """Everything of one run, of one instant, and where it is."""
    with _instant(connection):
        head = read_head(connection, run_id)
        state = _rows(connection, run_id, place)
        stored = cast("tuple[Stored, ...]", tuple(connection.execute(_EVENTS, (run_id, 0))))
        return state, stored, head, place


@contextmanager
def _instant(connection: Connection) -> Iterator[None]:
    """What is read inside is of one instant."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def read_run(connection: Connection, run_id: str, place: str) -> RunRow:
    """What the run is and how it stands."""
    found = connection.execute(_sql(RUN.select(POSTGRES)), (run_id,)).fetchall()
    if len(found) != 1:
        raise corrupt(place, f"it holds no run {run_id}")
    try:
        return cast("RunRow", RUN.row(found[0]))
    except (ValueError, KeyError, TypeError) as fault:
        raise corrupt(place, "a row of it cannot be read") from fault


def _rows(connection: Connection, run_id: str, place: str) -> LedgerState:
    def rows(table: Table) -> Iterator[LedgerRow]:
        return (table.row(one) for one in connection.execute(_sql(table.select(POSTGRES)), (run_id,)))

    try:
        return LedgerState(
            run=read_run(connection, run_id, place),
            steps={one.step: one for one in cast("Iterator[StepRow]", rows(STEP))},
            slices=tuple(cast("Iterator[Slice]", rows(SLICE))),
            attempts=tuple(cast("Iterator[Attempt]", rows(ATTEMPT))),
            pages=tuple(cast("Iterator[Page]", rows(PAGE))),
        )
    except (ValueError, KeyError, TypeError) as fault:
        raise corrupt(place, "a row of it cannot be read") from fault


def look(url: str, run_id: str, see: Callable[[Connection, str, str], T]) -> T:
    """What `see` finds, on a connection of its own; takes no lease and changes nothing."""
    place = place_of(url)
    with explained(place), connect(url) as connection:
        if not _has_tables(connection):
            raise corrupt(place, f"it holds no run {run_id}")
        check_version(connection, place, may_migrate=False)
        return see(connection, run_id, place)


def known_jobs(url: str, *, but: str = "") -> set[str]:
    """The ids of the jobs of all runs of the database, `but` those of that one."""

    def see(connection: Connection, run_id: str, _place: str) -> set[str]:
        asked = "SELECT job_id FROM attempt WHERE job_id <> '' AND run <> %s"
        return {job for (job,) in connection.execute(asked, (run_id,))}

    return look(url, but, see)


def remains(url: str, run_id: str) -> tuple[list[tuple[object, ...]], str]:
    """What is left of a run's ledger that cannot be trusted: its events as they are stored, and all that its log and its attempts say."""
    place = place_of(url)
    with explained(place), connect(url) as connection:
        if not _has_tables(connection):
            return [], ""
        events: list[tuple[object, ...]] = [*connection.execute(_EVENTS, (run_id, 0))]
        told = connection.execute(
            "SELECT a::text FROM attempt AS a WHERE run = %s UNION ALL SELECT e::text FROM event AS e WHERE run = %s",
            (run_id, run_id),
        )
        return events, "\n".join(text for (text,) in told)


def keep_out(url: str, run_id: str, clock: Clock) -> "PostgresStore | None":
    """The run's lease, so that whoever had it can commit no more; None: there are no tables in which anybody could.

    Raises MigratorError `lease-held` while another process has it.
    """
    with explained(place_of(url)), connect(url) as connection:
        if not _has_tables(connection, "lease"):
            return None
    return PostgresStore(url, run_id, clock)


def holder_of(connection: Connection, scope: str) -> Holder | None:
    """Who has the lease; None: nobody."""
    found = connection.execute(
        "SELECT pid, host, extract(epoch FROM since)::float8, run FROM lease"
        " WHERE scope = %s AND until >= clock_timestamp()",
        (scope,),
    ).fetchone()
    if found is None:
        return None
    scopes = connection.execute(
        "SELECT scope FROM lease WHERE run = %s AND scope NOT LIKE 'run:%%' AND until >= clock_timestamp() ORDER BY scope",
        (found[3],),
    )
    pid, host, since, run = found
    return Holder(pid, host, since, run, tuple(one for (one,) in scopes))


def holder(url: str, run_id: str) -> Holder | None:
    """Who works on the run; a process of this machine that is no more does not, though its lease has not run out yet."""
    found = look(url, run_id, lambda connection, run, _: holder_of(connection, f"run:{run}"))
    return None if found is not None and _dead(found) else found


def break_leases(url: str, run_id: str) -> None:
    """Take the run and its sObjects from whoever holds them: a new epoch, in which that process can write no more."""
    with explained(place_of(url)), connect(url) as connection, connection.transaction():
        connection.execute("UPDATE ledger SET epoch = epoch + 1 WHERE run = %s", (run_id,))
        connection.execute("UPDATE lease SET until = clock_timestamp(), token = '' WHERE run = %s", (run_id,))
