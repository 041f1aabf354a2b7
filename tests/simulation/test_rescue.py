"""A run is killed, its ledger damaged, and a new one made: nothing is lost and nothing is there twice."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, Undo, begin_retry, mend
from migrator.executor.mend import Rescued
from migrator.model.run import Outcome, RunStatus
from migrator.simulator import RowFault, Rows
from migrator.state import Wreck, read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.simulation.small import ROWS, Crash, Fuse, go, judge, small_lab

Damage = Callable[[Path], None]


def flip(path: Path, *places: float) -> None:
    """Other bits at these parts of the file."""
    content = bytearray(path.read_bytes())
    for place in places:
        at = min(len(content) - 1, int(len(content) * place))
        content[at] ^= 0x5A
    path.write_bytes(content)


def folded(folder: Path) -> Path:
    """The ledger without a write-ahead log, so that damage hits what is read."""
    path = folder / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


def everywhere(folder: Path) -> None:
    flip(folded(folder), *(n / 16 for n in range(16)))


def in_rows(folder: Path) -> None:
    """A row says something else, and the file is whole for SQLite."""
    with closing(sqlite3.connect(folded(folder))) as connection:
        connection.execute("UPDATE run SET status = 'complete', tool_version = 'x'")
        connection.execute("UPDATE attempt SET job_id = '' WHERE slice >= 0")
        connection.commit()


def in_the_log(folder: Path) -> None:
    with closing(sqlite3.connect(folded(folder))) as connection:
        connection.execute("UPDATE event SET at = at + 1 WHERE seq = (SELECT max(seq) / 2 FROM event)")
        connection.commit()


def cut_in_half(folder: Path) -> None:
    path = folded(folder)
    os.truncate(path, path.stat().st_size // 2)


def emptied(folder: Path) -> None:
    os.truncate(folded(folder), 0)


def noise(folder: Path) -> None:
    path = folded(folder)
    path.write_bytes(os.urandom(path.stat().st_size))


def removed(folder: Path) -> None:
    folded(folder).unlink()


DAMAGES: tuple[Damage, ...] = (everywhere, in_rows, in_the_log, cut_in_half, emptied, noise, removed)


def rescue(lab: Lab, *, apply: bool = True) -> Rescued:
    with Wreck(lab.folder, lab.clock) as wreck:
        return mend.rescue(wreck, lab.ends(), clock=lab.clock, memory_mb=128, by="ada", apply=apply)


def refused(lab: Lab) -> None:
    with pytest.raises(MigratorError) as caught:
        go(lab, Fuse())
    assert caught.value.code in {"state-corrupt", "run-not-found"}


def points(tmp_path: Path) -> int:
    lab = small_lab(tmp_path / "counted")
    fuse = Fuse()
    judge(lab, go(lab, fuse))
    return len(fuse.seen)


def test_killed_anywhere_and_damaged_in_any_way(tmp_path: Path) -> None:
    every = points(tmp_path)
    tried = 0
    for at in range(2, every, 3):
        lab = small_lab(tmp_path / str(at))
        with pytest.raises(Crash):
            go(lab, Fuse(at))
        DAMAGES[tried % len(DAMAGES)](lab.folder)
        refused(lab)
        before = {one.name: one.read_bytes() for one in lab.folder.glob("ledger.sqlite*")}
        looked = rescue(lab, apply=False)
        assert looked.aside is None
        assert {one.name: one.read_bytes() for one in lab.folder.glob("ledger.sqlite*")} == before
        found = rescue(lab)
        assert found.aside is not None
        assert found.unknown == 0, (at, found)
        assert {one.name: one.read_bytes() for one in found.aside.glob("ledger.sqlite*")} == before
        judge(lab, go(lab, Fuse()))
        assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK
        tried += 1
        shutil.rmtree(tmp_path / str(at))
    print(f"{tried} damaged ledgers of killed runs")
    assert tried >= 12


def test_a_second_rescue_of_what_was_rescued_and_killed_again(tmp_path: Path) -> None:
    lab = small_lab(tmp_path)
    with pytest.raises(Crash):
        go(lab, Fuse(30))
    noise(lab.folder)
    assert rescue(lab).aside == lab.folder / "damaged-1"
    with pytest.raises(Crash):
        go(lab, Fuse(6))
    cut_in_half(lab.folder)
    assert rescue(lab).aside == lab.folder / "damaged-2"
    judge(lab, go(lab, Fuse()))


def test_where_the_org_has_forgotten_its_jobs_nothing_is_guessed(tmp_path: Path) -> None:
    """Rows without a key, eight days later: they are looked up; what cannot be told is quarantined, and nothing is sent twice."""
    lab = small_lab(tmp_path)
    with pytest.raises(Crash):
        go(lab, Fuse(_after_harvest(tmp_path)))
    made = lab.target.truth.count("Account")
    noise(lab.folder)
    for name in ("results", "outcomes"):
        shutil.rmtree(lab.folder / name, ignore_errors=True)
    lab.clock.wait(8 * 86_400)
    found = rescue(lab)
    assert found.unknown >= 1
    result = lab.drive()
    (load,) = (one for one in result.summary.steps if one.step == "load.Account")
    assert lab.target.truth.count("Account") == made, "nothing was sent on a guess"
    assert load.tallies.get(Outcome.CREATED, 0) + load.tallies.get(Outcome.QUARANTINED, 0) == 6
    assert load.tallies.get(Outcome.CREATED, 0) <= made


def _after_harvest(tmp_path: Path) -> int:
    lab = small_lab(tmp_path / "counted")
    fuse = Fuse()
    go(lab, fuse)
    return fuse.seen.index("after:result:Harvest")


def test_a_page_that_is_damaged_is_read_again(tmp_path: Path) -> None:
    lab = small_lab(tmp_path)
    with pytest.raises(Crash):
        go(lab, Fuse(12))
    (page,) = (lab.folder / "extract" / "extract.Account").iterdir()
    flip(page, 0.5)
    found = rescue(lab)
    assert "extract" in found.damage
    judge(lab, go(lab, Fuse()))


def test_a_whole_ledger_needs_no_rescue(tmp_path: Path) -> None:
    lab = small_lab(tmp_path)
    judge(lab, go(lab, Fuse()))
    with pytest.raises(MigratorError) as caught:
        rescue(lab)
    assert (caught.value.code, caught.value.exit_code) == ("nothing-to-rescue", ExitCode.USAGE)
    assert read_ledger(lab.folder).run.run_id == "test-run"


ROUNDS = """
version: 1
name: rounds
source: {files: data}
target: {org: merged}
objects:
  - object: Account
    operation: insert
    key: [Id]
    fields: {include: [Name]}
