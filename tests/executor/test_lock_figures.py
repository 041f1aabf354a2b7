"""What `plan` forecasts of locks, and what is counted when the rows are cut, stand side by side once the rows are there."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from migrator.errors import ExitCode
from migrator.executor.concurrency import Window, kept
from migrator.model.lockfigures import PACE
from migrator.model.lockreport import lock_lines
from migrator.model.run import Outcome
from migrator.model.summary import Summary
from migrator.report import render_html, render_json, render_markdown
from migrator.resources import resource
from migrator.simulator import OrgSettings
from tests.executor.orgs import Lab, make_lab

PLAN = """
version: 1
name: figures
source: {{files: data}}
target: {{org: merged}}
objects:
  - {{object: Account, operation: insert}}
  - object: Contact
    operation: insert
    relationships: {{AccountId: {{when_missing: skip}}}}
    locks: {{{locks}}}
"""
ROWS, ACCOUNTS, SLICE_ROWS = 12_000, 300, 1_000
#: accounts that contacts look up and the file of accounts does not have
MISSING = 10
#: the account with a chain of slices
HOT, HOT_ROWS = "a50", 3_500


def account_of(number: int) -> str:
    return HOT if number < HOT_ROWS else f"a{number % ACCOUNTS}"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    data = tmp_path / "data"
    data.mkdir()
    with (data / "Account.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Id", "Name"), *((f"a{n}", "A") for n in range(MISSING, ACCOUNTS))])
    with (data / "Contact.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ((f"c{n:05d}", "P", account_of(n)) for n in range(ROWS))
        csv.writer(file).writerows([("Id", "LastName", "AccountId"), *rows])
    settings = OrgSettings(sobject_seconds={"Contact": 0.02}, batch_parallelism=15)
    return make_lab(tmp_path, "name: Figures\nobjects: {}\n", settings)


def driven(lab: Lab, locks: str) -> Summary:
    lab.begin(PLAN.format(locks=locks), max_slice_rows=SLICE_ROWS)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    return result.summary


def test_the_figures_of_the_rows_stand_beside_those_of_the_plan(lab: Lab) -> None:
    summary = driven(lab, "group_by: AccountId")
    counted = Counter(account_of(n) for n in range(ROWS))
    sent = {name: rows for name, rows in counted.items() if int(name[1:]) >= MISSING}
    (one,) = summary.locked
    (pair,) = one.fields
    assert one.planned is not None
    assert one.real is not None
    assert pair.planned is not None
    assert pair.real is not None
    # the plan sees all of the file; rows without their account are left out when it is read
    assert (pair.planned.rows, pair.planned.records) == (ROWS, ACCOUNTS)
    assert (pair.real.rows, pair.real.records, pair.real.skewed) == (sum(sent.values()), len(sent), 0)
    assert pair.real.largest == tuple(sorted(sent.values(), reverse=True)[:5])
    row = next(each for each in summary.steps if each.step == "load.Contact")
    assert row.tallies == {
        Outcome.CREATED: sum(sent.values()),
        Outcome.SKIPPED: sum(counted.values()) - sum(sent.values()),
    }
    assert one.real.slices == row.jobs
    assert one.real.chains == 1
    # the canary took rows of every account
    assert HOT_ROWS - 200 <= one.real.longest_chain <= HOT_ROWS + counted[HOT]
    assert one.real.in_turn == one.real.longest_chain + 200
    assert one.real.seconds is not None
    assert row.started is not None
    assert row.finished is not None
    assert one.real.seconds <= row.finished - row.started <= 1.25 * one.real.seconds
    lines = list(lock_lines(one))
    assert (
        lines[0]
        == "locks: rows of one AccountId travel together; 1 of them is a chain of slices, one slice at a time"
    )
    assert "(planned 12,000 rows, 300 records, the largest 3,5" in lines[1]
    assert "(planned at least 7%)" in lines[2]
    assert "20.0 ms a row" in lines[2]


def test_every_report_has_them(lab: Lab) -> None:
    summary = driven(lab, "keys: [AccountId]")
    report = render_json(summary, made=0.0)
    schema = json.loads(resource("schemas", "report.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(json.loads(json.dumps(report)))) == []
    (one,) = report["locks"]
    assert set(one) == set(schema["$defs"]["locks"]["properties"])
    assert set(one["real"]) == set(schema["$defs"]["locks"]["properties"]["real"]["properties"])
    assert set(one["real"]["keys"][0]) == set(schema["$defs"]["lock_key"]["properties"])
    assert one["planned"]["rows"] == ROWS
    assert one["real"]["keys"][0]["records"] == ACCOUNTS - MISSING
    assert "rows of one AccountId travel together" in render_markdown(summary, made=0.0)
    html = render_html(summary, made=0.0)
    assert "<h2>Locks</h2>" in html
    assert ">forecast<" in html
    assert ">rows<" in html


def test_small_loads_and_those_that_lock_nothing_have_none(lab: Lab) -> None:
    summary = driven(lab, "weights: {AccountId: 0}")
    (one,) = summary.locked  # the plan's forecast is all there is
    assert one.real is None
    assert next(iter(lock_lines(one))).startswith("locks, planned: ")


def test_the_pace_is_the_one_that_the_window_keeps() -> None:
    assert kept({}, Window(last=7))[PACE] == 7
