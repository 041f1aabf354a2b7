"""Auto numbers, audit fields, keys with their case and blanks, external ids of several records, hierarchies without circles."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.records.autonumber import auto_number
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.savepoint import Savepoint
from tests.unit.simulator.apis import APIS, Said, Sender

MOMENT = 1_709_210_096.0  # 29 February 2024, 12:34:56
SCHEMA: dict[str, Any] = {
    "objects": {
        "Account": {"fields": {"Legacy__c": {"type": "text", "length": 10, "external_id": True}}},
        "Item__c": {
            "name_field": {"type": "auto_number", "format": "I-{YYYY}-{0000}"},
            "fields": {
                "Loose__c": {"type": "text", "length": 10, "unique": True, "external_id": True},
                "Strict__c": {"type": "text", "length": 10, "unique": True, "case_sensitive": True},
                "Mail__c": {"type": "email"},
                "Long__c": {"type": "long_text"},
                "Serial__c": {"type": "auto_number", "format": "{YY}{MM}{DD}/{000}", "start": 40},
            },
        },
    }
}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MOMENT)


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), clock)


def cells(org: Org, name: str, sobject: str = "Item__c") -> list[str]:
    table = org.store.table(sobject)
    return [table.cell(seq, name) for seq in table.scan()]


def test_auto_numbers_have_numbers_and_dates() -> None:
    assert auto_number("A-{YY}/{MM}/{DD}-{0}", 12, MOMENT) == "A-24/02/29-12"
    assert auto_number("{00}", 123, MOMENT) == "123"


@pytest.mark.parametrize("api", APIS)
def test_auto_numbers_count_and_are_not_given(org: Org, api: str) -> None:
    send = Sender(org, api)
    send("insert", "Item__c", {"Loose__c": "a"}, {"Loose__c": "b"})
    with Savepoint(org) as savepoint:
        send("insert", "Item__c", {"Loose__c": "c"})
        savepoint.rollback()
    send("insert", "Item__c", {"Loose__c": "d"})
    assert cells(org, "Name") == ["I-2024-0001", "I-2024-0002", "I-2024-0004"]
    assert cells(org, "Serial__c") == ["240229/040", "240229/041", "240229/043"]
    refused = send("insert", "Item__c", {"Serial__c": "1"})[0]
    assert (refused.code, refused.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ("Serial__c",))


def test_auto_numbers_follow_those_of_seed_data(org: Org) -> None:
    item = org.schema.sobject("Item__c")
    assert item is not None
    compiled = org.dml.compile(item, ["Name", "Serial__c"], Operation.INSERT, trusted=True)
    rows = [["I-2020-0107", "x"], ["I-2023-0020", ""]]
    org.dml.execute(compiled, rows, Context(org.user_id, org.now()))
    Sender(org, "rest")("insert", "Item__c", {})
    assert cells(org, "Name") == ["I-2020-0107", "I-2023-0020", "I-2024-0108"]
    assert cells(org, "Serial__c") == ["x", "240229/041", "240229/042"]


@pytest.mark.parametrize("api", APIS)
def test_unique_keys_by_case_and_without_blanks_around(org: Org, api: str) -> None:
    send = Sender(org, api)
    (first,) = send("insert", "Item__c", {"Loose__c": " Key ", "Strict__c": "Key"})
    said = send(
        "insert",
        "Item__c",
        {"Loose__c": "kEY"},
        {"Strict__c": "Key "},
        {"Strict__c": "kEY"},
        {"Loose__c": "  "},
    )
    assert [each.code for each in said] == ["DUPLICATE_VALUE", "DUPLICATE_VALUE", "", ""]
    assert (
        said[0].message
        == f"duplicate value found: Loose__c duplicates value on record with id: {first.id[:15]}"
    )
    assert (cells(org, "Loose__c")[0], cells(org, "Loose__c")[-1]) == ("Key", "")
    (again,) = send("upsert", "Item__c", {"Loose__c": "KEY", "Mail__c": " a@example.com"}, key="Loose__c")
    assert (again.id, cells(org, "Mail__c")[0]) == (first.id, "a@example.com")
    assert send("update", "Item__c", {"Id": first.id, "Mail__c": " ", "Long__c": " x "})[0].code == ""
    assert (cells(org, "Mail__c")[0], cells(org, "Long__c")[0]) == ("", " x ")
    assert send("insert", "Account", {"Name": "  "})[0].code == "REQUIRED_FIELD_MISSING"


def test_a_key_in_a_path_is_trimmed_too(org: Org) -> None:
    send = Sender(org, "rest")
    (first,) = send("insert", "Item__c", {"Loose__c": "Key"})
    assert send.ask("GET", "/sobjects/Item__c/Loose__c/ key ").json()["Id"] == first.id


@pytest.mark.parametrize("api", APIS)
def test_a_no_break_space_is_no_blank_and_addresses_lose_their_capitals(org: Org, api: str) -> None:
    send = Sender(org, api)
    said = send(
        "insert", "Item__c", {"Loose__c": "k", "Mail__c": "Ann@Example.COM"}, {"Loose__c": "\u00a0k\t"}
    )
    assert [each.code for each in said] == ["", ""]
    assert (cells(org, "Loose__c"), cells(org, "Mail__c")[0]) == (["k", "\u00a0k"], "ann@example.com")


@pytest.mark.parametrize("api", APIS)
def test_an_external_id_of_several_records_is_nobodys(org: Org, api: str) -> None:
    send = Sender(org, api)
    ids = [
        each.id for each in send("insert", "Account", *({"Name": "a", "Legacy__c": "k"} for _ in range(2)))
    ]
    if api == "rest":
        done = send.ask("PATCH", "/sobjects/Account/Legacy__c/k", {"Name": "b"})
        assert (done.status, done.json()) == (
            300,
            [f"/services/data/v60.0/sobjects/Account/{each}" for each in ids],
        )
    else:
        text = f"Legacy: more than one record found for external id field: [{', '.join(ids)}]"
        said = send("upsert", "Account", {"Name": "b", "Legacy__c": "k"}, key="Legacy__c")
        assert said == [Said("", "DUPLICATE_EXTERNAL_ID", text, ("Legacy__c",))]
    assert cells(org, "Name", "Account") == ["a", "a"]


@pytest.mark.parametrize("api", APIS)
def test_audit_fields_are_for_inserts_with_the_permission(clock: VirtualClock, api: str) -> None:
    allowed = Org(load_schema(SCHEMA), OrgSettings(audit_fields=True), clock)
    send = Sender(allowed, api)
    audit = {"CreatedDate": "2001-02-03T04:05:06.000Z", "LastModifiedDate": "2002-02-03T04:05:06.000Z"}
    (made,) = send("insert", "Item__c", {"Loose__c": "a", **audit})
    assert made.code == ""
    assert [cells(allowed, name)[0] for name in audit] == list(audit.values())
    assert cells(allowed, "SystemModstamp")[0] == "2024-02-29T12:34:56.000Z"
    for said in (
        send("update", "Item__c", {"Id": made.id, "CreatedDate": "2001-02-03T04:05:06.000Z"}),
        send(
            "upsert", "Item__c", {"Loose__c": "b", "CreatedDate": "2001-02-03T04:05:06.000Z"}, key="Loose__c"
        ),
        send("insert", "Item__c", {"SystemModstamp": "2001-02-03T04:05:06.000Z"}),
        send("insert", "Product2", {"Name": "p", "CreatedDate": "2001-02-03T04:05:06.000Z"}),
    ):
        assert said[0].code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    send("update", "Item__c", {"Id": made.id, "Mail__c": "a@example.com"})
    assert cells(allowed, "LastModifiedDate")[0] == "2024-02-29T12:34:56.000Z"
    plain = Sender(Org(load_schema(SCHEMA), OrgSettings(), clock), api)
    assert plain("insert", "Item__c", audit)[0].code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_task_of_somebody_does_not_keep_who_changed_it_last(clock: VirtualClock) -> None:
    org = Org(load_schema(SCHEMA), OrgSettings(audit_fields=True), clock)
    send = Sender(org, "collections")
    (account,) = send("insert", "Account", {"Name": "a"})
    audit = {"CreatedDate": "2001-02-03T04:05:06.000Z", "LastModifiedDate": "2002-02-03T04:05:06.000Z"}
    send("insert", "Task", {"Subject": "free", **audit}, {"Subject": "of", "WhatId": account.id, **audit})
    assert cells(org, "CreatedDate", "Task") == ["2001-02-03T04:05:06.000Z"] * 2
    assert cells(org, "LastModifiedDate", "Task") == ["2002-02-03T04:05:06.000Z", "2024-02-29T12:34:56.000Z"]


def test_describe_says_what_the_permission_gives(clock: VirtualClock) -> None:
    def createable(audit: bool, sobject: str) -> set[str]:
        org = Org(load_schema(SCHEMA), OrgSettings(audit_fields=audit), clock)
        found = Sender(org, "rest").ask("GET", f"/sobjects/{sobject}/describe").json()["fields"]
        return {each["name"] for each in found if each["createable"]}

    four = {"CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"}
    assert createable(True, "Item__c") - createable(False, "Item__c") == four
    converted = {"ConvertedAccountId", "ConvertedContactId", "ConvertedDate", "ConvertedOpportunityId"}
    assert createable(True, "Lead") - createable(False, "Lead") == four | converted
    assert createable(True, "Product2") == createable(False, "Product2")


@pytest.mark.parametrize("api", APIS)
def test_nothing_is_above_itself(org: Org, api: str) -> None:
    send = Sender(org, api)
    a, b, c = (each.id for each in send("insert", "Account", *({"Name": name} for name in "abc")))
    circle = Said("", "CIRCULAR_DEPENDENCY", "attempt to violate hierarchy constraints")
    assert send("update", "Account", {"Id": a, "ParentId": a}) == [circle]
    assert [
        each.code for each in send("update", "Account", {"Id": b, "ParentId": a}, {"Id": c, "ParentId": b})
    ] == ["", ""]
    assert send("update", "Account", {"Id": a, "ParentId": c}) == [circle]
    assert cells(org, "ParentId", "Account") == ["", a, b]
