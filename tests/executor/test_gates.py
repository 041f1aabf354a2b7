"""Gates through everything that is real: opened before anything is sent, and put back whatever becomes of the run."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, Undo, begin_retry
from migrator.model.run import AttemptKind, RunStatus
from migrator.salesforce import Deferral, Switch
from migrator.simulator import Fault, FaultKind, OrgSettings, RowFault, Rows
from migrator.state import open_ledger, read_ledger
from tests.executor.orgs import Lab, make_lab

ACCOUNTS = 20
PLAN = """
version: 1
name: gates
source: {{files: data}}
target: {{org: merged}}
before:
{gates}
objects:
  - object: Account
    operation: insert
"""
SCHEMA = """
name: Gates
objects:
  Automation__c:
    custom_setting: hierarchy
    fields:
      Bypass__c: {type: checkbox}
"""
SETTING = "  - bypass_automation: {custom_setting: Automation__c, field: Bypass__c}"
SHARING = "  - defer_sharing: {}"
MANUAL = "  - defer_sharing: {when_unavailable: manual}"
BOTH = SHARING + "\n  - bypass_automation: {permission_set: Migration_Bypass}"
OFF = Deferral()
ON = Deferral(sharing_rules=True, group_membership=True)


class Killed(BaseException):
    """The process ends here."""


Make = Callable[..., Lab]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A lab whose plan reads a file; settings are the target's."""

    def made(**settings: Any) -> Lab:
        data = tmp_path / "data"
        data.mkdir()
        with (data / "Account.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("Id", "Name"))
            writer.writerows((str(n), f"Account {n}") for n in range(ACCOUNTS))
        lab = make_lab(tmp_path, SCHEMA, OrgSettings(**settings))
        org = lab.ends().target
        org.send_rows(
            "PermissionSet", "insert", None, [{"Name": "Migration_Bypass", "Label": "Migration Bypass"}], {}
        )
        return lab

    return made


def switches(lab: Lab) -> Deferral:
    return lab.ends().target.metadata.sharing_deferral()


def assigned(lab: Lab) -> int:
    return lab.ends().target.count(
        "SELECT COUNT() FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Migration_Bypass'"
    )


def loaded(lab: Lab) -> int:
    return len(lab.target.truth.created("Account"))


def test_gates_are_open_while_rows_travel_and_put_back_in_the_end(make: Make) -> None:
    lab = make()
    lab.begin(PLAN.format(gates=BOTH))
    seen: list[tuple[Deferral, int]] = []

    def look(point: str) -> None:
        if point == "before:intent:Upload":
            seen.append((switches(lab), assigned(lab)))

    result = lab.drive(fuse=look)
    assert result.exit_code is ExitCode.OK, result.stop
    assert result.summary.run.status is RunStatus.COMPLETE
    assert seen == [(ON, 1)]
    assert (switches(lab), assigned(lab), loaded(lab)) == (OFF, 0, ACCOUNTS)
    assert result.summary.held_gates == ()
    # the org was recalculating after the switches went back, and that was waited for
    jobs = lab.ends().target.query("SELECT Status FROM AsyncApexJob WHERE JobType = 'SharingRecalculation'")
    assert {one["Status"] for one in jobs} == {"Completed"}
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


def test_somebody_who_watches_sees_what_is_waited_for(make: Make) -> None:
    lab = make()
    lab.begin(PLAN.format(gates=SHARING))
    assert lab.drive().exit_code is ExitCode.OK
    assert [look for look in lab.looks if look[1]] == [
        ("done", "stays so until the run is over"),
        ("open", "being put back: recalculations under way: 2"),
        ("open", "being put back: recalculations under way: 1"),
        ("done", "as it was found"),
    ]


def test_what_was_deferred_before_stays_deferred(make: Make) -> None:
    lab = make()
    lab.ends().target.metadata.set_deferral(Switch.SHARING_RULES, on=True)
    lab.begin(PLAN.format(gates=SHARING))
    assert lab.drive().exit_code is ExitCode.OK
    assert switches(lab) == Deferral(sharing_rules=True)


def setting(lab: Lab) -> list[object]:
    return [one["Bypass__c"] for one in lab.ends().target.query("SELECT Bypass__c FROM Automation__c")]


@pytest.mark.parametrize("before", [None, False, True])
def test_a_custom_setting_ends_as_it_was(make: Make, before: bool | None) -> None:
    lab = make()
    org = lab.ends().target
    if before is not None:
        row = {"SetupOwnerId": org.identity().user_id, "Bypass__c": str(before).lower()}
        assert org.send_rows("Automation__c", "insert", None, [row], {"Bypass__c": "boolean"})[0].success
    lab.begin(PLAN.format(gates=SETTING))
    seen: list[object] = []

    def look(point: str) -> None:
        if point == "before:intent:Upload":
            seen.extend(setting(lab))

    assert lab.drive(fuse=look).exit_code is ExitCode.OK
    assert seen == [True]
    assert setting(lab) == ([] if before is None else [before])


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER_EFFECT])
@pytest.mark.parametrize(
    ("method", "path", "lost"),
    [
        ("POST", r".*/Soap/m/.*", (1, 4, 6, 9)),
        ("POST", r".*/composite/sobjects", (1, 2)),
        ("DELETE", r".*/sobjects/.*", (1, 2)),
    ],
)
def test_lost_answers_leave_nothing_open(
    make: Make, kind: FaultKind, method: str, path: str, lost: tuple[int, ...]
) -> None:
    lab = make()
    lab.begin(PLAN.format(gates=BOTH + "\n" + SETTING))
    # each counts the requests that no fault before it has hit
    lab.target.faults += [Fault(kind=kind, method=method, path=path, nth=nth) for nth in lost]
    assert lab.drive().exit_code is ExitCode.OK
    assert (switches(lab), assigned(lab), setting(lab), loaded(lab)) == (OFF, 0, [], ACCOUNTS)


