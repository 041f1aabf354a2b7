"""What the org's faults say about locks decides how the next rounds travel; one round later nothing fails for what was learned."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.model.run import AttemptKind, LedgerState, Outcome
from migrator.simulator import LockSettings, LookupLocks, OrgSettings, RowFault, Rows
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Learned
objects:
  Region__c: {fields: {}}
  Site__c:
    fields:
      Region__c: {type: master_detail, to: Region__c}
  Visit__c:
    fields:
      Site__c: {type: master_detail, to: Site__c}
      Guide__c: {type: lookup, to: Region__c}
"""
PLAN = """
version: 1
name: learned
source: {{files: data}}
target: {{org: merged}}
objects:
  - {{object: Region__c, operation: insert}}
  - {{object: Site__c, operation: insert}}
  - object: Visit__c
    operation: insert
    canary: off
    locks: {{{locks}}}
"""
REGIONS, SITES, VISITS = 6, 60, 1_200


def write(folder: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def make(tmp_path: Path, lookups: LookupLocks, *, guided: bool = True) -> Lab:
    data = tmp_path / "data"
    data.mkdir()
    choose = random.Random(9)  # noqa: S311 - deterministic on purpose
    write(data, "Region__c", ("Id", "Name"), [(f"r{n}", "R") for n in range(REGIONS)])
    write(data, "Site__c", ("Id", "Region__c"), [(f"s{n}", f"r{n % REGIONS}") for n in range(SITES)])
    visits = [
        (f"v{n}", f"s{choose.randrange(SITES)}", f"r{choose.randrange(REGIONS)}" if guided else "")
        for n in range(VISITS)
    ]
    write(data, "Visit__c", ("Id", "Site__c", "Guide__c"), visits)
    settings = OrgSettings(
        sobject_seconds={"Visit__c": 0.1}, batch_parallelism=15, locks=LockSettings(lookups=lookups)
    )
    return make_lab(tmp_path, SCHEMA, settings)


def rounds(state: LedgerState, step: str = "load.Visit__c") -> dict[int, tuple[int, int]]:
    """By round: rows sent, and rows that met locks."""
    round_of = {(one.step, one.no): one.round for one in state.slices}
    found: dict[int, tuple[int, int]] = {}
    for one in state.attempts:
        if one.step == step:
            rows, locked = found.get(round_of[(one.step, one.slice)], (0, 0))
            found[round_of[(one.step, one.slice)]] = (rows + one.rows, locked + one.locked)
    return found


def driven(lab: Lab, locks: str) -> LedgerState:
    lab.begin(PLAN.format(locks=locks), max_slice_rows=200)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    assert state.steps["load.Visit__c"].tallies == {Outcome.CREATED: VISITS}
    assert len(lab.target.truth.created("Visit__c")) == VISITS
    return state


def test_a_field_that_turns_out_to_lock_groups_the_rows_from_then_on(tmp_path: Path) -> None:
    # the plan believes that nothing locks, and the org locks all that is looked up
    state = driven(
        make(tmp_path, LookupLocks.ALWAYS), "weights: {Site__c: 0, Guide__c: 0}, on_lock: [regroup]"
    )
    row = state.steps["load.Visit__c"]
    assert row.counts["lock.Guide__c"] > 0
    assert any("Guide__c looks up: further rounds keep" in one for one in row.notes)
    told = rounds(state)
    assert told[1][1] > 0
    assert sum(locked for number, (_, locked) in told.items() if number > 1) == 0, told


def test_a_learned_field_joins_the_keys_of_the_plan(tmp_path: Path) -> None:
    # rows of a site stay together by the plan; that guides are locked as well only the faults tell
    state = driven(
        make(tmp_path, LookupLocks.ALWAYS), "keys: [Site__c], weights: {Guide__c: 0}, on_lock: [regroup]"
    )
    row = state.steps["load.Visit__c"]
    assert row.counts["lock.Guide__c"] > 0
    assert any("Guide__c looks up: further rounds keep" in one for one in row.notes)
    told = rounds(state)
    assert told[1][1] > 0
    again = [one for one in state.slices if one.step == "load.Visit__c" and one.round == 2]
    assert len({one.group for one in again if one.wave == 0}) > 1, "slices side by side in the second round"
    assert sum(locked for number, (_, locked) in told.items() if number > 1) == 0, told


#: more than go over REST
NODES = 2_600
FAMILY = """
version: 1
name: family
source: {files: data}
target: {org: merged}
objects:
  - object: Node__c
    operation: insert
    canary: off
    relationships: {Parent__c: {when_missing: link}}
    locks: {on_lock: [regroup]}
"""


def test_a_second_pass_learns_that_parents_are_rows_as_well(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    choose = random.Random(2)  # noqa: S311 - deterministic on purpose
    rows = [(f"n{n}", "N", f"n{choose.randrange(n)}" if n else "") for n in range(NODES)]
    write(data, "Node__c", ("Id", "Name", "Parent__c"), choose.sample(rows, len(rows)))
    schema = "name: Family\nobjects: {Node__c: {fields: {Parent__c: {type: lookup, to: Node__c}}}}\n"
    settings = OrgSettings(
        sobject_seconds={"Node__c": 0.1}, batch_parallelism=15, locks=LockSettings(lookups=LookupLocks.ALWAYS)
    )
    lab = make_lab(tmp_path, schema, settings)
    lab.begin(FAMILY, max_slice_rows=400)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    row = state.steps["link.Node__c"]
    assert row.tallies == {Outcome.UPDATED: NODES - 1}
    assert row.counts["lock.Parent__c"] > 0
    told = rounds(state, "link.Node__c")
    assert told[1][1] > 0
    assert sum(locked for number, (_, locked) in told.items() if number > 1) == 0, told


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "System.LimitException: Apex CPU time limit exceeded"),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Apex heap size too large: 13270111"),
        ("UNKNOWN_EXCEPTION", "Too many SOQL queries: 101"),
    ],
)
def test_rows_that_came_to_a_limit_go_once_more_in_smaller_transactions(
    tmp_path: Path, code: str, said: str
) -> None:
    lab = make(tmp_path, LookupLocks.NEVER)
    lab.begin(PLAN.format(locks="on_lock: [regroup]"), max_slice_rows=600)
    # a trigger that manages 150 rows at once, and transactions of 200
    lab.target.plant(RowFault(Rows("Visit__c"), code, said, whole_transaction=True, above_rows=150))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    row = state.steps["load.Visit__c"]
    assert row.tallies == {Outcome.CREATED: VISITS}
    limited = row.counts["limited.1"]
    assert limited > VISITS / 2
    assert any("came to a limit of Apex" in one for one in row.notes)
    again = [one for one in state.slices if one.step == "load.Visit__c" and one.round > 1]
    assert sum(one.file.rows for one in again if one.round == 2) == limited
    # also when rows of the second round met locks, and went to a third
    assert max(one.file.rows for one in again) <= 100
    # a limit is no lock
    round_of = {one.no: one.round for one in state.slices if one.step == "load.Visit__c"}
    met = [one for one in state.attempts if one.step == "load.Visit__c" and round_of[one.slice] == 1]
    assert sum(one.locked for one in met) == 0


