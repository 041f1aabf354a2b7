"""What a plan asks of the org beside writing: assignment rules and duplicate rules, over each API that can be told."""

import csv
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.model.run import AttemptKind, Outcome
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Headers
queues: {Support: {objects: [Case]}}
assignment_rules: {Case: {owner: Support}}
objects:
  Case:
    fields: {Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}}
  Lead:
    fields: {Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}}
    duplicate_rules:
      - {name: Blocked, action: block, matching: [{rule: Lead_Email, fields: [Email]}]}
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
CASES_BY_KEY = """
version: 1
name: cases
source: {{files: data}}
target: {{org: merged}}
objects:
  - object: Case
    operation: upsert
    external_id: Legacy_Id__c
    map: {{Legacy_Id__c: {{from: Id}}}}
    {more}
"""
LEADS = """
version: 1
name: leads
source: {files: data}
target: {org: merged}
objects:
  - object: Lead
    operation: upsert
    external_id: Legacy_Id__c
    headers: {allow_duplicates: true}
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
    with (data / "Lead.csv").open("w", encoding="utf-8", newline="") as file:
        people = [(f"{n}", f"{n}", "P", "C", "same@example.com") for n in range(2)]
        csv.writer(file).writerows([("Id", "Legacy_Id__c", "LastName", "Company", "Email"), *people])
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


@pytest.mark.parametrize(("named", "owned"), [(False, 0), (True, 3)])
def test_an_assignment_rule_over_rest_gives_owners_only_when_the_plan_names_it(
    lab: Lab, named: bool, owned: int
) -> None:
    """REST applies the org's active rule unless a header says otherwise; ours says so in either case."""
    (queue,) = target_rows(lab, "SELECT Id FROM Group WHERE Type = 'Queue'")
    (rule,) = target_rows(lab, "SELECT Id FROM AssignmentRule")
    headers = f"{{assignment_rule: {rule['Id']}}}" if named else "{}"
    lab.begin(CASES_BY_KEY.format(more=f"headers: {headers}"))
    assert lab.drive().exit_code is ExitCode.OK
    attempts = [one for one in read_ledger(lab.folder).attempts if one.step == "load.Case"]
    assert {one.kind for one in attempts} == {AttemptKind.REST}
    cases = target_rows(lab, "SELECT OwnerId FROM Case")
    assert (len(cases), sum(one["OwnerId"] == queue["Id"] for one in cases)) == (3, owned)


def test_a_duplicate_rule_that_blocks_is_not_overruled_over_rest(lab: Lab) -> None:
    with lab.ends() as ends:
        existing = {"LastName": "P", "Company": "C", "Email": "same@example.com"}
        ends.target.send_rows("Lead", "insert", None, [existing], {})
    lab.begin(LEADS)
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    state = read_ledger(lab.folder)
    assert state.steps["load.Lead"].tallies == {Outcome.FAILED: 2}
    (attempt,) = [one for one in state.attempts if one.step == "load.Lead"]
    assert (attempt.kind, dict(attempt.faults)) == (AttemptKind.REST, {"DUPLICATES_DETECTED": 2})


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
