"""Bulk API v1 ingest through the front of an org: jobs, batches, and what is told of both."""

import json
import re
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request
from migrator.simulator.records.truth import Change
from tests.unit.simulator.bulk.bulk1_client import CSV, NAMESPACE, Bulk1, element, info, names, states

TOO_MANY = "Exceeded number of records: 10002. Number of records should be less than or equal to 10001"
JSON = "<contentType>JSON</contentType>"
KEY = "<externalIdFieldName>Legacy_Id__c</externalIdFieldName>" + CSV


class TestJobs:
    def test_the_shape_of_a_job_in_xml(self, bulk1: Bulk1) -> None:
        done = bulk1("POST", "", info("upsert", "Account", KEY))
        assert (done.status, done.headers["Content-Type"]) == (201, "application/xml")
        text = done.read().decode()
        head = f'<?xml version="1.0" encoding="UTF-8"?><jobInfo\n   xmlns="{NAMESPACE}">\n <id>750'
        assert text.startswith(head)
        assert text.endswith("\n <apexProcessingTime>0</apexProcessingTime>\n</jobInfo>")
        names_in_order = re.findall(r"\n <(\w+)>", text)
        assert names_in_order[5:13] == [
            "systemModstamp",
            "state",
            "externalIdFieldName",
            "concurrencyMode",
            "contentType",
            "numberBatchesQueued",
            "numberBatchesInProgress",
            "numberBatchesCompleted",
        ]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", element(done, "createdDate"))
        assert element(done, "apiVersion") == "60.0"

    @pytest.mark.parametrize(("number", "mode"), [(0, "Parallel"), (1, "Serial")])
    def test_the_mode_as_a_number_in_json(self, bulk1: Bulk1, number: int, mode: str) -> None:
        asked = {"operation": "insert", "object": "Account", "contentType": "JSON", "concurrencyMode": number}
        done = bulk1("POST", "", json.dumps(asked), {"Content-Type": "application/json"})
        assert done.json()["concurrencyMode"] == mode

    def test_a_job_made_in_json_is_shown_in_json_until_a_request_says_xml(self, bulk1: Bulk1) -> None:
        asked = {"operation": "insert", "object": "Account", "contentType": "JSON"}
        done = bulk1("POST", "", json.dumps(asked), {"Content-Type": "application/json"})
        assert (done.status, done.headers["Content-Type"]) == (201, "application/json")
        made = done.json()
        assert list(made) == sorted(made)
        assert made["apiVersion"] == 60.0
        assert made["createdDate"].endswith("+0000")
        path = f"/{made['id']}"
        assert bulk1("GET", path, headers={}).json()["state"] == "Open"
        assert element(bulk1("GET", path), "state") == "Open"

    @pytest.mark.parametrize(
        ("content", "kind", "expected"),
        [
            ("JSON", "application/json", "application/json"),
            ("JSON", "", "application/json"),
            ("JSON", "application/xml", "application/xml"),
            ("CSV", "application/json", "application/xml"),
            ("CSV", "text/csv", "application/xml"),
        ],
    )
    def test_the_format_of_batches(self, bulk1: Bulk1, content: str, kind: str, expected: str) -> None:
        asked = {"operation": "insert", "object": "Account", "contentType": content}
        job = bulk1("POST", "", json.dumps(asked), {"Content-Type": "application/json"}).json()["id"]
        data = '[{"Name":"A"}]' if content == "JSON" else "Name\nA\n"
        bulk1.post(job, data, "application/json" if content == "JSON" else "text/csv")
        given = {"Content-Type": kind} if kind else {}
        assert bulk1("GET", f"/{job}/batch", headers=given).headers["Content-Type"] == expected

    @pytest.mark.parametrize(
        ("body", "code", "message"),
        [
            (info("INSERT", "Account"), "InvalidJob", "Unknown operation: INSERT"),
            (info("insert", "Nothing__c"), "InvalidJob", "Unable to find object: Nothing__c"),
            (
                info("upsert", "Account", "<externalIdFieldName>Phone</externalIdFieldName>"),
                "InvalidJob",
                "Field name provided, Phone does not match an External ID for Account",
            ),
            ("<jobInfo", "InvalidXML", "Unable to parse the XML of the job"),
        ],
    )
    def test_jobs_that_cannot_be(self, bulk1: Bulk1, body: str, code: str, message: str) -> None:
        done = bulk1("POST", "", body)
        assert done.status == 400
        assert (element(done, "exceptionCode"), element(done, "exceptionMessage")) == (code, message)

    def test_hard_deletion_needs_its_permission(self, clock: VirtualClock) -> None:
        bulk1 = Bulk1(Org(load_schema({}), OrgSettings(hard_delete=False), clock))
        assert (
            element(bulk1("POST", "", info("hardDelete", "Account")), "exceptionCode") == "FeatureNotEnabled"
        )

    def test_a_bad_session_is_the_api_s_own_error(self, org: Org) -> None:
        for headers, read in (({}, "xml"), ({"Content-Type": "application/json"}, "json")):
            given = Headers({"X-SFDC-Session": "no", **headers})
            done = org.handle(Request("GET", "/services/async/60.0/job/7500", {}, given))
            assert done.status == 400
            code = element(done, "exceptionCode") if read == "xml" else done.json()["exceptionCode"]
            assert code == "InvalidSessionId"

    def test_every_header_for_a_token_is_good(self, org: Org, bulk1: Bulk1) -> None:
        job = bulk1.create(more=CSV)
        token = org.part(Tokens).issue()
        for header in (
            {"x-sfdc-session": token},
            {"X-SFDC-SESSION": token},
            {"Authorization": f"OAuth {token}"},
        ):
            assert org.handle(Request("GET", f"{bulk1.base}/{job}", {}, Headers(header))).status == 200

    def test_an_unknown_job(self, bulk1: Bulk1) -> None:
        assert element(bulk1("GET", "/750000000000001AAA"), "exceptionCode") == "InvalidJob"


