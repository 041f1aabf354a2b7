"""What only a ledger in PostgreSQL can meet: a server that goes away, leases by its time, failover, awkward URLs."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.clock import SystemClock, VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import Attempt, AttemptKind, AttemptState, RunRow, StepRow
from migrator.state import Ledger, holder, list_runs, open_ledger, read_ledger
from migrator.state.beacon import Beacon
from migrator.state.ddl import VERSION
from tests.postgres import NOT_RUN, Server

psycopg = pytest.importorskip("psycopg", reason=f"{NOT_RUN} psycopg is not installed (make setup)")
from migrator.state.pglink import checked_url  # noqa: E402
from migrator.state.postgres import PostgresStore  # noqa: E402 - it needs the driver

pytestmark = pytest.mark.xdist_group("postgres")


def a_run(run_id: str = "r1") -> RunRow:
    return RunRow(run_id, "p", "p.yaml", "d", "{}", "0.1.0", "66.0", "a", "b", "o1", "o2", "u", 1.0)


@pytest.fixture
def folder(postgres: Server, tmp_path: Path) -> Path:
    """A run whose ledger is in PostgreSQL."""
    made = tmp_path / "r1"
    with open_ledger(made, VirtualClock(), create=a_run(), url=postgres.url) as ledger:
        ledger.commit([StepRow("load:A")], [("begun", {})])
    return made


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    with open_ledger(folder, VirtualClock()) as opened:
        yield opened


def planned(number: int) -> Attempt:
    return Attempt(number, "load:A", AttemptKind.BULK2, AttemptState.PLANNED, slice=number)


def ask(server: Server, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def drop_connections(server: Server) -> None:
    ask(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migrator'")


def test_no_password_reaches_the_disk_or_a_message(folder: Path, postgres: Server) -> None:
    assert "password" not in (folder / "ledger.json").read_text()
    secret = "canary-5f1c"
    for url in (f"postgresql://me:{secret}@db.example/x", f"postgresql://db.example/x?password={secret}"):
        with pytest.raises(MigratorError) as caught:
            open_ledger(folder.parent / "r2", VirtualClock(), create=a_run("r2"), url=url)
        assert (caught.value.code, caught.value.exit_code) == ("usage", ExitCode.USAGE)
        assert secret not in str(caught.value.diagnostic)
        assert not (folder.parent / "r2" / "ledger.json").exists()


def test_a_server_elsewhere_must_show_a_certificate() -> None:
    assert checked_url("postgresql://db.example/x") == "postgresql://db.example/x?sslmode=verify-full"
    assert (
        checked_url("postgresql://db.example/x?connect_timeout=3")
        == "postgresql://db.example/x?connect_timeout=3&sslmode=verify-full"
    )
    assert checked_url("postgresql://localhost/x") == "postgresql://localhost/x"
    # the host may come from PGHOST or from a service file
    assert checked_url("postgresql:///x") == "postgresql:///x?sslmode=verify-full"
    two = "postgresql://one.example:5432,two.example:5433/x"
    assert checked_url(two) == f"{two}?sslmode=verify-full"
    for url in (
        "postgresql://db.example/x?sslmode=require",
        "postgresql:///x?host=db.example&sslmode=disable",
        "postgresql://localhost/x?host=db.example&sslmode=prefer",
        "postgresql://localhost:5432,db.example:5432/x?sslmode=disable",
        "postgresql:///x?host=localhost,db.example&sslmode=prefer",
        "postgresql:///x?service=elsewhere&sslmode=prefer",
        "postgresql://localhost/x?hostaddr=192.0.2.7&sslmode=prefer",
        "mysql://localhost/x",
    ):
        with pytest.raises(MigratorError):
            checked_url(url)


@pytest.mark.parametrize("url", ["postgresql://localhost/x?bogus=1", "postgresql://[::bad/x"])
def test_a_url_that_is_none_is_the_mistake_of_whoever_gave_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(MigratorError) as caught:
        open_ledger(tmp_path / "r1", VirtualClock(), create=a_run(), url=url)
    assert (caught.value.code, caught.value.exit_code) == ("usage", ExitCode.USAGE)


def test_why_there_is_no_connection_is_told(tmp_path: Path, postgres: Server) -> None:
    url = postgres.url.replace("/postgres?", "/nobodys?")
    with pytest.raises(MigratorError, match='database "nobodys" does not exist') as caught:
        open_ledger(tmp_path / "r1", VirtualClock(), create=a_run(), url=url)
    assert (caught.value.code, caught.value.exit_code) == ("ledger-unreachable", ExitCode.PAUSED)


def test_a_commit_finds_its_way_over_a_broken_connection(ledger: Ledger, postgres: Server) -> None:
    ledger.commit([planned(1)], [("planned", {})])
    drop_connections(postgres)
    ledger.commit([planned(2)], [("planned", {})])
    assert [one.id for one in ledger.state().attempts] == [1, 2]
    assert len(ledger.events()) == 3


def test_a_commit_whose_answer_is_lost_is_not_made_twice(ledger: Ledger, postgres: Server) -> None:
    # the connection breaks behind the commit: an immediate trigger of the test's ends the backend once it is done
    store = ledger._store
    assert isinstance(store, PostgresStore)
    write = store._write

    def answer_lost(*given: object) -> None:
        write(*given)  # type: ignore[arg-type]
        store._write = write  # type: ignore[method-assign]
        drop_connections(postgres)
        store._connection.execute("SELECT 1")

    store._write = answer_lost  # type: ignore[method-assign,assignment]
    ledger.commit([planned(1)], [("planned", {"attempt": 1})])
    ledger.commit([planned(2)], [("planned", {"attempt": 2})])
    assert [one.facts.get("attempt") for one in ledger.events()] == [None, 1, 2]


def test_a_server_that_is_gone_pauses_the_run(postgres: Server, folder: Path) -> None:
    with open_ledger(folder, VirtualClock()) as ledger:
        postgres.stop()
        try:
            with pytest.raises(MigratorError) as caught:
                ledger.commit([planned(1)])
        finally:
            postgres.start()
        assert (caught.value.code, caught.value.exit_code) == ("ledger-unreachable", ExitCode.PAUSED)
    ask(postgres, "UPDATE migrator.lease SET pid = 4194305")  # that process ends, and another one resumes
    with open_ledger(folder, VirtualClock()) as again:
        assert again.state().attempts == (), "what was not answered was not done"
        again.commit([planned(1)])


def test_a_server_that_comes_back_is_waited_for(postgres: Server, folder: Path) -> None:
    with open_ledger(folder, SystemClock()) as ledger:
        postgres.stop()
        back = threading.Timer(1.0, postgres.start)
        back.start()
        ledger.commit([planned(1)], [("planned", {})])
        back.join()
        assert len(ledger.state().attempts) == 1


def test_a_failover_that_lost_commits_is_noticed(folder: Path, postgres: Server) -> None:
    ask(postgres, "CREATE SCHEMA kept")
    tables = ("format", "run", "step", "slice", "attempt", "page", "event", "ledger", "lease")
    for table in tables:
        ask(postgres, f"CREATE TABLE kept.{table} AS SELECT * FROM migrator.{table}")
    with open_ledger(folder, VirtualClock()) as ledger:
        ledger.commit([planned(1)], [("planned", {})])
    ask(postgres, "DELETE FROM migrator.event WHERE seq > 1")
    ask(postgres, "DELETE FROM migrator.attempt")
    ask(
        postgres,
        "UPDATE migrator.ledger SET (head, events, content) = (SELECT head, events, content FROM kept.ledger)",
    )
    ask(postgres, "DROP SCHEMA kept CASCADE")
    with pytest.raises(MigratorError) as caught:
        open_ledger(folder, VirtualClock())
    assert caught.value.code == "ledger-behind"
    Beacon(folder).path.unlink()
    open_ledger(folder, VirtualClock()).close()  # nothing but the beacon knew


def test_a_changed_row_is_noticed(folder: Path, postgres: Server) -> None:
    ask(postgres, "UPDATE migrator.step SET waiting = 1")
    with pytest.raises(MigratorError) as caught:
        open_ledger(folder, VirtualClock())
    assert caught.value.code == "state-corrupt"


def test_a_newer_format_is_refused(folder: Path, postgres: Server) -> None:
    ask(postgres, f"UPDATE migrator.format SET version = {VERSION + 1}")
    for look in (lambda: open_ledger(folder, VirtualClock()), lambda: read_ledger(folder)):
        with pytest.raises(MigratorError) as caught:
            look()
        assert caught.value.code == "state-too-new"
    assert list_runs(folder.parent)[0].fault is not None


def test_older_tables_are_brought_up_to_date_when_a_run_is_opened(folder: Path, postgres: Server) -> None:
    with open_ledger(folder, VirtualClock()) as ledger:
        ledger.commit([planned(1)], [("planned", {})])
    ask(postgres, "ALTER TABLE migrator.slice DROP COLUMN wave")
    for column in ("locked", "processing_ms", "retries", "ended_at"):
        ask(postgres, f"ALTER TABLE migrator.attempt DROP COLUMN {column}")
    ask(postgres, "UPDATE migrator.format SET version = 2")
    with pytest.raises(MigratorError) as caught:
        read_ledger(folder)
    assert caught.value.code == "state-too-old", "looking changes nothing"
    with open_ledger(folder, VirtualClock()) as ledger:
        before = ledger.state()
        ledger.commit([StepRow("load:9")], [("more", {})])
    assert [one.locked for one in before.attempts if one.step == "load:A"] == [0]
    assert len(read_ledger(folder).steps) == len(before.steps) + 1


def test_a_lease_runs_out_by_the_time_of_the_database_and_its_epoch_rises(
    folder: Path, postgres: Server
) -> None:
    first = PostgresStore(postgres.url, "r1", VirtualClock(), ttl=0.4)
    assert first._beat is not None
    first._beat.close()  # a laptop that sleeps
    ask(postgres, "UPDATE migrator.lease SET host = 'elsewhere'")
    with pytest.raises(MigratorError) as caught:
        PostgresStore(postgres.url, "r1", VirtualClock())
    assert (caught.value.code, caught.value.exit_code) == ("lease-held", ExitCode.LEASE)
    ((before,),) = ask(postgres, "SELECT epoch FROM migrator.lease WHERE scope = 'run:r1'")
    time.sleep(0.5)
    with open_ledger(folder, VirtualClock()) as second:
        assert ask(postgres, f"SELECT epoch - {before} FROM migrator.lease WHERE scope = 'run:r1'") == [(1,)]
        first._epoch = second.epoch  # even with the right epoch: the lease is not its own
        state, head = second.state(), first.head()
        with pytest.raises(MigratorError) as caught:
            first.write([replace(state.steps["load:A"], waiting=1)], [], head, head)
        assert caught.value.code == "lease-lost"
        assert second.state() == state
    first.close()


def test_a_heartbeat_keeps_the_lease(folder: Path, postgres: Server) -> None:
    store = PostgresStore(postgres.url, "r1", SystemClock(), ttl=0.6)
    ask(postgres, "UPDATE migrator.lease SET host = 'elsewhere'")
    time.sleep(1.5)
    found = holder(folder)
    assert found is not None
    assert found.host == "elsewhere"
    assert store._beat is not None
    assert not store._beat.late
    store.close()
    assert holder(folder) is None


def test_a_heartbeat_that_came_too_late_is_made_up_for_when_nobody_took_the_lease(
    folder: Path, postgres: Server
) -> None:
    clock = VirtualClock()
    with open_ledger(folder, clock) as ledger:
        ledger.hold("00D000000000001EAA", ["Account"])
        clock.advance(31.0)
        ask(postgres, "UPDATE migrator.lease SET until = clock_timestamp() - interval '1 s'")
        ledger.commit([planned(1)])
        assert ask(postgres, "SELECT count(*) FROM migrator.lease WHERE until > clock_timestamp()") == [(2,)]
        store = ledger._store
        assert isinstance(store, PostgresStore)
        assert store._beat is not None
        assert not store._beat.late


def test_a_heartbeat_that_came_too_late_stops_the_writer_whose_lease_was_taken(
    folder: Path, postgres: Server
) -> None:
    clock = VirtualClock()
    with open_ledger(folder, clock) as ledger:
        ledger.hold("00D000000000001EAA", ["Account"])
        clock.advance(31.0)
        # another run wrote the sObject and is through with it
        ask(postgres, "UPDATE migrator.lease SET token = '' WHERE scope LIKE '%:account'")
        with pytest.raises(MigratorError) as caught:
            ledger.commit([planned(1)])
        assert (caught.value.code, caught.value.exit_code) == ("lease-lost", ExitCode.LEASE)


def test_a_dead_process_of_this_machine_holds_nothing(folder: Path, postgres: Server) -> None:
    store = PostgresStore(postgres.url, "r1", VirtualClock())
    assert store._beat is not None
    store._beat.close()
    assert holder(folder) is not None
    ask(postgres, "UPDATE migrator.lease SET pid = 4194305")  # beyond the largest process id of Linux
    assert holder(folder) is None
    open_ledger(folder, VirtualClock()).close()
    store.close()


def test_many_runs_share_a_database(folder: Path, postgres: Server) -> None:
    other = folder.parent / "r2"
    with (
        open_ledger(folder, VirtualClock()) as first,
        open_ledger(other, VirtualClock(), create=a_run("r2"), url=postgres.url) as second,
    ):
        second.commit([StepRow("load:B")], [("begun", {})])
        first.commit([planned(1)])
        assert list(first.state().steps) == ["load:A"]
        assert list(second.state().steps) == ["load:B"]
    assert [one.folder.name for one in list_runs(folder.parent)] == ["r2", "r1"]
    with pytest.raises(MigratorError) as caught:
        open_ledger(folder.parent / "r3", VirtualClock(), create=a_run("r2"), url=postgres.url)
    assert caught.value.code == "run-exists"
