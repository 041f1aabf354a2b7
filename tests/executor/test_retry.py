"""Another chance for what failed, in the same run: nothing else is touched, and each row keeps exactly one outcome."""

from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, begin_retry
from migrator.model.run import Outcome, RunStatus
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind, read_faults
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Retry
objects:
  Parent__c:
    label: Parent
    fields:
      Kind__c: {type: text, length: 20, required: true}
      Boss__c: {type: lookup, to: Parent__c}
  Child__c:
    label: Child
    fields:
      Parent__c: {type: lookup, to: Parent__c}
"""
PLAN = """
version: 1
name: retry
source: {org: legacy}
target: {org: merged}
objects:
  - object: Parent__c
    operation: insert
    fields: {include: [Name, Boss__c]}
    map:
      Kind__c: {from: Kind__c, values: {bad: ""}}
    relationships: {Boss__c: {when_missing: link}}
  - object: Child__c
    operation: insert
    fields: {include: [Name, Parent__c]}
verify: {counts: exact, fields: all}
"""
ROWS, BAD = 40, 10


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Parents, a quarter of which the target refuses as they are; each has a boss and two children."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    rows = [{"Name": f"P{n}", "Kind__c": "bad" if n % 4 == 0 else "good"} for n in range(ROWS)]
    parents = org.send_rows("Parent__c", "insert", None, rows, {})
    bosses = [{"Id": parents[n].id, "Boss__c": parents[n - 1].id} for n in range(1, ROWS)]
    assert all(one.success for one in org.send_rows("Parent__c", "update", None, bosses, {}))
    children = [{"Name": f"C{n}", "Parent__c": parents[n % ROWS].id} for n in range(2 * ROWS)]
    assert all(one.success for one in org.send_rows("Child__c", "insert", None, children, {}))
    return made


def _mend(lab: Lab, kind: str = "mended") -> None:
    org = lab.ends().source
    assert org is not None
    bad = org.query("SELECT Id FROM Parent__c WHERE Kind__c = 'bad'")
    org.send_rows("Parent__c", "update", None, [{"Id": str(one["Id"]), "Kind__c": kind} for one in bad], {})


def _retry(lab: Lab, *, reread: bool = True) -> int:
    return begin_retry(lab.folder, reread=reread, by="ada", clock=lab.clock, memory_mb=128)


def _tallies(lab: Lab) -> dict[str, dict[Outcome, int]]:
    return {one.step: dict(one.tallies) for one in peek(lab.folder).steps}


def test_mended_rows_arrive_with_their_children_and_links_and_nothing_else_is_sent(lab: Lab) -> None:
    lab.begin(PLAN)
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert _tallies(lab) == {
        "load.Parent__c": {Outcome.CREATED: ROWS - BAD, Outcome.FAILED: BAD},
        "link.Parent__c": {Outcome.UPDATED: ROWS - 2 * BAD, Outcome.BLOCKED: BAD},
        "load.Child__c": {Outcome.CREATED: 2 * (ROWS - BAD), Outcome.BLOCKED: 2 * BAD},
    }
    _mend(lab)
    assert _retry(lab) == BAD + BAD + 2 * BAD
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, (result.stop, _tallies(lab))
    assert result.summary.complete
    assert _tallies(lab) == {
        "load.Parent__c": {Outcome.CREATED: ROWS},
        "link.Parent__c": {Outcome.UPDATED: ROWS - 1},
        "load.Child__c": {Outcome.CREATED: 2 * ROWS},
    }
    assert not any(one.faults for one in result.summary.steps)
    assert len(lab.target.truth.created("Parent__c")) == ROWS
    assert len(lab.target.truth.created("Child__c")) == 2 * ROWS
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.OK, verified.summary.verification
    assert [one.compared for one in verified.summary.verification] == [ROWS, 2 * ROWS]


def test_what_was_not_mended_fails_again_and_may_be_retried_again(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    before = _tallies(lab)
    for _ in range(2):
        _retry(lab)
        assert lab.drive().exit_code is ExitCode.ROWS_FAILED
        assert _tallies(lab) == before
    assert peek(lab.folder).steps[0].faults == {"REQUIRED_FIELD_MISSING": BAD}
    _mend(lab)
    _retry(lab)
    assert lab.drive().exit_code is ExitCode.OK
    assert len(lab.target.truth.created("Parent__c")) == ROWS


def test_without_reading_again_the_rows_are_sent_as_they_were(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    _mend(lab)
    _retry(lab, reread=False)
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert _tallies(lab)["load.Parent__c"][Outcome.FAILED] == BAD


def test_rows_that_the_source_no_longer_has_say_so(lab: Lab) -> None:
    lab.begin(PLAN.replace("object: Parent__c\n", "object: Parent__c\n    where: \"Kind__c != 'gone'\"\n", 1))
    lab.drive()
    _mend(lab, "gone")
    _retry(lab)
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    step = peek(lab.folder).steps[0]
    assert (step.tallies[Outcome.FAILED], step.faults) == (BAD, {"SOURCE_ROW_GONE": BAD})


def test_what_preparing_anew_has_judged_is_not_sent_in_later_rounds(lab: Lab) -> None:
    """One row is gone from the source, and another one meets a lock when it is sent again: only that one is in the round after."""
    lab.begin(PLAN.replace("object: Parent__c\n", "object: Parent__c\n    where: \"Name != 'GONE'\"\n", 1))
    lab.drive()
    _mend(lab)
    org = lab.ends().source
    assert org is not None
    (row,) = org.query("SELECT Id FROM Parent__c WHERE Name = 'P0'")
    org.send_rows("Parent__c", "update", None, [{"Id": str(row["Id"]), "Name": "GONE"}], {})
    locked = {"kind": "row_error", "sobject": "Parent__c", "code": "UNABLE_TO_LOCK_ROW", "times": 1}
    rows = {"matches": "P4", "field": "Name"}
    lab.target.plant(*read_faults({"faults": [{**locked, "rows": rows}]}, now=0.0))
    _retry(lab)
    result = lab.drive()
    assert (result.exit_code, result.stop) == (ExitCode.ROWS_FAILED, None)
    step = peek(lab.folder).steps[0]
    assert step.tallies == {Outcome.CREATED: ROWS - 1, Outcome.FAILED: 1}
    assert step.faults["SOURCE_ROW_GONE"] == 1
    assert len(lab.target.truth.created("Parent__c")) == ROWS - 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER_EFFECT])
def test_a_retry_survives_what_a_run_survives(lab: Lab, kind: FaultKind) -> None:
    lab.begin(PLAN)
    lab.drive()
    _mend(lab)
    _retry(lab)
    for method, path in (
        ("PUT", r".*/batches$"),
        ("PATCH", r".*/jobs/ingest/[^/]+$"),
        ("POST", r".*/jobs/ingest$"),
    ):
        lab.target.faults.append(Fault(method=method, path=path, nth=1, kind=kind))
    lab.target.plant(JobFault(JobFaultKind.ABORT, sobject="Parent__c", after_rows=3))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert len(lab.target.truth.created("Parent__c")) == ROWS
    assert len(lab.target.truth.created("Child__c")) == 2 * ROWS


def test_there_must_be_something_to_retry(lab: Lab) -> None:
    _mend(lab)
    lab.begin(PLAN)
    assert lab.drive().exit_code is ExitCode.OK
    with pytest.raises(MigratorError) as refused:
        _retry(lab)
    assert refused.value.diagnostic.code == "nothing-to-retry"


def test_a_held_object_goes_on_after_a_retry(lab: Lab) -> None:
    lab.begin(PLAN + "defaults: {error_budget: {max_failed: 5}}\n")
    assert lab.drive().exit_code is ExitCode.BUDGET
    assert not lab.target.truth.created("Child__c")
    _mend(lab)
    assert _retry(lab) == BAD
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert _tallies(lab)["load.Child__c"] == {Outcome.CREATED: 2 * ROWS}


def test_a_run_whose_retry_has_not_begun_to_send_is_not_complete(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    _retry(lab)
    assert peek(lab.folder).run.status is RunStatus.PAUSED
    with pytest.raises(MigratorError, match="only a complete run can be verified"):
        lab.drive(Goal.VERIFY)


NUMBERED = """
version: 1
name: numbered
source: {files: data}
target: {org: merged}
objects:
  - {object: Parent__c, operation: insert, fields: {include: [Name, Kind__c]}}
