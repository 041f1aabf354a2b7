"""Duplicate rules: what is a duplicate, what is done about it, and how each API says so."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.savepoint import Savepoint
from migrator.simulator.schema.files import SchemaInvalid
from tests.unit.simulator.apis import APIS, Said, Sender

SCHEMA: dict[str, Any] = {
    "objects": {
        "Account": {
            "duplicate_rules": [
                {
                    "name": "Accounts",
                    "action": "block",
                    "message": "There is one already.",
                    "fields": [
                        {"field": "Name", "method": "normalised"},
                        {"field": "BillingCity", "blanks": True},
                    ],
                }
            ]
        },
        "Contact": {
            "duplicate_rules": [
                {
                    "name": "People",
                    "action": "alert",
                    "on_update": "allow",
                    "matching": [
                        {"fields": ["Email"], "rule": "Same_Email"},
                        {"object": "Lead", "fields": [{"field": "Email", "with": "Email"}, "LastName"]},
                    ],
                },
                {"name": "Off", "active": False, "fields": ["LastName"]},
            ]
        },
    }
}
ALERT = Said("", "DUPLICATES_DETECTED", "Use one of these records?")
BLOCKED = Said("", "DUPLICATES_DETECTED", "There is one already.")


@pytest.fixture
def org() -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), VirtualClock())


@pytest.mark.parametrize("api", APIS)
def test_a_duplicate_is_refused_by_every_api(org: Org, api: str) -> None:
    send = Sender(org, api)
    said = send("insert", "Account", {"Name": "Café Müller AG", "BillingCity": "Bern"})
    again = send(
        "insert",
        "Account",
        {"Name": "cafe mueller ag", "BillingCity": "Bern"},
        {"Name": "CAFE-MULLER A.G.", "BillingCity": " bern"},
        {"Name": "Café Müller AG"},
    )
    assert [each.code for each in again] == ["", "DUPLICATES_DETECTED", ""]
    assert again[1] == BLOCKED
    assert send("update", "Account", {"Id": again[2].id, "BillingCity": "BERN"}) == [BLOCKED]
    assert send("update", "Account", {"Id": said[0].id, "Phone": "1", "Name": "Café Müller"})[0].code == ""
    assert send("update", "Account", {"Id": again[2].id, "BillingCity": "BERN"})[0].code == ""


def test_bulk_results_have_the_text_that_people_have_seen(org: Org) -> None:
    send = Sender(org, "bulk1")
    send("insert", "Contact", {"LastName": "a", "Email": "a@example.com"})
    (said,) = send("insert", "Contact", {"LastName": "b", "Email": "A@example.com"})
    assert said.bulk == "DUPLICATES_DETECTED:Use one of these records?:--"


@pytest.mark.parametrize("api", ["rest", "collections"])
def test_the_header_overrules_alerts_only(org: Org, api: str) -> None:
    send = Sender(org, api)
    determined = Sender(
        org, api, {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true"}
    )
    send("insert", "Contact", {"LastName": "a", "Email": "a@example.com"})
    send("insert", "Account", {"Name": "a"})
    assert send("insert", "Contact", {"LastName": "b", "Email": "a@example.com"}) == [ALERT]
    assert determined("insert", "Contact", {"LastName": "b", "Email": "a@example.com"})[0].code == ""
    assert determined("insert", "Account", {"Name": "A"}) == [BLOCKED]


def test_what_was_found_is_in_the_answer(org: Org) -> None:
    send = Sender(org, "rest")
    detailed = Sender(org, "rest", {"Sforce-Duplicate-Rule-Header": "includeRecordDetails=true"})
    (lead,) = send("insert", "Lead", {"LastName": "A", "Email": "a@example.com", "Company": "x"})
    (contact,) = send("insert", "Contact", {"LastName": "z", "Email": "a@example.com"})
    record = {"LastName": "a", "Email": "a@example.com"}
    done = send.ask("POST", "/sobjects/Contact", record)

    def match(sobject: str, rule: str, record_id: str) -> dict[str, Any]:
        url = f"/services/data/v60.0/sobjects/{sobject}/{record_id}"
        found = {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": sobject, "url": url}, "Id": record_id},
        }
        return {
            "entityType": sobject,
            "errors": [],
            "matchEngine": "ExactMatchEngine",
            "matchRecords": [found],
            "rule": rule,
            "size": 1,
            "success": True,
        }

    result = {
        "allowSave": True,
        "duplicateRule": "People",
        "duplicateRuleEntityType": "Contact",
        "errorMessage": "Use one of these records?",
        "matchResults": [
            match("Contact", "Same_Email", contact.id),
            match("Lead", "Lead_Match_Rule", lead.id),
        ],
    }
    assert done.status == 400
    assert done.json() == [
        {"duplicateResut": result, "errorCode": "DUPLICATES_DETECTED", "message": "Use one of these records?"}
    ]
    assert list(done.json()[0]) == ["duplicateResut", "errorCode", "message"]
    body = {"records": [{"attributes": {"type": "Contact"}, **record}]}
    (row,) = send.ask("POST", "/composite/sobjects", body).json()
    assert row == {
        "success": False,
        "errors": [
            {
                "statusCode": "DUPLICATES_DETECTED",
                "message": "Use one of these records?",
                "fields": [],
                "duplicateResult": result,
            }
        ],
    }
    shown = detailed.ask("POST", "/sobjects/Contact", record).json()[0]["duplicateResut"]["matchResults"][1]
    assert shown["matchRecords"][0]["record"]["Company"] == "x"


def test_rows_of_one_request_are_not_compared_with_each_other(org: Org) -> None:
    said = Sender(org, "collections")("insert", "Account", {"Name": "a"}, {"Name": "a"}, {"Name": "a"})
    assert [each.code for each in said] == ["", "", ""]


def test_only_changes_of_what_is_matched_are_looked_at(org: Org) -> None:
    send = Sender(org, "collections")
    said = send("insert", "Account", {"Name": "a"}, {"Name": "a"})
    assert send("update", "Account", {"Id": said[0].id, "Phone": "1", "Name": "a"})[0].code == ""
    assert send("update", "Account", {"Id": said[0].id, "Name": "A"}) == [BLOCKED]
    for name in ("b", "a", "b", "a"):
        assert send("update", "Account", {"Id": said[0].id, "Name": f"x{name}"})[0].code == ""
    assert send("update", "Account", {"Id": said[1].id, "Name": "XA"}) == [BLOCKED]
    said = send("insert", "Contact", {"LastName": "a", "Email": "a@example.com"}, {"LastName": "b"})
    assert (
        send("update", "Contact", {"Id": said[1].id, "Email": "a@example.com"})[0].code == ""
    )  # allowed on update


def test_what_is_deleted_or_taken_back_is_no_duplicate_and_what_comes_back_is(org: Org) -> None:
    send = Sender(org, "collections")
    (first,) = send("insert", "Account", {"Name": "a"})
    assert send("insert", "Account", {"Name": "a"}) == [BLOCKED]
    send("delete", "Account", {"Id": first.id})
    with Savepoint(org) as savepoint:
        assert send("insert", "Account", {"Name": "a"})[0].code == ""
        savepoint.rollback()
    (second,) = send("insert", "Account", {"Name": "a"})
    assert second.code == ""
    with Savepoint(org) as savepoint:
        send("update", "Account", {"Id": second.id, "Name": "b"})
        assert send("insert", "Account", {"Name": "a"})[0].code == ""
        savepoint.rollback()
    assert send("insert", "Account", {"Name": "A!"}) == [BLOCKED]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"name": "R"}, "needs fields to match"),
        ({"name": "R", "fields": ["Nope__c"]}, "no field Account.Nope__c"),
        ({"name": "R", "matching": [{"object": "Nope", "fields": ["Name"]}]}, "no object Nope"),
        ({"name": "R", "action": "shout", "fields": ["Name"]}, "shout"),
    ],
)
def test_a_schema_that_cannot_be(rule: dict[str, Any], text: str) -> None:
    with pytest.raises(SchemaInvalid, match=text):
        load_schema({"objects": {"Account": {"duplicate_rules": [rule]}}})
