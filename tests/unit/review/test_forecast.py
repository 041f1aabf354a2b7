"""The lock forecast: a model whose figures can be checked against drawing rows at random."""

import random

import pytest

from migrator.model.platform import BATCH_ROWS, PARALLELISM
from migrator.model.schedule import Forecast, Schedule
from migrator.planner import make_schedule
from migrator.review.forecast import TRANSACTION_ROWS, Spread, forecasts, wanted
from tests.planner.builders import org, plan


def spread_of(counts: list[int], top: int = 200) -> Spread:
    largest = sorted(((f"r{no:07d}", count) for no, count in enumerate(counts)), key=lambda one: -one[1])
    return Spread(sum(counts), len(counts), tuple(largest[:top]))


ZIPF = [max(1, 60_000 // (rank + 1)) for rank in range(20_000)]
EVEN = [7] * 43_000


@pytest.mark.parametrize("counts", [ZIPF, EVEN, [40_000, *([5] * 40_000)]], ids=["zipf", "even", "one giant"])
def test_the_shared_records_are_those_of_drawn_rows(counts: list[int]) -> None:
    chance = random.Random(7)  # noqa: S311 - a drawing
    rows = [record for record, count in enumerate(counts) for _ in range(count)]
    tries = 400
    shared = sum(
        bool(set(chance.sample(rows, TRANSACTION_ROWS)) & set(chance.sample(rows, TRANSACTION_ROWS)))
        for _ in range(tries)
    )
    (key,) = forecast(counts).keys
    assert key.shared_random == pytest.approx(shared / tries, abs=0.12)


@pytest.mark.parametrize("counts", [ZIPF, EVEN], ids=["zipf", "even"])
def test_the_straddling_records_are_those_of_sorted_rows(counts: list[int]) -> None:
    chance = random.Random(7)  # noqa: S311 - a drawing
    found = []
    for _ in range(20):
        order = list(range(len(counts)))
        chance.shuffle(order)
        rows = [record for record in order for _ in range(counts[record])]
        cuts = range(BATCH_ROWS, len(rows), BATCH_ROWS)
        found.append(sum(rows[at - 1] == rows[at] for at in cuts))
    (key,) = forecast(counts).keys
    assert key.shared_sorted == pytest.approx(sum(found) / len(found), rel=0.15)


def test_packed_rows_take_as_long_as_the_longer_of_all_and_the_longest_chain() -> None:
    giant = [150_000, *([5] * 30_000)]
    assert forecast(giant).makespan == pytest.approx(150_000 / 300_000)
    assert forecast(EVEN).makespan == pytest.approx(1 / PARALLELISM)
    assert "chains" in forecast(giant).treatment
    assert "chains" not in forecast(EVEN).treatment


def test_small_loads_are_not_asked_about() -> None:
    assert wanted(schedule(BATCH_ROWS)) == ()
    assert [field for _, field in wanted(schedule(BATCH_ROWS + 1))] == ["Parent__c"]
    assert forecasts(schedule(300_000), {}) == ()


def schedule(rows: int) -> Schedule:
    orgs = org({"Parent__c": {"Name": "string required"}, "Child__c": {"Parent__c": "->Parent__c master"}})
    document = {"objects": [{"object": "Parent__c"}, {"object": "Child__c"}]}
    found, _ = make_schedule(
        plan(document), source=orgs, target=orgs, counts={"Parent__c": 10, "Child__c": rows}
    )
    assert found is not None
    return found


def forecast(counts: list[int]) -> Forecast:
    found = spread_of(counts)
    (one,) = forecasts(schedule(found.rows), {("load.Child__c", "Parent__c"): found})
    return one


@pytest.mark.parametrize(
    ("prefer", "told"),
    [
        (
            "time",
            "an early end goes before full slices: at least 30 batches of the daily allowance, where `prefer: batches` takes 30 to 33 batches",
        ),
        ("batches", "full slices go before an early end: 30 to 33 batches of the daily allowance"),
    ],
)
def test_what_is_preferred_is_told_with_its_batches(prefer: str, told: str) -> None:
    """300,000 rows fill 30 batches, nine tenths full they are 33."""
    fields = {name: f"->{name} master" for name in ("Campaign__c", "Lead__c")}
    orgs = org({"Campaign__c": {"Name": "string"}, "Lead__c": {"Name": "string"}, "Member__c": fields})
    objects = [{"object": one} for one in ("Campaign__c", "Lead__c")]
    document = {"objects": [*objects, {"object": "Member__c", "locks": {"prefer": prefer}}]}
    counts = {"Campaign__c": 400, "Lead__c": 100_000, "Member__c": 300_000}
    found, _ = make_schedule(plan(document), source=orgs, target=orgs, counts=counts)
    assert found is not None
    spread = spread_of([3] * 100_000)
    spreads = {("load.Member__c", one): spread for one in fields}
    (one,) = forecasts(found, spreads)
    assert told in one.treatment


def test_one_key_has_nothing_to_prefer() -> None:
    assert "early end" not in forecast(EVEN).treatment
