"""Awkward data from file to org and back, and rows that the org refuses: every row has one outcome."""

import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from migrator.simulator import Fault, FaultKind
from tests.cli.world import SECRET, Told, World

ACCOUNTS = """version: 1
name: data
source: {files: data}
target: {org: merged}
objects:
  - object: Account
    operation: OPERATION
    fields: {include: [all]}
verify: {counts: exact, fields: all}
"""
KEYED = ACCOUNTS.replace("OPERATION", "upsert\n    external_id: Legacy_Id__c\n    key: Legacy_Id__c")
KEYLESS = ACCOUNTS.replace("OPERATION", "insert")
TEXTS = {
    "quotes": "the \"so-called\" 'best'",
    "only a quote": '"',
    "comma": "a, b; c\td|e^f",
    "line feed": "one\ntwo\n\nthree",
    "carriage return": "one\r\ntwo",
    "line separator": "one\u2028two\u2029three\x85four",
    "emoji": "👩‍👩‍👧‍👦 Zoë ¥",
    "nearly no value": "#N/A!",
    "formula": "=1+1",
    "null word": "null",
    "backslash": "\\N \\n \\",
    "markup": "<b>&amp;</b> [red]x[/]",
    "32k": "x" * 32_000,
    "32k emoji": "👍" * 15_000,
}


def _records(world: World, *fields: str) -> list[Any]:
    found: list[Any] = []
    for block in world.target.store.table("Account").scan_columns(fields):
        found.extend(zip(*block.columns, strict=True))
    return sorted(found)


def _load(world: World, plan: str, header: list[str], rows: Iterable[list[str]]) -> Told:
    world.csv("Account", header, rows)
    return world.call("run", world.plan(plan), "--json")


def _outcomes(told: Told) -> dict[str, dict[str, int]]:
    steps = {one["object"]: one for one in told.document["steps"]}
    for one in steps.values():
        assert sum(one["outcomes"].values()) == one["rows"], one
    return {name: one["outcomes"] for name, one in steps.items()}


@pytest.mark.parametrize("plan", [KEYED, KEYLESS], ids=["rest", "bulk"])
def test_awkward_texts_arrive_as_they_are(world: World, plan: str) -> None:
    rows = [[f"k{n:02}", f"Account {n}", text] for n, text in enumerate(TEXTS.values())]
    told = _load(world, plan, ["Legacy_Id__c", "Name", "Letter__c"], rows)
    assert told.document["steps"][0]["faults"] == {}
    assert told.code == 0, told
    found = dict(_records(world, "Legacy_Id__c", "Letter__c"))
    for (name, text), (key, _, _) in zip(TEXTS.items(), rows, strict=True):
        # Salesforce has its own mind about line ends
        assert found[key].replace("\r\n", "\n") == text.replace("\r\n", "\n"), name
    verified = world.call("verify")
    assert verified.code == 0, verified


@pytest.mark.parametrize("plan", [KEYED, KEYLESS], ids=["rest", "bulk"])
def test_numbers_and_dates_arrive_as_they_are(world: World, plan: str) -> None:
    numbers = ["0.1", "-0", "12345678901234", "1e3", "0.0001", ""]
    dates = ["2024-02-29", "1700-01-01", "4000-12-31", "", "2026-01-01", "1999-12-31"]
    rows = [
        [f"k{n}", f"Account {n}", number, date]
        for n, (number, date) in enumerate(zip(numbers, dates, strict=True))
    ]
    told = _load(world, plan, ["Legacy_Id__c", "Name", "Size__c", "Since__c"], rows)
    assert told.code == 0, told
    found = _records(world, "Legacy_Id__c", "Size__c", "Since__c")
    assert [date for _, _, date in found] == dates
    assert [float(number or "nan") for _, number, _ in found[:5]] == [
        0.1,
        0.0,
        12345678901234.0,
        1000.0,
        0.0001,
    ]
    assert world.call("verify").code == 0


@pytest.mark.parametrize("plan", [KEYED, KEYLESS], ids=["rest", "bulk"])
def test_a_text_that_means_null_is_refused_and_not_sent_as_null(world: World, plan: str) -> None:
    rows = [["k1", "One", "#N/A"], ["k2", "Two", "N/A"]]
    told = _load(world, plan, ["Legacy_Id__c", "Name", "Letter__c"], rows)
    assert told.code == 1, told
    assert told.document["steps"][0]["faults"] == {"DATA_NA": 1}
    assert _records(world, "Letter__c") == [("N/A",)]


