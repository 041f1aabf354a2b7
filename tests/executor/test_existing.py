"""Upserts that meet records of somebody else: one with the row's key, or several."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode
from migrator.executor import Goal, Undo, mend
from migrator.model.run import Outcome, StepRow
from migrator.simulator import Fault, FaultKind, preset
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Small
objects:
  Account:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
      Region_Key__c: {type: text, length: 18, external_id: true}
"""
PLAN = """
version: 1
name: small
source: {org: legacy}
target: {org: merged}
objects:
  - object: Account
    operation: upsert
    external_id: %(key)s
    fields: {include: [Name]}
    map: {%(key)s: Id}
%(more)s
"""
BUDGET = "    error_budget: {max_failed: 100%}\n"
ROWS = 250


def plan(key: str = "Legacy_Id__c", more: str = "") -> str:
    return PLAN % {"key": key, "more": BUDGET + more}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two orgs, the source filled."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    for start in range(0, ROWS, 125):
        org.send_rows(
            "Account", "insert", None, [{"Name": f"Account {n}"} for n in range(start, start + 125)], {}
        )
    return made


def source_ids(lab: Lab) -> list[str]:
    """The ids of the source's accounts, in the order in which they were made."""
    return lab.source.truth.created("Account")


def theirs(lab: Lab, *records: Mapping[str, str]) -> list[str]:
    """Records of another owner that are in the target already."""
    users, accounts = lab.target.store.table("User"), lab.target.store.table("Account")
    owner = users.id_of(users.insert({"Username": "somebody@else.example", "LastName": "Else"}))
    made = [
        one.id for one in lab.ends().target.send_rows("Account", "insert", None, records, {}) if one.success
    ]
    assert len(made) == len(records)
    for one in made:
        accounts.update(accounts.seq_of(one), {"OwnerId": owner})
    return made


def step(lab: Lab) -> StepRow:
    return read_ledger(lab.folder).steps["load.Account"]


def cell(lab: Lab, record: str, field: str) -> str:
    accounts = lab.target.store.table("Account")
    return accounts.cell(accounts.seq_of(record), field)


@pytest.mark.parametrize("bulk", [False, True], ids=["rest", "bulk"])
def test_a_key_that_is_there_already_is_updated_whoever_owns_it(lab: Lab, *, bulk: bool) -> None:
    (there,) = theirs(lab, {"Name": "came first", "Legacy_Id__c": source_ids(lab)[7]})
    owner = cell(lab, there, "OwnerId")
    lab.begin(plan(more="    lane: serial_v1\n" if bulk else ""))
    assert lab.drive().exit_code is ExitCode.OK
    assert step(lab).tallies == {Outcome.CREATED: ROWS - 1, Outcome.UPDATED: 1}
    assert (cell(lab, there, "Name"), cell(lab, there, "OwnerId")) == ("Account 7", owner)
    assert len(lab.target.store.table("Account")) == ROWS


def test_on_existing_fail_leaves_the_record_alone_and_the_row_fails(lab: Lab) -> None:
    (there,) = theirs(lab, {"Name": "came first", "Legacy_Id__c": source_ids(lab)[7]})
    lab.begin(plan(more="    on_existing: fail\n"))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert step(lab).tallies == {Outcome.CREATED: ROWS - 1, Outcome.FAILED: 1}
    (attempt,) = (one for one in read_ledger(lab.folder).attempts if one.step == "load.Account")
    assert attempt.faults == {"DUPLICATE_VALUE": 1}
    assert cell(lab, there, "Name") == "came first"
    assert len(lab.target.store.table("Account")) == ROWS
    lab.drive(Goal.VERIFY)
    counts = read_ledger(lab.folder).steps["verify.Account"].counts
    assert (counts["missing"], counts["duplicated"]) == (0, 0)


@pytest.mark.parametrize("fault", ["N08", "N09"])
def test_on_existing_fail_does_not_take_its_own_records_for_others(lab: Lab, fault: str) -> None:
    lab.begin(plan(more="    on_existing: fail\n"))
    lab.target.plant(*preset(fault))
    assert lab.drive().exit_code is ExitCode.OK
    assert step(lab).tallies == {Outcome.CREATED: ROWS}


def test_a_key_that_several_records_have_fails_its_row_and_is_told(lab: Lab) -> None:
    key = source_ids(lab)[7]
    both = theirs(lab, *({"Name": f"twin {n}", "Region_Key__c": key} for n in range(2)))
    lab.begin(plan("Region_Key__c"))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    found = step(lab)
    assert found.tallies == {Outcome.CREATED: ROWS - 1, Outcome.FAILED: 1}
    assert [one for one in found.notes if one.startswith("Region_Key__c is not unique in the target")]
    assert "DUPLICATE_EXTERNAL_ID" in str(found.notes)
    assert [cell(lab, one, "Name") for one in both] == ["twin 0", "twin 1"]


