"""A real disk that is really full, too small or read-only: a file system in memory, mounted where nobody else sees it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.world import ROOT
from tests.postgres import NOT_RUN

MOUNT = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def _mounting() -> None:
    tried = [*MOUNT, "mount", "-t", "tmpfs", "none", "/tmp"]  # noqa: S108 - seen by nobody else
    possible = shutil.which("unshare") is not None and not _called(tried).returncode
    if not possible:
        pytest.skip(f"{NOT_RUN} this system does not let a process mount a disk of its own (unshare)")


def _called(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - our own


def on_a_disk(folder: Path, megabytes: int, what: str) -> Any:
    """What `small_disk` says of a disk of that size."""
    script = 'mount -t tmpfs -o size="$1"m none "$2" && exec "$3" -m tests.simulation.small_disk "$2" "$4"'
    done = _called([*MOUNT, "sh", "-c", script, "sh", str(megabytes), str(folder), sys.executable, what])
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.usefixtures("_mounting")
def test_a_disk_that_fills_up_at_any_point_pauses_the_run_and_the_ledger_says_so(tmp_path: Path) -> None:
    points = on_a_disk(tmp_path, 420, "full")["points"]
    assert len(points) >= 10
    # at the very end there is nothing left to pause
    assert {one["point"] for one in points if one["status"] == "complete"} <= {"after:run:complete"}
    for one in points:
        assert (one["code"], one["status"]) in {("disk-full", "paused"), ("", "complete")}, one
        assert not one["raised"], one
        assert not one["ballast"], one
        assert one["last"][-1] == "manifest-written", one


@pytest.mark.usefixtures("_mounting")
def test_a_disk_without_room_for_the_run_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    told = on_a_disk(tmp_path, 200, "small")
    assert (told["code"], told["raised"], told["made"]) == ("disk-too-small", True, 0)


@pytest.mark.usefixtures("_mounting")
def test_a_disk_that_is_read_only_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    assert on_a_disk(tmp_path, 420, "read-only") == {"code": "state-read-only", "exit": 75, "made": 0}
