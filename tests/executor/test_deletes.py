"""Plans that delete: records go by their ids, children first, and what is gone already counts as done."""

from pathlib import Path

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, Undo
from migrator.model.run import Outcome
from migrator.review import check, load
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind
from tests.executor.orgs import Lab, make_lab

SCHEMA = """
name: Deletes
objects:
  Parent__c:
    label: Parent
  Child__c:
    label: Child
    fields:
      Parent__c: {type: lookup, to: Parent__c}
"""
PLAN = """
version: 1
name: deletes
source: {files: ./data}
target: {org: merged}
objects:
  - {object: Parent__c, operation: %s, max_deletes: 50}
  - {object: Child__c, operation: %s, max_deletes: 50}
"""
#: the line of a record that there never was
NOBODY = "a010000000000ZZAAA\n"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A target with thirty records of each kind, and the files that name them."""
    made = make_lab(tmp_path, SCHEMA)
    _fill(made, tmp_path)
    return made


def _fill(made: Lab, folder: Path) -> None:
    made.from_files = True
    target = made.ends().target
    parents = target.send_rows("Parent__c", "insert", None, [{"Name": f"P{n}"} for n in range(30)], {})
    children = target.send_rows(
        "Child__c", "insert", None, [{"Name": "C", "Parent__c": one.id} for one in parents], {}
    )
    (folder / "data").mkdir()
    for name, replies in (("Parent__c", parents), ("Child__c", children)):
        text = "Id\n" + "".join(f"{one.id}\n" for one in replies)
        (folder / "data" / f"{name}.csv").write_text(text, encoding="utf-8")


def _left(lab: Lab, sobject: str) -> int:
    return lab.ends().target.count(f"SELECT COUNT() FROM {sobject}")


@pytest.mark.parametrize("operation", ["delete", "hard_delete"])
def test_records_are_deleted_children_first(lab: Lab, operation: str) -> None:
    lab.begin(PLAN % (operation, operation))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert [one.step for one in result.summary.steps] == ["load.Child__c", "load.Parent__c"]
    assert all(one.tallies == {Outcome.DELETED: 30} for one in result.summary.steps)
    assert (_left(lab, "Child__c"), _left(lab, "Parent__c")) == (0, 0)


def test_what_is_gone_already_is_deleted_too(lab: Lab) -> None:
    lab.begin(PLAN % ("delete", "delete"))
    lab.target.plant(JobFault(JobFaultKind.ABORT, sobject="Child__c", times=1))
    first = (lab.folder.parent / "data" / "Parent__c.csv").read_text(encoding="utf-8").split()[1]
    lab.ends().target.delete_record("Parent__c", first)
    lab.target.faults.append(
        Fault(kind=FaultKind.DROP_AFTER_EFFECT, method="PATCH", path=r".*/jobs/ingest/[^/]+$")
    )
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    parents = next(one for one in result.summary.steps if one.step == "load.Parent__c")
    assert parents.tallies == {Outcome.DELETED: 30}
    assert parents.faults == {"ENTITY_IS_DELETED": 1}
    assert (_left(lab, "Child__c"), _left(lab, "Parent__c")) == (0, 0)


def test_more_records_than_the_plan_allows_are_found_before_anything_is_sent(lab: Lab) -> None:
    path = lab.folder.parent / "plan.yaml"
    path.write_text((PLAN % ("delete", "delete")).replace("50}", "29}"), encoding="utf-8")
    plan, found = load(path, {})
    assert plan is not None, found
    codes = [one.code for one in check(plan, lab.ends()).diagnostics]
    assert codes == ["too-many-deletes", "too-many-deletes"]


def test_a_file_that_grew_after_the_check_deletes_nothing(lab: Lab) -> None:
    lab.begin(PLAN % ("delete", "delete"))
    file = lab.folder.parent / "data" / "Child__c.csv"
    more = "".join(f"a0000000000{n:04d}AAA\n" for n in range(21))
    file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
    result = lab.drive()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("too-many-deletes", ExitCode.REFUSED)
    assert _left(lab, "Child__c") == 30


def test_an_undo_says_that_it_brings_nothing_back(lab: Lab) -> None:
    lab.begin(PLAN % ("delete", "delete"))
    lab.drive()
    undo = Undo(lab.folder)
    assert [(one.object_name, one.deleted, one.for_good) for one in undo.left] == [
        ("Parent__c", 30, False),
        ("Child__c", 30, False),
    ]
    with pytest.raises(MigratorError, match="nothing that could be taken back") as refused:
        undo.begin(lab.folder.parent / "undo", run_id="undo-run", clock=lab.clock, memory_mb=128)
    assert "recycle bin" in refused.value.diagnostic.hint


@pytest.mark.parametrize(
    ("operation", "lane"), [("hard_delete", "auto"), ("hard_delete", "serial_v1"), ("delete", "auto")]
)
def test_what_a_job_deleted_whose_results_are_gone_counts_as_deleted(
    lab: Lab, operation: str, lane: str
) -> None:
    """Its records are not even in the recycle bin: the org knows no such ids any more, and says so of the second time that they are sent."""
    children = f"- {{object: Child__c, operation: {operation}, max_deletes: 50, lane: {lane}}}"
    lab.begin(
        (PLAN % (operation, operation)).replace(
            f"- {{object: Child__c, operation: {operation}, max_deletes: 50}}", children
        )
    )
    results = ".*/batch/[^/]+/result" if lane == "serial_v1" else ".*/jobs/ingest/[^/]+/.*Results"
    lab.target.faults.append(Fault(kind=FaultKind.STATUS, method="GET", path=results, code=404, times=1))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    steps = {one.step: one for one in result.summary.steps}
    assert {one.tallies[Outcome.DELETED] for one in steps.values()} == {30}
    assert steps["load.Child__c"].faults == {"ENTITY_IS_DELETED": 30}
    assert any("are sent once more" in one for one in steps["load.Child__c"].notes)


def test_an_id_that_is_nobodys_is_no_deleted_record(lab: Lab) -> None:
    file = lab.folder.parent / "data" / "Child__c.csv"
    with file.open("a", encoding="utf-8") as more:
        more.write(NOBODY)
    lab.begin(PLAN % ("hard_delete", "hard_delete"), max_slice_rows=30)
    result = lab.drive()
    children = next(one for one in result.summary.steps if one.step == "load.Child__c")
    assert children.tallies == {Outcome.DELETED: 30, Outcome.FAILED: 1}


def test_a_canary_that_finds_everything_gone_is_no_reason_to_stop(lab: Lab) -> None:
    """Nothing was refused: the plan has run before, or records went with their masters."""
    lab.begin((PLAN % ("delete", "delete")).replace("max_deletes: 50", "max_deletes: 50, canary: {rows: 2}"))
    org = lab.ends().target
    for one in (lab.folder.parent / "data" / "Child__c.csv").read_text(encoding="utf-8").split()[1:]:
        org.delete_record("Child__c", one)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert all(one.tallies == {Outcome.DELETED: 30} for one in result.summary.steps)


def test_a_verification_knows_of_records_that_could_not_be_deleted(lab: Lab) -> None:
    """Nothing is read back of a delete; what failed is no less without success."""
    with (lab.folder.parent / "data" / "Child__c.csv").open("a", encoding="utf-8") as more:
        more.write(NOBODY)
    lab.begin(PLAN % ("delete", "delete"))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.ROWS_FAILED


def test_what_the_plan_pins_goes_before_the_order_of_deletes(lab: Lab) -> None:
    pinned = (PLAN % ("delete", "delete")).replace(
        "{object: Child__c,", "{object: Child__c, after: [Parent__c],"
    )
    lab.begin(pinned)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert [one.step for one in result.summary.steps] == ["load.Parent__c", "load.Child__c"]


CIRCLE = """
name: Deletes
objects:
  Parent__c:
    label: Parent
    fields:
      First__c: {type: lookup, to: Child__c}
  Child__c:
    label: Child
    fields:
      Parent__c: {type: lookup, to: Parent__c, on_delete: restrict}
"""


def test_in_a_circle_what_holds_a_record_is_deleted_before_it(tmp_path: Path) -> None:
    """Each parent names its first child, which is only cleared; the children keep their parents from being deleted."""
    circle = make_lab(tmp_path, CIRCLE)
    _fill(circle, tmp_path)
    circle.begin(PLAN % ("delete", "delete"))
    result = circle.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert [one.step for one in result.summary.steps] == ["load.Child__c", "load.Parent__c"]
    assert (_left(circle, "Child__c"), _left(circle, "Parent__c")) == (0, 0)
