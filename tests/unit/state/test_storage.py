"""Damaged, foreign, unwritable and manipulated ledgers; and a disk that is full."""

import os
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.clock import VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import RunRow, StepRow
from migrator.state import list_runs, open_ledger, read_ledger
from migrator.state.ddl import check_version
from migrator.state.storage import LEDGER_NAME, explained, open_for_writing


def a_run() -> RunRow:
    return RunRow("r1", "p", "p.yaml", "d", "{}", "0.1.0", "66.0", "a", "b", "o1", "o2", "u", 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with a few events."""
    made = tmp_path / "run"
    with open_ledger(made, VirtualClock(), create=a_run()) as ledger:
        for number in range(5):
            ledger.commit([StepRow(f"load:{number}")], [("begun", {"number": number}), ("note", {})])
    return made


def opening_fails(folder: Path) -> MigratorError:
    with pytest.raises(MigratorError) as caught:
        open_ledger(folder, VirtualClock())
    return caught.value


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / LEDGER_NAME, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET facts = '{\"number\":7}' WHERE seq = 3",
        "UPDATE event SET at = at + 1 WHERE seq = 3",
        "UPDATE event SET kind = 'other' WHERE seq = 3",
        "UPDATE event SET hash = 'x' WHERE seq = 3",
        "DELETE FROM event WHERE seq = 3",
        "DELETE FROM event WHERE seq = 10",
        "DELETE FROM event",
        "INSERT INTO event (seq, at, kind, facts, hash) VALUES (11, 1.0, 'more', '{}', 'x')",
        "UPDATE run SET run_id = 'other'",
        "UPDATE ledger SET head = 'x'",
        "DELETE FROM run",
    ],
)
def test_a_changed_log_is_noticed(folder: Path, statement: str) -> None:
    change(folder, statement)
    assert opening_fails(folder).code == "state-corrupt"


def test_damage_is_noticed(folder: Path) -> None:
    path = folder / LEDGER_NAME
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"not a database at all, but long enough to look" * 99,
        whole[:5000],
        whole[: len(whole) // 2],
    ):
        path.write_bytes(damaged)
        fault = opening_fails(folder)
        assert (fault.code, fault.exit_code) == ("state-corrupt", ExitCode.REFUSED), len(damaged)
    path.write_bytes(whole)
    open_ledger(folder, VirtualClock()).close()


def test_another_programs_database_is_refused(folder: Path) -> None:
    change(folder, "PRAGMA application_id = 7")
    assert opening_fails(folder).code == "state-corrupt"
    with pytest.raises(MigratorError):
        read_ledger(folder)


def test_a_newer_format_is_refused(folder: Path) -> None:
    change(folder, "PRAGMA user_version = 99")
    assert opening_fails(folder).code == "state-too-new"
    with pytest.raises(MigratorError) as caught:
        read_ledger(folder)
    assert caught.value.code == "state-too-new"


def test_an_older_format_is_migrated_whole_or_not_at_all(folder: Path) -> None:
    with closing(open_for_writing(folder / LEDGER_NAME)) as connection:
        with pytest.raises(MigratorError) as caught:
            check_version(connection, current=3, may_migrate=False)
        assert caught.value.code == "state-too-old"

        broken = {1: ["ALTER TABLE run ADD COLUMN x TEXT"], 2: ["ALTER TABLE nowhere ADD COLUMN y TEXT"]}
        with pytest.raises(sqlite3.OperationalError):
            check_version(connection, migrations=broken, current=3)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert "x" not in [row[1] for row in connection.execute("PRAGMA table_info(run)")]

        good = {1: ["ALTER TABLE run ADD COLUMN x TEXT"], 2: ["ALTER TABLE run ADD COLUMN y TEXT"]}
        check_version(connection, migrations=good, current=3)
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert [row[1] for row in connection.execute("PRAGMA table_info(run)")][-2:] == ["x", "y"]


def test_only_the_owner_reads_it(folder: Path) -> None:
    ledger = open_ledger(folder, VirtualClock())
    ledger.commit([StepRow("load:9")])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert f"{LEDGER_NAME}-wal" in modes
    ledger.close()


def test_a_folder_where_others_write_is_refused(folder: Path) -> None:
    folder.chmod(0o777)
    assert opening_fails(folder).code == "state-unsafe"


def test_a_lock_file_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "ledger.lock").unlink()
    (folder / "ledger.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        open_ledger(folder, VirtualClock())
    assert not (tmp_path / "elsewhere").exists()


def test_a_state_that_vanished_is_not_written_on(folder: Path, tmp_path: Path) -> None:
    ledger = open_ledger(folder, VirtualClock())
    folder.rename(tmp_path / "moved")
    with pytest.raises(MigratorError) as caught:
        ledger.commit([StepRow("load:9")])
    assert caught.value.code == "state-lost"
    ledger.close()


@pytest.fixture
def file_size_limit() -> Iterator[int]:
    """No file of this process may grow beyond this many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = 1 << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_when_the_file_cannot_grow_what_was_committed_stays(folder: Path, file_size_limit: int) -> None:
    ledger = open_ledger(folder, VirtualClock())
    committed = 0
    with pytest.raises(MigratorError) as caught:  # noqa: PT012 - which of the commits fails is not ours to say
        for number in range(1000):
            ledger.commit([StepRow(f"big:{number}", notes=("x" * 10_000,))], [("big", {"number": number})])
            committed += 1
    assert caught.value.code in {"disk-full", "state-read-only"}
    assert caught.value.exit_code is ExitCode.PAUSED
    assert committed > 5
    steps = [one for one in ledger.state().steps if one.startswith("big:")]
    assert len(steps) == committed, "the failed one left nothing"
    ledger.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with open_ledger(folder, VirtualClock()) as again:
        assert len(again.events()) == 10 + committed


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    for number, code in (
        (28, "disk-full"),
        (122, "disk-full"),
        (30, "state-read-only"),
        (13, "state-read-only"),
    ):
        with pytest.raises(MigratorError) as caught, explained(tmp_path):
            raise OSError(number, os.strerror(number))
        assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.PAUSED)


def test_reading_leaves_a_closed_run_readable_for_all_who_come_later(folder: Path) -> None:
    first = read_ledger(folder)
    assert read_ledger(folder) == first
    assert list_runs(folder.parent)[0].run == first.run
    with open_ledger(folder, VirtualClock()) as ledger:
        assert ledger.state() == first
