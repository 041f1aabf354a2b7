"""plans/nyc-flights.yaml whole: 336,776 real flights from files, judged value by value past all APIs."""

import csv
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.errors import ExitCode
from migrator.executor import Goal, Result
from migrator.model.run import Outcome, RunStatus
from migrator.resources import resource
from tests.scenarios.lab import Scenario, outcomes, records, simulated

#: the run and its verification move 336,776 rows twice; a busy machine may take minutes
pytestmark = pytest.mark.timeout(600)

FLIGHTS = 336_776
#: airports and planes that flights name and no file describes
UNKNOWN_AIRPORTS = {"BQN", "PSE", "SJU", "STT"}
TO_UNKNOWN_AIRPORTS = 7_602
WITH_UNKNOWN_PLANES = 50_094
NUMBERS = {
    "Number__c": "flight",
    "Departure__c": "dep_time",
    "Departure_Delay__c": "dep_delay",
    "Arrival__c": "arr_time",
    "Arrival_Delay__c": "arr_delay",
    "Minutes_In_Air__c": "air_time",
    "Miles__c": "distance",
}

Moved = tuple[Scenario, Path, Result, Result]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """The scenario after its run and its verification."""
    folder = tmp_path_factory.mktemp("flights")
    plan = Path(shutil.copy(resource("plans", "nyc-flights.yaml"), folder))
    data = folder / "nyc-flights" / "data"
    prepare: Callable[[Path], dict[str, int]] = runpy.run_path(
        str(resource("plans", "nyc-flights", "prepare.py"))
    )["prepare"]
    assert prepare(data)["flights"] == FLIGHTS
    clock = VirtualClock()
    scenario = Scenario(
        plan, folder / "run", clock, simulated("flights", "00D000000000003EAA", clock), "flights"
    )
    scenario.begin()
    return scenario, data, scenario.drive(), scenario.drive(Goal.VERIFY)


def _rows(moved: Moved, name: str) -> Iterator[dict[str, str]]:
    with (moved[1] / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _number(text: str) -> float | None:
    return float(text) if text else None


def test_every_row_arrives_once_and_the_target_holds_what_was_sent(moved: Moved) -> None:
    scenario, _, loaded, verified = moved
    assert loaded.stop is None
    assert loaded.exit_code is ExitCode.OK, outcomes(loaded)
    assert loaded.summary.run.status is RunStatus.COMPLETE
    assert outcomes(loaded) == {
        "load.Airline__c": {Outcome.CREATED: 16},
        "load.Airport__c": {Outcome.CREATED: 1_458},
        "load.Plane__c": {Outcome.CREATED: 3_322},
        "load.Flight__c": {Outcome.CREATED: FLIGHTS},
    }
    assert verified.exit_code is ExitCode.OK, verified.summary.verification
    assert {one.object_name: one.compared for one in verified.summary.verification}["Flight__c"] == FLIGHTS
    for sobject, count in (
        ("Airline__c", 16),
        ("Airport__c", 1_458),
        ("Plane__c", 3_322),
        ("Flight__c", FLIGHTS),
    ):
        assert len(scenario.target.store.table(sobject)) == count
        assert len(scenario.target.truth.created(sobject)) == count


def test_planes_and_airports_keep_their_values(moved: Moved) -> None:
    target = moved[0].target
    planes = {
        one["Tail_Number__c"]: one
        for one in records(target, "Plane__c", "Tail_Number__c", "Built__c", "Seats__c", "Model__c")
    }
    for row in _rows(moved, "planes"):
        plane = planes[row["tailnum"]]
        assert _number(plane["Built__c"]) == _number(row["year"])
        assert _number(plane["Seats__c"]) == _number(row["seats"])
        assert plane["Model__c"] == row["model"]
    airports = {
        one["Code__c"]: one
        for one in records(target, "Airport__c", "Code__c", "Name", "Latitude__c", "Altitude__c")
    }
    for row in _rows(moved, "airports"):
        airport = airports[row["faa"]]
        assert airport["Name"] == row["name"]
        assert float(airport["Latitude__c"]) == pytest.approx(float(row["lat"]), abs=1e-6)
        assert _number(airport["Altitude__c"]) == _number(row["alt"])


def test_every_flight_keeps_its_values_and_finds_its_parents(moved: Moved) -> None:
    target = moved[0].target
    codes: dict[str, str] = {"": ""}
    for sobject, field in (
        ("Airline__c", "Code__c"),
        ("Airport__c", "Code__c"),
        ("Plane__c", "Tail_Number__c"),
    ):
        codes |= {one["Id"]: one[field] for one in records(target, sobject, field)}
    known = set(codes.values())
    fields = (
        "Name",
        "Airline__c",
        "Origin__c",
        "Destination__c",
        "Plane__c",
        "Scheduled__c",
        "Tail_Number__c",
        "Destination_Code__c",
        *NUMBERS,
    )
    arrived = sorted(_flight(one, codes) for one in records(target, "Flight__c", *fields))
    sent = sorted(_sent(row, known) for row in _rows(moved, "flights"))
    assert arrived == sent
    assert sum(1 for one in arrived if not one[4]) == TO_UNKNOWN_AIRPORTS
    assert {one[6] for one in arrived if not one[4]} == UNKNOWN_AIRPORTS
    assert sum(1 for one in arrived if not one[5] and one[7]) == WITH_UNKNOWN_PLANES


def _flight(one: dict[str, str], codes: dict[str, str]) -> tuple[Any, ...]:
    return (
        one["Scheduled__c"], one["Name"], codes[one["Airline__c"]], codes[one["Origin__c"]], codes[one["Destination__c"]],
        codes[one["Plane__c"]], one["Destination_Code__c"], one["Tail_Number__c"],
        *(str(_number(one[name])) for name in NUMBERS),
    )  # fmt: skip


def _sent(row: dict[str, str], known: set[str]) -> tuple[Any, ...]:
    return (
        row["time_hour"].replace("Z", ".000Z"), f"{row['carrier']} {row['flight']} {row['origin']}-{row['dest']}",
        row["carrier"], row["origin"], row["dest"] if row["dest"] in known else "",
        row["tailnum"] if row["tailnum"] in known else "", row["dest"], row["tailnum"],
        *(str(_number(row[name])) for name in NUMBERS.values()),
    )  # fmt: skip
