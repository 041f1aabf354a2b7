"""A process that dies in the middle of commits, and two processes that want one run."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from migrator.clock import VirtualClock
from migrator.errors import MigratorError
from migrator.state import holder, open_ledger, read_ledger

ROOT = Path(__file__).resolve().parents[3]

# each commit writes two attempts and two events that belong together, and then says so on its standard output
WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from migrator.clock import SystemClock
from migrator.model.run import Attempt, AttemptKind, AttemptState, RunRow, StepRow
from migrator.state import open_ledger

folder, create = Path(sys.argv[1]), sys.argv[2] == "create"
run = RunRow("r1", "p", "p.yaml", "d", "{}", "0.1.0", "66.0", "a", "b", "o1", "o2", "u", 1.0)
ledger = open_ledger(folder, SystemClock(), create=run if create else None)
if create:
    ledger.commit([StepRow("load:A")])
first = len(ledger.state().attempts)
print("open", first, flush=True)
for number in range(first, first + 100_000, 2):
    pair = [
        Attempt(one, "load:A", AttemptKind.BULK2, AttemptState.PLANNED, slice=one) for one in (number, number + 1)
    ]
    ledger.commit(pair, [("planned", {"attempt": one.id}) for one in pair])
    print(number + 2, flush=True)
"""


def start(folder: Path, mode: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", WRITER, str(folder), mode], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def kill_after(process: "subprocess.Popen[str]", seconds: float) -> int:
    """Kill it hard some time after it began to write; how many attempts it had reported as committed."""
    assert process.stdout is not None
    reported = int(process.stdout.readline().split()[1])
    time.sleep(seconds)
    process.kill()
    lines = process.stdout.read().split("\n")
    process.wait()
    process.stdout.close()
    # the last line may be cut in the middle
    return max([reported, *(int(line) for line in lines[:-1] if line)])


def test_what_was_reported_as_committed_survives_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    rng = random.Random(7)  # noqa: S311 - when to kill, not what to hide
    reported = kill_after(start(folder, "create"), 0.05)
    for _ in range(6):
        state = read_ledger(folder)
        found = len(state.attempts)
        assert found % 2 == 0, "half a commit"
        assert found in {reported, reported + 2}, "the one whose report was cut may be there"
        assert holder(folder) is None, "the lock dies with its holder"
        with open_ledger(folder, VirtualClock()) as ledger:  # checks pages and the hash chain
            assert len(ledger.events()) == found
        reported = kill_after(start(folder, "open"), rng.uniform(0.0, 0.05))


def test_a_kill_while_the_ledger_is_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    rng = random.Random(11)  # noqa: S311 - when to kill, not what to hide
    outcomes = set[bool]()
    for number in range(8):
        folder = tmp_path / str(number)
        process = start(folder, "create")
        deadline = time.monotonic() + 20
        while not folder.exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0.0, 0.02))
        process.kill()
        process.communicate()
        made = (folder / "ledger.sqlite").exists()
        outcomes.add(made)
        if made:
            open_ledger(folder, VirtualClock()).close()
        else:
            with pytest.raises(MigratorError):
                open_ledger(folder, VirtualClock())
    assert outcomes, "at least one was looked at"


def test_of_two_processes_the_second_is_told_who_is_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder, "create")
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(MigratorError) as caught:
            open_ledger(folder, VirtualClock())
        assert caught.value.code == "lease-held"
        assert f"process {process.pid} on" in caught.value.diagnostic.what
        # looking does not need the lease
        assert read_ledger(folder).run.run_id == "r1"
    finally:
        process.kill()
        process.communicate()
    open_ledger(folder, VirtualClock()).close()
