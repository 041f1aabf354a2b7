"""Bulk API 2.0 query jobs through the front of an org."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org
from migrator.simulator.http import Response
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from tests.unit.simulator.conftest import Caller

Call = Callable[..., Response]


@dataclass
class BulkQuery:
    """A client of query jobs."""

    call: Call

    def create(self, text: str, operation: str = "query", **more: Any) -> Response:
        return self.call("POST", "/jobs/query", {"operation": operation, "query": text, **more})

    def get(self, job: str) -> dict[str, Any]:
        shown = self.call("GET", f"/jobs/query/{job}").json()
        assert isinstance(shown, dict)
        return shown

    def run(self, text: str, operation: str = "query", **more: Any) -> str:
        made = self.create(text, operation, **more)
        assert made.status == 200, made.read()
        job = str(made.json()["id"])
        for _ in range(50):
            if self.get(job)["state"] in {"JobComplete", "Failed"}:
                return job
        raise AssertionError("the job does not end")

    def page(self, job: str, **query: str) -> Response:
        return self.call("GET", f"/jobs/query/{job}/results", query=query, headers={"Accept": "text/csv"})


@pytest.fixture
def bulk(call: Call) -> BulkQuery:
    return BulkQuery(call)


@pytest.fixture
def filled(org: Org) -> Org:
    described = org.sobject("Account")
    assert described is not None
    compiled = org.dml.compile(described, ["Name", "AnnualRevenue"], Operation.INSERT)
    context = Context(org.user_id, org.clock.now())
    for first in range(0, 1_000, 200):
        org.dml.execute(compiled, [[f'Row "{n}"', str(n)] for n in range(first, first + 200)], context)
    table = org.store.table("Account")
    table.delete(1)
    return org


def refused(response: Response) -> tuple[int, str, str]:
    (body,) = response.json()
    return response.status, body["errorCode"], body["message"]


def rows(response: Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.read().decode(), newline="")))


def test_the_states_and_forms_of_a_query_job(bulk: BulkQuery, filled: Org) -> None:
    made = bulk.create("SELECT Id FROM account")
    shown = made.json()
    assert list(shown) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "concurrencyMode",
        "contentType", "apiVersion", "lineEnding", "columnDelimiter",
    ]  # fmt: skip
    assert (shown["state"], shown["object"]) == ("UploadComplete", "Account")
    assert b'"operation" : "query"' in made.read()
    states = [bulk.get(shown["id"])["state"] for _ in range(3)]
    assert states == ["InProgress", "JobComplete", "JobComplete"]
    done = bulk.get(shown["id"])
    assert (done["jobType"], done["numberRecordsProcessed"], done["retries"]) == ("V2Query", 999, 0)
    assert done["isPkChunkingSupported"] is True
    assert "numberRecordsFailed" not in done


def test_results_come_in_pages_with_a_header_each(bulk: BulkQuery, filled: Org) -> None:
    job = bulk.run("SELECT Name, Id, AnnualRevenue, Phone FROM Account WHERE AnnualRevenue < 250")
    first = bulk.page(job, maxRecords="100")
    assert first.headers["Sforce-NumberOfRecords"] == "100"
    assert first.headers["Sforce-Locator"] == "MTAw"
    assert first.headers["Content-Type"].startswith("text/csv")
    second = bulk.page(job, locator=first.headers["Sforce-Locator"], maxRecords="100")
    third = bulk.page(job, locator=second.headers["Sforce-Locator"], maxRecords="100")
    assert (third.headers["Sforce-NumberOfRecords"], third.headers["Sforce-Locator"]) == ("49", "null")
    found = [row for page in (first, second, third) for row in rows(page)[1:]]
    assert [row[0] for row in found] == [f'Row "{n}"' for n in range(1, 250)]
    assert found[9][2:] == ["10.0", ""]
    assert bulk.page(job).read().startswith(b'"Name","Id","AnnualRevenue","Phone"\n"Row ""1""","001')
    whole = bulk.page(job)
    assert rows(whole) == [["Name", "Id", "AnnualRevenue", "Phone"], *found]
    assert bulk.page(job, locator="!").status == 400
    assert bulk.page(job, maxRecords="0").status == 400


