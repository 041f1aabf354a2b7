"""Results of some batches are not recorded (the daily allocation of batches): recorded rows keep their outcomes, the others are looked up."""

from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode
from migrator.executor import Goal, begin_retry
from migrator.model.run import Outcome
from migrator.simulator import OrgSettings, preset, read_faults
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Small
objects:
  Account:
    fields:
      Key__c: {type: text, length: 18, unique: true, external_id: true}
"""
BATCHES = """
version: 1
name: batches
source: {files: data}
target: {org: merged}
defaults: {canary: 'off'}
objects:
  - object: Account
    operation: %(operation)s
    key: [Id]
    fields: {include: [Name]}
%(more)s
  - object: Contact
    operation: insert
    key: [Id]
    fields: {include: [LastName, AccountId]}
"""
MANY, BATCH = 21_000, 10_000
#: rows that were done when the allowance was used up, and rows of batches that had not begun
DONE, LOST = 200, MANY - BATCH


def _batches(folder: Path, operation: str, more: str = "") -> Lab:
    """Accounts of three internal batches in one job, every thousandth with a contact; the results of the last two are never recorded."""
    made = make_lab(folder, SCHEMA, OrgSettings(batch_parallelism=1))
    (folder / "data").mkdir()
    accounts = "".join(f"a{n:05},Account {n}\n" for n in range(MANY))
    people = "".join(f"c{n:05},Person {n},a{n:05}\n" for n in range(0, MANY, 1_000))
    (folder / "data" / "Account.csv").write_text(f"Id,Name\n{accounts}", encoding="utf-8")
    (folder / "data" / "Contact.csv").write_text(f"Id,LastName,AccountId\n{people}", encoding="utf-8")
    made.begin(BATCHES % {"operation": operation, "more": more})
    made.target.plant(*preset("H22", sobject="Account"))
    return made


def _tallies(lab: Lab) -> dict[str, dict[Outcome, int]]:
    return {one.step: dict(one.tallies) for one in peek(lab.folder).steps}


def _lines(lab: Lab, side: str) -> int:
    (path,) = lab.folder.glob(f"quarantine/load.Account/*-{side}.csv")
    return path.read_text(encoding="utf-8").count("\n") - 1


def _jobs(lab: Lab) -> int:
    return sum(1 for one in read_ledger(lab.folder).attempts if one.job_id and one.slice >= 0)


def test_rows_without_a_recorded_result_are_looked_up_and_the_others_keep_theirs(tmp_path: Path) -> None:
    lab = _batches(tmp_path, "insert")
    result = lab.drive()
    assert result.stop is not None
    assert result.stop.code == "rows-quarantined"
    assert _tallies(lab)["load.Account"] == {Outcome.CREATED: DONE, Outcome.QUARANTINED: LOST}
    row = read_ledger(lab.folder).steps["load.Account"]
    assert row.waiting == BATCH - DONE, "the org said of these that it did not look at them"
    assert len(lab.target.truth.created("Account")) == DONE
    assert _jobs(lab) == 1, "nothing is sent again on a guess"
    (note,) = (one for one in row.notes if "of job" in one)
    assert f"no result of {LOST:,} of its {MANY:,} rows" in note
    assert _lines(lab, "rows") == LOST, "only these are a person's business"
    assert _lines(lab, "records") == 0, "the records that are there are other rows'"
    assert lab.drive(accepted_by="ada").exit_code is ExitCode.ROWS_FAILED
    assert _tallies(lab)["load.Account"] == {Outcome.CREATED: BATCH, Outcome.QUARANTINED: LOST}
    assert _tallies(lab)["load.Contact"] == {Outcome.CREATED: 10, Outcome.BLOCKED: 11}
    assert len(lab.target.truth.created("Account")) == BATCH


def test_failed_rows_beside_quarantined_ones_get_another_chance(tmp_path: Path) -> None:
    lab = _batches(tmp_path, "insert", "    error_budget: {max_quarantined: 100%, max_failed: 100%}")
    bad = {
        "kind": "row_error",
        "sobject": "Account",
        "rows": {"matches": "Account 1?5", "field": "Name"},
        "times": 1,
    }
    lab.target.plant(*read_faults({"faults": [bad]}, now=0.0))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    told = {Outcome.CREATED: BATCH - 2, Outcome.FAILED: 2, Outcome.QUARANTINED: LOST}
    assert _tallies(lab)["load.Account"] == told
    begin_retry(lab.folder, reread=False, by="ada", clock=lab.clock, memory_mb=128)
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert _tallies(lab)["load.Account"] == {Outcome.CREATED: BATCH, Outcome.QUARANTINED: LOST}
    assert len(lab.target.truth.created("Account")) == BATCH


def test_rows_without_a_recorded_result_that_have_a_key_are_sent_again(tmp_path: Path) -> None:
    more = "    external_id: Key__c\n    map: {Key__c: Id}"
    lab = _batches(tmp_path, "upsert", more)
    assert lab.drive().exit_code is ExitCode.OK
    assert _tallies(lab)["load.Account"] == {Outcome.CREATED: MANY}
    assert len(lab.target.truth.created("Account")) == MANY
    kinds = [one.kind for one in lab.events()]
    assert kinds.count("fate-unknown") == kinds.count("reconciled") == 1
    assert _jobs(lab) == 3, "accounts, those without a result once more, contacts"


def test_records_of_rows_that_were_sent_again_are_not_taken_for_somebody_elses(tmp_path: Path) -> None:
    """An automation may change what was sent: then a row without a result travels again, and its record, which its first job made, is updated."""
    more = "    external_id: Key__c\n    map: {Key__c: Id}\nverify: {counts: exact}"
    plan = BATCHES % {"operation": "upsert", "more": ""}
    lab = make_lab(tmp_path, SCHEMA)
    (tmp_path / "data").mkdir()
    rows = "".join(f"a{n:05},Account {n}\n" for n in range(3_000))
    (tmp_path / "data" / "Account.csv").write_text(f"Id,Name\n{rows}", encoding="utf-8")
    lab.begin(plan[: plan.index("  - object: Contact")].rstrip() + "\n" + more)
    lie = {"kind": "missing_row", "method": "GET", "path": ".*/successfulResults", "times": 6}
    lab.target.plant(*read_faults({"faults": [lie]}, now=0.0))
    other = lab.ends().target

    def changes(point: str) -> None:
        if point == "after:result:Harvest" and Outcome.CREATED not in _tallies(lab)["load.Account"]:
            for first in range(0, 3_000, 200):
                found = [{"Key__c": f"a{n:05}", "Name": "CHANGED"} for n in range(first, first + 200)]
                assert all(one.success for one in other.send_rows("Account", "upsert", "Key__c", found, {}))

    assert lab.drive(fuse=changes).exit_code is ExitCode.OK
    assert _tallies(lab)["load.Account"] == {Outcome.CREATED: 2_999, Outcome.UPDATED: 1}
    (verified,) = lab.drive(Goal.VERIFY).summary.verification
    assert (verified.extra, verified.notes) == (0, ())


def test_a_crash_between_what_was_told_and_what_was_looked_up_changes_nothing(tmp_path: Path) -> None:
    lab = _batches(tmp_path, "insert")

    def fuse(point: str) -> None:
        if point == "before:result:Reconcile":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.drive(fuse=fuse)
    assert _tallies(lab)["load.Account"] == {}, "one commit for all rows of an attempt"
    result = lab.drive()
    assert result.stop is not None
    assert result.stop.code == "rows-quarantined"
    told = _tallies(lab)["load.Account"]
    assert told == {Outcome.CREATED: DONE, Outcome.QUARANTINED: LOST}
    assert len(lab.target.truth.created("Account")) == DONE
