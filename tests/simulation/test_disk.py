"""A disk that loses what was not synced, that is full, or that fails at the n-th call: the run pauses, and what was acknowledged is there."""

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator.clock import VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Result
from migrator.model.run import RunRow, RunStatus, StepRow
from migrator.state import open_ledger, read_ledger, sqlite
from tests.executor.orgs import Lab
from tests.simulation.small import ROWS, Crash, Fuse, go, judge, small_lab


def a_run() -> RunRow:
    return RunRow("r1", "p", "p.yaml", "d", "{}", "0.1.0", "66.0", "a", "b", "o1", "o2", "u", 1.0)


def test_unsynced_bytes_of_the_log_dropped_or_torn(tmp_path: Path) -> None:
    """After each commit the write-ahead log was synced; whatever came behind may be gone, zero or noise after a power cut."""
    folder = tmp_path / "run"
    kept: list[tuple[Path, int]] = []
    with open_ledger(folder, VirtualClock(), create=a_run()) as ledger:
        for number in range(6):
            ledger.commit(
                [StepRow(f"load:{number}", notes=("x" * 900 * number,))], [("begun", {"n": number})]
            )
            copy = tmp_path / f"after-{number}"
            copy.mkdir(mode=0o700)
            for path in folder.glob("ledger.sqlite*"):
                shutil.copy(path, copy / path.name)
            kept.append((copy, (folder / "ledger.sqlite-wal").stat().st_size))
    looked = 0
    for number in range(1, len(kept)):
        copy, whole = kept[number]
        synced = kept[number - 1][1]
        content = (copy / "ledger.sqlite-wal").read_bytes()
        for cut in {synced, synced + 1, synced + 24, (synced + whole) // 2, whole - 1, whole}:
            for tail in (b"", b"\0" * (whole - cut), os.urandom(whole - cut)):
                place = tmp_path / f"cut-{number}-{looked}"
                shutil.copytree(copy, place)
                (place / "ledger.sqlite-wal").write_bytes(content[:cut] + tail)
                (place / "ledger.sqlite-shm").unlink(missing_ok=True)  # memory: gone with the power
                with open_ledger(place, VirtualClock()) as ledger:
                    told = len(ledger.events())
                    assert told in {number, number + 1}, (number, cut)
                    assert len(ledger.state().steps) == told, "half a commit"
                    if cut == whole:
                        assert told == number + 1
                looked += 1
    print(f"{looked} torn logs")


Fail = Callable[[int], Exception]
FAULTS: dict[str, tuple[int, str, Fail]] = {
    "full": (sqlite3.SQLITE_FULL, "disk-full", lambda code: _sqlite("database or disk is full", code)),
    "lost": (sqlite3.SQLITE_IOERR_WRITE, "state-read-only", lambda code: _sqlite("disk I/O error", code)),
    "read-only": (
        sqlite3.SQLITE_READONLY,
        "state-read-only",
        lambda code: _sqlite("readonly database", code),
    ),
}


def _sqlite(text: str, code: int) -> sqlite3.OperationalError:
    fault = sqlite3.OperationalError(text)
    fault.sqlite_errorcode = code
    return fault


def paused(lab: Lab) -> tuple[str, Result | None]:
    """Drive; with which word it paused, or how it ended."""
    try:
        result = go(lab, Fuse())
    except MigratorError as fault:
        return (fault.code if fault.exit_code is ExitCode.PAUSED else f"{fault.code} without a pause"), None
    if result.stop is not None:
        assert result.stop.exit_code is ExitCode.PAUSED, result.stop
        return result.stop.code, None
    return "", result


@pytest.mark.parametrize("fault", FAULTS)
def test_no_commit_at_any_point(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, word, make = FAULTS[fault]
    begin = sqlite.transaction
    left = [0]

    @contextmanager
    def failing(connection: sqlite3.Connection) -> Iterator[None]:
        left[0] -= 1
        with begin(connection):
            if left[0] == 0:
                raise make(code)
            yield

    monkeypatch.setattr(sqlite, "transaction", failing)
    met = 0
    for at in range(1, 60, 2 if fault == "full" else 4):
        left[0] = 0
        lab = small_lab(tmp_path / f"{fault}-{at}")
        left[0] = at
        said, result = paused(lab)
        if result is not None:
            break
        assert said == word
        met += 1
        left[0] = 0
        judge(lab, go(lab, Fuse()))
    assert met >= 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_no_room_at_any_file(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    left = [0]

    def failing(descriptor: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(number, os.strerror(number))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", failing)
    met = 0
    for at in range(1, 40, 2):
        left[0] = 0
        lab = small_lab(tmp_path / str(at))
        left[0] = at
        said, result = paused(lab)
        if result is not None:
            break
        assert said in {"disk-full", "disk-lost"}
        met += 1
        left[0] = 0
        judge(lab, go(lab, Fuse()))
    assert met >= 3


def test_room_that_is_used_up_at_any_look_stops_what_would_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else fills the disk: nothing new is begun, so nothing is intended that has no room for its answer."""
    usage = shutil.disk_usage
    left = [0]
    fuse, marks = Fuse(), [0]

    def shrinking(path: Path) -> object:
        left[0] -= 1
        found = usage(path)
        if left[0] <= 0:
            marks.append(len(fuse.seen))
        return found._replace(free=20_000_000) if left[0] <= 0 else found

    met = 0
    for at in range(2, 20):
        left[0] = at + 1_000
        lab = small_lab(tmp_path / str(at))
        monkeypatch.setattr(shutil, "disk_usage", shrinking)
        left[0], fuse = at, Fuse()
        marks.clear()
        stop = go(lab, fuse).stop
        if stop is None:
            break
        assert (stop.code, stop.exit_code) == ("disk-full", ExitCode.PAUSED)
        assert "20 MB free" in stop.what
        assert str(lab.folder) in stop.what
        met += 1
        assert read_ledger(lab.folder).run.status is RunStatus.PAUSED
        since = " ".join(fuse.seen[marks[0] :])
        assert not re.search(r"intent:(Begin|Prepare|Cut)", since), "something was begun without room"
        monkeypatch.setattr(shutil, "disk_usage", usage)
        judge(lab, go(lab, Fuse()))
    assert met >= 3


def test_the_room_that_a_run_needs_is_told_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage
    lab = small_lab(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=268_000_000))
        with pytest.raises(MigratorError) as caught:
            go(lab, Fuse())
    said = caught.value
    assert (said.code, said.exit_code) == ("disk-too-small", ExitCode.PAUSED)
    assert "268 MB are free" in said.diagnostic.what
    assert str(lab.folder) in said.diagnostic.what
    assert "--state-dir" in said.diagnostic.hint
    assert lab.target.truth.count("Account") == 0
    judge(lab, go(lab, Fuse()))


def test_a_resume_asks_for_the_room_of_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has come far needs less beside than one that begins, and one that is over needs none."""
    usage, counted = shutil.disk_usage, Fuse()
    go(small_lab(tmp_path / "counted"), counted)
    far = [at for at, point in enumerate(counted.seen) if point == "before:intent:PrepareStep"][1]

    def with_free(count: int) -> MigratorError | None:
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=count))
            try:
                assert go(lab, Fuse()).stop is None
            except MigratorError as refused:
                return refused
            return None

    lab = small_lab(tmp_path / "killed")
    refused = with_free(200_000_000)
    assert refused is not None
    assert (refused.code, lab.target.truth.count("Account")) == ("disk-too-small", 0)
    with pytest.raises(Crash):
        go(lab, Fuse(far))
    made = lab.target.truth.count("Account")
    assert made == ROWS
    refused = with_free(60_000_000)
    assert refused is not None, "less than what must be free for anything to be begun"
    assert with_free(120_000_000) is None
    judge(lab, go(lab, Fuse()))
    assert with_free(1_000_000) is None, "nothing is left to be written"


def test_the_ballast_is_taken_by_the_commit_that_has_no_room_and_is_there_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    begin = sqlite.transaction
    full = [False]

    @contextmanager
    def only_with_room(connection: sqlite3.Connection) -> Iterator[None]:
        with begin(connection):
            yield
            if full[0] and (folder / "ballast").exists():
                raise _sqlite("database or disk is full", sqlite3.SQLITE_FULL)

    monkeypatch.setattr(sqlite, "transaction", only_with_room)
    ledger = open_ledger(folder, VirtualClock(), create=a_run())
    assert (folder / "ballast").stat().st_blocks * 512 >= 32 * 1024 * 1024
    full[0] = True
    ledger.commit([], [("last", {})])
    assert ledger.ran_out
    assert not (folder / "ballast").exists()
    ledger.close()
    full[0] = False
    with open_ledger(folder, VirtualClock()) as again:
        assert [one.kind for one in again.events()] == ["last"]
        assert (folder / "ballast").exists()
    assert not (folder / "ballast").exists(), "nobody drives it, so it takes no room"
