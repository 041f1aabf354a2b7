"""A process in which nothing moves any more: it says where its threads stand, and ends so that it can be resumed."""

import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from migrator.clock import SystemClock
from migrator.errors import ExitCode
from migrator.executor import Policy
from migrator.executor.watchdog import STACKS, Usage, Watchdog, Watched
from migrator.simulator import preset, read_faults
from tests.cli.world import ROOT
from tests.executor.orgs import Lab, make_lab
from tests.plans import SCHEMA, inserted, plan_of

PLAN = plan_of(inserted("Account", "Name"))
ACCOUNTS = 100
#: taken for stuck after a second and a half
POLICY = Policy(still=1.5, stop_patience=0.5)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two orgs that live in real time, a hundred accounts in the first."""
    made = make_lab(tmp_path, SCHEMA, clock=SystemClock())
    org = made.ends().source
    assert org is not None
    org.send_rows("Account", "insert", None, [{"Name": f"Canary {n}"} for n in range(ACCOUNTS)], {})
    made.begin(PLAN)
    return made


@pytest.mark.parametrize("nth", [1, 5])
def test_a_worker_that_waits_for_ever(lab: Lab, nth: int) -> None:
    left, never = [nth], threading.Event()

    def waits_for_another_thread(point: str) -> None:
        if point.startswith("perform:"):
            left[0] -= 1
            if left[0] == 0:
                never.wait()

    result = lab.drive(policy=POLICY, fuse=waits_for_another_thread, workers=4)
    never.set()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("nothing-moves", ExitCode.PAUSED)
    stacks = lab.folder / STACKS
    text = stacks.read_text()
    assert "waits_for_another_thread" in text, "it says where"
    assert "coordinator.py" in text
    assert "Canary" not in text
    assert stat.S_IMODE(stacks.stat().st_mode) == 0o600
    assert lab.drive(policy=POLICY, workers=4).exit_code is ExitCode.OK
    assert lab.target.truth.count("Account") == ACCOUNTS


def test_a_job_that_takes_long_and_an_org_that_is_slow_are_waited_for(lab: Lab) -> None:
    lab.target.plant(*preset("H25", seconds=4.0))
    lab.target.plant(*preset("N22", seconds=3.0, times=1, probability=1.0, method="PUT"))
    assert lab.drive(policy=POLICY, workers=4).exit_code is ExitCode.OK
    assert not (lab.folder / STACKS).exists()


def test_an_org_that_says_when_to_come_again_is_waited_for(lab: Lab) -> None:
    """Between two tries of a read nothing is under way, and nothing but that read may be left to wait for."""
    away = {"code": 503, "retry_after": 4, "times": 1, "path": r".*/jobs/ingest/[^/]+/successfulResults.*"}
    lab.target.plant(*read_faults({"faults": [{"kind": "status", "method": "GET", **away}]}, now=0.0))
    assert lab.drive(policy=POLICY, workers=4).exit_code is ExitCode.OK
    assert not (lab.folder / STACKS).exists()


# -- the watchdog alone


@dataclass
class Dog:
    """A watchdog of a tenth of a second over figures that a test moves."""

    stacks: Path
    beats: int = 0
    under_way: int = 0
    seconds: float = 0.0
    blocks: int = 0
    noticed: threading.Event = field(default_factory=threading.Event)
    abandoned: threading.Event = field(default_factory=threading.Event)
    clock: SystemClock = field(default_factory=SystemClock)

    def watch(self) -> Watchdog:
        watched = Watched(
            lambda: self.beats, lambda: self.under_way, lambda: Usage(self.seconds, self.blocks)
        )
        return Watchdog(
            watched,
            clock=self.clock,
            patience=0.1,
            stacks=self.stacks,
            noticed=self.noticed,
            abandon=self.abandoned.set,
            grace=0.1,
        )


def beat(dog: Dog) -> None:
    dog.beats += 1


def request(dog: Dog) -> None:
    dog.under_way = 1


def compute(dog: Dog) -> None:
    dog.seconds += 0.02


def read(dog: Dog) -> None:
    dog.blocks += 8


@pytest.mark.parametrize("move", [beat, request, compute, read])
def test_whatever_moves_is_no_standstill(tmp_path: Path, move: Callable[[Dog], None]) -> None:
    dog = Dog(tmp_path / "stacks.txt")
    with dog.watch():
        for _ in range(40):
            move(dog)
            time.sleep(0.01)
        assert not dog.noticed.is_set()
        dog.under_way = 0
        assert dog.noticed.wait(5.0), "and then it stops"
    assert dog.stacks.read_text()


class Frozen(SystemClock):
    """A clock that went on while the process was stopped (Ctrl-Z, a virtual machine that slept)."""

    asleep = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.asleep


def test_a_process_that_was_frozen_is_not_stuck(tmp_path: Path) -> None:
    clock = Frozen()
    dog = Dog(tmp_path / "stacks.txt", clock=clock)
    with dog.watch():
        time.sleep(0.02)
        clock.asleep, woke = 1_000.0, time.monotonic()
        assert dog.noticed.wait(5.0)
        assert time.monotonic() - woke >= 0.1, "it had its patience again"


def test_a_process_that_does_not_end_in_order_is_ended(tmp_path: Path) -> None:
    dog = Dog(tmp_path / "stacks.txt")
    with dog.watch():
        assert dog.abandoned.wait(5.0)


def test_a_process_that_ends_in_order_is_left_alone(tmp_path: Path) -> None:
    dog = Dog(tmp_path / "stacks.txt")
    with dog.watch():
        assert dog.noticed.wait(5.0)
    time.sleep(0.2)
    assert not dog.abandoned.is_set()


def test_the_end_of_a_stuck_process_is_a_pause() -> None:
    code = (
        "import threading; from migrator.cli.signals import end_now\n"
        "threading.Timer(0.1, end_now, ['stopped[nothing-moves]']).start(); threading.Event().wait()"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr.strip()) == (75, "stopped[nothing-moves]")