"""


def test_rows_that_travelled_again_keep_one_outcome(tmp_path: Path) -> None:
    """Rows that met locks were sent again in a second round; some failed for good. The new ledger has each of them once."""
    lab = make_lab(tmp_path, "name: Rounds\nobjects: {}\n")
    (tmp_path / "data").mkdir()
    lines = ["Id,Name", *(f"a{n},Account {n}" for n in range(40))]
    (tmp_path / "data" / "Account.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lab.begin(ROUNDS, max_slice_rows=10)
    lab.target.plant(RowFault(Rows("Account", percent=40), "UNABLE_TO_LOCK_ROW", times=1, seed=3))
    lab.target.plant(RowFault(Rows("Account", percent=10), "STRING_TOO_LONG", seed=4))
    first = lab.drive()
    (load,) = first.summary.steps
    assert load.rounds >= 2
    noise(lab.folder)
    rescue(lab)
    result = lab.drive(accepted_by="ada")
    (again,) = result.summary.steps
    assert (again.tallies, again.total, again.balanced) == (load.tallies, load.total, True)
    assert lab.target.truth.count("Account") == load.tallies[Outcome.CREATED]


def test_what_a_person_let_wait_again_counts_its_faults_once(tmp_path: Path) -> None:
    """Rows that failed, were retried and failed again; and rows that were never sent: the new ledger has the faults of the old one."""
    lab = make_lab(tmp_path, "name: Rounds\nobjects: {}\n")
    (tmp_path / "data").mkdir()
    lines = ["Id,Name", *(f"a{n},Account {n}" for n in range(40)), "b1,#N/A"]
    (tmp_path / "data" / "Account.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lab.begin(ROUNDS)
    lab.target.plant(RowFault(Rows("Account", percent=10), "STRING_TOO_LONG", seed=4))
    lab.drive()
    begin_retry(lab.folder, reread=False, by="ada", clock=lab.clock, memory_mb=128)
    (load,) = lab.drive().summary.steps
    assert load.faults.keys() == {"STRING_TOO_LONG", "DATA_NA"}
    assert sum(load.faults.values()) == load.tallies[Outcome.FAILED]
    noise(lab.folder)
    rescue(lab)
    (again,) = lab.drive(accepted_by="ada").summary.steps
    assert (again.tallies, again.faults) == (load.tallies, load.faults)


@pytest.mark.parametrize("at", [8, 12, 20])
def test_an_undo_goes_on_with_what_it_was_to_take_back(tmp_path: Path, at: int) -> None:
    lab = small_lab(tmp_path)
    judge(lab, go(lab, Fuse()))
    lab.clock.wait(60)
    into = tmp_path / "undo"
    Undo(lab.folder).begin(into, run_id="undo-run", clock=lab.clock, memory_mb=128, by="ada")
    back = replace(lab, folder=into)
    with pytest.raises(Crash):
        go(back, Fuse(at))
    noise(back.folder)
    rescue(back)
    result = back.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert back.ends().target.count("SELECT COUNT() FROM Account") == 0
    assert result.summary.steps[0].tallies == {Outcome.DELETED: ROWS}


def test_a_run_that_was_taken_back_stays_so(tmp_path: Path) -> None:
    lab = small_lab(tmp_path)
    judge(lab, go(lab, Fuse()))
    Undo(lab.folder).begin(tmp_path / "undo", run_id="undo-run", clock=lab.clock, memory_mb=128, by="ada")
    in_rows(lab.folder)
    rescue(lab)
    assert read_ledger(lab.folder).run.status is RunStatus.UNDONE
