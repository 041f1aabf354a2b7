"""What a plan asks of the org beside writing: assignment rules and duplicate rules, over each API that can be told."""

import csv
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.model.run import Outcome
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Headers
queues: {Support: {objects: [Case]}}
assignment_rules: {Case: {owner: Support}}
objects:
  Contact:
    fields: {Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}}
    duplicate_rules:
      - {name: People, action: alert, matching: [{rule: Same_Email, fields: [Email]}]}
"""
CASES = """
version: 1
name: cases
source: {{files: data}}
target: {{org: merged}}
objects:
  - {{object: Case, operation: insert, {more}}}
"""
CONTACTS = """
version: 1
name: contacts
source: {{files: data}}
target: {{org: merged}}
objects:
  - object: Contact
    operation: upsert
    external_id: Legacy_Id__c
    {more}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A target whose new cases go to a queue when they are asked to, and that alerts of people with one address."""
    data = tmp_path / "data"
    data.mkdir()
    with (data / "Case.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Id", "Subject"), *((f"{n}", f"S{n}") for n in range(3))])
    with (data / "Contact.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [(f"{n}", f"{n}", "P", "same@example.com") for n in range(2)]
        csv.writer(file).writerows([("Id", "Legacy_Id__c", "LastName", "Email"), *rows])
    return make_lab(tmp_path, SCHEMA)


def target_rows(lab: Lab, soql: str) -> list[dict[str, str]]:
    with lab.ends() as ends:
        return [dict(one) for one in ends.target.query(soql)]


@pytest.mark.parametrize("lane", ["auto", "serial_v1"])
def test_an_assignment_rule_gives_owners_only_when_the_plan_names_it(lab: Lab, lane: str) -> None:
    (queue,) = target_rows(lab, "SELECT Id FROM Group WHERE Type = 'Queue'")
    (rule,) = target_rows(lab, "SELECT Id FROM AssignmentRule")
    for more, owned in (
        ("lane: " + lane, 0),
        (f"lane: {lane}, headers: {{assignment_rule: {rule['Id']}}}", 3),
    ):
        lab.folder = lab.folder.parent / f"run-{owned}"
        lab.begin(CASES.format(more=more))
        assert lab.drive().exit_code is ExitCode.OK
        cases = target_rows(lab, "SELECT OwnerId FROM Case")
        assert sum(one["OwnerId"] == queue["Id"] for one in cases) == owned


def test_alerts_of_duplicate_rules_are_overruled_over_rest(lab: Lab) -> None:
    with lab.ends() as ends:
        ends.target.send_rows("Contact", "insert", None, [{"LastName": "P", "Email": "same@example.com"}], {})
    lab.begin(CONTACTS.format(more="headers: {allow_duplicates: false}"))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert read_ledger(lab.folder).steps["load.Contact"].tallies == {Outcome.FAILED: 2}
    lab.folder = lab.folder.parent / "run-again"
    lab.begin(CONTACTS.format(more="headers: {allow_duplicates: true}"))
    assert lab.drive().exit_code is ExitCode.OK
    assert read_ledger(lab.folder).steps["load.Contact"].tallies == {Outcome.CREATED: 2}
