"""The recycle bin: deleted, undeleted with what went along, emptied, purged; and merges, which delete as well."""

import re
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.http import Headers, Request
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.truth import Change
from migrator.simulator.savepoint import Savepoint
from tests.unit.simulator.apis import APIS, Said, Sender
from tests.unit.simulator.conftest import SCHEMA


@pytest.fixture
def send(org: Org) -> Sender:
    return Sender(org, "collections")


def soap(send: Sender, operation: str, inside: str) -> str:
    session = f"<SessionHeader><sessionId>{send.token}</sessionId></SessionHeader>"
    body = (
        '<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com">'
        f"<se:Header>{session}</se:Header><se:Body><{operation}>{inside}</{operation}></se:Body></se:Envelope>"
    )
    headers = Headers({"Content-Type": "text/xml"})
    done = send.org.handle(Request("POST", "/services/Soap/u/60.0", {}, headers, body.encode()))
    return done.read().decode()


def undelete(send: Sender, *ids: str) -> list[str]:
    said = soap(send, "undelete", "".join(f"<ids>{each}</ids>" for each in ids))
    return re.findall(r"<statusCode>(\w+)|<success>(?:true)", said)


def count(send: Sender, sobject: str, resource: str = "query") -> int:
    found = send.ask("GET", f"/{resource}?q=SELECT COUNT() FROM {sobject}").json()
    return int(found["totalSize"])


def insert(send: Sender, sobject: str, **values: Any) -> str:
    (said,) = send("insert", sobject, values)
    assert said.id, said
    return said.id


@pytest.mark.parametrize("api", APIS)
def test_deleted_records_are_seen_by_query_all_and_refused_by_everything_else(org: Org, api: str) -> None:
    send = Sender(org, api)
    made = insert(send, "Account", Name="a")
    send("delete", "Account", {"Id": made})
    assert (count(send, "Account"), count(send, "Account", "queryAll")) == (0, 1)
    gone = Said("", "ENTITY_IS_DELETED", "entity is deleted")
    assert send("delete", "Account", {"Id": made}) == [gone]
    assert send("update", "Account", {"Id": made, "Name": "b"}) == [gone]
    assert send("insert", "Contact", {"LastName": "x", "AccountId": made})[0].code == "ENTITY_IS_DELETED"


def test_what_went_together_comes_back_together(org: Org, send: Sender) -> None:
    account = insert(send, "Account", Name="a")
    other = insert(send, "Account", Name="child", ParentId=account)
    contact = insert(send, "Contact", LastName="x", AccountId=account)
    lonely = insert(send, "Contact", LastName="y", AccountId=account)
    send("delete", "Contact", {"Id": lonely})
    send("delete", "Account", {"Id": account})
    accounts = org.store.table("Account")
    assert accounts.cell(accounts.seq_of(other), "ParentId") == ""
    assert count(send, "Contact") == 0
    assert undelete(send, account) == [""]
    assert accounts.cell(accounts.seq_of(other), "ParentId") == account
    listed = send.ask("GET", "/query?q=SELECT Id FROM Contact").json()["records"]
    assert [each["Id"] for each in listed] == [contact]  # the other one was deleted by itself
    assert org.truth.count("Account", Change.UNDELETED) == 1
    assert org.truth.count("Contact", Change.UNDELETED) == 1


def test_what_cannot_come_back(org: Org, send: Sender) -> None:
    here = insert(send, "Account", Name="a")
    assert undelete(send, here) == ["UNDELETE_FAILED"]
    assert "Entity is not in the recycle bin" in soap(send, "undelete", f"<ids>{here}</ids>")
    first = insert(send, "Account", Name="a", Legacy_Id__c="L")
    send("delete", "Account", {"Id": first})
    insert(send, "Account", Name="b", Legacy_Id__c="L")
    assert undelete(send, first) == ["DUPLICATE_VALUE"]
    airport = insert(send, "Airport__c", Name="Bern", Code__c="BRN")
    gate = insert(send, "Gate__c", Airport__c=airport)
    send("delete", "Gate__c", {"Id": gate})
    send("delete", "Airport__c", {"Id": airport})
    assert undelete(send, gate) == ["UNDELETE_FAILED"]
    assert undelete(send, airport, gate) == ["", ""]


def test_a_lookup_to_what_went_meanwhile_comes_back_empty(org: Org, send: Sender) -> None:
    parent = insert(send, "Account", Name="a")
    child = insert(send, "Account", Name="b", ParentId=parent)
    send("delete", "Account", {"Id": child})
    send("delete", "Account", {"Id": parent})
    assert undelete(send, child) == [""]
    table = org.store.table("Account")
    assert table.cell(table.seq_of(child), "ParentId") == ""


