"""Error budgets, canaries and what else holds an object, between two simulated orgs."""

from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode
from migrator.executor import Policy
from migrator.model.run import Outcome, RunStatus, StepPhase
from migrator.model.summary import StepSummary
from migrator.simulator import JobFault, JobFaultKind
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Policy
objects:
  Parent__c:
    label: Parent
    fields:
      Kind__c: {type: text, length: 20, required: true}
  Child__c:
    label: Child
    fields:
      Parent__c: {type: lookup, to: Parent__c}
  Other__c:
    label: Other
"""

#: rows whose Kind__c is empty are refused by the target: the mapping makes it so
PLAN = """
version: 1
name: policy
source: {org: legacy}
target: {org: merged}
%s
objects:
  - object: Parent__c
    operation: insert
    fields: {include: [Name]}
    map:
      Kind__c: {from: Kind__c, values: {bad: ""}}
  - object: Child__c
    operation: insert
    fields: {include: [Name, Parent__c]}
  - object: Other__c
    operation: insert
    fields: {include: [Name]}
"""
SMALL = "{max_failed: 10%, min_sample: 20}"


def _lab(tmp_path: Path, *, good: int, bad: int) -> Lab:
    lab = make_lab(tmp_path, SCHEMA)
    org = lab.ends().source
    assert org is not None
    kinds = ["bad"] * bad + ["good"] * good
    for start in range(0, len(kinds), 200):
        rows = [
            {"Name": f"P{start + n}", "Kind__c": kind} for n, kind in enumerate(kinds[start : start + 200])
        ]
        parents = org.send_rows("Parent__c", "insert", None, rows, {})
        children = [{"Name": "C", "Parent__c": one.id} for one in parents]
        assert all(one.success for one in org.send_rows("Child__c", "insert", None, children, {}))
    assert all(
        one.success
        for one in org.send_rows("Other__c", "insert", None, [{"Name": str(n)} for n in range(30)], {})
    )
    return lab


def _step(lab: Lab, step: str) -> StepSummary:
    return next(one for one in peek(lab.folder).steps if one.step == step)


def _plan(defaults: str, more: str = "") -> str:
    return PLAN % f"defaults: {defaults}\n{more}"


def test_an_object_over_its_budget_is_held_and_so_are_its_children_but_not_the_others(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=40, bad=20)
    lab.begin(_plan(f"{{error_budget: {SMALL}}}"), max_slice_rows=30)
    first = lab.drive()
    assert first.stop is not None
    assert (first.stop.code, first.exit_code) == ("budget-exceeded", ExitCode.BUDGET)
    assert first.summary.run.status is RunStatus.STOPPED
    assert _step(lab, "load.Other__c").tallies == {Outcome.CREATED: 30}
    assert _step(lab, "load.Child__c").phase is StepPhase.PENDING
    assert not lab.target.truth.created("Child__c")
    # nobody has decided anything: the same again
    assert lab.drive().exit_code is ExitCode.BUDGET
    assert not lab.target.truth.created("Child__c")


def test_accepting_failures_lets_the_run_go_on_and_is_recorded(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=40, bad=20)
    lab.begin(_plan(f"{{error_budget: {SMALL}}}"), max_slice_rows=30)
    lab.drive()
    second = lab.drive(accepted_by="ada@workshop")
    assert second.exit_code is ExitCode.ROWS_FAILED, second.stop
    assert second.summary.complete
    assert _step(lab, "load.Child__c").tallies == {Outcome.CREATED: 40, Outcome.BLOCKED: 20}
    assert len(lab.target.truth.created("Child__c")) == 40
    decisions = [one for one in lab.events() if one.kind == "failures-accepted"]
    assert [one.facts["by"] for one in decisions] == ["ada@workshop"]


def test_a_run_over_the_budget_of_one_object_can_be_made_to_stop_as_a_whole(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=40, bad=20)
    lab.begin(_plan(f"{{error_budget: {SMALL}, on_budget_exceeded: stop_run}}"), max_slice_rows=5)
    assert lab.drive(policy=Policy(in_flight=1)).exit_code is ExitCode.BUDGET
    other = _step(lab, "load.Other__c")
    assert other.phase is not StepPhase.DONE
    # what the org was told to do has been harvested all the same
    assert len(lab.target.truth.created("Other__c")) == other.tallies.get(Outcome.CREATED, 0)


def test_continue_never_stops_and_blocks_the_children_of_failed_parents(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=40, bad=20)
    lab.begin(_plan(f"{{error_budget: {SMALL}, on_budget_exceeded: continue}}"), max_slice_rows=30)
    result = lab.drive()
    assert result.exit_code is ExitCode.ROWS_FAILED, result.stop
    assert result.summary.complete
    assert _step(lab, "load.Child__c").tallies == {Outcome.CREATED: 40, Outcome.BLOCKED: 20}


def test_failures_inside_the_budget_stop_nothing(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=57, bad=3)
    lab.begin(_plan(f"{{error_budget: {SMALL}}}"))
    result = lab.drive()
    assert result.exit_code is ExitCode.ROWS_FAILED, result.stop
    assert result.summary.complete


def test_the_budget_of_the_run_counts_all_objects_together(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=57, bad=3)
    lab.begin(_plan("{error_budget: {max_failed: 100%}}", "run_budget: {max_failed: 2}\n"))
    result = lab.drive()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("budget-exceeded", ExitCode.BUDGET)
    assert not lab.target.truth.created("Child__c")
    assert lab.drive(accepted_by="ada").exit_code is ExitCode.ROWS_FAILED
    assert _step(lab, "load.Child__c").tallies[Outcome.BLOCKED] == 3


def test_an_object_over_its_budget_at_its_very_end_ends_the_run_with_the_same_code(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=0, bad=30)
    only_parents = _plan(f"{{error_budget: {SMALL}}}").partition("  - object: Child__c")[0]
    lab.begin(only_parents)
    result = lab.drive()
    assert (result.stop, result.exit_code) == (None, ExitCode.BUDGET)
    assert result.summary.complete


def test_a_bad_canary_stops_before_the_bulk(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=80, bad=120)
    lab.begin(_plan("{canary: {rows: 20}}"))
    result = lab.drive()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("canary-failed", ExitCode.BUDGET)
    tried = sum(_step(lab, "load.Parent__c").tallies.values())
    assert tried == 20
    assert len(lab.target.truth.created("Parent__c")) < 20


def test_a_good_canary_is_followed_by_the_rest(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=200, bad=0)
    lab.begin(_plan("{canary: {rows: 20}}"))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    sizes = [one.file.rows for one in read_ledger(lab.folder).slices if one.step == "load.Parent__c"]
    assert sizes == [20, 180]
    assert len(lab.target.truth.created("Parent__c")) == 200


def test_a_canary_that_meets_locks_is_not_a_bad_one(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=200, bad=0)
    lab.begin(_plan("{canary: {rows: 20}}"))
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Parent__c", times=1))
    # one transaction that somebody was in the way of says nothing about the other rows: it is sent again
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert len(lab.target.truth.created("Parent__c")) == 200


@pytest.mark.parametrize(
    ("kind", "code"), [(JobFaultKind.FAIL, ExitCode.BUDGET), (JobFaultKind.ABORT, ExitCode.PAUSED)]
)
def test_three_jobs_in_a_row_that_end_badly_stop_the_run(
    tmp_path: Path, kind: JobFaultKind, code: ExitCode
) -> None:
    lab = _lab(tmp_path, good=40, bad=0)
    lab.begin(_plan("{}"), max_slice_rows=10)
    lab.target.plant(JobFault(kind, sobject="Parent__c", times=3))
    first = lab.drive(policy=Policy(in_flight=1))
    assert first.stop is not None
    assert (first.stop.code, first.exit_code) == ("jobs-keep-failing", code)
    second = lab.drive()
    assert second.exit_code is ExitCode.OK, second.stop
    assert len(lab.target.truth.created("Parent__c")) == 40


def test_an_org_without_room_stops_the_object_at_once(tmp_path: Path) -> None:
    lab = _lab(tmp_path, good=40, bad=0)
    lab.begin(_plan("{error_budget: {max_failed: 100%}, on_budget_exceeded: continue}"), max_slice_rows=10)
    full = JobFault(JobFaultKind.LOCK, sobject="Parent__c", times=99, code="STORAGE_LIMIT_EXCEEDED")
    lab.target.plant(full)
    result = lab.drive(policy=Policy(in_flight=1))
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("storage-full", ExitCode.BUDGET)
    assert _step(lab, "load.Parent__c").tallies == {Outcome.FAILED: 10}
    full.times = 0
    assert lab.drive(accepted_by="ada").exit_code is ExitCode.ROWS_FAILED
    assert len(lab.target.truth.created("Parent__c")) == 30
