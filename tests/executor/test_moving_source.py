"""A source that is still in use: what is changed, deleted or made between the reading of a record and its load."""

from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.run import Outcome
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = "name: Small\nobjects: {Account: {fields: {}}}\n"
PLAN = """
version: 1
name: moving
source: {org: legacy, consistency: %s}
target: {org: merged}
objects:
  - object: Account
    operation: insert
    where: "Name LIKE 'Account%%'"
    fields: {include: [Name, Description, ParentId]}
    relationships: {ParentId: {when_missing: link}}
  - object: Contact
    operation: insert
    fields: {include: [LastName, AccountId]}
"""
ROWS = 60


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Sixty accounts under the first one, each with a contact; nothing has changed for an hour."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    (top,) = org.send_rows("Account", "insert", None, [{"Name": "Account 0"}], {})
    text = 'line one\n"line two", 東京'
    rows = [{"Name": f"Account {n}", "ParentId": top.id, "Description": text} for n in range(1, ROWS)]
    ids = [top.id, *(one.id for one in org.send_rows("Account", "insert", None, rows, {}))]
    people = [{"LastName": f"Person {n}", "AccountId": one} for n, one in enumerate(ids)]
    assert all(one.success for one in org.send_rows("Contact", "insert", None, people, {}))
    made.clock.wait(3_600.0)
    return made


def moves(lab: Lab) -> None:
    """Somebody works in the source: one account and one contact are changed, one contact is deleted, one account is made."""
    org = lab.ends().source
    assert org is not None
    accounts, people = (lab.source.truth.created(one) for one in ("Account", "Contact"))
    org.send_rows("Account", "update", None, [{"Id": accounts[3], "Name": "Account 3, renamed"}], {})
    org.send_rows("Account", "update", None, [{"Id": accounts[4], "ParentId": accounts[3]}], {})
    org.send_rows("Contact", "update", None, [{"Id": people[5], "AccountId": accounts[6]}], {})
    org.delete_record("Contact", people[7])
    org.send_rows("Account", "insert", None, [{"Name": "Account new"}], {})


def drive(lab: Lab, consistency: str, at: str) -> tuple[ExitCode, str]:
    """Drive the run; the source moves at that point: when both extracts have been read, or when the accounts are loaded."""
    lab.begin(PLAN % consistency)
    reached: list[str] = []
    # contacts are read first, then accounts
    nth = 2 if at.endswith("FetchPage") else 1

    def fuse(point: str) -> None:
        if point == at:
            reached.append(point)
            if len(reached) == nth:
                moves(lab)

    result = lab.drive(fuse=fuse)
    assert len(reached) >= nth
    return result.exit_code, result.stop.code if result.stop else ""


def target(lab: Lab, sobject: str, name: str, lookup: str) -> dict[str, str]:
    """The records of the target by name, each with its parent's name."""
    accounts, table = lab.target.store.table("Account"), lab.target.store.table(sobject)
    found = {}
    for seq in table.scan():
        parent = table.cell(seq, lookup)
        found[table.cell(seq, name)] = accounts.cell(accounts.seq_of(parent), "Name") if parent else ""
    return found


def test_what_changed_since_it_was_read_is_taken_over_and_what_was_deleted_is_skipped(lab: Lab) -> None:
    assert drive(lab, "catch_up", "after:result:FetchPage") == (ExitCode.OK, "")
    steps = read_ledger(lab.folder).steps
    assert steps["load.Account"].tallies == {Outcome.CREATED: ROWS + 1}
    assert steps["load.Contact"].tallies == {Outcome.CREATED: ROWS - 1, Outcome.SKIPPED: 1}
    assert steps["load.Contact"].counts["fault.SOURCE_DELETED"] == 1
    people, accounts = (
        target(lab, "Contact", "LastName", "AccountId"),
        target(lab, "Account", "Name", "ParentId"),
    )
    assert people["Person 5"] == "Account 6"
    assert "Person 7" not in people
    assert {"Account 3, renamed", "Account new"} <= accounts.keys()
    assert accounts["Account 4"] == "Account 3, renamed", "the second pass is of the same moment"
    texts = lab.target.store.table("Account")
    assert {texts.cell(one, "Description") for one in texts.scan()} == {"", 'line one\n"line two", 東京'}
    assert "since they were read" in " ".join(steps["load.Account"].notes)
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


@pytest.mark.parametrize("at", ["after:result:FetchPage", "after:result:Harvest"])
def test_a_frozen_source_that_moved_is_told_before_the_step_sends_anything(lab: Lab, at: str) -> None:
    assert drive(lab, "frozen", at) == (ExitCode.REFUSED, "source-moved")
    stopped = lab.drive().stop
    assert stopped is not None
    assert stopped.code == "source-moved", "and it stays so"
    sent = "Contact" if at.endswith("Harvest") else "Account"
    assert not lab.target.truth.created(sent), "of this object nothing was sent"
    numbers = {
        "Account": "2 records were changed, 0 deleted and 1 are new",
        "Contact": "1 records were changed, 1 deleted and 0 are new",
    }
    assert numbers[sent] in stopped.what


@pytest.mark.parametrize("consistency", ["frozen", "catch_up"])
def test_a_source_that_does_not_move_is_loaded_as_ever(lab: Lab, consistency: str) -> None:
    org = lab.ends().source
    assert org is not None
    first, *_ = lab.source.truth.created("Account")
    org.send_rows("Account", "update", None, [{"Id": first, "Name": "Account 0, just before"}], {})
    lab.begin(PLAN % consistency)
    assert lab.drive().exit_code is ExitCode.OK, "a change right before the run is in the extract already"
    steps = read_ledger(lab.folder).steps
    assert [steps[f"load.{one}"].tallies for one in ("Account", "Contact")] == [{Outcome.CREATED: ROWS}] * 2


def test_without_a_word_changes_are_not_looked_for(lab: Lab) -> None:
    assert drive(lab, "fuzzy", "after:result:FetchPage")[0] is ExitCode.OK
    assert not [one for one in read_ledger(lab.folder).steps if one.startswith("changes.")]
