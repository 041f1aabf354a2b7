"""Rows that meet locks go down the ladder; the serial lane moves records through everything that is real, faults and all."""

import csv
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.run import AttemptKind, AttemptState, Outcome
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

CONTACTS = 450  # three transactions
PLAN = """
version: 1
name: locks
source: {{files: data}}
target: {{org: merged}}
objects:
  - object: Contact
    operation: insert
    {more}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A target org, and contacts in a file; one of them cannot be loaded."""
    data = tmp_path / "data"
    data.mkdir()
    with (data / "Contact.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Id", "LastName", "Description"))
        # rows equal in every cell are told apart by their place
        writer.writerows((f"{n}", f"Person {n // 2}", "two\nlines") for n in range(CONTACTS))
    return make_lab(tmp_path, "name: Locks\nobjects: {}\n")


def attempts(lab: Lab) -> list[tuple[int, AttemptKind, int]]:
    """Round, lane and rows of each attempt that was harvested, in order."""
    state = read_ledger(lab.folder)
    rounds = {(one.step, one.no): one.round for one in state.slices}
    return [
        (rounds[(one.step, one.slice)], one.kind, one.rows)
        for one in sorted(state.attempts, key=lambda each: each.id)
        if one.state is AttemptState.HARVESTED and one.slice >= 0
    ]


def lanes(lab: Lab) -> list[tuple[int, AttemptKind]]:
    """Round and lane, each once."""
    return list(dict.fromkeys((round_, kind) for round_, kind, _ in attempts(lab)))


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER_EFFECT])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", r".*/job$"),
        ("POST", r".*/job/[^/]+/batch$"),
        ("POST", r".*/job/[^/]+$"),
        ("GET", r".*/job/[^/]+/batch$"),
        ("GET", r".*/request$"),
        ("GET", r".*/result$"),
    ],
)
def test_the_serial_lane_neither_loses_nor_doubles(lab: Lab, kind: FaultKind, method: str, path: str) -> None:
    lab.begin(PLAN.format(more="lane: serial_v1"), max_slice_rows=200)
    lab.target.faults.append(Fault(kind=kind, method=method, path=path))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert len(lab.target.truth.created("Contact")) == CONTACTS
    assert {lane for _, lane, _ in attempts(lab)} == {AttemptKind.BULK1_SERIAL}
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


@pytest.mark.parametrize("kind", [JobFaultKind.FAIL, JobFaultKind.ABORT])
def test_rows_that_a_serial_batch_did_not_reach_are_sent_again(lab: Lab, kind: JobFaultKind) -> None:
    lab.begin(PLAN.format(more="lane: serial_v1"))
    lab.target.plant(JobFault(kind, after_rows=200))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert [rows for _, _, rows in attempts(lab)] == [CONTACTS, CONTACTS - 200]
    assert len(lab.target.truth.created("Contact")) == CONTACTS


def test_rows_of_a_serial_batch_that_is_not_theirs_are_looked_up(lab: Lab) -> None:
    lab.begin(PLAN.format(more="lane: serial_v1"))
    broken = Fault(
        kind=FaultKind.STATUS,
        method="GET",
        path=r".*/request$",
        code=200,
        headers={"Content-Type": "text/csv"},
        body=b"LastName\nSomebody else\n",
        times=1_000,
    )
    lab.target.faults.append(broken)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop  # looked up in the target, where all of them are
    tallies = read_ledger(lab.folder).steps["load.Contact"].tallies
    assert tallies == {Outcome.CREATED: CONTACTS}


def test_locked_rows_end_in_serial_batches(lab: Lab) -> None:
    lab.begin(PLAN.format(more="locks: {on_lock: [regroup, shrink, serial_v1]}"))
    # every transaction of the first four rounds, the first of the fifth
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Contact", times=13))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert lanes(lab) == [
        (1, AttemptKind.BULK2),
        (2, AttemptKind.BULK2),
        (3, AttemptKind.BULK2),
        (4, AttemptKind.BULK2),
        (5, AttemptKind.BULK1_SERIAL),
        (6, AttemptKind.BULK1_SERIAL),
    ]
    assert attempts(lab)[-1] == (6, AttemptKind.BULK1_SERIAL, 200)
    assert len(lab.target.truth.created("Contact")) == CONTACTS
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


def test_the_plan_says_which_measures_are_taken(lab: Lab) -> None:
    lab.begin(PLAN.format(more="locks: {on_lock: [serial_v1]}"))
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Contact", times=2))
    assert lab.drive().exit_code is ExitCode.OK
    assert lanes(lab) == [(1, AttemptKind.BULK2), (2, AttemptKind.BULK1_SERIAL)]


def test_locks_that_never_end_fail_their_rows_and_no_others(lab: Lab) -> None:
    lab.begin(PLAN.format(more="locks: {on_lock: []}"))
    # one transaction is locked in each of the six rounds
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Contact", times=3))
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Contact", times=50))
    result = lab.drive()
    assert result.exit_code is ExitCode.ROWS_FAILED
    state = read_ledger(lab.folder)
    assert state.steps["load.Contact"].tallies == {Outcome.FAILED: CONTACTS}
    assert {lane for _, lane, _ in attempts(lab)} == {AttemptKind.BULK2}
    assert lanes(lab)[-1][0] == 6
    assert len(lab.target.truth.created("Contact")) == 0
