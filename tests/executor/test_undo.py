"""Taking a run back: only what it made, never what somebody changed since, and as crash-proof as the run itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Undo, begin_retry
from migrator.model.run import Outcome, RunStatus
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind
from migrator.state import open_ledger
from tests.executor.orgs import SOURCE_ID, Lab, make_lab
from tests.plans import HIERARCHY, PAIR, PEOPLE, SCHEMA, accounts, plan_of

PLAN = plan_of(accounts("Name, Industry, Description, ParentId", HIERARCHY), PEOPLE, PAIR, name="undo")
ACCOUNTS, OLD, CONTACTS = 30, 10, 90


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A source with accounts, a third of which the target has already under other names, and contacts."""
    made = make_lab(tmp_path, SCHEMA)
    source, target = made.ends().source, made.ends().target
    assert source is not None
    accounts = source.send_rows(
        "Account", "insert", None, [{"Name": f"New {n}"} for n in range(ACCOUNTS)], {}
    )
    ups = [{"Id": accounts[n].id, "ParentId": accounts[n // 2].id} for n in range(1, ACCOUNTS)]
    assert all(one.success for one in source.send_rows("Account", "update", None, ups, {}))
    people = [{"LastName": f"P{n}", "AccountId": accounts[n % ACCOUNTS].id} for n in range(CONTACTS)]
    assert all(one.success for one in source.send_rows("Contact", "insert", None, people, {}))
    left = source.send_rows("Left__c", "insert", None, [{"Name": "L"}], {})
    right = source.send_rows("Right__c", "insert", None, [{"Name": "R", "Left__c": left[0].id}], {})
    source.send_rows("Left__c", "update", None, [{"Id": left[0].id, "Right__c": right[0].id}], {})
    old = [
        {"Name": f'Old "{n}",\nline', "Description": f"was here {n}", "Legacy_Id__c": accounts[n].id}
        for n in range(OLD)
    ]
    assert all(one.success for one in target.send_rows("Account", "insert", None, old, {}))
    made.clock.wait(60)
    return made


def _undo(lab: Lab, *, restore_updates: bool = False, changed_too: bool = False) -> Lab:
    lab.clock.wait(60)
    into = lab.folder.parent / "undo"
    Undo(lab.folder).begin(
        into,
        run_id="undo-run",
        clock=lab.clock,
        memory_mb=128,
        restore_updates=restore_updates,
        changed_too=changed_too,
        by="ada",
    )
    return replace(lab, folder=into, from_files=True)


def _count(lab: Lab, sobject: str) -> int:
    return lab.ends().target.count(f"SELECT COUNT() FROM {sobject}")


def _accounts(lab: Lab) -> list[tuple[object, ...]]:
    found = lab.ends().target.query(
        "SELECT Name, Description, Industry, ParentId FROM Account ORDER BY Legacy_Id__c"
    )
    return [tuple(one.values()) for one in found]


def test_what_a_run_created_is_deleted_and_what_it_overwrote_is_put_back(lab: Lab) -> None:
    before = _accounts(lab)
    lab.begin(PLAN)
    assert lab.drive().exit_code is ExitCode.OK
    assert _count(lab, "Account") == ACCOUNTS
    back = _undo(lab, restore_updates=True)
    result = back.drive()
    assert result.exit_code is ExitCode.OK, (result.stop, result.summary.steps)
    assert {one.step: one.tallies for one in result.summary.steps} == {
        "restore.Account": {Outcome.UPDATED: OLD},
        "undo.Right__c": {Outcome.DELETED: 1},
        "undo.Left__c": {Outcome.DELETED: 1},
        "undo.Contact": {Outcome.DELETED: CONTACTS},
        "undo.Account": {Outcome.DELETED: ACCOUNTS - OLD},
    }
    assert _accounts(lab) == before
    assert [_count(lab, one) for one in ("Contact", "Left__c", "Right__c")] == [0, 0, 0]


def test_without_a_word_updates_stay_and_are_listed(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    listed = {one.object_name: (one.created, one.updated, one.before_images) for one in Undo(lab.folder).left}
    assert listed["Account"] == (ACCOUNTS - OLD, OLD, True)
    assert _undo(lab).drive().exit_code is ExitCode.OK
    assert [row[0] for row in _accounts(lab)] == [f"New {n}" for n in range(OLD)]


def test_records_changed_since_stay_and_so_does_what_they_look_up(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    lab.clock.wait(60)
    target = lab.ends().target
    kept = target.query(f"SELECT Id, AccountId FROM Contact WHERE LastName = 'P{ACCOUNTS - 1}'")[0]
    assert target.send_rows("Contact", "update", None, [{"Id": kept["Id"], "LastName": "Mine"}], {})[
        0
    ].success
    result = _undo(lab).drive()
    assert result.exit_code is ExitCode.ROWS_FAILED, result.stop
    tallies = {one.step: (one.tallies, one.faults) for one in result.summary.steps}
    assert tallies["undo.Contact"] == (
        {Outcome.DELETED: CONTACTS - 1, Outcome.BLOCKED: 1},
        {"CHANGED_SINCE": 1},
    )
    # its account stays, and of that one's parents the one that the run created
    assert tallies["undo.Account"][1] == {"CHILD_STAYS": 2}
    left = [one["Id"] for one in target.query("SELECT Id FROM Account")]
    assert kept["AccountId"] in left
    assert len(left) == OLD + 2


def test_changed_records_go_too_when_somebody_says_so(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    lab.clock.wait(60)
    target = lab.ends().target
    kept = target.query("SELECT Id FROM Contact LIMIT 1")[0]
    target.send_rows("Contact", "update", None, [{"Id": kept["Id"], "LastName": "Mine"}], {})
    assert _undo(lab, changed_too=True).drive().exit_code is ExitCode.OK
    assert _count(lab, "Contact") == 0


def _retry(back: Lab, *, changed_too: bool = False) -> ExitCode:
    begin_retry(back.folder, reread=True, by="ada", clock=back.clock, memory_mb=128, changed_too=changed_too)
    return back.drive().exit_code


def test_an_undo_that_is_retried_looks_anew_at_what_it_left_alone(lab: Lab) -> None:
    """What somebody changed stays as long as nobody says otherwise, and what it looks up goes when it is gone."""
    lab.begin(PLAN)
    lab.drive()
    lab.clock.wait(60)
    target = lab.ends().target
    mine, gone = (one["Id"] for one in target.query("SELECT Id FROM Contact LIMIT 2"))
    changes = [{"Id": one, "LastName": "Mine"} for one in (mine, gone)]
    assert all(one.success for one in target.send_rows("Contact", "update", None, changes, {}))
    back = _undo(lab)
    assert back.drive().exit_code is ExitCode.ROWS_FAILED
    target.delete_record("Contact", gone)
    assert _retry(back) is ExitCode.ROWS_FAILED
    people = next(one for one in peek(back.folder).steps if one.step == "undo.Contact")
    assert people.tallies == {Outcome.DELETED: CONTACTS - 2, Outcome.SKIPPED: 1, Outcome.BLOCKED: 1}
    assert [one["Id"] for one in target.query("SELECT Id FROM Contact")] == [mine]
    assert _retry(back, changed_too=True) is ExitCode.OK
    assert (_count(lab, "Contact"), _count(lab, "Account")) == (0, OLD)


def test_changed_too_is_no_word_for_a_run_that_takes_nothing_back(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    with pytest.raises(MigratorError, match="is none") as refused:
        _retry(lab, changed_too=True)
    assert refused.value.diagnostic.code == "usage"


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER_EFFECT])
def test_an_undo_survives_what_a_run_survives(lab: Lab, kind: FaultKind) -> None:
    lab.begin(PLAN)
    lab.drive()
    back = _undo(lab, restore_updates=True)
    for method, path in (
        ("PUT", r".*/batches$"),
        ("PATCH", r".*/jobs/ingest/[^/]+$"),
        ("POST", r".*/jobs/ingest$"),
    ):
        lab.target.faults.append(Fault(method=method, path=path, nth=1, kind=kind))
    lab.target.plant(JobFault(JobFaultKind.ABORT, sobject="Contact", after_rows=50))
    result = back.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert (_count(lab, "Contact"), _count(lab, "Account")) == (0, OLD)


def test_a_run_that_is_taken_back_never_goes_on(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    back = _undo(lab)
    assert peek(lab.folder).run.status is RunStatus.UNDONE
    for again in (lab.drive, lambda: _undo(lab)):
        with pytest.raises(MigratorError) as refused:
            again()
        assert refused.value.diagnostic.code == "run-undone"
    back.drive()
    with pytest.raises(MigratorError) as refused:
        Undo(back.folder)
    assert refused.value.diagnostic.code == "nothing-to-undo"


def test_a_plan_may_do_without_before_images(lab: Lab) -> None:
    lab.begin(PLAN.replace("    external_id", "    before_images: off\n    external_id"))
    lab.drive()
    assert [one.before_images for one in Undo(lab.folder).left if one.object_name == "Account"] == [False]
    back = _undo(lab, restore_updates=True)
    result = back.drive()
    assert [one.step for one in result.summary.steps if one.object_name == "Account"] == ["undo.Account"]
    assert _count(lab, "Account") == OLD


def test_a_run_that_a_process_has_is_not_taken_back_beside_it(lab: Lab) -> None:
    """It may be between two jobs, and then nothing but its lock says so: no undo may be left that somebody could resume."""
    lab.begin(PLAN)
    lab.drive()
    with open_ledger(lab.folder, lab.clock), pytest.raises(MigratorError) as refused:
        _undo(lab)
    assert refused.value.diagnostic.code == "lease-held"
    assert not (lab.folder.parent / "undo").exists()
    assert peek(lab.folder).run.status is RunStatus.COMPLETE


def test_an_undo_with_nothing_to_take_back_leaves_no_folder(lab: Lab) -> None:
    plan = plan_of(accounts("Name"), name="again")
    lab.begin(plan)
    lab.drive()
    second = replace(lab, folder=lab.folder.parent / "second")
    second.begin(plan)
    second.drive()
    with pytest.raises(MigratorError) as refused:
        _undo(second)
    assert refused.value.diagnostic.code == "nothing-to-undo"
    assert not (lab.folder.parent / "undo").exists()
    assert peek(second.folder).run.status is RunStatus.COMPLETE


def test_a_run_is_not_marked_as_taken_back_for_an_undo_in_another_org(lab: Lab) -> None:
    lab.begin(PLAN)
    lab.drive()
    with pytest.raises(MigratorError) as refused:
        Undo(lab.folder).begin(
            lab.folder.parent / "undo", run_id="undo", clock=lab.clock, memory_mb=128, organization=SOURCE_ID
        )
    assert refused.value.diagnostic.code == "org-mismatch"
    assert peek(lab.folder).run.status is RunStatus.COMPLETE
