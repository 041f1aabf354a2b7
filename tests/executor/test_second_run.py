"""`verify --twice`: what is said about a second run is what a second run then does."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Drive, Goal, Policy, Result, Undo
from migrator.model.run import Outcome
from migrator.model.summary import Again
from migrator.simulator import load_csv_folder
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Twice
objects:
  Account:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
  Contact:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
  Ticket__c:
    fields:
      Number__c: {type: number, precision: 12, scale: 0, unique: true, external_id: true}
      Note__c: {type: text, length: 80}
"""
#: an upsert with a second pass, an upsert that looks it up, an insert that the org can refuse (a unique field), and one that it cannot
PLAN = """
version: 1
name: twice
source: {org: legacy}
target: {org: merged}
objects:
  - object: User
    match: {on: Username}
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    fields: {include: [Name, Phone, OwnerId, ParentId]}
    map: {Legacy_Id__c: Id}
    relationships:
      ParentId: {when_missing: link}
      OwnerId: {via: User, when_missing: null}
  - object: Contact
    operation: upsert
    external_id: Legacy_Id__c
    fields: {include: [LastName, AccountId]}
    map: {Legacy_Id__c: Id}
  - object: Ticket__c
    operation: insert
    fields: {include: [Number__c, Note__c]}
"""
KEYLESS = """
  - object: Task
    operation: insert
    fields: {include: [Subject]}
"""


def filled(tmp_path: Path, plan: str, *, verify: str = "") -> Lab:
    """A run of the plan, over; accounts are a chain."""
    lab = make_lab(tmp_path, SCHEMA)
    folder = tmp_path / "seed"
    folder.mkdir()
    lines = [f"a{n},Account {n},0{n},{f'a{n - 1}' if n else ''}" for n in range(6)]
    write(folder, "Account", "Id,Name,Phone,ParentId", lines)
    write(folder, "Contact", "Id,LastName,AccountId", [f"c{n},Person {n},a{n % 6}" for n in range(9)])
    write(folder, "Ticket__c", "Id,Number__c,Note__c", [f"t{n},{n + 1},Note {n}" for n in range(4)])
    write(folder, "Task", "Id,Subject", [f"k{n},Call {n}" for n in range(3)])
    load_csv_folder(lab.source, folder)
    lab.begin(plan + verify)
    assert lab.drive().exit_code is ExitCode.OK
    return lab


def write(folder: Path, name: str, header: str, lines: list[str]) -> None:
    (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def verify(lab: Lab) -> Result:
    drive = Drive(lab.folder, lab.ends(), clock=lab.clock, workers=0, policy=Policy(), memory_mb=128)
    return drive.go(Goal.VERIFY, lab.watch, twice=True)


def figures(result: Result) -> dict[str, dict[Again, int]]:
    return {
        one.step: {each: n for each, n in (one.again or {}).items() if n} for one in result.summary.repeated
    }


def second(lab: Lab, plan: str) -> dict[str, Mapping[Outcome, int]]:
    """The outcomes of a real second run."""
    again = Lab(lab.source, lab.target, lab.clock, lab.folder.parent / "second")
    again.begin(plan)
    return {one.step: one.tallies for one in again.drive().summary.steps}


def agree(said: Mapping[str, Mapping[Again, int]], done: Mapping[str, Mapping[Outcome, int]]) -> None:
    """What was said is what was done: an upsert that changes nothing counts as updated."""
    for step, counts in said.items():
        tallies = done[step]
        assert counts.get(Again.CREATE, 0) == tallies.get(Outcome.CREATED, 0), step
        kept = counts.get(Again.UPDATE, 0) + counts.get(Again.UNCHANGED, 0)
        assert kept == tallies.get(Outcome.UPDATED, 0), step
        refused = tallies.get(Outcome.FAILED, 0) + tallies.get(Outcome.SKIPPED, 0)
        assert counts.get(Again.REFUSED, 0) + counts.get(Again.UNSENT, 0) == refused, step


@pytest.mark.parametrize("verification", ["", "verify: {counts: off, fields: off}\n"])
def test_nothing_is_created_and_a_second_run_agrees(tmp_path: Path, verification: str) -> None:
    lab = filled(tmp_path, PLAN, verify=verification)
    written = lab.target.truth.count("Account"), lab.target.truth.count("Ticket__c")
    result = verify(lab)
    assert result.exit_code is ExitCode.OK, result
    said = figures(result)
    assert said == {
        "load.Account": {Again.UNCHANGED: 6},
        "link.Account": {Again.UNCHANGED: 5},
        "load.Contact": {Again.UNCHANGED: 9},
        "load.Ticket__c": {Again.REFUSED: 4},
    }
    assert (lab.target.truth.count("Account"), lab.target.truth.count("Ticket__c")) == written
    assert not list((lab.folder / "tmp").iterdir()), "the reading leaves nothing behind"
    done = second(lab, PLAN + verification)
    agree(said, done)
    assert all(not counts.get(Outcome.CREATED) for counts in done.values())


def test_what_would_be_created_and_changed_is_counted_and_listed(tmp_path: Path) -> None:
    lab = filled(tmp_path, PLAN + KEYLESS)
    target, source = lab.ends().target, lab.ends().source
    assert source is not None
    accounts, contacts = (lab.target.truth.created(one) for one in ("Account", "Contact"))
    gone = [accounts[5], contacts[0]]
    for record, name in zip(gone, ("Account", "Contact"), strict=True):
        target.delete_record(name, record)
    assert target.send_rows("Account", "update", None, [{"Id": accounts[1], "Phone": "other"}], {})[0].success
    assert source.send_rows("Account", "insert", None, [{"Name": "New since"}], {})[0].success
    result = verify(lab)
    assert result.exit_code is ExitCode.ROWS_FAILED
    said = figures(result)
    # a contact of the account that is gone and would come back as another record; one that is gone itself
    assert said["load.Account"] == {Again.CREATE: 2, Again.UPDATE: 1, Again.UNCHANGED: 4}
    assert said["load.Contact"][Again.CREATE] >= 1
    assert said["load.Task"] == {Again.CREATE: 3}
    rows = listed(lab, result, "load.Task")
    assert all(row["first_target_id"].startswith("00T") and row["first_outcome"] == "created" for row in rows)
    assert sorted(row["first_outcome"] for row in listed(lab, result, "load.Account")) == ["", "created"]
    agree(said, second(lab, PLAN + KEYLESS))


def listed(lab: Lab, result: Result, step: str) -> list[dict[str, str]]:
    (one,) = (each for each in result.summary.repeated if each.step == step)
    assert one.again_report is not None
    with (lab.folder / one.again_report.path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == one.again_report.rows
    return rows


def test_a_later_verification_forgets_it(tmp_path: Path) -> None:
    lab = filled(tmp_path, PLAN + KEYLESS)
    assert verify(lab).exit_code is ExitCode.ROWS_FAILED
    assert verify(lab).summary.created_again == 3
    result = lab.drive(Goal.VERIFY)
    assert (result.exit_code, result.summary.repeated) == (ExitCode.OK, ())


def test_an_undo_is_not_repeated(tmp_path: Path) -> None:
    lab = filled(tmp_path, PLAN)
    into = lab.folder.parent / "undo"
    Undo(lab.folder).begin(into, run_id="undo", clock=lab.clock, memory_mb=128)
    back = Lab(lab.source, lab.target, lab.clock, into, from_files=True)
    assert back.drive().exit_code is ExitCode.OK
    with pytest.raises(MigratorError, match="takes back another one"):
        verify(back)