def test_rows_that_come_to_a_limit_again_fail(tmp_path: Path) -> None:
    lab = make(tmp_path, LookupLocks.NEVER)
    lab.begin(PLAN.format(locks="on_lock: [regroup]"), max_slice_rows=600)
    said = "Apex CPU time limit exceeded"
    lab.target.plant(RowFault(Rows("Visit__c", percent=0.5), "UNKNOWN_EXCEPTION", said))
    result = lab.drive()
    assert result.exit_code is ExitCode.ROWS_FAILED, result.stop
    state = read_ledger(lab.folder)
    failed = state.steps["load.Visit__c"].tallies[Outcome.FAILED]
    assert 0 < failed <= VISITS / 100
    assert max(one.round for one in state.slices if one.step == "load.Visit__c") == 2


def test_records_that_no_row_looks_up_are_fought_for_by_one_slice_at_a_time(tmp_path: Path) -> None:
    # rows are kept together by their sites, and what is above a site is locked with it
    state = driven(make(tmp_path, LookupLocks.NEVER, guided=False), "keys: [Site__c], on_lock: [regroup]")
    row = state.steps["load.Visit__c"]
    told = rounds(state)
    assert told[1][1] > 0
    assert sum(locked for number, (_, locked) in told.items() if number > 1) == 0, told
    assert any("which no row looks up: further rounds send one slice at a time" in one for one in row.notes)
    assert all(len(key.removeprefix("lock.")) == 3 for key in row.counts if key.startswith("lock."))


def test_serial_batches_are_full_whatever_their_rows_lock(tmp_path: Path) -> None:
    """Sites and guides are related by everything: side by side they would need many small slices, one after the other they need none."""
    lab = make(tmp_path, LookupLocks.ALWAYS)
    plan = PLAN.format(locks="keys: [Site__c, Guide__c]").replace(
        "canary: off", "canary: off\n    lane: serial_v1"
    )
    lab.begin(plan, max_slice_rows=400)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    slices = [one for one in state.slices if one.step == "load.Visit__c"]
    assert [one.file.rows for one in slices] == [400] * (VISITS // 400)
    assert sum(one.locked for one in state.attempts) == 0


def test_a_lock_on_group_membership_is_a_lock(tmp_path: Path) -> None:
    lab = make(tmp_path, LookupLocks.NEVER)
    lab.begin(PLAN.format(locks="on_lock: [serial_v1]"), max_slice_rows=600)
    said = "group membership operation already in progress"
    fault = RowFault(Rows("Visit__c"), "UNKNOWN_EXCEPTION", said, times=1, whole_transaction=True)
    lab.target.plant(fault)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    kinds = [one.kind for one in read_ledger(lab.folder).attempts if one.step == "load.Visit__c"]
    assert AttemptKind.BULK1_SERIAL in kinds
