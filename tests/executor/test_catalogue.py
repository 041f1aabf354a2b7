"""The guarantee under the faults of the catalogue: no record twice, no row unaccounted for, and an end that says what it is."""

from collections import Counter
from pathlib import Path

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.model.run import Outcome
from migrator.simulator import CATALOGUE, preset
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.plans import PEOPLE, SCHEMA, accounts, plan_of

PLAN = plan_of(accounts(), PEOPLE)
ACCOUNTS, CONTACTS = 40, 500
DRIVES = 8  # of one run, as somebody resumes it every few hours
HOURS = 4 * 3_600.0

#: how a run ends that is resumed as often as it takes, where that is not with all rows
ENDS: dict[str, ExitCode] = {
    **dict.fromkeys(
        ("D02", "D03", "H21", "H32", "H37", "H40", "U06"), ExitCode.ROWS_FAILED
    ),  # refused for good
    "H19": ExitCode.BUDGET,  # half done and without results: nobody can tell, quarantined
    # U11: the org has none of the run's records any more
    **dict.fromkeys(("H06", "H11", "H34", "U11"), ExitCode.REFUSED),
    **dict.fromkeys(("H04", "H30", "U05"), ExitCode.PAUSED),  # somebody has to do something about the org
    "H24": ExitCode.BUDGET,  # the storage is full
}
#: the few that every run of the tests tries
QUICK = ("D01", "H02", "H18", "N08", "N09", "N13")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two orgs, the source filled."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    rows = [{"Name": f"Account {n}"} for n in range(ACCOUNTS)]
    ids = [one.id for one in org.send_rows("Account", "insert", None, rows, {})]
    for start in range(0, CONTACTS, 200):
        people = [
            {"LastName": f"Person {n}", "AccountId": ids[n % ACCOUNTS]}
            for n in range(start, min(start + 200, CONTACTS))
        ]
        assert all(one.success for one in org.send_rows("Contact", "insert", None, people, {}))
    return made


def drive(lab: Lab) -> ExitCode:
    """One drive of the run, with a fresh connection, as the command line does it."""
    try:
        return lab.drive().exit_code
    except MigratorError as refused:  # before there was anything to drive
        return refused.exit_code


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(CATALOGUE)],
)
def test_a_run_under_a_fault(lab: Lab, name: str) -> None:
    lab.begin(PLAN, max_slice_rows=250)
    lab.target.plant(*preset(name))
    code = drive(lab)
    for _ in range(DRIVES):
        if code in {ExitCode.OK, ExitCode.ROWS_FAILED}:
            break
        lab.clock.wait(HOURS)
        code = drive(lab)
    assert code is ENDS.get(name, ExitCode.OK), name
    contacts = lab.target.store.table("Contact")
    made = lab.target.truth.created("Contact")
    there = [
        contacts.seq_of(each) for each in made if contacts.seq_of(each)
    ]  # unless the sandbox was refreshed
    once = Counter(contacts.cell(seq, "LastName") for seq in there)
    assert set(once.values()) <= {1}, "no record twice"
    tallies = {step: one.tallies for step, one in read_ledger(lab.folder).steps.items()}.get(
        "load.Contact", {}
    )
    if code is ExitCode.OK:
        assert (tallies, len(made)) == ({Outcome.CREATED: CONTACTS}, CONTACTS)
    elif code is ExitCode.ROWS_FAILED:
        assert sum(tallies.values()) == CONTACTS
        assert tallies.get(Outcome.CREATED, 0) == len(made)
    else:
        assert tallies.get(Outcome.CREATED, 0) <= len(made), "nothing is said to be done that is not"
