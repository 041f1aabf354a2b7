"""What an org allows in 24 hours is used up: records, batches and requests are waited for, or the run pauses."""

from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Policy, Result
from migrator.model.run import AttemptState, Outcome
from migrator.simulator import OrgSettings, preset
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.plans import BY_ID, FILES, SCHEMA, inserted, plan_of

PLAN = plan_of(
    inserted("Account", "Name", BY_ID), inserted("Contact", "LastName, AccountId", BY_ID), source=FILES
)
ROWS, HOUR = 600, 3_600.0


def lab_of(folder: Path, target: OrgSettings | None = None) -> Lab:
    """Accounts with a contact each, in slices of a hundred."""
    made = make_lab(folder, SCHEMA, target)
    (folder / "data").mkdir()
    accounts = "".join(f"a{n:03},Account {n}\n" for n in range(ROWS))
    people = "".join(f"c{n:03},Person {n},a{n:03}\n" for n in range(ROWS))
    (folder / "data" / "Account.csv").write_text(f"Id,Name\n{accounts}", encoding="utf-8")
    (folder / "data" / "Contact.csv").write_text(f"Id,LastName,AccountId\n{people}", encoding="utf-8")
    made.begin(PLAN, max_slice_rows=100)
    return made


def loaded(lab: Lab) -> bool:
    truth, steps = lab.target.truth, read_ledger(lab.folder).steps
    told = [steps[f"load.{one}"].tallies for one in ("Account", "Contact")]
    return told == [{Outcome.CREATED: ROWS}] * 2 and truth.count("Account") == truth.count("Contact") == ROWS


def test_the_days_records_are_waited_for(tmp_path: Path) -> None:
    lab = lab_of(tmp_path)
    lab.target.plant(*preset("H23"))
    began = lab.clock.monotonic()
    assert lab.drive().exit_code is ExitCode.OK
    assert 24 * HOUR <= lab.clock.monotonic() - began < 27 * HOUR
    assert loaded(lab)
    row = read_ledger(lab.folder).steps["load.Account"]
    assert [one for one in row.notes if "took no more records" in one], (
        "said once, however often it was tried"
    )
    assert row.rounds == 1, "a slice that the org did not begin travels again as it is"


def test_an_allowance_smaller_than_the_load_takes_as_many_days_as_it_needs(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, OrgSettings(bulk_records=500))
    began = lab.clock.monotonic()
    assert lab.drive().exit_code is ExitCode.OK
    assert 48 * HOUR <= lab.clock.monotonic() - began < 60 * HOUR, "1,200 records at 500 a day"
    assert loaded(lab)
    ended = {one.state for one in read_ledger(lab.folder).attempts if one.slice >= 0}
    assert ended == {AttemptState.HARVESTED, AttemptState.ABANDONED}


@pytest.mark.parametrize(
    ("fault", "code"), [("H23", "record-limit-exceeded"), ("H05", "request-limit-exceeded")]
)
def test_a_run_that_is_not_to_wait_pauses(tmp_path: Path, fault: str, code: str) -> None:
    lab = lab_of(tmp_path)
    lab.target.plant(
        *(preset(fault) if fault == "H23" else preset(fault, path=".*/jobs/ingest/.*", times="always"))
    )
    began = lab.clock.monotonic()
    result = lab.drive(policy=Policy(wait=False))
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == (code, ExitCode.PAUSED)
    assert lab.clock.monotonic() - began < HOUR
    lab.target.faults.clear()
    lab.clock.wait(25 * HOUR)
    assert lab.drive().exit_code is ExitCode.OK
    assert loaded(lab)


def twenty_hours_later(lab: Lab, name: str, *, wait: bool) -> Result:
    """Another run of the plan."""
    lab.folder = lab.folder.with_name(name)
    lab.begin(PLAN, max_slice_rows=100)
    lab.clock.wait(20 * HOUR)
    return lab.drive(policy=Policy(wait=wait))


def test_the_last_tenth_of_the_days_batches_is_left_to_people_and_waited_for(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, OrgSettings(bulk_batches=16))
    assert lab.drive().exit_code is ExitCode.OK
    began = lab.clock.monotonic()
    assert twenty_hours_later(lab, "waiting", wait=True).exit_code is ExitCode.OK
    assert 23 * HOUR < lab.clock.monotonic() - began < 26 * HOUR
    stopped = twenty_hours_later(lab, "pausing", wait=False).stop
    assert stopped is not None
    assert (stopped.code, stopped.exit_code) == ("request-limit-exceeded", ExitCode.PAUSED)
    assert "nine tenths of the daily allowance of Bulk API batches" in stopped.what
