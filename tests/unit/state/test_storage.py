"""Damaged, foreign, unwritable and manipulated ledgers; and a disk that is full."""

import os
import random
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.clock import VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import LedgerState, RunRow, StepRow
from migrator.state import list_runs, open_ledger, read_ledger
from migrator.state.filesystem import file_system, refuse_remote
from migrator.state.migrate import migrate, version_of
from migrator.state.storage import LEDGER_NAME, explained, open_for_writing
from migrator.state.wreck import Wreck


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
        "DELETE FROM ledger",
        "UPDATE step SET waiting = 1 WHERE step = 'load:3'",
        "UPDATE step SET tallies = 'no JSON' WHERE step = 'load:3'",
        "DELETE FROM step WHERE step = 'load:3'",
        "UPDATE run SET status = 'complete'",
    ],
)
def test_a_changed_ledger_is_noticed(folder: Path, statement: str) -> None:
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


def test_damage_that_sqlite_quotes_is_noticed(folder: Path) -> None:
    """Its message about a damaged schema has the damaged name in it, which is no text."""
    path = folder / LEDGER_NAME
    damaged = path.read_bytes().replace(b"tableeventevent", b"table\xffventevent")
    path.write_bytes(damaged.replace(b"CREATE TABLE event", b"CREATE TIBLE event"))
    assert opening_fails(folder).code == "state-corrupt"
    with pytest.raises(MigratorError) as told:
        read_ledger(folder)
    assert told.value.code == "state-corrupt"
    (fault,) = (one.fault for one in list_runs(folder.parent) if one.folder == folder)
    assert fault is not None
    assert fault.code == "state-corrupt"
    with Wreck(folder, VirtualClock()) as wreck:
        assert "is damaged" in wreck.damage
        assert wreck.run == a_run()


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


def made_by_version_1(folder: Path) -> None:
    """The file as the first released version made it."""
    path = folder / LEDGER_NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE ledger DROP COLUMN content")
        connection.execute("ALTER TABLE run DROP COLUMN identity_json")
        connection.execute("ALTER TABLE slice DROP COLUMN wave")
        for column in ("locked", "processing_ms", "retries", "ended_at"):
            connection.execute(f"ALTER TABLE attempt DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 1")


def test_an_older_format_is_brought_up_to_date_when_it_is_opened(folder: Path) -> None:
    made_by_version_1(folder)
    before = sqlite3.connect(folder / LEDGER_NAME).execute("SELECT * FROM event").fetchall()
    with pytest.raises(MigratorError) as caught:
        read_ledger(folder)
    assert caught.value.code == "state-too-old", "looking changes nothing"
    with open_ledger(folder, VirtualClock()) as ledger:
        assert len(ledger.events()) == len(before)
        ledger.commit([StepRow("load:9")], [("more", {})])
    assert len(read_ledger(folder).steps) == 6
    kept = sqlite3.connect(folder / "ledger.v1.sqlite")
    assert kept.execute("PRAGMA user_version").fetchone() == (1,)
    assert kept.execute("SELECT * FROM event").fetchall() == before
    assert stat.S_IMODE((folder / LEDGER_NAME).stat().st_mode) == 0o600
    assert not list(folder.glob(f".{LEDGER_NAME}*")), "no draft is left"
    change(folder, "UPDATE step SET waiting = 7 WHERE step = 'load:9'")
    assert opening_fails(folder).code == "state-corrupt", "from now on its rows are summed"