class TestBatches:
    def test_rows_are_answered_in_the_order_of_the_request(self, org: Org, bulk1: Bulk1) -> None:
        data = 'Name,AnnualRevenue\r\n"A ""1"", Inc",10\r\n,20\r\n"C\nD",x\r\n"E",\r\n'
        text = bulk1.run(data)
        lines = text.split("\n")
        assert lines[0] == '"Id","Success","Created","Error"'
        assert re.fullmatch(r'"001\w{15}","true","true",""', lines[1])
        missing = "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
        assert lines[2] == f'"","false","false","{missing}"'
        assert lines[3].startswith('"","false","false","INVALID_FIELD:')
        assert re.fullmatch(r'"001\w{15}","true","true",""', lines[4])
        assert org.truth.count("Account") == 2

    def test_an_upsert_tells_what_was_created(self, bulk1: Bulk1) -> None:
        bulk1.run("Name,Legacy_Id__c,Id\nA,1,\n", "upsert", more=KEY)
        text = bulk1.run("Name,Legacy_Id__c,Id\nA2,1,\nB,2,\n", "upsert", more=KEY)
        assert [line.split(",")[1:3] for line in text.split("\n")[1:-1]] == [
            ['"true"', '"false"'],
            ['"true"', '"true"'],
        ]

    def test_update_null_relationship_delete_and_hard_delete(self, org: Org, bulk1: Bulk1, call: Any) -> None:
        account = call.create("Account", Name="A", Legacy_Id__c="a1", Phone="1")
        bulk1.run(f"Id,Phone\n{account},#N/A\n", "update")
        assert call("GET", f"/sobjects/Account/{account}").json()["Phone"] is None
        bulk1.run("LastName,Account.Legacy_Id__c\nB,a1\n", sobject="Contact")
        contact = org.truth.created("Contact")[0]
        assert call("GET", f"/sobjects/Contact/{contact}").json()["AccountId"] == account
        bulk1.run(f"Id\n{contact}\n", "delete", "Contact")
        assert org.truth.count("Contact", Change.DELETED) == 1
        bulk1.run(f"Id\n{account}\n", "hardDelete")
        assert org.truth.ids("Account", Change.PURGED) == [account]

    def test_json(self, org: Org, bulk1: Bulk1) -> None:
        job = bulk1.create("insert", "Contact", more=JSON)
        bulk1.run("Name,Legacy_Id__c\nA,a1\n")
        records = [
            {"LastName": "B", "Account": {"Legacy_Id__c": "a1"}},
            {"FirstName": "C"},
            {"LastName": "D"},
        ]
        batch = bulk1.post(job, json.dumps(records), "application/json")
        bulk1.wait(job, batch)
        done = bulk1("GET", f"/{job}/batch/{batch}/result")
        assert done.headers["Content-Type"] == "application/json"
        first, second, third = done.json()
        assert first == {
            "success": True,
            "created": True,
            "id": org.truth.created("Contact")[0],
            "errors": [],
        }
        assert (second["success"], second["id"]) == (False, None)
        assert second["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
        assert third["success"]

    def test_xml(self, org: Org, bulk1: Bulk1, call: Any) -> None:
        account = call.create("Account", Name="A", Legacy_Id__c="a1", Phone="1")
        job = bulk1.create("update", "Account", more="<contentType>XML</contentType>")
        nil = '<Phone xsi:nil="true"/><Name>B &amp; C</Name>'
        head = f'<sObjects xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        data = f"{head}<sObject><type>Account</type><Id>{account}</Id>{nil}</sObject></sObjects>"
        batch = bulk1.post(job, data, "application/xml")
        bulk1.wait(job, batch)
        text = bulk1.result(job, batch)
        row = f"\n <result>\n  <id>{account}</id>\n  <success>true</success>\n  <created>false</created>\n </result>"
        assert row in text
        assert text.endswith("\n</results>")
        shown = call("GET", f"/sobjects/Account/{account}").json()
        assert (shown["Name"], shown["Phone"]) == ("B & C", None)
        contacts = bulk1.create("insert", "Contact", more="<contentType>XML</contentType>")
        parent = "<Account><sObject><Legacy_Id__c>a1</Legacy_Id__c></sObject></Account>"
        data = f"{head}<sObject><LastName>X</LastName>{parent}</sObject><sObject/></sObjects>"
        batch = bulk1.post(contacts, data, "application/xml")
        bulk1.wait(contacts, batch)
        text = bulk1.result(contacts, batch)
        assert "<statusCode>REQUIRED_FIELD_MISSING</statusCode>" in text
        assert len(org.truth.created("Contact")) == 1

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ("Name,Nothing__c\nA,1\n", "InvalidBatch : Field name not found : Nothing__c"),
            (
                names(10_001),
                f"InvalidBatch : {TOO_MANY}",
            ),
            ('Name\n"A\n', "InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote"),
        ],
    )
    def test_batches_that_cannot_be_read(self, org: Org, bulk1: Bulk1, data: str, message: str) -> None:
        job = bulk1.create(more=CSV)
        batch = bulk1.post(job, data)
        shown = bulk1.wait(job, batch)
        assert (element(shown, "state"), element(shown, "stateMessage")) == ("Failed", message)
        assert bulk1("GET", f"/{job}/batch/{batch}/result").status == 400
        assert not org.truth.count("Account")

    def test_too_big_or_empty_is_refused_at_once(self, bulk1: Bulk1) -> None:
        job = bulk1.create(more=CSV)
        done = bulk1("POST", f"/{job}/batch", b"x" * 10_000_001, {"Content-Type": "text/csv"})
        assert element(done, "exceptionCode") == "ClientInputError"
        assert "Exceeded max size limit of 10000000" in element(done, "exceptionMessage")
        done = bulk1("POST", f"/{job}/batch", b"", {"Content-Type": "text/csv"})
        assert element(done, "exceptionMessage") == "Unable to find any data to create batch"
        assert states(bulk1, job) == []

    def test_the_request_is_read_back_byte_for_byte(self, bulk1: Bulk1) -> None:
        job = bulk1.create(more=CSV)
        batch = bulk1.post(job, "Name\r\nÄ\r\n", "text/csv; charset=UTF-8")
        done = bulk1("GET", f"/{job}/batch/{batch}/request")
        assert done.read() == "Name\r\nÄ\r\n".encode()
        assert done.headers["Content-Type"] == "text/csv; charset=UTF-8"

    def test_a_blank_beside_a_quote_refuses_its_row_only(self, bulk1: Bulk1) -> None:
        rows = bulk1.run('Name,Phone\nA,1\n"B" ,2\n"C","3"\n').split("\n")[1:-1]
        assert [one.split(",")[1] for one in rows] == ['"true"', '"false"', '"true"']
        assert rows[1].endswith(
            '"INVALID_FIELD:Found unescaped quote. A value with quote should be within a quote:--"'
        )

    def test_no_result_before_the_end(self, clock: VirtualClock) -> None:
        bulk1 = Bulk1(Org(load_schema({}), OrgSettings(row_seconds=1.0), clock))
        job = bulk1.create(more=CSV)
        batch = bulk1.post(job, names(3))
        done = bulk1("GET", f"/{job}/batch/{batch}/result")
        assert element(done, "exceptionMessage") == "Batch not completed"
        clock.wait(3)
        assert bulk1.result(job, batch).count("\n") == 4

    def test_counters_of_the_job(self, bulk1: Bulk1) -> None:
        job = bulk1.create(more=CSV)
        for data in (names(2), "Name,Phone\n,1\nA,1\n", "Bad\nx\n"):
            bulk1.wait(job, bulk1.post(job, data))
        shown = bulk1("GET", f"/{job}")
        counters = {
            name: element(shown, name)
            for name in (
                "numberBatchesCompleted",
                "numberBatchesFailed",
                "numberBatchesTotal",
                "numberRecordsProcessed",
                "numberRecordsFailed",
            )
        }
        assert list(counters.values()) == ["2", "1", "3", "4", "1"]


@pytest.mark.parametrize("records", [[{}, {}], [{"attributes": {"type": "Account"}}] * 2])
def test_records_without_fields_are_answered_too(bulk1: Bulk1, records: list[Any]) -> None:
    job = bulk1.create("insert", "Account", more=JSON)
    batch = bulk1.post(job, json.dumps(records), "application/json")
    bulk1.wait(job, batch)
    shown = json.loads(bulk1.result(job, batch))
    assert [each["errors"][0]["statusCode"] for each in shown] == ["REQUIRED_FIELD_MISSING"] * 2


def test_what_is_not_there_is_told_in_the_api_s_own_words(bulk1: Bulk1) -> None:
    done = bulk1("GET", "/750000000000001/nothing/there")
    assert (done.status, element(done, "exceptionCode")) == (404, "InvalidUrl")
    done = bulk1("DELETE", "/750000000000001AAA")
    assert (done.status, element(done, "exceptionCode")) == (405, "MethodNotAllowed")