def test_multiple_choices_over_rest_cost_the_row_that_has_them_and_no_other(lab: Lab) -> None:
    guilty = source_ids(lab)[7]
    lab.begin(plan())
    lab.target.plant(*preset("H10", sends=guilty, times="always"))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    found = step(lab)
    assert found.tallies == {Outcome.CREATED: ROWS - 1, Outcome.FAILED: 1}
    (attempt,) = (one for one in read_ledger(lab.folder).attempts if one.step == "load.Account")
    assert attempt.faults == {"MULTIPLE_CHOICES": 1}
    assert [one for one in found.notes if one.startswith("Legacy_Id__c is not unique in the target")]
    accounts = lab.target.store.table("Account")
    made = {
        accounts.cell(accounts.seq_of(one), "Legacy_Id__c") for one in lab.target.truth.created("Account")
    }
    assert made == set(source_ids(lab)) - {guilty}


def test_another_run_overwrites_what_it_maps_and_nothing_else(lab: Lab) -> None:
    lab.begin(plan())
    assert lab.drive().exit_code is ExitCode.OK
    first, *_ = lab.target.truth.created("Account")
    accounts = lab.target.store.table("Account")
    accounts.update(accounts.seq_of(first), {"Name": "by hand", "Description": "by hand"})
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.ROWS_FAILED
    assert read_ledger(lab.folder).steps["verify.Account"].counts["differing.Name"] == 1
    lab.folder = lab.folder.with_name("second")
    lab.begin(plan())
    assert lab.drive().exit_code is ExitCode.OK
    assert step(lab).tallies == {Outcome.UPDATED: ROWS}
    assert (cell(lab, first, "Name"), cell(lab, first, "Description")) == ("Account 0", "by hand")
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


def test_a_record_that_a_person_gives_to_an_upsert_is_never_deleted_by_an_undo(lab: Lab) -> None:
    """It may have been there before, and nothing was read of it: an undo deletes what the run is certain to have created."""
    (there,) = theirs(lab, {"Name": "came first", "Region_Key__c": source_ids(lab)[-7]})
    lab.clock.wait(3_600)
    # somebody else's load at the same time: records and rows do not pair up
    lab.ends().target.send_rows("Account", "insert", None, [{"Name": "another load"}], {})
    lab.begin(
        plan("Region_Key__c", "    before_images: 'off'\n    canary: 'off'\n"), max_slice_rows=ROWS // 2
    )
    body = b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
    path = r".*/jobs/ingest/[^/]+$"
    lab.target.plant(Fault(FaultKind.STATUS, method="GET", path=path, nth=2, code=404, body=body))
    assert lab.drive().exit_code is ExitCode.BUDGET
    half = ROWS // 2
    assert step(lab).tallies == {Outcome.CREATED: half, Outcome.QUARANTINED: half}
    assert Undo(lab.folder).left[0].quarantined == half
    (unsure,) = lab.folder.glob("quarantine/load.Account/*-rows.csv")
    with unsure.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = lab.ends().target.query("SELECT Id, Region_Key__c FROM Account WHERE Region_Key__c != null")
    ids = {one["Region_Key__c"]: str(one["Id"]) for one in found}
    with unsure.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**one, "target_id": ids[one["Region_Key__c"]]} for one in rows)
    mend.resolve_rows(lab.folder, unsure, by="ada", apply=True, clock=lab.clock, memory_mb=128)
    assert step(lab).tallies == {Outcome.CREATED: half, Outcome.UPDATED: half}
    assert there in [ids[one["Region_Key__c"]] for one in rows]
    assert Undo(lab.folder).left[0].created == half
    assert lab.drive().exit_code is ExitCode.OK
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.OK, verified.summary.verification


def test_a_record_with_several_counterparts_is_told(lab: Lab) -> None:
    """It is left unmatched, which looks like one that the target does not have at all."""
    theirs(lab, {"Name": "Account 1"}, {"Name": "account 1 "}, {"Name": "Account 2"})
    lab.begin(MATCHED)
    assert lab.drive().exit_code is ExitCode.OK
    (match,) = (one for one in peek(lab.folder).steps if one.step == "match.Account")
    assert match.tallies == {Outcome.UNCHANGED: 1, Outcome.SKIPPED: ROWS - 1}
    assert match.notes == ("1 records have several counterparts in the target and are left unmatched",)


MATCHED = """
version: 1
name: matched
source: {org: legacy}
target: {org: merged}
objects:
  - object: Account
    match: {on: Name}
  - object: Contact
    operation: insert
    fields: {include: [LastName, AccountId]}
"""
