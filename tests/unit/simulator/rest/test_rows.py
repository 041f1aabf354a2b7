"""sObject rows over REST: the statuses, bodies and headers of the platform."""

from typing import Any

import pytest


def test_a_new_record_has_an_address_and_can_be_read(call: Any) -> None:
    done = call(
        "POST", "/sobjects/Account", {"Name": "Acme", "AnnualRevenue": 912260031, "BillingCity": "Bern"}
    )
    assert done.status == 201
    record_id = done.json()["id"]
    assert done.json() == {"id": record_id, "success": True, "errors": []}
    assert done.headers["Location"] == f"/services/data/v60.0/sobjects/Account/{record_id}"
    read = call(
        "GET", f"/sobjects/Account/{record_id}", query={"fields": "Name,AnnualRevenue,BillingAddress"}
    ).json()
    assert read == {
        "attributes": {"type": "Account", "url": f"/services/data/v60.0/sobjects/Account/{record_id}"},
        "Name": "Acme",
        "AnnualRevenue": 912260031.0,
        "BillingAddress": {
            "city": "Bern",
            "country": None,
            "geocodeAccuracy": None,
            "latitude": None,
            "longitude": None,
            "postalCode": None,
            "state": None,
            "street": None,
        },
    }


def test_a_fifteen_character_id_and_a_trailing_slash_do(call: Any) -> None:
    record_id = call.create("Account", Name="Acme")
    assert call("GET", f"/sobjects/Account/{record_id[:15]}/").status == 200


@pytest.mark.parametrize(
    ("values", "body"),
    [
        (
            {"Foo": 1, "Name": "x"},
            {"message": "No such column 'Foo' on sobject of type Account", "errorCode": "INVALID_FIELD"},
        ),
        (
            {"Name": ""},
            {
                "message": "Required fields are missing: [Name]",
                "errorCode": "REQUIRED_FIELD_MISSING",
                "fields": ["Name"],
            },
        ),
        (
            {"Name": "x", "MasterRecordId": "001000000000001AAA"},
            {
                "message": "Unable to create/update fields: MasterRecordId. Please check the security settings of this"
                " field and verify that it is read/write for your profile or permission set.",
                "errorCode": "INVALID_FIELD_FOR_INSERT_UPDATE",
                "fields": ["MasterRecordId"],
            },
        ),
        (
            {"Name": "x", "ParentId": "001900K0001pPuOAAU"},
            {
                "message": "Parent Account ID: id value of incorrect type: 001900K0001pPuOAAU",
                "errorCode": "MALFORMED_ID",
                "fields": ["ParentId"],
            },
        ),
        (
            {"Name": "x", "CleanStatus__c": None},
            {
                "message": "No such column 'CleanStatus__c' on sobject of type Account",
                "errorCode": "INVALID_FIELD",
            },
        ),
    ],
)
def test_what_is_refused_is_refused_in_the_platforms_words(call: Any, values: Any, body: Any) -> None:
    done = call("POST", "/sobjects/Account", values)
    assert (done.status, done.json()) == (400, [body])


def test_a_second_record_with_a_unique_value_names_the_first_in_fifteen_characters(call: Any) -> None:
    first = call.create("Account", Name="a", Legacy_Id__c="K1")
    done = call("POST", "/sobjects/Account", {"Name": "b", "Legacy_Id__c": "k1"})
    assert done.json() == [
        {
            "message": f"duplicate value found: Legacy_Id__c duplicates value on record with id: {first[:15]}",
            "errorCode": "DUPLICATE_VALUE",
            "fields": ["Legacy_Id__c"],
        }
    ]


def test_update_delete_and_read_after_delete(call: Any) -> None:
    record_id = call.create("Account", Name="Acme", Phone="1")
    assert call("PATCH", f"/sobjects/Account/{record_id}", {"Name": "Acme 2", "Phone": None}).status == 204
    read = call("GET", f"/sobjects/Account/{record_id}").json()
    assert (read["Name"], read["Phone"]) == ("Acme 2", None)
    assert call("DELETE", f"/sobjects/Account/{record_id}").status == 204
    again = call("DELETE", f"/sobjects/Account/{record_id}")
    assert (again.status, again.json()) == (
        404,
        [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}],
    )
    missing = call("GET", "/sobjects/Account/001el0000000099AAA")
    assert (missing.status, missing.json()) == (
        404,
        [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}],
    )