@pytest.mark.parametrize("plan", [KEYED, KEYLESS], ids=["rest", "bulk"])
def test_a_number_too_large_fails_its_row_alone(world: World, plan: str) -> None:
    rows = [["k1", "One", "1e21"], ["k2", "Two", "2"], ["k3", "Three", "many"]]
    told = _load(world, plan, ["Legacy_Id__c", "Name", "Size__c"], rows)
    assert told.code == 1, told
    assert _outcomes(told) == {"Account": {"created": 1, "failed": 2}}


def test_ten_thousand_and_one_rows(world: World) -> None:
    rows = [[f"k{n}", f"Account {n}"] for n in range(10_001)]
    told = _load(world, KEYED, ["Legacy_Id__c", "Name"], rows)
    assert told.code == 0, told
    assert _outcomes(told) == {"Account": {"created": 10_001}}
    assert len(world.target.truth.created("Account")) == 10_001
    assert world.call("verify").code == 0


@pytest.mark.parametrize("plan", [KEYED, KEYLESS], ids=["rest", "bulk"])
def test_an_object_without_rows_is_done_at_once(world: World, plan: str) -> None:
    told = _load(world, plan, ["Legacy_Id__c", "Name"], [])
    assert told.code == 0, told
    assert told.document["steps"][0]["rows"] == 0
    # before-images are read, and nothing is written
    assert [path for _, path in world.target.written if not path.endswith("/jobs/query")] == []
    assert world.call("verify").code == 0


def test_identical_rows_without_a_key_are_all_there(world: World) -> None:
    told = _load(world, KEYLESS, ["Name"], [["Same"]] * 7 + [["Other"]])
    assert told.code == 0, told
    assert _records(world, "Name") == [("Other",)] + [("Same",)] * 7
    assert world.call("verify").code == 0


def test_one_key_twice_is_told_and_not_sent_twice(world: World) -> None:
    told = _load(world, KEYED, ["Legacy_Id__c", "Name"], [["k1", "One"], ["k1", "Two"], ["k2", "Three"]])
    assert told.code == 1, told
    assert sum(_outcomes(told)["Account"].values()) == 3
    assert len(world.target.truth.created("Account")) <= 2


REFUSED = """version: 1
name: refused
source: {files: data}
target: {org: merged}
objects:
  - object: Account
    operation: OPERATION
    fields: {include: [Name, Tier__c, Remark__c, Legacy_Id__c]}
  - object: Contact
    operation: insert
    fields: {include: [LastName, AccountId]}
"""


@pytest.mark.parametrize(
    "operation", ["insert", "upsert\n    external_id: Legacy_Id__c"], ids=["bulk", "rest"]
)
def test_refused_rows_are_told_with_their_codes_and_their_children_blocked(
    world: World, operation: str
) -> None:
    accounts = [
        ["a1", "Good", "Gold", "short", "x1"],
        ["a2", "Bad picklist", "Bronze", "short", "x2"],
        ["a3", "Too long", "Gold", "more than ten characters", "x3"],
        ["a4", "", "Gold", "short", "x4"],
        ["a5", "Good as well", "Silver", "", "x5"],
    ]
    world.csv("Account", ["Id", "Name", "Tier__c", "Remark__c", "Legacy_Id__c"], accounts)
    contacts = [[f"c{n}", f"Person {n}", f"a{n}"] for n in range(1, 6)] + [
        ["c6", "Nobody's", ""],
        ["c7", "Lost", "a9"],
    ]
    world.csv("Contact", ["Id", "LastName", "AccountId"], contacts)
    told = world.call("run", world.plan(REFUSED.replace("OPERATION", operation)), "--json")
    assert told.code == 1, told
    assert _outcomes(told) == {
        "Account": {"created": 2, "failed": 3},
        "Contact": {"created": 3, "blocked": 4},
    }
    faults = {one["object"]: one["faults"] for one in told.document["steps"]}
    assert faults["Account"] == {
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": 1,
        "REQUIRED_FIELD_MISSING": 1,
        "DATA_TOO_LONG": 1,
    }
    assert sum(faults["Contact"].values()) == 4
    fields = {one["object"]: one["fault_fields"] for one in told.document["steps"]}
    assert fields["Account"]["DATA_TOO_LONG"] == {"Remark__c": 1}
    assert fields["Contact"]["LOOKUP_MISSING"] == {"AccountId": 4}
    assert len(world.target.truth.created("Account")) == 2
    again = world.call("resume", "--json")
    assert (again.code, _outcomes(again)) == (1, _outcomes(told))
    assert len(world.target.truth.created("Contact")) == 3
    assert "4 rows LOOKUP_MISSING (AccountId)" in world.call("resume").out
    shown = world.call("status")
    assert "1 rows DATA_TOO_LONG (Remark__c)" in shown.out
    assert "Bronze" not in shown.out
    document = world.call("status", "--json").document
    assert {one["object"]: one["fault_fields"] for one in document["steps"]} == fields
    verified = world.call("verify", "--json")
    found = {one["object"]: one for one in verified.document["verification"]}
    assert verified.code == 1, "not everything is in the target"
    assert {name: (one["verdict"], one["without_success"]) for name, one in found.items()} == {
        "Account": ("incomplete", 3),
        "Contact": ("incomplete", 4),
    }


