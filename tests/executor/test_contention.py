"""A load into an org whose records are really locked: fifteen jobs at a time under few parents, in virtual time."""

import csv
import random
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.run import Outcome
from migrator.simulator import OrgSettings
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

ACCOUNTS, CONTACTS = 100, 1_600
PLAN = """
version: 1
name: contention
source: {{files: data}}
target: {{org: merged}}
objects:
  - object: Account
    operation: insert
  - object: Contact
    operation: insert
    locks: {{{locks}}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A slow target org, and a file of contacts in no order."""
    data = tmp_path / "data"
    data.mkdir()
    choose = random.Random(3)  # noqa: S311 - deterministic on purpose
    with (data / "Account.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Id", "Name"), *((f"a{n}", f"A{n}") for n in range(ACCOUNTS))])
    with (data / "Contact.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ((f"c{n}", f"P{n}", f"a{choose.randrange(ACCOUNTS)}") for n in range(CONTACTS))
        csv.writer(file).writerows([("Id", "LastName", "AccountId"), *rows])
    target = OrgSettings(sobject_seconds={"Contact": 0.03}, batch_parallelism=15)
    return make_lab(tmp_path, "name: Contention\nobjects: {}\n", target)


def load(lab: Lab, locks: str) -> tuple[float, int]:
    """Seconds of the org's clock, and rows refused by it on the way; every contact is there in the end."""
    lab.begin(PLAN.format(locks=locks), max_slice_rows=200)
    start = lab.clock.now()
    result = lab.drive()
    seconds = lab.clock.now() - start
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    assert state.steps["load.Contact"].tallies == {Outcome.CREATED: CONTACTS}
    assert len(lab.target.truth.created("Contact")) == CONTACTS
    sent = sum(one.rows for one in state.attempts if one.step == "load.Contact")
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK
    return seconds, sent - CONTACTS


def test_rows_in_no_order_meet_locks_and_get_there(lab: Lab) -> None:
    seconds, refused = load(lab, "weights: {AccountId: 0}, max_in_flight: 15")
    assert refused > 0
    assert seconds > CONTACTS * 0.03  # no faster than one job at a time


def test_rows_of_one_parent_in_one_job_meet_none(lab: Lab) -> None:
    seconds, refused = load(lab, "group_by: AccountId, max_in_flight: 15")
    assert refused == 0
    assert seconds < CONTACTS * 0.03 / 2
