"""plans/crm-cutover.yaml, as `make demo` runs it, on a smaller company; what arrived is judged past all APIs."""

from collections import Counter
from pathlib import Path

import pytest

from migrator.cli.demo_data import write_legacy, write_merged
from migrator.clock import VirtualClock
from migrator.errors import ExitCode
from migrator.executor import Goal, Result
from migrator.model.run import Outcome, RunStatus
from migrator.report import render_html, render_json
from migrator.resources import resource
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import load_csv_folder
from tests.scenarios.lab import Record, Scenario, outcomes, records, simulated

SCALE = 0.05
FALLBACK = "migration@acme.example.merged"
INDUSTRY = {"Tech": "Technology", "Gov": "Government"}
TIER = {"1": "Gold", "2": "Silver", "3": "Bronze", "": ""}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Result, Result]:
    """The scenario after its run and its verification."""
    folder = tmp_path_factory.mktemp("crm")
    clock = VirtualClock()
    source = simulated("legacy", "00D000000000001EAA", clock)
    target = simulated("merged", "00D000000000002EAA", clock)
    write_legacy(folder / "legacy", scale=SCALE)
    write_merged(folder / "merged", scale=SCALE)
    load_csv_folder(source, folder / "legacy")
    load_csv_folder(target, folder / "merged")
    scenario = Scenario(
        resource("plans", "crm-cutover.yaml"), folder / "run", clock, target, "merged", source, "legacy"
    )
    scenario.begin()
    return scenario, scenario.drive(), scenario.drive(Goal.VERIFY)


Moved = tuple[Scenario, Result, Result]


def _source(moved: Moved, sobject: str, *fields: str) -> dict[str, Record]:
    org = moved[0].source
    assert org is not None
    return {one["Id"]: one for one in records(org, sobject, *fields)}


def _target(moved: Moved, sobject: str, *fields: str) -> dict[str, Record]:
    """The target's records by the id of the source record that each was made from."""
    found = records(moved[0].target, sobject, "Legacy_Id__c", *fields)
    by_legacy = {one["Legacy_Id__c"]: one for one in found}
    assert len(by_legacy) == len(found)
    return by_legacy


def _legacy_ids(moved: Moved, sobject: str) -> dict[str, str]:
    """The source record's id by the target record's."""
    return {one["Id"]: legacy for legacy, one in _target(moved, sobject).items()} | {"": ""}


def _owners(moved: Moved) -> tuple[dict[str, str], dict[str, str]]:
    """Whom records of each source owner should belong to, and the names behind the target's ids."""
    there = {one["Username"] for one in records(moved[0].target, "User", "Username")}
    expected = {
        key: name if (name := f"{one['Username']}.merged") in there else FALLBACK
        for key, one in _source(moved, "User", "Username").items()
    }
    expected |= {key: one["DeveloperName"] for key, one in _source(moved, "Group", "DeveloperName").items()}
    names = {one["Id"]: one["Username"] for one in records(moved[0].target, "User", "Username")}
    names |= {one["Id"]: one["DeveloperName"] for one in records(moved[0].target, "Group", "DeveloperName")}
    return expected, names


def test_the_run_is_complete_and_verified(moved: Moved) -> None:
    scenario, loaded, verified = moved
    assert loaded.stop is None
    assert loaded.exit_code is ExitCode.OK, outcomes(loaded)
    assert loaded.summary.run.status is RunStatus.COMPLETE
    assert verified.exit_code is ExitCode.OK, verified.summary.verification
    assert scenario.findings == []
    for step in loaded.summary.steps:
        assert step.balanced
        assert step.unsuccessful == 0


def test_no_record_was_made_twice_or_by_anybody_else(moved: Moved) -> None:
    scenario, loaded, _ = moved
    for step in loaded.summary.steps:
        if step.step.startswith("load."):
            there = len(records(scenario.target, step.sobject))
            assert step.tallies[Outcome.CREATED] == there
            assert len(scenario.target.truth.created(step.sobject)) == there


def test_accounts_keep_their_values_owners_and_hierarchy(moved: Moved) -> None:
    fields = ("Name", "BillingStreet", "Description", "AnnualRevenue", "Credit_Limit__c")
    every = _source(
        moved, "Account", *fields, "Industry", "Tier__c", "Is_Test__c", "ParentId", "OwnerId", "Website"
    )
    real = {key: one for key, one in every.items() if one["Is_Test__c"] == "false"}
    arrived = _target(moved, "Account", *fields, "Industry", "Tier__c", "ParentId", "OwnerId", "Website")
    assert 0 < len(real) < len(every)
    assert arrived.keys() == real.keys()
    legacy, (owners, names) = _legacy_ids(moved, "Account"), _owners(moved)
    parents = 0
    for key, one in real.items():
        other = arrived[key]
        assert [other[name] for name in fields] == [one[name] for name in fields]
        assert other["Industry"] == INDUSTRY.get(one["Industry"], one["Industry"])
        assert other["Tier__c"] == TIER[one["Tier__c"]]
        assert other["Website"] == one["Website"].lower()
        assert legacy[other["ParentId"]] == one["ParentId"]
        assert names[other["OwnerId"]] == owners[one["OwnerId"]]
        parents += bool(one["ParentId"])
    assert parents > 20
    assert FALLBACK in {names[one["OwnerId"]] for one in arrived.values()}


def _record_type_names(org: SimulatedOrg) -> dict[str, str]:
    return {one["Id"]: one["DeveloperName"] for one in records(org, "RecordType", "DeveloperName")}