def test_status_shows_faults_of_a_killed_run_and_of_one_whose_files_are_damaged(world: World) -> None:
    """What it adds to the ledger never stands in the way of telling what the ledger says."""
    accounts = [[f"a{n}", f"A{n}", "Gold", "more than ten characters", ""] for n in range(3)]
    world.csv("Account", ["Id", "Name", "Tier__c", "Remark__c", "Legacy_Id__c"], accounts)
    world.csv("Contact", ["Id", "LastName", "AccountId"], [["c1", "P", "a1"]])
    world.environment["MIGRATOR_FAILPOINT"] = "before:intent:PrepareStep:2"
    process = world.begin("run", world.plan(REFUSED.replace("OPERATION", "insert")))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    shown = world.call("status")
    assert "interrupted" in shown.out
    assert "3 rows DATA_TOO_LONG (Remark__c)" in shown.out
    (folder,) = world.state.glob("2*")
    for file in folder.glob("outcomes/**/*.parquet"):
        file.write_bytes(b"x" * file.stat().st_size)
    shown = world.call("status")
    assert (shown.code, "3 rows DATA_TOO_LONG\n" in shown.out) == (0, True), shown


def _holding(folder: Path, words: Iterable[bytes]) -> list[str]:
    return [
        f"{path}: {word!r}"
        for path in folder.rglob("*")
        if path.is_file()
        for content in [path.read_bytes()]
        for word in words
        if word in content
    ]


def test_no_secret_is_left_anywhere(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [[f"k{n}", f"Account {n}"] for n in range(30)]
    for fault in (
        Fault(kind=FaultKind.HTML, method="POST", path=r".*/jobs/ingest$", code=503),
        Fault(kind=FaultKind.STATUS, method="GET", path=r".*/jobs/ingest/[^/]+$", code=401,
              body=b'[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]'),
        Fault(kind=FaultKind.DROP_AFTER_EFFECT, method="PUT", path=r".*/batches$"),
        Fault(kind=FaultKind.TRUNCATE_BODY, method="GET", path=r".*/successfulResults.*"),
        Fault(kind=FaultKind.STATUS, method="PATCH", path=r".*/jobs/ingest/[^/]+$", code=500, nth=2),
    ):  # fmt: skip
        world.target.faults.append(fault)
    told = _load(world, KEYLESS, ["Legacy_Id__c", "Name"], rows)
    assert told.code == 0, told
    assert len(world.target.truth.created("Account")) == 30
    verified = world.call("verify")
    assert verified.code == 0
    tokens = [one.encode() for one in world.target.tokens]
    assert tokens
    canaries = [SECRET.encode(), *tokens, *(one.rpartition(b"!")[2] for one in tokens)]
    assert _holding(world.state, canaries) == []
    written = capfd.readouterr()
    said = f"{told.out}{told.err}{verified.out}{verified.err}{written.out}{written.err}".encode()
    assert [one for one in canaries if one in said] == []
    assert json.loads(told.out)["complete"] is True
