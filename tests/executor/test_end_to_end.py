"""A small migration through everything that is real: two simulated orgs, client, planner, data plane, ledger, executor."""

import re
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.run import Outcome, RunStatus
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind, wsgi_app
from migrator.simulator import Org as SimulatedOrg
from migrator.state import read_ledger
from tests.executor import orgs
from tests.executor.orgs import Lab, make_lab
from tests.plans import HIERARCHY, SCHEMA, accounts, inserted, plan_of

FIRST = (
    "  - object: User\n    match: {on: Username}\n",
    accounts("Name, Industry, NumberOfEmployees, ParentId, OwnerId", HIERARCHY),
    inserted("Contact", "FirstName, LastName, Email, AccountId", "locks: {group_by: AccountId}"),
)
PLAN = plan_of(*FIRST, inserted("Left__c", "Name, Right__c, Size__c"), inserted("Right__c", "Name, Left__c"))

ACCOUNTS = 40
CONTACTS = 500


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two orgs, the source filled."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    parents = org.send_rows(
        "Account",
        "insert",
        None,
        [{"Name": f'Account {n}, "Ltd"\nof line two', "NumberOfEmployees": str(n)} for n in range(ACCOUNTS)],
        {"NumberOfEmployees": "int"},
    )
    ids = [one.id for one in parents]
    children = [{"Id": ids[n], "ParentId": ids[n // 2]} for n in range(1, ACCOUNTS)]
    assert all(one.success for one in org.send_rows("Account", "update", None, children, {}))
    for start in range(0, CONTACTS, 200):
        rows = [
            {"LastName": f"Person {n}, Ünï", "FirstName": "Ada", "AccountId": ids[n % ACCOUNTS]}
            for n in range(start, min(start + 200, CONTACTS))
        ]
        assert all(one.success for one in org.send_rows("Contact", "insert", None, rows, {}))
    left = org.send_rows("Left__c", "insert", None, [{"Name": "L1", "Size__c": "1.50"}, {"Name": "L2"}], {})
    right = org.send_rows(
        "Right__c", "insert", None, [{"Name": "R1", "Left__c": left[0].id}, {"Name": "R2"}], {}
    )
    back = [{"Id": left[0].id, "Right__c": right[0].id}]
    assert all(one.success for one in org.send_rows("Left__c", "update", None, back, {}))
    return made


def test_a_migration_ends_verified(lab: Lab) -> None:
    lab.begin(PLAN)
    result = lab.drive()
    assert result.stop is None
    assert result.exit_code is ExitCode.OK
    assert result.summary.run.status is RunStatus.COMPLETE
    totals = {one.step: one.tallies for one in result.summary.steps}
    assert all(one.balanced for one in result.summary.steps)
    assert totals["load.Account"] == {Outcome.CREATED: ACCOUNTS}
    assert totals["load.Contact"] == {Outcome.CREATED: CONTACTS}
    assert len(lab.target.truth.created("Contact")) == CONTACTS
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.OK, verified.summary.verification
    assert {one.object_name: one.compared for one in verified.summary.verification} == {
        "Account": ACCOUNTS,
        "Contact": CONTACTS,
        "Left__c": 2,
        "Right__c": 2,
    }


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER_EFFECT])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", r".*/jobs/ingest$"),
        ("PUT", r".*/batches$"),
        ("PATCH", r".*/jobs/ingest/[^/]+$"),
        ("GET", r".*/successfulResults.*"),
        ("PATCH", r".*/composite/sobjects.*"),
    ],
)
def test_a_dropped_connection_neither_loses_nor_doubles(
    lab: Lab, kind: FaultKind, method: str, path: str
) -> None:
    lab.begin(PLAN)
    lab.target.faults.append(Fault(method=method, path=path, nth=1, kind=kind))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert len(lab.target.truth.created("Contact")) == CONTACTS
    assert len(lab.target.truth.created("Account")) == ACCOUNTS
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("{counts: exact, fields: all}", {"rows", "compared", "missing", "duplicated", "duplicate.keys"}),
        ("{counts: exact, fields: off}", {"rows", "compared", "missing", "duplicated", "duplicate.keys"}),
        ("{counts: off, fields: {sample: 3}}", {"rows", "compared"}),
        ("{counts: off, fields: off}", set()),
    ],
)
def test_verification_compares_what_the_plan_asks_for(lab: Lab, wanted: str, found: set[str]) -> None:
    lab.begin(plan_of(inserted("Right__c", "Name"), more=f"verify: {wanted}\n"))
    assert lab.drive().exit_code is ExitCode.OK
    result = lab.drive(Goal.VERIFY)
    assert result.exit_code is ExitCode.OK
    assert {
        key
        for one in read_ledger(lab.folder).steps.values()
        for key in one.counts
        if one.step.startswith("verify.")
    } == found


