"""How far records are from a place."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.http import ApiError
from migrator.simulator.query.select import run_query
from tests.unit.simulator.query.test_query import load

#: where, latitude, longitude; and the kilometres between their two centres as atlases have them, within one in a hundred
CITIES = (
    ("Paris", "48.8566", "2.3522"),
    ("London", "51.5074", "-0.1278"),
    ("Sydney", "-33.8688", "151.2093"),
)
FROM_PARIS = {"Paris": 0, "London": 344, "Sydney": 16_960}
PARIS = "GEOLOCATION(48.8566, 2.3522)"
HERE = f"DISTANCE(BillingAddress, {PARIS}, 'km')"


@pytest.fixture(scope="module")
def org() -> Org:
    """Accounts in three cities and one without an address, each with a contact."""
    made = Org(load_schema({"objects": {}}), clock=VirtualClock())
    columns = ["Name", "BillingCity", "BillingLatitude", "BillingLongitude"]
    accounts = load(
        made,
        "Account",
        columns,
        [[name, name, *place] for name, *place in CITIES] + [["Nowhere", "", "", ""]],
    )
    load(made, "Contact", ["LastName", "AccountId"], [[f"of {n}", one] for n, one in enumerate(accounts)])
    return made


def asked(org: Org, text: str) -> list[dict[str, Any]]:
    return run_query(org, text, include_deleted=False).records(0, 100, "66.0")


def names(org: Org, rest: str, sobject: str = "Account", field: str = "Name") -> list[str]:
    return [str(one[field]) for one in asked(org, f"SELECT {field} FROM {sobject} {rest}")]


def test_near_and_far(org: Org) -> None:
    assert names(org, f"WHERE {HERE} < 400 ORDER BY Name") == ["London", "Paris"]
    assert names(org, f"WHERE {HERE} > 400") == ["Sydney"], "a record without coordinates is nowhere"
    assert names(org, f"WHERE NOT {HERE} < 400 ORDER BY Name") == ["Nowhere", "Sydney"]
    in_miles = HERE.replace("'km'", "'mi'")
    assert names(org, f"WHERE {in_miles} < 215 AND {in_miles} > 210") == ["London"]


def test_the_nearest_first(org: Org) -> None:
    assert names(org, f"ORDER BY {HERE}") == ["Nowhere", "Paris", "London", "Sydney"]
    assert names(org, f"ORDER BY {HERE} DESC NULLS LAST LIMIT 1") == ["Sydney"]


def test_distances_are_numbers_of_the_select_list(org: Org) -> None:
    found = asked(org, f"SELECT Name, {HERE}, {HERE} far FROM Account WHERE {HERE} > -1")
    assert {one["Name"]: round(one["expr0"]) for one in found} == pytest.approx(FROM_PARIS, rel=0.01)
    assert all(one["expr0"] == one["far"] for one in found)
    (nowhere,) = asked(org, f"SELECT {HERE} far FROM Account WHERE Name = 'Nowhere'")
    assert nowhere["far"] is None


def test_places_of_parents_and_of_two_fields(org: Org) -> None:
    of_parent = HERE.replace("BillingAddress", "Account.BillingAddress")
    assert names(org, f"WHERE {of_parent} < 400 ORDER BY LastName", "Contact", "LastName") == ["of 0", "of 1"]
    assert names(org, "WHERE DISTANCE(BillingAddress, BillingAddress, 'mi') < 0.001 ORDER BY Name") == [
        "London",
        "Paris",
        "Sydney",
    ]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (f"{HERE} = 5", "MALFORMED_QUERY"),
        (f"{HERE} <= 5", "MALFORMED_QUERY"),
        (f"{HERE} IN (5)", "MALFORMED_QUERY"),
        (HERE.replace("'km'", "'m'") + " < 5", "MALFORMED_QUERY"),
        (f"DISTANCE(BillingAddress, {PARIS}) < 5", "MALFORMED_QUERY"),
        (f"DISTANCE(Name, {PARIS}, 'km') < 5", "MALFORMED_QUERY"),
        (f"DISTANCE(BillingAddress, {PARIS.replace('48', '98')}, 'km') < 5", "NUMBER_OUTSIDE_VALID_RANGE"),
        (f"DISTANCE(Nothing__c, {PARIS}, 'km') < 5", "INVALID_FIELD"),
        ("DISTANCE(BillingAddress, GEOLOCATION(1), 'km') < 5", "MALFORMED_QUERY"),
    ],
)
def test_what_is_no_distance(org: Org, condition: str, code: str) -> None:
    with pytest.raises(ApiError) as found:
        asked(org, f"SELECT Id FROM Account WHERE {condition}")
    assert found.value.code == code