def test_record_types_are_the_targets_own(moved: Moved) -> None:
    scenario = moved[0]
    assert scenario.source is not None
    here, there = _record_type_names(scenario.source), _record_type_names(scenario.target)
    assert here.keys().isdisjoint(there)
    source = _source(moved, "Account", "RecordTypeId")
    for key, other in _target(moved, "Account", "RecordTypeId").items():
        assert there[other["RecordTypeId"]] == here[source[key]["RecordTypeId"]]


def test_contacts_of_test_accounts_stay_behind(moved: Moved) -> None:
    accounts = _target(moved, "Account")
    every = _source(moved, "Contact", "AccountId", "LastName", "ReportsToId", "Description", "Opted_Out__c")
    follows = {key: one for key, one in every.items() if one["AccountId"] in accounts}
    arrived = _target(moved, "Contact", "AccountId", "LastName", "ReportsToId", "Description", "Opted_Out__c")
    assert arrived.keys() == follows.keys()
    assert outcomes(moved[1])["load.Contact"] == {
        Outcome.CREATED: len(follows),
        Outcome.SKIPPED: len(every) - len(follows),
    }
    account_ids, contact_ids = _legacy_ids(moved, "Account"), _legacy_ids(moved, "Contact")
    for key, one in follows.items():
        other = arrived[key]
        assert account_ids[other["AccountId"]] == one["AccountId"]
        assert contact_ids[other["ReportsToId"]] == one["ReportsToId"]
        for name in ("LastName", "Description", "Opted_Out__c"):
            assert other[name] == one[name]


def test_contact_roles_need_both_parents(moved: Moved) -> None:
    deals, people = _legacy_ids(moved, "Opportunity"), _legacy_ids(moved, "Contact")
    sent = Counter(
        (one["OpportunityId"], one["ContactId"], one["Role"])
        for one in _source(moved, "OpportunityContactRole", "OpportunityId", "ContactId", "Role").values()
        if one["OpportunityId"] in set(deals.values()) and one["ContactId"] in set(people.values())
    )
    target = moved[0].target
    arrived = Counter(
        (deals[one["OpportunityId"]], people[one["ContactId"]], one["Role"])
        for one in records(target, "OpportunityContactRole", "OpportunityId", "ContactId", "Role")
    )
    assert arrived == sent


def test_cases_belong_to_people_and_queues(moved: Moved) -> None:
    owners, names = _owners(moved)
    source = _source(moved, "Case", "OwnerId", "CaseNumber", "ParentId", "Subject", "SuppliedEmail")
    arrived = _target(moved, "Case", "OwnerId", "Legacy_Number__c", "ParentId", "Subject", "SuppliedEmail")
    legacy = _legacy_ids(moved, "Case")
    for key, other in arrived.items():
        one = source[key]
        assert names[other["OwnerId"]] == owners[one["OwnerId"]]
        assert other["Legacy_Number__c"] == one["CaseNumber"]
        assert legacy[other["ParentId"]] == one["ParentId"]
        assert other["Subject"] == one["Subject"]
        assert "@" in other["SuppliedEmail"]
        assert other["SuppliedEmail"] != one["SuppliedEmail"]
    kinds = {one["OwnerId"][:3] for one in arrived.values()}
    assert kinds == {"005", "00G"}


def test_tasks_are_about_the_same_things(moved: Moved) -> None:
    about = {"": ""}
    for sobject in ("Account", "Opportunity", "Case", "Contact"):
        about |= _legacy_ids(moved, sobject)
    there = set(about.values())
    fields = ("Subject", "Status", "Priority", "ActivityDate", "Description")
    sent = Counter(
        (one["WhatId"], one["WhoId"] if one["WhoId"] in there else "", *(one[name] for name in fields))
        for one in _source(moved, "Task", "WhatId", "WhoId", *fields).values()
        if one["WhatId"] in there
    )
    arrived = Counter(
        (about[one["WhatId"]], about[one["WhoId"]], *(one[name] for name in fields))
        for one in records(moved[0].target, "Task", "WhatId", "WhoId", *fields)
    )
    assert arrived == sent
    assert {key[0][:3] for key in arrived} == {"001", "006", "500"}


def test_the_cycle_is_closed(moved: Moved) -> None:
    projects = _source(moved, "Project__c", "Current_Milestone__c", "Budget__c", "Account__c")
    milestones = _source(moved, "Milestone__c", "Project__c", "Due__c")
    engagements = _target(moved, "Engagement__c", "Current_Milestone__c", "Budget__c", "Account__c")
    steps = _target(moved, "Milestone__c", "Engagement__c", "Due__c")
    project_ids, step_ids = _legacy_ids(moved, "Engagement__c"), _legacy_ids(moved, "Milestone__c")
    assert steps.keys() == {key for key, one in milestones.items() if one["Project__c"] in engagements}
    closed = 0
    for key, other in engagements.items():
        assert step_ids[other["Current_Milestone__c"]] == projects[key]["Current_Milestone__c"]
        assert other["Budget__c"] == projects[key]["Budget__c"]
        closed += bool(other["Current_Milestone__c"])
    for key, other in steps.items():
        assert project_ids[other["Engagement__c"]] == milestones[key]["Project__c"]
        assert other["Due__c"] == milestones[key]["Due__c"]
    assert closed > 20


def test_the_report_says_so(moved: Moved, tmp_path: Path) -> None:
    summary = moved[2].summary
    report = render_json(summary, made=moved[0].clock.now())
    assert report["verdict"]["code"] == "verified"
    assert report["totals"]["rows"] == sum(
        one.total or 0 for one in summary.steps if one.step.startswith("load.")
    )
    assert f"{report['totals']['rows']:,}" in render_html(summary, made=moved[0].clock.now())