def test_a_migration_that_fails_leaves_the_file_as_it_was(folder: Path) -> None:
    path = folder / LEDGER_NAME
    whole = path.read_bytes()
    broken = {4: ["ALTER TABLE run ADD COLUMN x TEXT"], 5: ["ALTER TABLE nowhere ADD COLUMN y TEXT"]}
    with closing(open_for_writing(path)) as connection:
        with pytest.raises(MigratorError) as caught:
            version_of(connection, path, current=6, may_migrate=False)
        assert caught.value.code == "state-too-old"
        assert version_of(connection, path, current=6) == 4
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, path, 4, migrations=broken, current=6)
    assert path.read_bytes() == whole
    assert sorted(one.name for one in folder.iterdir()) == ["ledger.lock", LEDGER_NAME, "run.json"]


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
def _limited() -> Iterator[None]:
    """The limit of what files may grow to is as it was afterwards."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_limited")
def test_when_the_file_cannot_grow_what_was_committed_stays(folder: Path) -> None:
    ledger = open_ledger(folder, VirtualClock())
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
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


def code_of_opening(folder: Path, known: LedgerState) -> str:
    """How opening it is refused; empty when it is not, and the ledger then says what it said before."""
    try:
        with open_ledger(folder, VirtualClock()) as ledger:
            assert ledger.state() == known
    except MigratorError as fault:
        return fault.code
    return ""


def test_one_flipped_bit_is_noticed_wherever_it_is(folder: Path) -> None:
    path = folder / LEDGER_NAME
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        known = read_ledger(folder)
        page = connection.execute("PRAGMA page_size").fetchone()[0]
    draw = random.Random(3)  # noqa: S311 - which bits
    codes: list[str] = []
    for _ in range(300):
        place = draw.randrange(page, len(whole))  # the first page is SQLite's own bookkeeping
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        codes.append(code_of_opening(folder, known))
    assert set(codes) == {"", "state-corrupt"}
    assert codes.count("state-corrupt") > 5, "the others hit the free space of a page"


def test_what_the_disk_does_not_give_back_is_damage(folder: Path) -> None:
    for code, told in (
        (sqlite3.SQLITE_IOERR_READ, "state-corrupt"),
        (sqlite3.SQLITE_IOERR_WRITE, "state-read-only"),
    ):
        fault = sqlite3.OperationalError("disk I/O error")
        fault.sqlite_errorcode = code
        with pytest.raises(MigratorError) as caught, explained(folder):
            raise fault
        assert caught.value.code == told


def test_a_restored_backup_is_refused(folder: Path) -> None:
    yesterday = (folder / LEDGER_NAME).read_bytes()
    with open_ledger(folder, VirtualClock()) as ledger:
        ledger.commit([StepRow("load:9")], [("today", {})])
    (folder / LEDGER_NAME).write_bytes(yesterday)
    fault = opening_fails(folder)
    assert (fault.code, fault.exit_code) == ("ledger-behind", ExitCode.REFUSED)


def test_a_write_ahead_log_that_was_lost_is_noticed(folder: Path) -> None:
    ledger = open_ledger(folder, VirtualClock())
    for number in range(20):
        ledger.commit([StepRow(f"more:{number}")], [("more", {"number": number})])
    copy = folder.parent / "copied"
    copy.mkdir(mode=0o700)
    (copy / LEDGER_NAME).write_bytes((folder / LEDGER_NAME).read_bytes())  # without its -wal
    ledger.close()
    beacons = folder.parent / ".beacons"
    (beacons / "copied.json").write_bytes((beacons / "run.json").read_bytes())
    with pytest.raises(MigratorError) as caught:
        open_ledger(copy, VirtualClock())
    assert caught.value.code == "ledger-behind"


MOUNTS = r"""
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:50 / /srv/share rw - nfs4 server:/share rw,vers=4.2
31 22 0:51 / /srv/my\040share rw shared:1 - cifs //server/share rw
32 22 0:52 / /mnt/c rw - 9p C:\134 rw,aname=drvfs;path=C:\134
33 30 0:53 / /srv/share/local rw - ext4 /dev/vdb rw
34 22 0:54 / /container rw - 9p none rw,trans=fd
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/runs", "ext4"),
        ("/srv/share/runs", "nfs4"),
        ("/srv/my share", "cifs"),
        ("/mnt/c/runs", "drvfs"),
        ("/srv/share/local/runs", "ext4"),
        ("/srv/shared", "ext4"),
        ("/container/runs", "9p"),
    ],
)
def test_the_file_system_of_a_folder_is_known(place: str, kind: str) -> None:
    assert file_system(Path(place), MOUNTS) == kind
    if kind in {"ext4", "9p"}:
        refuse_remote(Path(place), MOUNTS)
        return
    with pytest.raises(MigratorError) as caught:
        refuse_remote(Path(place), MOUNTS)
    assert (caught.value.code, caught.value.exit_code) == ("state-not-local", ExitCode.USAGE)
    assert kind in caught.value.diagnostic.what
