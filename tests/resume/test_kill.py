"""kill -9 of a real process in the middle of a run, over real HTTP, again and again: resume neither loses nor doubles a record."""

import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from migrator.model.run import RunStatus
from migrator.state import read_ledger
from tests.resume.outside import Outside, orgs_outside

#: in the order in which a run passes them; each kills the process that resumed after the one before
POINTS = (
    "before:result:CreateJob:1",  # a query job that nobody knows of
    "before:result:FetchPage:1",
    "before:result:SendRows:1",  # REST: all sent, and the answer is forgotten
    "after:intent:Upload:1",  # a job whose content is in doubt
    "before:result:Upload:1",
    "after:intent:CloseUpload:1",  # a job that may work already
    "before:result:ConfirmClose:1",
    "before:result:Harvest:1",
)
MORE_POINTS = (
    "after:result:FetchPage:1",
    "before:result:PrepareStep:1",
    "after:intent:SendRows:1",  # REST: sent in part or not at all
    "after:result:SendRows:1",
    "before:intent:Upload:1",
    "before:result:CloseUpload:1",
    "before:result:Poll:1",
    "after:result:CreateJob:1",
    "after:result:Harvest:1",
    "before:run:complete:1",
)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The orgs, in another process."""
    with orgs_outside(tmp_path) as made:
        yield made


def _ends_whole(outside: Outside) -> None:
    code, out = outside.finish("resume")
    assert code == 0, out
    assert outside.truth("merged") == outside.truth("legacy")
    code, out = outside.finish("verify")
    assert code == 0, out


def _killed_at(outside: Outside, points: Sequence[str]) -> None:
    command: tuple[str, ...] = ("run", str(outside.folder / "plan.yaml"))
    for point in points:
        code, out = outside.finish(*command, failpoint=point)
        assert code == -signal.SIGKILL, f"{point} was not met\n{out}"
        command = ("resume",)
    _ends_whole(outside)


@pytest.mark.timeout(400)
def test_killed_at_each_named_point(outside: Outside) -> None:
    _killed_at(outside, POINTS)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_more_named_points(outside: Outside) -> None:
    _killed_at(outside, MORE_POINTS)


def _killed_at_random(folder: Path, seed: int, kills: int, *, longest: float = 1.2) -> None:
    """So many kills of runs that are under way; when one has come to its end all the same, another one begins, between new orgs."""
    draw = random.Random(seed)  # noqa: S311 - the instants of the kills
    done = 0
    while done < kills:
        (folder / str(done)).mkdir()
        with orgs_outside(folder / str(done)) as outside:
            done += _killed_until_over(outside, draw, kills - done, longest)
            _ends_whole(outside)
    print(f"killed {done} times")


def _killed_until_over(outside: Outside, draw: random.Random, kills: int, longest: float) -> int:
    """Kill and resume until the run is over or there were enough kills; how many there were."""
    command: tuple[str, ...] = ("run", str(outside.folder / "plan.yaml"))
    for done in range(kills):
        code = outside.kill_after(draw.uniform(0.0, longest), *command)
        (run,) = (outside.folder / "runs").glob("2*")
        if code != -signal.SIGKILL or read_ledger(run).run.status is RunStatus.COMPLETE:
            assert code in {0, -signal.SIGKILL}
            return done
        command = ("resume",)
    return kills


@pytest.mark.timeout(900)
def test_killed_at_random_instants(tmp_path: Path) -> None:
    _killed_at_random(tmp_path, 1, 17)  # and eight at named points: 25 kills


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 22))
def test_killed_at_many_random_instants(tmp_path: Path, seed: int) -> None:
    _killed_at_random(tmp_path, seed, 24)  # 480 kills, and ten more named points and ten more below


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_while_resuming_again_and_again(tmp_path: Path) -> None:
    _killed_at_random(tmp_path, 99, 10, longest=0.4)
