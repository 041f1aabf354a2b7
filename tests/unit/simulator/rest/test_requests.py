"""What REST requests have in common: versions, conditions, media types, ids, headers; and records by way of others."""

import re
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org
from tests.unit.simulator.conftest import Caller

PAST, FUTURE = "Thu, 01 Jan 2004 00:00:00 GMT", "Thu, 01 Jan 2037 00:00:00 GMT"


@pytest.mark.parametrize(
    ("method", "path", "first"),
    [
        ("GET", "/jobs/ingest", 41),
        ("GET", "/jobs/query", 47),
        ("POST", "/composite/sobjects", 42),
        ("PATCH", "/composite/sobjects/Account/Legacy_Id__c", 46),
        ("POST", "/composite/graph", 50),
        ("GET", "/limits/recordCount", 40),
    ],
)
def test_resources_have_a_first_version(call: Caller, method: str, path: str, first: int) -> None:
    for version, there in ((first - 1, False), (first, True)):
        found = call(method, f"/services/data/v{version}.0{path}", {} if method != "GET" else None)
        assert (found.status != 404) is there, (version, found.read())


def test_conditions(call: Caller) -> None:
    path = f"/sobjects/Account/{call.create('Account', Name='A')}"
    etag = call("GET", path).headers["ETag"]
    assert call("GET", path, query={"fields": "Name"}).headers["ETag"] == etag
    for headers, status in (
        ({"If-None-Match": etag}, 304),
        ({"If-Modified-Since": FUTURE}, 304),
        ({"If-Modified-Since": PAST}, 200),
        ({"If-Match": etag}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Unmodified-Since": PAST}, 412),
        ({"If-Unmodified-Since": FUTURE}, 200),
    ):
        assert call("GET", path, headers=headers).status == status, headers
    assert call("PATCH", path, {"Name": "B"}, headers={"If-Match": '"other"'}).status == 412
    assert call("PATCH", path, {"Name": "B"}, headers={"If-Unmodified-Since": PAST}).status == 412
    assert call("PATCH", path, {"Name": "B"}, headers={"If-Match": etag}).status == 204
    assert call("PATCH", path, {"Name": "C"}, headers={"If-Match": etag}).status == 412, "it is another now"


def test_only_accounts_have_entity_tags(call: Caller) -> None:
    shown = call("GET", f"/sobjects/Contact/{call.create('Contact', LastName='C')}")
    assert "ETag" not in shown.headers
    assert "Last-Modified" in shown.headers


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=UTF-8", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_media_types(call: Caller, kind: str, status: int) -> None:
    assert call("POST", "/sobjects/Account", {"Name": "A"}, headers={"Content-Type": kind}).status == status


def test_a_broken_body_is_told_with_its_place(call: Caller) -> None:
    refused = call("POST", "/sobjects/Account", b'{"Name":\n  x}')
    text = "Unexpected character at [line:2, column:3]"
    assert refused.json() == [{"message": text, "errorCode": "JSON_PARSER_ERROR"}]


def test_what_cannot_be_an_id_is_told_first(call: Caller) -> None:
    refused = call("PATCH", "/sobjects/Account/001900K0001pPuOAAX", {"Name": "A"})
    expected = '[{"fields":["Id"],"message":"Account ID: id value of incorrect type: 001900K0001pPuOAAX","errorCode":"MALFORMED_ID"}]'
    assert (refused.status, refused.read().decode()) == (400, expected)


def test_every_answer_has_an_id(call: Caller) -> None:
    first, second = (call("GET", "/limits").headers for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{32}", first["X-SFDC-Request-Id"])
    assert first["X-Request-Id"] == first["X-SFDC-Request-Id"] != second["X-SFDC-Request-Id"]


def test_a_method_may_be_said_in_the_query(call: Caller) -> None:
    record = call.create("Account", Name="A")
    path = f"/sobjects/Account/{record}"
    assert call("POST", path, {"Name": "B"}, query={"_HttpMethod": "PATCH"}).status == 204
    assert call("GET", path).json()["Name"] == "B"
    assert call("POST", path, query={"_HttpMethod": "DELETE"}).status == 204


def test_relationships_of_a_record(call: Caller) -> None:
    parent = call.create("Account", Name="P")
    child = call.create("Contact", LastName="C", AccountId=parent)
    orphan = call.create("Contact", LastName="O")
    up = call("GET", f"/sobjects/Contact/{child}/Account", query={"fields": "Name"}).json()
    assert (up["attributes"]["type"], up["Name"]) == ("Account", "P")
    down = call("GET", f"/sobjects/Account/{parent}/Contacts", query={"fields": "LastName"}).json()
    assert (down["totalSize"], down["done"], down["records"][0]["LastName"]) == (1, True, "C")
    assert call("GET", f"/sobjects/Contact/{orphan}/Account").status == 404
    assert call("GET", f"/sobjects/Account/{parent}/Nothings").status == 404
    call("DELETE", f"/sobjects/Account/{parent}")
    assert call("GET", f"/sobjects/Account/{parent}/Contacts").json()[0]["errorCode"] == "ENTITY_IS_DELETED"


def test_what_changed_in_a_span_of_time(org: Org, call: Caller, clock: VirtualClock) -> None:
    def asked(what: str, start: str, end: str) -> dict[str, Any]:
        found = call("GET", f"/sobjects/Account/{what}/", query={"start": start, "end": end})
        return dict(found.json()) if found.status == 200 else {"refused": found.json()[0]["errorCode"]}

    clock.advance(1_760_000_400.0 - clock.now())  # 2025-10-09T09:00:00Z
    kept, gone = call.create("Account", Name="A"), call.create("Account", Name="B")
    clock.advance(3_600)
    call("DELETE", f"/sobjects/Account/{gone}")
    assert asked("updated", "2025-10-09T08:00:00+00:00", "2025-10-09T09:30:00Z") == {
        "ids": [kept],
        "latestDateCovered": "2025-10-09T09:30:00.000+0000",
    }
    deleted = asked("deleted", "2025-10-09T08:00:00Z", "2025-10-09T12:00:00Z")
    assert deleted["deletedRecords"] == [{"deletedDate": "2025-10-09T10:00:00.000+0000", "id": gone}]
    assert deleted["latestDateCovered"] == "2025-10-09T10:00:00.000+0000"
    assert (
        asked("updated", "2025-01-01T00:00:00Z", "2025-10-09T12:00:00Z")["refused"]
        == "INVALID_REPLICATION_DATE"
    )
    assert (
        asked("updated", "2025-10-09T08:00:00Z", "2025-10-09T08:00:30Z")["refused"]
        == "INVALID_REPLICATION_DATE"
    )
    assert asked("updated", "yesterday", "2025-10-09T08:00:30Z")["refused"] == "INVALID_FIELD"


def test_references_were_not_checked_before_version_52(call: Caller) -> None:
    for version, status in ((51, 200), (52, 400)):
        asked = {"method": "GET", "url": f"/services/data/v{version}.0/limits", "referenceId": "a-b"}
        body = {"compositeRequest": [asked]}
        assert call("POST", f"/services/data/v{version}.0/composite", body).status == status


def test_records_of_a_collection_say_what_they_are(call: Caller) -> None:
    (refused,) = call(
        "PATCH", "/composite/sobjects/Account/Legacy_Id__c", {"records": [{"Name": "A"}]}
    ).json()
    text = "Nested object for polymorphic foreign key must have an attributes field before any other fields."
    assert refused == {
        "success": False,
        "errors": [{"statusCode": "JSON_PARSER_ERROR", "message": text, "fields": []}],
        "created": False,
    }


def test_setup_objects_are_not_changed_with_others(call: Caller) -> None:
    records = [
        {"attributes": {"type": "Account"}, "Name": "A"},
        {"attributes": {"type": "Group"}, "Name": "G"},
    ]
    first, second = call("POST", "/composite/sobjects", {"records": records}).json()
    assert first["success"]
    assert second["errors"][0]["statusCode"] == "MIXED_DML_OPERATION"
