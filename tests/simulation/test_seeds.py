"""A deterministic simulation of the production loop: a seed chooses faults and crashes, time is virtual, and the same seed is the same run.

When faults stop, the run ends; whatever happens, no row is created twice.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Result
from migrator.model.run import Outcome
from migrator.simulator import preset
from migrator.state import open_ledger
from tests.simulation.small import ROWS, Crash, Fuse, go, judge, small_lab

#: faults of orgs and networks that pass, by profile
PROFILES: dict[str, tuple[str, ...]] = {
    "network": ("N05", "N06", "N07", "N08", "N09", "N10", "N11", "N12", "N13", "N14", "N18", "N19", "N21"),
    "answers": ("H01", "H02", "H08", "H09", "H14", "H15", "H16", "H26", "H27", "H28", "H36"),
    "jobs": ("H17", "H18", "H22", "U07", "D01", "N08", "N09"),
}
#: drives of one run; faults strike a few times each, so that it must be over long before
MAX_DRIVES = 40
#: what differs between two runs without meaning anything: compressed files hold times
UNSTEADY = frozenset({"sha256", "size"})


@dataclass
class Story:
    """What became of one seed."""

    seed: int
    profile: str = ""
    faults: list[str] = field(default_factory=list)
    crashes: int = 0
    codes: list[int] = field(default_factory=list)
    events: list[tuple[str, tuple[tuple[str, Any], ...]]] = field(default_factory=list)
    doubled: int = 0
    quarantined: int = 0


def simulate(folder: Path, seed: int) -> Story:
    """Live through one seed."""
    draw = random.Random(seed)  # noqa: S311 - the story
    story = Story(seed, draw.choice(sorted(PROFILES)))
    lab = small_lab(folder)
    for _ in range(draw.randrange(1, 5)):
        name = draw.choice(PROFILES[story.profile])
        story.faults.append(name)
        lab.target.plant(*preset(name))
    result: Result | None = None
    for _ in range(MAX_DRIVES):
        crash = draw.randrange(120) if story.crashes < 4 and draw.random() < 0.5 else None
        try:
            result = go(lab, Fuse(crash))
        except Crash:
            story.crashes += 1
            continue
        except MigratorError as refused:
            story.codes.append(int(refused.exit_code))
            if refused.exit_code is not ExitCode.PAUSED:
                raise
            continue
        story.codes.append(int(result.exit_code))
        if result.stop is None or result.stop.code == "rows-quarantined":
            break
    assert result is not None
    with open_ledger(lab.folder, lab.clock) as ledger:
        story.events = [
            (one.kind, tuple(sorted((key, value) for key, value in one.facts.items() if key not in UNSTEADY)))
            for one in ledger.events()
        ]
    story.doubled = max(0, lab.target.truth.count("Account") - ROWS)
    story.quarantined = sum(one.tallies.get(Outcome.QUARANTINED, 0) for one in result.summary.steps)
    if not story.quarantined:
        judge(lab, result)
    return story


def live_through(folder: Path, seed: int) -> Story:
    """One seed, told when it goes wrong."""
    try:
        story = simulate(folder, seed)
    except BaseException:
        print(f"MIGRATOR_SEED={seed}")
        raise
    assert story.doubled == 0, f"MIGRATOR_SEED={seed}: {story}"
    return story


@pytest.mark.timeout(900)
def test_seeds(tmp_path: Path) -> None:
    stories = [live_through(tmp_path / str(seed), seed) for seed in range(10)]
    print(f"seeds 0 to 9: {sum(one.crashes for one in stories)} crashes, {[one.faults for one in stories]}")
    assert sum(one.crashes for one in stories)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("block", range(10))
def test_many_seeds(tmp_path: Path, block: int) -> None:
    for seed in range(1000 + 50 * block, 1050 + 50 * block):
        live_through(tmp_path / str(seed), seed)


@pytest.mark.parametrize("seed", [3, 8])
def test_the_same_seed_is_the_same_run(tmp_path: Path, seed: int) -> None:
    first, second = (simulate(tmp_path / name, seed) for name in ("first", "second"))
    assert first == second