"""


def test_rows_that_only_their_numbers_tell_apart_are_not_looked_for_in_a_mended_file(tmp_path: Path) -> None:
    """A line more at the top, and the number of the row that failed is that of one which is there already."""
    lab = make_lab(tmp_path, SCHEMA)
    file = tmp_path / "data" / "Parent__c.csv"
    file.parent.mkdir()
    file.write_text("Name,Kind__c\nP0,good\nP1,\nP2,good\n", encoding="utf-8")
    lab.begin(NUMBERED)
    lab.drive()
    file.write_text("Name,Kind__c\nNEW,good\nP0,good\nP1,mended\nP2,good\n", encoding="utf-8")
    assert _retry(lab) == 1
    result = lab.drive()
    assert result.exit_code is ExitCode.ROWS_FAILED
    names = [one["Name"] for one in lab.ends().target.query("SELECT Name FROM Parent__c ORDER BY Name")]
    assert names == ["P0", "P2"], "P0 twice, and P1 never"
    assert any("have no key" in note for note in result.summary.steps[0].notes)


def test_a_second_pass_that_had_nothing_to_fill_takes_up_what_a_retry_loads(lab: Lab) -> None:
    org = lab.ends().source
    assert org is not None
    bosses = org.query("SELECT Id FROM Parent__c WHERE Kind__c = 'good' AND Boss__c != null")
    alone = [{"Id": str(one["Id"]), "Boss__c": None} for one in bosses]
    assert all(one.success for one in org.send_rows("Parent__c", "update", None, alone, {}))
    lab.begin(PLAN)
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert peek(lab.folder).steps[1].total == 0
    _mend(lab)
    _retry(lab)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    # the first of them has no boss
    assert _tallies(lab)["link.Parent__c"] == {Outcome.UPDATED: BAD - 1}
