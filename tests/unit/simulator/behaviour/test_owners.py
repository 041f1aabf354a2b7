"""Owners and users: who may own what, and which users there may be, by every API."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.schema.custom import custom_object
from tests.unit.simulator.apis import APIS, Said, Sender

PEOPLE: dict[str, Any] = {
    "objects": {"Trip__c": {"fields": {"Legacy__c": {"type": "text", "unique": True, "external_id": True}}}},
    "users": {"gone@example.com": {"active": False}, "here@example.com": {}},
    "queues": {"Support": {"objects": ["Case"], "members": ["here@example.com"]}},
}


def make(clock: VirtualClock, **settings: Any) -> Org:
    return Org(load_schema(PEOPLE), OrgSettings(**settings), clock)


def record_id(org: Org, sobject: str, field: str, value: str) -> str:
    table = org.store.table(sobject)
    (seq,) = table.find(field, value)
    return table.id_of(seq)


@pytest.mark.parametrize("api", APIS)
def test_inactive_users_own_nothing_new(clock: VirtualClock, api: str) -> None:
    org = make(clock)
    send = Sender(org, api)
    gone, here = (record_id(org, "User", "Username", f"{name}@example.com") for name in ("gone", "here"))
    wrong = Said(
        "", "INACTIVE_OWNER_OR_USER", f"operation performed with inactive user [{gone[:15]}] as owner of case"
    )
    made = send("insert", "Case", {"Subject": "a", "OwnerId": gone}, {"Subject": "b", "OwnerId": here})
    assert made[0] == wrong
    assert made[1].id
    assert send("update", "Case", {"Id": made[1].id, "OwnerId": gone}) == [wrong]


@pytest.mark.parametrize("api", APIS)
def test_who_owned_a_record_before_may_stay(clock: VirtualClock, api: str) -> None:
    org = make(clock)
    send = Sender(org, api)
    here = record_id(org, "User", "Username", "here@example.com")
    (made,) = send("insert", "Account", {"Name": "a", "OwnerId": here})
    org.store.table("User").update(org.store.table("User").seq_of(here), {"IsActive": "false"})
    (said,) = send("update", "Account", {"Id": made.id, "Name": "b", "OwnerId": here})
    assert said.id
    assert send("insert", "Account", {"Name": "a", "OwnerId": here})[0].code == "INACTIVE_OWNER_OR_USER"


def test_the_permission_for_inactive_owners_counts_for_some_objects(clock: VirtualClock) -> None:
    org = make(clock, audit_fields=True)
    send = Sender(org, "collections")
    gone = record_id(org, "User", "Username", "gone@example.com")
    assert send("insert", "Account", {"Name": "a", "OwnerId": gone})[0].id
    assert send("insert", "Trip__c", {"OwnerId": gone})[0].id
    assert send("insert", "Campaign", {"Name": "a", "OwnerId": gone})[0].code == "INACTIVE_OWNER_OR_USER"


@pytest.mark.parametrize("api", APIS)
def test_queues_own_what_they_take(clock: VirtualClock, api: str) -> None:
    org = make(clock)
    send = Sender(org, api)
    queue = record_id(org, "Group", "DeveloperName", "Support")
    assert send("insert", "Case", {"Subject": "a", "OwnerId": queue})[0].id
    assert send("insert", "Lead", {"LastName": "a", "Company": "b", "OwnerId": queue}) == [
        Said("", "INVALID_OPERATION", "Queue not associated with this SObject type", ("OwnerId",))
    ]
    assert send("insert", "Account", {"Name": "a", "OwnerId": queue})[0].code == "FIELD_INTEGRITY_EXCEPTION"
    send("insert", "QueueSobject", {"QueueId": queue, "SobjectType": "Lead"})
    assert send("insert", "Lead", {"LastName": "a", "Company": "b", "OwnerId": queue})[0].id


def test_objects_that_are_added_later_have_owners_too(clock: VirtualClock) -> None:
    org = make(clock)
    org.change(custom_object("Late__c", {}, 50))
    gone = record_id(org, "User", "Username", "gone@example.com")
    said = Sender(org, "collections")("insert", "Late__c", {"OwnerId": gone})
    assert said[0].code == "INACTIVE_OWNER_OR_USER"


def user(org: Org, name: str, **more: str) -> dict[str, str]:
    return {
        "Username": f"{name}@example.com",
        "LastName": name,
        "Email": f"{name}@example.com",
        "Alias": name[:8],
        "ProfileId": record_id(org, "Profile", "Name", "Standard User"),
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
    } | more


@pytest.mark.parametrize("api", APIS)
def test_usernames_and_nicknames_are_unique(clock: VirtualClock, api: str) -> None:
    org = make(clock)
    send = Sender(org, api)
    first, second = send("insert", "User", user(org, "anna"), user(org, "berta", CommunityNickname="bee"))
    assert first.id
    assert second.id
    again = send("insert", "User", user(org, "ANNA"))[0]
    assert (again.code, again.fields) == ("DUPLICATE_USERNAME", ("Username",))
    taken = send("insert", "User", user(org, "carla", CommunityNickname="Bee"))[0]
    assert (taken.code, taken.fields) == ("DUPLICATE_COMM_NICKNAME", ("CommunityNickname",))
    assert len(org.store.table("UserLogin")) == len(org.store.table("User"))


def test_active_users_need_a_licence(clock: VirtualClock) -> None:
    org = make(clock, user_licenses=3)  # the integration user and `here` have two of them
    send = Sender(org, "collections")
    first, second, third = send(
        "insert", "User", user(org, "anna"), user(org, "berta"), user(org, "carla", IsActive="false")
    )
    assert first.id
    assert second == Said("", "LICENSE_LIMIT_EXCEEDED", "license limit exceeded")
    assert send("update", "User", {"Id": third.id, "IsActive": True})[0].code == "LICENSE_LIMIT_EXCEEDED"
    send("update", "User", {"Id": first.id, "IsActive": False})
    assert send("update", "User", {"Id": third.id, "IsActive": True})[0].id
