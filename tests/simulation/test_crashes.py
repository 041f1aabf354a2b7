"""A fuse before and after every effect and every commit: a crash at any point, and at any two, neither loses nor doubles a row."""

import random
from pathlib import Path

import pytest

from tests.executor.orgs import Lab
from tests.simulation.small import Crash, Fuse, go, judge, small_lab


def crashed(lab: Lab, at: int) -> Fuse | None:
    """A process that dies at that point; None: it came to its end before."""
    fuse = Fuse(at)
    try:
        result = go(lab, fuse)
    except Crash:
        return fuse
    judge(lab, result)
    return None


def points(folder: Path) -> list[str]:
    """All points of an undisturbed run."""
    lab, fuse = small_lab(folder), Fuse()
    judge(lab, go(lab, fuse))
    return fuse.seen


@pytest.mark.timeout(900)
def test_a_crash_at_every_point(tmp_path: Path) -> None:
    every = points(tmp_path / "undisturbed")
    assert len(every) > 40
    assert {one.split(":")[0] for one in every} == {"before", "after"}
    for at in range(len(every)):
        lab = small_lab(tmp_path / str(at))
        assert crashed(lab, at) is not None
        judge(lab, go(lab, Fuse()))
    print(f"crashed at each of {len(every)} points")


def doubled(folder: Path, first: int, second: int) -> bool:
    """Crash, and crash again while resuming; whether there was a second point."""
    lab = small_lab(folder)
    assert crashed(lab, first) is not None
    if crashed(lab, second) is None:
        return False
    judge(lab, go(lab, Fuse()))
    return True


@pytest.mark.timeout(900)
def test_crashes_at_two_points(tmp_path: Path) -> None:
    count = len(points(tmp_path / "undisturbed"))
    seed = 20_261_125
    draw = random.Random(seed)  # noqa: S311 - which pairs
    print(f"seed {seed}")
    pairs = [(draw.randrange(count), draw.randrange(count)) for _ in range(16)]
    assert sum(doubled(tmp_path / str(n), *pair) for n, pair in enumerate(pairs)) > 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_crashes_at_every_two_points(tmp_path: Path) -> None:
    count = len(points(tmp_path / "undisturbed"))
    met = 0
    for first in range(count):
        for second in range(count):
            if not doubled(tmp_path / f"{first}-{second}", first, second):
                break
            met += 1
    print(f"crashed at {met} pairs of points")
    assert met > 1000


def test_twenty_crashes_in_a_row_still_come_to_an_end(tmp_path: Path) -> None:
    seed = 7
    draw = random.Random(seed)  # noqa: S311 - where
    lab = small_lab(tmp_path / "lab")
    for _ in range(20):
        crashed(lab, draw.randrange(12))
    judge(lab, go(lab, Fuse()))