def test_without_the_feature_nothing_is_sent(make: Make) -> None:
    lab = make(sharing_deferral=False)
    lab.begin(PLAN.format(gates=SHARING))
    result = lab.drive()
    assert result.exit_code is ExitCode.REFUSED
    assert result.stop is not None
    assert result.stop.code == "gate-unavailable"
    assert loaded(lab) == 0
    assert lab.target.truth.created("Account") == []
    assert not peek(lab.folder).held_gates


def test_without_the_feature_the_plan_may_go_on(make: Make) -> None:
    lab = make(sharing_deferral=False)
    lab.begin(PLAN.format(gates="  - defer_sharing: {when_unavailable: skip}"))
    result = lab.drive()
    assert (result.exit_code, loaded(lab)) == (ExitCode.OK, ACCOUNTS)
    assert result.summary.gates[0].note.startswith("skipped")


def test_without_the_feature_a_person_may_do_it(make: Make) -> None:
    lab = make(sharing_deferral=False)
    lab.begin(PLAN.format(gates=MANUAL))
    paused = lab.drive()
    assert paused.exit_code is ExitCode.PAUSED
    assert paused.stop is not None
    assert paused.stop.code == "gate-unanswered"
    assert "--confirm gate.1.defer_sharing" in paused.stop.hint
    assert loaded(lab) == 0
    ended = lab.drive(answers={"gate.1.defer_sharing": "ada"})
    # the rows are loaded; that sharing is resumed is for a person again
    assert loaded(lab) == ACCOUNTS
    assert ended.stop is not None
    assert (ended.stop.code, ended.exit_code) == ("gate-open", ExitCode.PAUSED)
    assert [one.step for one in peek(lab.folder).held_gates] == ["gate.1.defer_sharing"]
    assert lab.drive(Goal.RESTORE).stop is not None
    closed = lab.drive(Goal.RESTORE, answers={"gate.1.defer_sharing": "grace"})
    assert (closed.stop, closed.exit_code) == (None, ExitCode.OK)
    assert closed.summary.run.status is RunStatus.COMPLETE
    assert closed.summary.held_gates == ()


def test_a_confirmation_is_waited_for_and_recorded(make: Make) -> None:
    lab = make()
    lab.begin(PLAN.format(gates="  - confirm: Integration users are frozen"))
    paused = lab.drive()
    assert paused.stop is not None
    assert (paused.stop.code, paused.exit_code) == ("gate-unanswered", ExitCode.PAUSED)
    assert lab.drive().exit_code is ExitCode.PAUSED
    done = lab.drive(answers={"gate.1.confirm": "ada"})
    assert (done.exit_code, loaded(lab)) == (ExitCode.OK, ACCOUNTS)
    assert "ada" in done.summary.gates[0].note


def test_a_missing_permission_set_stops_before_anything_is_sent(make: Make) -> None:
    lab = make()
    lab.begin(PLAN.format(gates=SHARING + "\n  - bypass_automation: {permission_set: Nope}"))
    result = lab.drive()
    assert result.stop is not None
    assert result.stop.code == "gate-unavailable"
    assert "Nope" in result.stop.what
    # the gate that was open already is put back at once
    assert (switches(lab), loaded(lab)) == (OFF, 0)


def test_a_stopped_run_puts_its_gates_back_and_passes_them_again(make: Make) -> None:
    lab = make()
    lab.begin(PLAN.format(gates=BOTH))
    refusal = Fault(
        kind=FaultKind.STATUS,
        method="POST",
        path=r".*/jobs/ingest$",
        code=400,
        body=b'[{"errorCode":"INVALIDJOB","message":"no"}]',
    )
    lab.target.faults.append(refusal)
    stopped = lab.drive()
    assert stopped.exit_code is ExitCode.REFUSED
    assert (switches(lab), assigned(lab)) == (OFF, 0)
    assert stopped.summary.held_gates == ()
    assert lab.drive().exit_code is ExitCode.OK
    assert (switches(lab), assigned(lab), loaded(lab)) == (OFF, 0, ACCOUNTS)
    gates = [one for one in read_ledger(lab.folder).attempts if one.kind is AttemptKind.GATE]
    assert [one.try_no for one in gates if one.step == "gate.1.defer_sharing"] == [1, 2]