def test_upsert_by_external_id_creates_then_updates(call: Any) -> None:
    call.create("Account", Name="parent", Legacy_Id__c="P")
    made = call(
        "PATCH", "/sobjects/Account/Legacy_Id__c/K%20%2F1", {"Name": "x", "Parent": {"Legacy_Id__c": "P"}}
    )
    assert (made.status, made.json()["created"]) == (201, True)
    assert made.headers["Location"].endswith(made.json()["id"])
    changed = call("PATCH", "/sobjects/Account/Legacy_Id__c/K%20%2F1", {"Name": "y"})
    assert (changed.status, changed.json()) == (
        200,
        {"id": made.json()["id"], "success": True, "errors": [], "created": False},
    )
    read = call("GET", "/sobjects/Account/Legacy_Id__c/K%20%2F1").json()
    assert (read["Name"], read["Legacy_Id__c"]) == ("y", "K /1")
    call.version = "45.0"
    assert call("PATCH", "/sobjects/Account/Legacy_Id__c/K%20%2F1", {"Name": "z"}).status == 204


def test_upsert_without_creating(call: Any) -> None:
    done = call("PATCH", "/sobjects/Account/Legacy_Id__c/none", {"Name": "x"}, query={"updateOnly": "true"})
    assert done.status == 404


def test_several_matches_are_a_300_with_addresses(call: Any) -> None:
    found = [call.create("Contact", LastName=name, Legacy_Id__c="same") for name in "ab"]
    done = call("GET", "/sobjects/Contact/Legacy_Id__c/same")
    assert (done.status, done.json()) == (
        300,
        [f"/services/data/v60.0/sobjects/Contact/{each}" for each in found],
    )
    assert call("PATCH", "/sobjects/Contact/Legacy_Id__c/same", {"LastName": "c"}).status == 300


def test_a_field_that_is_no_key_cannot_address_a_record(call: Any) -> None:
    done = call("GET", "/sobjects/Account/rid/1")
    text = "Provided external ID field does not exist or is not accessible: rid"
    assert (done.status, done.json()) == (404, [{"errorCode": "NOT_FOUND", "message": text}])


def test_a_parent_that_is_not_there(call: Any) -> None:
    done = call("POST", "/sobjects/Contact", {"LastName": "x", "Account": {"Legacy_Id__c": "0116"}})
    text = "Foreign key external ID: 0116 not found for field Legacy_Id__c in entity Account"
    assert (done.status, done.json()) == (
        400,
        [{"message": text, "errorCode": "INVALID_FIELD", "fields": []}],
    )


def test_a_polymorphic_parent_needs_its_type_first(call: Any, org: Any) -> None:
    user = org.settings.username
    typed = {"Subject": "x", "Owner": {"attributes": {"type": "User"}, "Username": user}}
    assert call("POST", "/sobjects/Case", typed).status == 201
    done = call("POST", "/sobjects/Case", {"Subject": "x", "Owner": {"Username": user}})
    text = "Nested object for polymorphic foreign key must have an attributes field before any other fields."
    assert (done.status, done.json()) == (
        400,
        [{"message": text, "errorCode": "JSON_PARSER_ERROR", "fields": []}],
    )


def test_conditional_read_of_a_row(call: Any) -> None:
    record_id = call.create("Account", Name="Acme")
    first = call("GET", f"/sobjects/Account/{record_id}")
    unchanged = call(
        "GET", f"/sobjects/Account/{record_id}", headers={"If-Modified-Since": first.headers["Last-Modified"]}
    )
    assert (unchanged.status, unchanged.read()) == (304, b"")
    assert (
        call("GET", f"/sobjects/Account/{record_id}", headers={"If-None-Match": first.headers["ETag"]}).status
        == 304
    )