def test_emptied_and_hard_deleted_records_are_gone(org: Org, send: Sender) -> None:
    account = insert(send, "Account", Name="a")
    insert(send, "Contact", LastName="x", AccountId=account)
    send("delete", "Account", {"Id": account})
    assert "<success>true</success>" in soap(send, "emptyRecycleBin", f"<ids>{account}</ids>")
    assert (count(send, "Account", "queryAll"), count(send, "Contact", "queryAll")) == (0, 0)
    assert undelete(send, account) == ["UNDELETE_FAILED"]
    assert send.ask("GET", f"/sobjects/Account/{account}").status == 404
    assert send("delete", "Account", {"Id": account})[0].code == "INVALID_CROSS_REFERENCE_KEY"
    assert org.truth.count("Contact", Change.PURGED) == 1


def test_the_bin_empties_itself_after_fifteen_days(clock: VirtualClock) -> None:
    org = Org(load_schema(SCHEMA), clock=clock)
    send = Sender(org, "collections")
    first = insert(send, "Account", Name="a")
    send("delete", "Account", {"Id": first})
    clock.wait(10 * 86_400)
    send.token = org.issue_token()
    second = insert(send, "Account", Name="b")
    send("delete", "Account", {"Id": second})
    clock.wait(6 * 86_400)
    send.token = org.issue_token()
    assert count(send, "Account", "queryAll") == 1
    assert undelete(send, first, second) == ["UNDELETE_FAILED", ""]


def test_what_has_no_recycle_bin_is_purged_at_once(send: Sender) -> None:
    group = insert(send, "Group", Name="g", DeveloperName="g", Type="Regular")
    member = insert(send, "GroupMember", GroupId=group, UserOrGroupId=send.org.user_id)
    send("delete", "GroupMember", {"Id": member})
    assert undelete(send, member) == ["UNDELETE_FAILED"]
    assert send.org.truth.count("GroupMember", Change.PURGED) == 1


@pytest.mark.parametrize("operation", ["delete", "hardDelete"])
def test_a_deletion_that_is_taken_back_leaves_no_trace(org: Org, send: Sender, operation: str) -> None:
    account = insert(send, "Account", Name="a")
    contact = insert(send, "Contact", LastName="x", AccountId=account)
    sobject = org.schema.sobject("Account")
    assert sobject is not None
    compiled = org.dml.compile(sobject, ["Id"], Operation(operation))
    events = len(org.truth)
    with Savepoint(org) as savepoint:
        done = org.dml.execute(compiled, [[account]], Context(org.user_id, org.now()))
        assert done[0].success
        savepoint.rollback()
    assert len(org.truth) == events
    assert (count(send, "Account"), count(send, "Contact")) == (1, 1)
    send("delete", "Contact", {"Id": contact})
    send("delete", "Account", {"Id": account})
    assert undelete(send, account) == [""]
    assert count(send, "Contact") == 0  # nothing remembered of the deletion that was not


def test_merged_records_name_their_master(org: Org, send: Sender) -> None:
    master, other = insert(send, "Account", Name="m"), insert(send, "Account", Name="o")
    contact = insert(send, "Contact", LastName="x", AccountId=other)
    said = soap(
        send,
        "merge",
        f"<request><masterRecord><type>Account</type><Id>{master}</Id><Name>both</Name></masterRecord>"
        f"<recordToMergeIds>{other}</recordToMergeIds></request>",
    )
    assert f"<updatedRelatedIds>{contact}</updatedRelatedIds>" in said
    soql = "SELECT Id, Name, IsDeleted, MasterRecordId FROM Account ORDER BY Name"
    rows = send.ask("GET", f"/queryAll?q={soql}").json()["records"]
    assert [(each["Name"], each["IsDeleted"], each["MasterRecordId"]) for each in rows] == [
        ("both", False, None),
        ("o", True, master),
    ]
    moved = send.ask("GET", f"/query?q=SELECT AccountId FROM Contact WHERE Id = '{contact}'")
    assert moved.json()["records"][0]["AccountId"] == master
    again = soap(
        send,
        "merge",
        f"<request><masterRecord><type>Account</type><Id>{master}</Id></masterRecord>"
        f"<recordToMergeIds>{other}</recordToMergeIds></request>",
    )
    assert "ENTITY_IS_DELETED" in again
    opportunity = insert(send, "Opportunity", Name="o", StageName="Prospecting", CloseDate="2024-01-01")
    refused = soap(
        send,
        "merge",
        f"<request><masterRecord><type>Opportunity</type><Id>{opportunity}</Id></masterRecord>"
        f"<recordToMergeIds>{opportunity}</recordToMergeIds></request>",
    )
    assert "INVALID_OPERATION" in refused