def kill_at(point: int) -> tuple[Callable[[str], None], list[str]]:
    """A fuse that ends the process at the n-th point of the protocol; the points it saw."""
    seen: list[str] = []

    def fuse(name: str) -> None:
        seen.append(name)
        if len(seen) == point:
            raise Killed(name)

    return fuse, seen


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("taken_up", "first", "step"),
    [
        ("resumed", 1, 3),
        ("only put back", 2, 3),
        pytest.param("resumed", 1, 1, marks=pytest.mark.slow),
        pytest.param("only put back", 1, 1, marks=pytest.mark.slow),
    ],
)
def test_killed_anywhere_the_switches_end_as_they_were(
    make: Make, taken_up: str, first: int, step: int, tmp_path: Path
) -> None:
    base = make()
    for point in range(first, 10_000, step):
        lab = Lab(base.source, base.target, base.clock, tmp_path / f"run-{point}")
        before = loaded(lab)
        lab.begin(PLAN.format(gates=BOTH))
        fuse, seen = kill_at(point)
        try:
            lab.drive(fuse=fuse)
        except Killed:
            held = {one.step for one in peek(lab.folder).held_gates}
            if switches(lab) != OFF:
                assert "gate.1.defer_sharing" in held, seen[-1]
            if assigned(lab):
                assert "gate.2.permission_set" in held, seen[-1]
        else:
            break
        if taken_up == "resumed":
            assert lab.drive().exit_code is ExitCode.OK
            assert loaded(lab) - before == ACCOUNTS
        else:
            assert lab.drive(Goal.RESTORE).exit_code is ExitCode.OK
        assert (switches(lab), assigned(lab)) == (OFF, 0), seen[-1]
        assert not peek(lab.folder).held_gates
    assert point > 30


def test_rows_that_are_retried_pass_the_gates_again(make: Make) -> None:
    """What failed is sent when the run was over and its gates put back: they are opened once more, and put back once more."""
    lab = make()
    lab.begin(PLAN.format(gates=BOTH) + "    error_budget: {max_failed: 100%}\n")
    lab.target.plant(RowFault(Rows("Account", percent=30), "STRING_TOO_LONG", times=1, seed=4))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    assert (switches(lab), assigned(lab)) == (OFF, 0)
    failed = begin_retry(lab.folder, reread=False, by="ada", clock=lab.clock, memory_mb=128)
    assert failed
    seen: list[tuple[Deferral, int]] = []

    def look(point: str) -> None:
        if point == "before:intent:Upload":
            seen.append((switches(lab), assigned(lab)))

    assert lab.drive(fuse=look).exit_code is ExitCode.OK
    assert seen == [(ON, 1)]
    assert (switches(lab), assigned(lab), loaded(lab)) == (OFF, 0, ACCOUNTS)


def test_a_run_with_open_gates_is_not_taken_back_before_they_are_closed(make: Make) -> None:
    lab = make()
    lab.begin(PLAN.format(gates=SETTING))
    with pytest.raises(Killed):
        lab.drive(fuse=_killed_when_harvested)
    with pytest.raises(MigratorError, match="1 gates open") as refused:
        Undo(lab.folder)
    assert "migrator gates close test-run" in refused.value.diagnostic.hint
    assert lab.drive(Goal.RESTORE).exit_code is ExitCode.OK
    assert Undo(lab.folder).left[0].created == ACCOUNTS


def _killed_when_harvested(point: str) -> None:
    if point == "after:result:Harvest":
        raise Killed


def test_two_runs_with_one_gate_are_kept_apart(make: Make, tmp_path: Path) -> None:
    """The first one that ends would put back what the other one still needs."""
    lab = make()
    lab.begin(PLAN.format(gates=BOTH))
    row = replace(read_ledger(lab.folder).run, run_id="other-run")
    with open_ledger(tmp_path / "other-run", lab.clock, create=row) as other:
        other.hold(row.target_org_id, ["PermissionSetAssignment.Migration_Bypass"])
        with pytest.raises(MigratorError, match="other-run") as refused:
            lab.drive()
    assert (refused.value.code, refused.value.exit_code) == ("lease-held", ExitCode.LEASE)
    assert (switches(lab), assigned(lab), loaded(lab)) == (OFF, 0, 0)
    assert lab.drive().exit_code is ExitCode.OK


def test_a_switch_that_was_on_before_and_was_turned_off_since_is_nothing_to_put_back(make: Make) -> None:
    lab = make()
    metadata = lab.ends().target.metadata
    metadata.set_deferral(Switch.SHARING_RULES, on=True)
    lab.begin(PLAN.format(gates=SHARING))

    def turn_off(point: str) -> None:
        if point == "before:intent:Upload":
            metadata.set_deferral(Switch.GROUP_MEMBERSHIP, on=False)
            metadata.set_deferral(Switch.SHARING_RULES, on=False)

    result = lab.drive(fuse=turn_off)
    assert result.exit_code is ExitCode.OK, result.stop
    assert (switches(lab), result.summary.held_gates) == (OFF, ())
