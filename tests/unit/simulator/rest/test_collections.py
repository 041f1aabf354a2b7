"""sObject Collections: per-row results in the order of the request."""

from typing import Any

ROLLED_BACK = {
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
    "fields": [],
}


def airport(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Airport__c"}, **values}


def contact(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Contact"}, **values}


def save(call: Any, method: str, records: list[Any], *, path: str = "", all_or_none: bool = False) -> Any:
    done = call(method, f"/composite/sobjects{path}", {"allOrNone": all_or_none, "records": records})
    assert done.status == 200, done.read()
    return done.json()


def test_mixed_types_and_bad_rows_between_good_ones(call: Any, org: Any) -> None:
    done = save(
        call,
        "POST",
        [
            airport(Code__c="ZRH", Height__c="1416"),
            airport(Nope=1),
            airport(Height__c=1),
            contact(LastName="x"),
        ],
    )
    assert done[0] == {"id": org.store.table("Airport__c").id_of(1), "success": True, "errors": []}
    text = "No such column 'Nope' on sobject of type Airport__c"
    assert done[1] == {
        "success": False,
        "errors": [{"statusCode": "INVALID_FIELD", "message": text, "fields": []}],
    }
    assert done[2]["errors"][0]["message"] == "Required fields are missing: [Code__c]"
    assert done[3]["success"]
    assert org.store.table("Airport__c").cell(1, "Height__c") == "1416.0"


def test_all_or_none_over_two_types_writes_nothing(call: Any, org: Any) -> None:
    done = save(call, "POST", [contact(LastName="x"), airport(Code__c="TOOLONG")], all_or_none=True)
    assert done[0] == {"success": False, "errors": [ROLLED_BACK]}
    assert done[1]["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert (len(org.store.table("Contact")), len(org.store.table("Airport__c"))) == (0, 0)
    assert org.truth.count("Contact") == 0


def test_no_records_and_too_many(call: Any) -> None:
    done = call("POST", "/composite/sobjects", {"records": []})
    body = [{"message": "At least 1 record is required", "errorCode": "REQUIRED_FIELD_MISSING"}]
    assert (done.status, done.json()) == (400, body)
    assert call("POST", "/composite/sobjects", {"records": [contact(LastName="x")] * 201}).status == 400
    mixed = [airport(Code__c=f"A{n}") if n % 2 else contact(LastName="x") for n in range(12)]
    assert call("POST", "/composite/sobjects", {"records": mixed}).json()[0]["errorCode"] == "LIMIT_EXCEEDED"


def test_update_by_id(call: Any, org: Any) -> None:
    record_id = call.create("Airport__c", Code__c="ZRH")
    unknown = record_id[:12] + "zzz"
    done = save(
        call,
        "PATCH",
        [airport(id=record_id, Height__c=2), airport(Height__c=3), airport(id=unknown, Height__c=4)],
    )
    assert done[0] == {"id": record_id, "success": True, "errors": []}
    assert done[1]["errors"] == [
        {"statusCode": "MISSING_ARGUMENT", "message": "Id not specified in an update call", "fields": []}
    ]
    assert done[2] == {
        "success": False,
        "errors": [
            {
                "statusCode": "INVALID_CROSS_REFERENCE_KEY",
                "message": "invalid cross reference id",
                "fields": [],
            }
        ],
    }


def test_upsert_by_key_by_id_and_twice_the_same_key(call: Any, org: Any) -> None:
    rows = [airport(Code__c="ZRH"), airport(Code__c="zrh"), airport(Code__c="GVA"), airport(Height__c=1)]
    done = save(call, "PATCH", rows, path="/Airport__c/Code__c")
    assert [each["created"] for each in done] == [False, False, True, False]
    assert done[0]["errors"][0]["message"] == "Duplicate external id specified: ZRH"
    assert done[3]["errors"][0]["message"] == "Code__c not specified"
    again = save(call, "PATCH", [airport(Code__c="gva", Height__c=7)], path="/Airport__c/Code__c")
    assert again == [{"id": done[2]["id"], "success": True, "errors": [], "created": False}]
    by_id = save(
        call, "PATCH", [airport(Id=done[2]["id"], Height__c=8), airport(Code__c="BSL")], path="/Airport__c/Id"
    )
    assert [each["created"] for each in by_id] == [False, True]
    assert org.store.table("Airport__c").cell(1, "Height__c") == "8.0"


def test_delete_and_retrieve(call: Any) -> None:
    one, two = (call.create("Contact", LastName=name) for name in "ab")
    three = call.create("Airport__c", Code__c="ZRH")
    query = {"ids": f"{one},{three},003000000000001AAA"}
    done = call("DELETE", "/composite/sobjects", query=query).json()
    assert [each["success"] for each in done] == [True, True, False]
    read = call(
        "GET", "/composite/sobjects/Contact", query={"ids": f"{two},{one}", "fields": "LastName"}
    ).json()
    assert read[0]["LastName"] == "b"
    assert read[1] is None
    posted = call("POST", "/composite/sobjects/Contact", {"ids": [two], "fields": ["Id", "LastName"]}).json()
    assert posted[0]["Id"] == two


def test_delete_all_or_none(call: Any, org: Any) -> None:
    one = call.create("Contact", LastName="a")
    query = {"ids": f"{one},003000000000001AAA", "allOrNone": "true"}
    done = call("DELETE", "/composite/sobjects", query=query).json()
    assert done[0]["errors"] == [ROLLED_BACK]
    assert len(org.store.table("Contact")) == 1


def test_numbers_may_arrive_as_text_and_the_other_way_round(call: Any, org: Any) -> None:
    save(call, "POST", [airport(Code__c="ZRH", Height__c="12.5", Name=7)])
    assert org.store.table("Airport__c").get(1)["Name"] == "7"
