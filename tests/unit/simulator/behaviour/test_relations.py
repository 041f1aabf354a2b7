"""Records that come with others, by every API: relations of contacts, roles in opportunities, statuses of campaigns."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.records.truth import Change
from tests.unit.simulator.apis import APIS, Sender


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema({"contacts_to_multiple_accounts": True}), clock=clock)


def insert(send: Sender, sobject: str, **values: Any) -> str:
    (said,) = send("insert", sobject, values)
    assert said.id, said
    return said.id


def rows(send: Sender, soql: str) -> list[tuple[Any, ...]]:
    found = send.ask("GET", f"/query?q={soql}").json()["records"]
    return [tuple(value for name, value in each.items() if name != "attributes") for each in found]


RELATIONS = "SELECT AccountId, ContactId, IsDirect FROM AccountContactRelation ORDER BY Id"


@pytest.mark.parametrize("api", APIS)
def test_contacts_have_a_direct_relation_to_their_account(org: Org, api: str) -> None:
    send = Sender(org, api)
    first, second = insert(send, "Account", Name="a"), insert(send, "Account", Name="b")
    private = insert(send, "Contact", LastName="p")
    contact = insert(send, "Contact", LastName="c", AccountId=first)
    assert rows(send, RELATIONS) == [(first, contact, True)]
    assert len(org.truth.created("AccountContactRelation")) == 1
    insert(send, "AccountContactRelation", AccountId=second, ContactId=contact)
    again = send("insert", "AccountContactRelation", {"AccountId": second, "ContactId": contact})
    assert again[0].code == "DUPLICATE_VALUE"
    refused = send("insert", "AccountContactRelation", {"AccountId": second, "ContactId": private})
    assert refused[0].code == "FIELD_INTEGRITY_EXCEPTION"
    given = send(
        "insert", "AccountContactRelation", {"AccountId": first, "ContactId": contact, "IsDirect": True}
    )
    assert given[0].code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    send("update", "Contact", {"Id": contact, "AccountId": second})
    assert rows(send, RELATIONS) == [(second, contact, True)]
    third = insert(send, "Account", Name="c")
    send("update", "Contact", {"Id": contact, "AccountId": third})
    assert rows(send, RELATIONS) == [(third, contact, True)]


def test_a_direct_relation_goes_with_its_contact_only(org: Org) -> None:
    send = Sender(org, "collections")
    account = insert(send, "Account", Name="a")
    contact = insert(send, "Contact", LastName="c", AccountId=account)
    (relation,) = org.truth.created("AccountContactRelation")
    assert (
        send("delete", "AccountContactRelation", {"Id": relation})[0].code
        == "INSUFFICIENT_ACCESS_OR_READONLY"
    )
    send("delete", "Contact", {"Id": contact})
    assert rows(send, RELATIONS) == []


def test_relations_are_taken_back_with_their_contact(org: Org) -> None:
    send = Sender(org, "collections")
    account = insert(send, "Account", Name="a")
    body = {
        "allOrNone": True,
        "records": [
            {"attributes": {"type": "Contact"}, "LastName": "c", "AccountId": account},
            {"attributes": {"type": "Contact"}},
        ],
    }
    assert [each["success"] for each in send.ask("POST", "/composite/sobjects", body).json()] == [
        False,
        False,
    ]
    assert rows(send, RELATIONS) == []
    assert org.truth.created("AccountContactRelation") == []


def test_without_the_feature_there_is_no_such_object(clock: VirtualClock) -> None:
    send = Sender(Org(load_schema(), clock=clock), "rest")
    assert send.ask("GET", "/sobjects/AccountContactRelation/describe").status == 404


@pytest.mark.parametrize("api", APIS)
def test_the_contact_of_a_new_opportunity_is_its_primary_one(org: Org, api: str) -> None:
    send = Sender(org, api)
    first, second = insert(send, "Contact", LastName="c"), insert(send, "Contact", LastName="d")
    deal = insert(
        send, "Opportunity", Name="o", StageName="Prospecting", CloseDate="2024-01-01", ContactId=first
    )
    soql = "SELECT ContactId, IsPrimary FROM OpportunityContactRole ORDER BY Id"
    assert rows(send, soql) == [(first, True)]
    role = insert(send, "OpportunityContactRole", OpportunityId=deal, ContactId=second, IsPrimary=True)
    assert rows(send, soql) == [(first, False), (second, True)]
    contact = "SELECT ContactId FROM Opportunity"
    assert rows(send, contact) == [(second,)]
    send("delete", "OpportunityContactRole", {"Id": role})
    assert rows(send, contact) == [(None,)]


@pytest.mark.parametrize("api", APIS)
def test_campaigns_begin_with_two_statuses(org: Org, api: str) -> None:
    send = Sender(org, api)
    campaign = insert(send, "Campaign", Name="c")
    soql = "SELECT CampaignId, Label, IsDefault, HasResponded FROM CampaignMemberStatus ORDER BY SortOrder"
    assert rows(send, soql) == [(campaign, "Sent", True, False), (campaign, "Responded", False, True)]
    send("delete", "Campaign", {"Id": campaign})
    assert rows(send, soql) == []
    assert org.truth.count("CampaignMemberStatus", Change.DELETED) == 2