def test_an_empty_result_is_a_header(bulk: BulkQuery) -> None:
    job = bulk.run("SELECT Id, Name FROM Lead", columnDelimiter="TAB", lineEnding="CRLF")
    page = bulk.page(job)
    assert page.read() == b'"Id"\t"Name"\r\n'
    assert (page.headers["Sforce-NumberOfRecords"], page.headers["Sforce-Locator"]) == ("0", "null")


def test_query_all_sees_the_recycle_bin(bulk: BulkQuery, filled: Org) -> None:
    assert bulk.get(bulk.run("SELECT Id FROM Account", "queryAll"))["numberRecordsProcessed"] == 1_000


def test_a_result_does_not_change_any_more(bulk: BulkQuery, filled: Org) -> None:
    job = bulk.run("SELECT Name FROM Account LIMIT 1")
    before = bulk.page(job).read()
    filled.store.table("Account").update(2, {"Name": "Changed"})
    assert bulk.page(job).read() == before


def test_result_pages_name_five_at_a_time(org: Org, call: Call, filled: Org) -> None:
    filled.settings = replace(org.settings, bulk_page=100)
    bulk = BulkQuery(call)
    job = bulk.run("SELECT Id FROM Account")
    first = call("GET", f"/jobs/query/{job}/resultPages").json()
    assert (len(first["resultPages"]), first["done"]) == (5, False)
    path, _, locator = first["nextRecordsUrl"].partition("?locator=")
    assert "/resultpages" in path
    second = call("GET", path, query={"locator": locator}).json()
    assert (len(second["resultPages"]), second["done"], second["nextRecordsUrl"]) == (5, True, None)
    seen = 0
    for page in [*first["resultPages"], *second["resultPages"]]:
        address, _, place = page["resultUrl"].partition("?locator=")
        seen += len(rows(call("GET", address, query={"locator": place}))) - 1
    assert seen == 999


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"operation": "insert", "query": "SELECT Id FROM Account"}, "API_ERROR", "Invalid value: 'insert' supplied for property: 'operation'"),
        ({"operation": "query"}, "API_ERROR", "Invalid value: '' supplied for property: 'query'"),
        ({"operation": "query", "query": "SELECT Id FROM"}, "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ({"operation": "query", "query": "SELECT Id FROM Foo"}, "INVALID_TYPE", "sObject type 'Foo' is not supported"),
        ({"operation": "query", "query": "SELECT Nope FROM Account"}, "INVALID_FIELD", "No such column 'Nope' on entity 'Account'"),
        ({"operation": "query", "query": "SELECT Name, COUNT(Id) FROM Account GROUP BY Name"}, "FUNCTIONALITY_NOT_ENABLED", "not supported in Bulk Query"),
        ({"operation": "query", "query": "SELECT Id FROM Account OFFSET 5"}, "FUNCTIONALITY_NOT_ENABLED", "OFFSET not supported in Bulk Query"),
        ({"operation": "query", "query": "SELECT Id, (SELECT Id FROM Contacts) FROM Account"}, "FUNCTIONALITY_NOT_ENABLED", "not supported in Bulk Query"),
        ({"operation": "query", "query": "SELECT BillingAddress FROM Account"}, "FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query"),
    ],
)  # fmt: skip
def test_queries_that_are_refused(call: Call, asked: Mapping[str, Any], code: str, message: str) -> None:
    status, found, text = refused(call("POST", "/jobs/query", asked))
    assert (status, found) == (400, code)
    assert message in text


def test_another_api_version_cannot_read_the_result(bulk: BulkQuery, call: Call) -> None:
    job = bulk.run("SELECT Id FROM Account")
    assert call("GET", f"/services/data/v59.0/jobs/query/{job}/results").status == 409


def test_aborting_and_deleting(bulk: BulkQuery, call: Call) -> None:
    early = str(bulk.create("SELECT Id FROM Account").json()["id"])
    assert refused(call("DELETE", f"/jobs/query/{early}"))[1] == "API_ERROR"
    assert call("DELETE", f"/jobs/query/{early}").status == 204
    early = str(bulk.create("SELECT Id FROM Account").json()["id"])
    assert refused(bulk.page(early))[1] == "INVALIDJOBSTATE"
    assert bulk.page(early).status == 200
    assert call("DELETE", f"/jobs/query/{early}").status == 204
    job = str(bulk.create("SELECT Id FROM Account").json()["id"])
    assert call("PATCH", f"/jobs/query/{job}", {"state": "Aborted"}).json()["state"] == "Aborted"
    assert bulk.get(job)["state"] == "Aborted"
    assert refused(call("PATCH", f"/jobs/query/{job}", {"state": "Aborted"}))[1] == "INVALIDJOBSTATE"
    done = bulk.run("SELECT Id FROM Account")
    text = "Aborting already Completed Job not allowed"
    assert refused(call("PATCH", f"/jobs/query/{done}", {"state": "Aborted"})) == (
        400,
        "INVALIDJOBSTATE",
        text,
    )
    assert call("DELETE", f"/jobs/query/{done}").status == 204
    assert call("GET", f"/jobs/query/{done}").status == 404
    listed = call("GET", "/jobs/query").json()
    assert [(row["id"], row["jobType"]) for row in listed["records"]] == [(job, "V2Query")]