def test_rows_whose_results_cannot_be_had_are_looked_up_in_the_target(lab: Lab) -> None:
    plan = plan_of(*FIRST)
    lab.begin(plan, max_slice_rows=250)
    # round 1: both jobs of contacts are aborted; round 2: one again, and the other's results cannot be had
    lab.target.plant(JobFault(JobFaultKind.ABORT, sobject="Contact", times=3))
    lab.target.faults.append(
        Fault(
            kind=FaultKind.STATUS, method="GET", path=r".*/successfulResults.*", nth=4, code=404, body=b"[]"
        )
    )
    paused = lab.drive()
    assert paused.stop is not None
    assert paused.stop.code == "jobs-keep-failing"
    ended = lab.drive()
    assert ended.stop is None, ended.stop
    assert ended.exit_code is ExitCode.OK  # looked up in the target, where all of them are
    tallies = next(one.tallies for one in ended.summary.steps if one.step == "load.Contact")
    assert tallies == {Outcome.CREATED: CONTACTS}
    assert len(lab.target.truth.created("Contact")) == CONTACTS


def test_quarantined_rows_are_never_cut_again(lab: Lab) -> None:
    """Rows that waited in one round and whose fate is unknown since the next stay where they are when others are cut once more."""
    lab.begin(plan_of(*FIRST), max_slice_rows=250)
    # round 1: every row meets a lock and waits; round 2: some rows of both large jobs do again, and the results of one cannot be had
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Contact", times=5))
    lab.target.plant(JobFault(JobFaultKind.LOCK, sobject="Contact", times=2, after_rows=200))
    lab.target.faults.append(
        Fault(
            kind=FaultKind.STATUS, method="GET", path=r".*/successfulResults.*", nth=4, code=404, body=b"[]"
        )
    )
    held = lab.drive()
    assert held.stop is not None
    assert held.stop.code == "rows-quarantined"
    ended = lab.drive(accepted_by="somebody")
    assert ended.stop is None, ended.stop
    rounds = {one.round for one in read_ledger(lab.folder).slices if one.step == "load.Contact"}
    assert rounds == {1, 2, 3}
    tallies = next(one.tallies for one in ended.summary.steps if one.step == "load.Contact")
    assert sum(tallies.values()) == CONTACTS
    created = lab.target.truth.created("Contact")
    assert tallies[Outcome.CREATED] < len(created) <= CONTACTS


def test_one_record_for_two_rows_stops_the_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job's results are sound by themselves; that a record stands in two of them shows when all of the step is there."""
    told: list[bytes] = []

    def lying(org: SimulatedOrg) -> WSGIApplication:
        app = wsgi_app(org)

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ.pop("HTTP_ACCEPT_ENCODING", None)
            body = b"".join(app(environ, start_response))
            contacts = re.findall(rb'^"(003\w{15})"', body, re.MULTILINE)
            if contacts and "successfulResults" in environ["PATH_INFO"]:
                body = body.replace(contacts[-1], told[0]) if told else body
                told.append(contacts[0])
            return [body]

        return answer

    monkeypatch.setattr(orgs, "wsgi_app", lying)
    # rows of one job that are one record would be noticed in its results
    lab.begin(plan_of(*FIRST), max_slice_rows=250)
    result = lab.drive()
    assert len(told) > 1
    assert result.stop is not None
    assert result.stop.code == "target-ids-repeat"
    assert result.exit_code is ExitCode.REFUSED
    # and it stays so: nothing goes on upon such ground
    again = lab.drive()
    assert again.stop is not None
    assert again.stop.code == "target-ids-repeat"
