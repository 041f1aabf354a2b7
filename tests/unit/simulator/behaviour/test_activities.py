"""Campaign members, tasks, events, cases, leads and teams: what the platform does with them, by every API."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.schema.files import SchemaInvalid
from tests.unit.simulator.apis import APIS, Said, Sender

PEOPLE: dict[str, Any] = {
    "queues": {"Support": {"objects": ["Case", "Lead"]}},
    "assignment_rules": {"Case": {"owner": "Support"}, "Lead": {"owner": "Support", "active": False}},
}


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema(PEOPLE), clock=clock)


@pytest.fixture(params=APIS)
def send(org: Org, request: pytest.FixtureRequest) -> Sender:
    return Sender(org, request.param)


def insert(send: Sender, sobject: str, **values: Any) -> str:
    (said,) = send("insert", sobject, values)
    assert said.id, said
    return said.id


def cells(send: Sender, record_id: str, *names: str) -> list[str]:
    table = send.org.store.table_of_id(record_id)
    assert table is not None
    return [table.cell(table.seq_of(record_id), name) for name in names]


def test_people_are_members_once(send: Sender) -> None:
    campaign = insert(send, "Campaign", Name="c")
    contact = insert(send, "Contact", LastName="x")
    lead = insert(send, "Lead", LastName="x", Company="y")
    member = insert(send, "CampaignMember", CampaignId=campaign, ContactId=contact)
    assert send("insert", "CampaignMember", {"CampaignId": campaign, "ContactId": contact}) == [
        Said("", "DUPLICATE_VALUE", "Already a campaign member.")
    ]
    assert send("insert", "CampaignMember", {"CampaignId": campaign})[0].code == "REQUIRED_FIELD_MISSING"
    other = insert(send, "CampaignMember", CampaignId=campaign, LeadId=lead, Status="Responded")
    odd = insert(
        send, "CampaignMember", CampaignId=insert(send, "Campaign", Name="d"), LeadId=lead, Status="Nope"
    )
    names = ("Status", "HasResponded")
    assert [cells(send, each, *names) for each in (member, other, odd)] == [
        ["Sent", "false"],
        ["Responded", "true"],
        ["Sent", "false"],
    ]
    counts = ("NumberOfLeads", "NumberOfContacts", "NumberOfResponses")
    assert cells(send, campaign, *counts) == ["1", "1", "1"]
    send("update", "CampaignMember", {"Id": member, "Status": "Responded"})
    assert cells(send, campaign, *counts) == ["1", "1", "2"]
    assert cells(send, member, "FirstRespondedDate")[0]
    send("delete", "Lead", {"Id": lead})
    assert cells(send, campaign, *counts) == ["0", "1", "1"]


def test_campaigns_have_statuses_of_their_own(org: Org) -> None:
    send = Sender(org, "collections")
    campaign = insert(send, "Campaign", Name="c")
    insert(send, "CampaignMemberStatus", CampaignId=campaign, Label="Came", HasResponded=True)
    contact = insert(send, "Contact", LastName="x")
    member = insert(send, "CampaignMember", CampaignId=campaign, ContactId=contact, Status="Came")
    assert cells(send, member, "Status", "HasResponded") == ["Came", "true"]


def test_activities_belong_to_an_account(send: Sender) -> None:
    account = insert(send, "Account", Name="a")
    contact = insert(send, "Contact", LastName="x", AccountId=account)
    lead = insert(send, "Lead", LastName="x", Company="y")
    task = insert(send, "Task", Subject="s", WhoId=contact, Status="Completed")
    assert cells(send, task, "AccountId", "IsClosed") == [account, "true"]
    assert cells(send, task, "CompletedDateTime")[0]
    assert cells(send, insert(send, "Task", WhatId=account), "AccountId", "CompletedDateTime") == [
        account,
        "",
    ]
    assert send("insert", "Task", {"WhoId": lead, "WhatId": account})[0].code == "FIELD_INTEGRITY_EXCEPTION"
    send("update", "Task", {"Id": task, "Status": "Not Started", "WhoId": None})
    assert cells(send, task, "AccountId", "CompletedDateTime") == ["", ""]


def test_events_have_a_start_and_an_end(send: Sender) -> None:
    missing = send("insert", "Event", {"Subject": "s"})[0]
    assert missing.message == "Required fields are missing: [DurationInMinutes, ActivityDateTime]"
    event = insert(send, "Event", StartDateTime="2024-01-31T23:30:00Z", DurationInMinutes=60)
    names = ("ActivityDate", "ActivityDateTime", "EndDateTime", "EndDate")
    assert cells(send, event, *names) == [
        "2024-01-31",
        "2024-01-31T23:30:00.000Z",
        "2024-02-01T00:30:00.000Z",
        "2024-02-01",
    ]
    send("update", "Event", {"Id": event, "EndDateTime": "2024-01-31T23:45:00Z"})
    assert cells(send, event, "DurationInMinutes", "EndDate") == ["15", "2024-01-31"]
    whole = insert(send, "Event", IsAllDayEvent=True, ActivityDate="2024-01-31")
    assert cells(send, whole, "DurationInMinutes", "EndDate") == ["1440", "2024-01-31"]
    assert send("insert", "Event", {"EndDate": "2024-01-31", "Subject": "s"})[0].code == (
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    )


def test_cases_take_the_account_of_their_contact_and_note_their_end(send: Sender) -> None:
    account = insert(send, "Account", Name="a")
    contact = insert(send, "Contact", LastName="x", AccountId=account)
    case = insert(send, "Case", ContactId=contact)
    assert cells(send, case, "AccountId", "ClosedDate") == [account, ""]
    send("update", "Case", {"Id": case, "Status": "Closed"})
    assert cells(send, case, "ClosedDate")[0]
    send("update", "Case", {"Id": case, "Status": "New"})
    assert cells(send, case, "ClosedDate") == [""]
    assert send("insert", "Case", {"ClosedDate": "2024-01-01T00:00:00Z"})[0].code == (
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    )


def test_a_converted_lead_stays_as_it_is(send: Sender) -> None:
    lead = insert(send, "Lead", LastName="x", Company="y", IsConverted=True)
    assert send("update", "Lead", {"Id": lead, "Company": "z"}) == [
        Said("", "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    ]


def test_teams_have_a_user_once(send: Sender) -> None:
    account = insert(send, "Account", Name="a")
    member = {"AccountId": account, "UserId": send.org.user_id, "TeamMemberRole": "Sales Rep"}
    insert(send, "AccountTeamMember", **member)
    assert send("insert", "AccountTeamMember", member)[0].code == "DUPLICATE_VALUE"
    case = insert(send, "Case", Subject="s")
    insert(send, "CaseComment", ParentId=case, CommentBody="c")
    send("delete", "Case", {"Id": case})
    assert len(send.org.store.table("CaseComment")) == 0


@pytest.mark.parametrize("api", ["rest", "collections"])
def test_the_active_assignment_rule_gives_new_cases_away_unless_told_not_to(org: Org, api: str) -> None:
    queues = org.store.table("Group")
    queue = queues.id_of(queues.find("DeveloperName", "Support")[0])
    assigned = Sender(org, api)
    case = insert(assigned, "Case", Subject="s", OwnerId=org.user_id)
    assert cells(assigned, case, "OwnerId") == [queue]
    assigned("update", "Case", {"Id": case, "OwnerId": org.user_id})
    assert cells(assigned, case, "OwnerId") == [org.user_id]
    assert cells(assigned, insert(assigned, "Lead", LastName="x", Company="y"), "OwnerId") == [org.user_id]
    plain = Sender(org, api, {"Sforce-Auto-Assign": "FALSE"})
    assert cells(plain, insert(plain, "Case", Subject="s"), "OwnerId") == [org.user_id]
    table = org.store.table("AssignmentRule")
    rule = table.id_of(table.find("SobjectType", "Lead")[0])  # a rule by its id need not be active
    by_rule = Sender(org, api, {"Sforce-Auto-Assign": rule})
    assert cells(by_rule, insert(by_rule, "Lead", LastName="x", Company="y"), "OwnerId") == [queue]


def test_bulk_jobs_name_their_assignment_rule(org: Org) -> None:
    table = org.store.table("AssignmentRule")
    rule = table.id_of(table.find("SobjectType", "Case")[0])
    send = Sender(org, "rest")
    chosen: list[tuple[dict[str, str], bool]] = [({}, True), ({"assignmentRuleId": rule}, False)]
    for more, owned in chosen:
        job = send.ask("POST", "/jobs/ingest", {"object": "Case", "operation": "insert", **more}).json()["id"]
        send.ask("PUT", f"/jobs/ingest/{job}/batches", b"Subject\ns\n", "text/csv")
        send.ask("PATCH", f"/jobs/ingest/{job}", {"state": "UploadComplete"})
        while org.advance(org.now()):
            pass
        cases = org.store.table("Case")
        assert (cases.cell(cases.next_seq - 1, "OwnerId") == org.user_id) is owned


@pytest.mark.parametrize(
    "given", [{"Case": {}}, {"Account": {"owner": "x"}}, {"Case": {"owner": "x", "who": "y"}}]
)
def test_assignment_rules_that_cannot_be(given: Any) -> None:
    with pytest.raises(SchemaInvalid):
        load_schema({"assignment_rules": given})
