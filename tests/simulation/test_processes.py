"""What happens to processes and clocks: two interrupts, a bug in a worker, few open files, a wall clock that jumps."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Fault, FaultKind, preset
from migrator.state import read_ledger
from tests.cli.world import ROOT, SECRET, Told, World, make_world, until
from tests.executor.orgs import make_lab
from tests.plans import inserted, plan_of
from tests.simulation.small import Fuse, go, judge, small_lab

PLAN = plan_of(inserted("Account", "Name"), name="people")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two simulated orgs behind HTTP, a hundred accounts in the first."""
    monkeypatch.setenv("ORG_SECRET", SECRET)
    made = make_world(tmp_path / "world")
    made.seed(made.source, "Account", ["Id", "Name"], ([f"a{n}", f"Account {n}"] for n in range(100)))
    made.plan(PLAN)
    yield made
    made.close()


def ok(told: Told) -> None:
    assert told.code == 0, told


def test_two_interrupts_end_at_once(world: World) -> None:
    # the answer to the upload does not come: an orderly stop would wait for it
    world.target.plant(Fault(FaultKind.HOLE, path=".*/batches", method="PUT", seconds=30.0))
    process = world.begin("run", world.folder / "plan.yaml")
    until(lambda: any(path.endswith("/batches") for _, path in world.target.asked))
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    until(lambda: "stopping" in process.stderr.readline())  # type: ignore[union-attr]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=8)
    assert process.returncode == 130
    ok(world.call("resume"))
    assert world.target.truth.count("Account") == 100


def test_a_bug_in_a_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATOR_FAILPOINT", "perform:Upload:1")
    told = world.call("run", world.folder / "plan.yaml")
    monkeypatch.delenv("MIGRATOR_FAILPOINT")
    assert told.code == 70, told
    assert "error[internal-error] ZeroDivisionError" in told.err
    log = Path(told.err.partition("please attach ")[2].partition(" to an issue")[0])
    text = log.read_text()
    assert "failpoint.py" in text, "it says where"
    assert "perform:Upload" not in text + told.err, "and no text of the exception, which may quote a record"
    log.unlink()
    ok(world.call("resume"))
    assert world.target.truth.count("Account") == 100


def test_few_open_files(world: World) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "migrator", *world.arguments("run", world.folder / "plan.yaml")],
        preexec_fn=few,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode in {0, 75}, done.stderr
    if done.returncode:
        ok(world.call("resume"))
    assert world.target.truth.count("Account") == 100


class Jumping(VirtualClock):
    """A wall clock that somebody sets, an hour back and then a day ahead, while the other one goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def now(self) -> float:
        self.asked += 1
        shift = 0.0 if self.asked < 10 else -3_600.0 if self.asked < 20 else 86_400.0
        return super().now() + shift


def test_a_wall_clock_that_jumps(tmp_path: Path) -> None:
    lab = small_lab(tmp_path / "lab")
    clock = Jumping()
    lab.clock = clock
    began = clock.monotonic()
    judge(lab, go(lab, Fuse()))
    assert clock.asked > 20, "it jumped both ways"
    assert clock.monotonic() - began < 600, "nothing waited for the clock to come round"
    assert read_ledger(lab.folder).run.status.value == "complete"


#: seconds before clocks go forward in the European Union, go back there, and go forward in New York
CHANGES = {"spring": 1_774_746_000.0, "autumn": 1_792_890_000.0, "new york": 1_772_953_200.0}
TIMES = """
version: 1
name: times
source: {files: data}
target: {org: merged}
throttle: {window: '00:30-09:30'}
objects:
  - object: Account
    operation: insert
    key: [Id]
    fields: {include: [Name]}
    map:
      Moved_At__c: {expression: "{{ When | datetime('%d.%m.%Y %H:%M:%S') }}"}
"""
TIMED = "name: Small\nobjects: {Account: {fields: {Moved_At__c: {type: datetime}}}}\n"


def _across(folder: Path, zone: str, change: float) -> tuple[list[object], list[str]]:
    """A run that begins ten seconds before the clocks change and waits for locks behind it: its log, and the times in the target."""
    os.environ["TZ"] = zone
    time.tzset()
    shutil.rmtree(folder, ignore_errors=True)  # one place for all of them: the manifest names it
    folder.mkdir()
    lab = make_lab(folder, TIMED, clock=VirtualClock(change - 10.0))
    lab.from_files = True
    (folder / "data").mkdir()
    # local times that do not exist, or exist twice, in one of the zones
    days = ("29.03.2026", "25.10.2026", "08.03.2026")
    lines = ["Id,Name,When", *(f"a{n},Account {n},{days[n % 3]} 02:3{n}:00" for n in range(9))]
    (folder / "data" / "Account.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lab.begin(TIMES, max_slice_rows=4)
    lab.target.plant(*preset("D01", rows={"percent": 100}))
    assert lab.drive().exit_code == 0
    assert lab.clock.now() > change, "the clocks changed while it ran"
    log: list[object] = [(one.at, one.kind, dict(one.facts)) for one in lab.events()]
    accounts = lab.target.store.table("Account")
    return log, sorted(accounts.cell(seq, "Moved_At__c") for seq in accounts.scan())


@pytest.mark.parametrize("change", CHANGES)
def test_daylight_saving_changes_nothing(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    moved: set[bool] = set()
    try:
        plain = _across(tmp_path / "lab", "UTC", CHANGES[change])
        for zone in ("Europe/Berlin", "America/New_York"):
            assert _across(tmp_path / "lab", zone, CHANGES[change]) == plain
            moved.add(
                time.localtime(CHANGES[change] - 10).tm_isdst != time.localtime(CHANGES[change] + 10).tm_isdst
            )
        assert True in moved, "the clocks do change there"
    finally:
        monkeypatch.undo()
        time.tzset()