def test_results_are_kept_for_a_week(org: Org, bulk: BulkQuery, clock: VirtualClock) -> None:
    job = bulk.run("SELECT Id FROM Account")
    clock.advance(7 * 86_400)
    org.advance(clock.now())
    assert bulk.call("GET", f"/jobs/query/{job}").status in {401, 404}
    assert org.advance(clock.now()) is False


def test_columns_were_alphabetical_before_version_50(call: Caller) -> None:
    call.create("Account", Name="A", AccountNumber="7")
    asked = {"operation": "query", "query": "SELECT Name, Id, AccountNumber FROM Account"}
    for version, header in ((49, b'"AccountNumber","Id","Name"'), (50, b'"Name","Id","AccountNumber"')):
        base = f"/services/data/v{version}.0/jobs/query"
        job = call("POST", base, asked).json()["id"]
        while call("GET", f"{base}/{job}").json()["state"] != "JobComplete":
            pass
        shown = call("GET", f"{base}/{job}/results").read().splitlines()
        assert shown[0] == header
        assert shown[1].startswith(b'"7"' if version == 49 else b'"A"')


def test_result_pages_came_with_version_58(call: Caller) -> None:
    for version, status in ((57, 404), (58, 200)):
        base = f"/services/data/v{version}.0/jobs/query"
        job = call("POST", base, {"operation": "query", "query": "SELECT Id FROM Account"}).json()["id"]
        while call("GET", f"{base}/{job}").json()["state"] != "JobComplete":
            pass
        assert call("GET", f"{base}/{job}/resultPages").status == status


def test_failed_rows_of_a_query_job_are_a_header(call: Caller) -> None:
    job = call("POST", "/jobs/query", {"operation": "query", "query": "SELECT Id, Name FROM Account"}).json()[
        "id"
    ]
    while call("GET", f"/jobs/query/{job}").json()["state"] != "JobComplete":
        pass
    assert call("GET", f"/jobs/ingest/{job}/failedResults").read() == b'"sf__Id","sf__Error","Id","Name"\n'


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Body FROM Attachment", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT DurableId FROM FieldDefinition", "INVALIDENTITY"),
    ],
)
def test_what_a_bulk_query_cannot_read(call: Caller, query: str, code: str) -> None:
    refused = call("POST", "/jobs/query", {"operation": "query", "query": query})
    assert (refused.status, refused.json()[0]["errorCode"]) == (400, code)


def test_jobs_of_bulk_api_v1_are_listed_too(call: Caller) -> None:
    made = call(
        "POST", "/services/async/60.0/job", {"operation": "insert", "object": "Account", "contentType": "CSV"}
    )
    chunked = call(
        "POST",
        "/services/async/60.0/job",
        {"operation": "query", "object": "Account", "contentType": "CSV"},
        headers={"Sforce-Enable-PKChunking": "TRUE"},
    )
    classic, query = made.json()["id"], chunked.json()["id"]
    ours = call("POST", "/jobs/ingest", {"object": "Account", "operation": "insert"}).json()["id"]

    def listed(**asked: str) -> list[tuple[str, str]]:
        found = call("GET", "/jobs/ingest", query=asked).json()
        return [(each["id"], each["jobType"]) for each in found["records"]]

    assert listed(jobType="V2Ingest") == [(ours, "V2Ingest")]
    assert listed(jobType="Classic") == [(classic, "Classic"), (query, "Classic")]
    assert len(listed()) == 3
    assert listed(isPkChunkingEnabled="true") == [(query, "Classic")]
    assert listed(jobType="BigObjectIngest") == []
