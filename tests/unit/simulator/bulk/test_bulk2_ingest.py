"""Bulk API 2.0 ingest through the front of an org."""

import csv
import http.client
import io
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import JobFault, JobFaultKind, Org, OrgSettings, load_schema, serve
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.records.truth import Change

DAY = 86_400.0
Call = Callable[..., Response]
Rows = list[dict[str, str]]


class Bulk:
    """A client of ingest jobs."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def create(self, sobject: str = "Account", operation: str = "insert", **more: Any) -> str:
        done = self.call("POST", "/jobs/ingest", {"object": sobject, "operation": operation, **more})
        assert done.status == 200, done.read()
        return str(done.json()["id"])

    def put(self, job: str, data: str | bytes) -> Response:
        body = data if isinstance(data, bytes) else data.encode()
        return self.call("PUT", f"/jobs/ingest/{job}/batches", body, headers={"Content-Type": "text/csv"})

    def patch(self, job: str, state: str = "UploadComplete") -> Response:
        return self.call("PATCH", f"/jobs/ingest/{job}", {"state": state})

    def get(self, job: str) -> dict[str, Any]:
        found = self.call("GET", f"/jobs/ingest/{job}").json()
        assert isinstance(found, dict)
        return found

    def start(self, data: str, sobject: str = "Account", operation: str = "insert", **more: Any) -> str:
        job = self.create(sobject, operation, **more)
        assert self.put(job, data).status == 201
        assert self.patch(job).status == 200
        return job

    def wait(self, job: str) -> dict[str, Any]:
        for _ in range(200):
            shown = self.get(job)
            if shown["state"] in {"JobComplete", "Failed", "Aborted"}:
                return shown
        raise AssertionError("the job does not end")

    def run(
        self, data: str, sobject: str = "Account", operation: str = "insert", **more: Any
    ) -> tuple[str, dict[str, Any]]:
        job = self.start(data, sobject, operation, **more)
        return job, self.wait(job)

    def text(self, job: str, kind: str) -> str:
        done = self.call("GET", f"/jobs/ingest/{job}/{kind}")
        assert done.status == 200, done.read()
        return done.read().decode()

    def rows(self, job: str, kind: str) -> Rows:
        return list(csv.DictReader(io.StringIO(self.text(job, kind), newline="")))

    def all_rows(self, job: str) -> tuple[Rows, Rows, Rows]:
        return (
            self.rows(job, "successfulResults"),
            self.rows(job, "failedResults"),
            self.rows(job, "unprocessedrecords"),
        )


@pytest.fixture
def bulk(call: Call) -> Bulk:
    return Bulk(call)


def named(count: int, column: str = "Name") -> str:
    return f"{column}\n" + "".join(f"Row {number}\n" for number in range(count))


def column(rows: Rows, name: str) -> list[str]:
    return sorted(row[name] for row in rows)


def refused(response: Response) -> tuple[int, str, str]:
    (body,) = response.json()
    assert list(body) == ["errorCode", "message"]
    return response.status, body["errorCode"], body["message"]


def client(settings: OrgSettings, clock: VirtualClock | None = None) -> tuple[Org, Bulk]:
    org = Org(load_schema(), settings, clock or VirtualClock())
    token = org.part(Tokens).issue()

    def call(method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = Headers({"Authorization": f"Bearer {token}", **(headers or {})})
        return org.handle(Request(method, f"/services/data/v60.0{path}", {}, given, data))

    return org, Bulk(call)


# --- a job's life ------------------------------------------------------------------------------------------------


def test_the_states_of_a_job_and_what_each_form_shows(bulk: Bulk) -> None:
    made = bulk.call(
        "POST",
        "/jobs/ingest",
        {"object": "account", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"},
    )
    shown = made.json()
    job = shown["id"]
    assert list(shown) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "externalIdFieldName",
        "concurrencyMode", "contentType", "apiVersion", "contentUrl", "lineEnding", "columnDelimiter",
    ]  # fmt: skip
    assert re.fullmatch(r"750\w{15}", job)
    assert shown["object"] == "Account"
    assert shown["contentUrl"] == f"services/data/v60.0/jobs/ingest/{job}/batches"
    assert b'{\n  "id" : "750' in made.read()
    assert b'"apiVersion" : 60.0,' in made.read()
    opened = bulk.get(job)
    assert "numberRecordsProcessed" not in opened
    assert opened["jobType"] == "V2Ingest"
    put = bulk.put(job, "Legacy_Id__c,Name\na,A\n")
    assert (put.status, put.read()) == (201, b"")
    filled = bulk.get(job)
    assert (filled["state"], filled["numberRecordsProcessed"], filled["numberRecordsFailed"]) == (
        "Open",
        0,
        0,
    )
    closed = bulk.patch(job).json()
    assert closed["state"] == "UploadComplete"
    assert list(closed)[-1] == "apiVersion"
    states = [bulk.get(job)["state"] for _ in range(3)]
    assert states == ["InProgress", "JobComplete", "JobComplete"]
    done = bulk.get(job)
    assert list(done) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "externalIdFieldName",
        "concurrencyMode", "contentType", "apiVersion", "jobType", "lineEnding", "columnDelimiter",
        "numberRecordsProcessed", "numberRecordsFailed", "retries", "totalProcessingTime", "apiActiveProcessingTime",
        "apexProcessingTime",
    ]  # fmt: skip
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (1, 0)


def test_rows_of_all_operations(bulk: Bulk, org: Org) -> None:
    job, shown = bulk.run("Name,Legacy_Id__c,AnnualRevenue\nA,1,912260031\nB,2,15\n")
    assert shown["numberRecordsProcessed"] == 2
    made, bad, left = bulk.all_rows(job)
    assert (bad, left) == ([], [])
    assert [row["sf__Created"] for row in made] == ["true", "true"]
    assert column(made, "AnnualRevenue") == ["15.0", "9.12260031E8"]
    ids = {row["Name"]: row["sf__Id"] for row in made}
    assert sorted(org.truth.ids("Account", Change.CREATED, origin=job)) == sorted(ids.values())

    job, _ = bulk.run(f"Id,Name,Phone\n{ids['A']},A2,\n{ids['B']},B2,#N/A\n", operation="update")
    made, bad, _ = bulk.all_rows(job)
    assert {row["sf__Id"]: (row["sf__Created"], row["Name"], row["Phone"]) for row in made} == {
        ids["A"]: ("false", "A2", ""),
        ids["B"]: ("false", "B2", "#N/A"),
    }

    job, _ = bulk.run(
        "Id,Legacy_Id__c,Name\n,1,A3\n,3,C\n", operation="upsert", externalIdFieldName="Legacy_Id__c"
    )
    made, _, _ = bulk.all_rows(job)
    assert {row["Name"]: row["sf__Created"] for row in made} == {"A3": "false", "C": "true"}

    job, _ = bulk.run(f"Id\n{ids['A']}\n001000000000000AAA\n", operation="delete")
    made, bad, _ = bulk.all_rows(job)
    assert [(row["sf__Id"], row["sf__Created"], row["Id"]) for row in made] == [(ids["A"], "false", ids["A"])]
    assert len(bad) == 1
    assert len(org.store.table("Account").deleted) == 1

    bulk.run(f"Id\n{ids['B']}\n", operation="hardDelete")
    assert org.truth.ids("Account", Change.PURGED) == [ids["B"]]


def test_refused_rows_say_why(bulk: Bulk) -> None:
    job, shown = bulk.run(
        "Name,CloseDate,StageName\nX,2003-04-987654321,S\n,2003-04-05,S\nY,2003-04-05,S\n", "Opportunity"
    )
    assert shown["state"] == "JobComplete"
    assert (shown["numberRecordsProcessed"], shown["numberRecordsFailed"]) == (3, 2)
    made, bad, left = bulk.all_rows(job)
    assert (column(made, "Name"), left) == (["Y"], [])
    assert {row["Name"]: (row["sf__Id"], row["sf__Error"]) for row in bad} == {
        "X": ("", "INVALID_FIELD:Failed to deserialize field at col 1. Due to, '2003-04-987654321' is not a valid value for the type xsd:date:CloseDate --"),
        "": ("", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"),
    }  # fmt: skip


def test_a_blank_beside_a_quote_refuses_its_row_only(bulk: Bulk, org: Org) -> None:
    job, shown = bulk.run('Name,Phone\nA,1\n"B" ,2\nC, "3"\n"D","4"\n')
    assert (shown["state"], shown["numberRecordsProcessed"], shown["numberRecordsFailed"]) == (
        "JobComplete",
        4,
        2,
    )
    made, bad, left = bulk.all_rows(job)
    assert (column(made, "Name"), left) == (["A", "D"], [])
    assert {(row["Name"], row["Phone"]) for row in bad} == {('"B" ', "2"), ("C", ' "3"')}
    why = "INVALID_FIELD:Found unescaped quote. A value with quote should be within a quote:--"
    assert {(row["sf__Id"], row["sf__Error"]) for row in bad} == {("", why)}
    assert len(org.truth.created("Account")) == 2


def test_results_quote_our_headers_and_all_cells(bulk: Bulk) -> None:
    job, _ = bulk.run('name,Description\n"A ""a""","x\ny, z"\n')
    text = bulk.text(job, "successfulResults/")
    record_id = text.split('"')[5]
    assert text == f'"sf__Id","sf__Created",name,Description\n"{record_id}","true","A ""a""","x\ny, z"\n'
    assert bulk.text(job, "failedResults") == '"sf__Id","sf__Error",name,Description\n'
    assert (
        bulk.text(job, "unprocessedrecords/") == bulk.text(job, "unprocessedRecords") == "name,Description\n"
    )


def test_delimiters_and_line_ends(bulk: Bulk) -> None:
    job, shown = bulk.run("Name|Phone\r\nA,B|1\r\n", columnDelimiter="PIPE", lineEnding="CRLF")
    assert shown["numberRecordsProcessed"] == 1
    assert bulk.text(job, "successfulResults").endswith('"|"true"|"A,B"|"1"\r\n')
    assert bulk.text(job, "failedResults") == '"sf__Id"|"sf__Error"|Name|Phone\r\n'


def test_parents_by_external_id(bulk: Bulk, org: Org) -> None:
    bulk.run("Name,Legacy_Id__c\nA,1\n")
    job, _ = bulk.run("LastName,Account.Legacy_Id__c\nX,1\nY,nope\n", "Contact")
    made, bad, _ = bulk.all_rows(job)
    assert column(made, "LastName") == ["X"]
    assert "nope" in bad[0]["sf__Error"]
    assert org.store.table("Contact").cell(1, "AccountId") == org.store.table("Account").id_of(1)


def test_an_upload_of_one_multipart_request(bulk: Bulk) -> None:
    parts = [
        '--BOUNDARY\nContent-Type: application/json\nContent-Disposition: form-data; name="job"\n\n',
        '{"object":"Account","operation":"insert","contentType":"CSV"}\n',
        '--BOUNDARY\nContent-Type: text/csv\nContent-Disposition: form-data; name="content"; filename="content"\n\n',
        "\nName\nA\nB\n\n--BOUNDARY--",
    ]
    kind = {"Content-Type": "multipart/form-data; boundary=BOUNDARY"}
    done = bulk.call("POST", "/jobs/ingest/", "".join(parts).encode(), headers=kind)
    assert done.json()["state"] == "UploadComplete"
    assert "contentUrl" not in done.json()
    assert bulk.wait(done.json()["id"])["numberRecordsProcessed"] == 2
    big = "".join(parts).replace("\nB\n", "\n" + "B" * 100_001 + "\n")
    assert bulk.call("POST", "/jobs/ingest", big.encode(), headers=kind).status == 400


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"object": "", "operation": "insert"}, "INVALIDJOB", "InvalidJob : Unable to find object: "),
        ({"object": "Foo", "operation": "insert"}, "INVALIDJOB", "InvalidJob : Unable to find object: Foo"),
        ({"object": "Account"}, "API_ERROR", "Invalid value: '' supplied for property: 'operation'"),
        ({"object": "Account", "operation": "INSERT"}, "API_ERROR", "Invalid value: 'INSERT' supplied for property: 'operation'"),
        ({"object": "Account", "operation": "insert", "lineEnding": "CR"}, "API_ERROR", "Invalid value: 'CR' supplied for property: 'lineEnding'"),
        ({"object": "Account", "operation": "insert", "contentType": "JSON"}, "API_ERROR", "Invalid value: 'JSON' supplied for property: 'contentType'"),
        ({"object": "Account", "operation": "insert", "columnDelimiter": ";"}, "API_ERROR", "Invalid value: ';' supplied for property: 'columnDelimiter'"),
        ({"object": "Account", "operation": "upsert"}, "INVALIDJOB", "InvalidJob : Field name provided,  does not match an External ID for Account"),
        ({"object": "Account", "operation": "upsert", "externalIdFieldName": "Phone"}, "INVALIDJOB", "InvalidJob : Field name provided, Phone does not match an External ID for Account"),
    ],
)  # fmt: skip
def test_jobs_that_cannot_be_made(bulk: Bulk, asked: dict[str, Any], code: str, message: str) -> None:
    assert refused(bulk.call("POST", "/jobs/ingest", asked)) == (400, code, message)


def test_data_is_taken_once(bulk: Bulk) -> None:
    job = bulk.create()
    bulk.put(job, named(1))
    status, code, message = refused(bulk.put(job, named(1)))
    assert (status, code) == (400, "BULK_API_ERROR")
    assert message == (
        f"Found multipe contents for job: <{job[:15]}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a"
        " new Job and make sure you only do 'PUT' once on a given Job."
    )
    bulk.patch(job)
    assert bulk.wait(job)["numberRecordsProcessed"] == 1
    assert refused(bulk.put(job, named(1)))[1] == "INVALIDJOBSTATE"


def test_ended_jobs_stay_as_they_are(bulk: Bulk) -> None:
    job, _ = bulk.run(named(1))
    assert refused(bulk.patch(job, "Aborted")) == (
        400,
        "INVALIDJOBSTATE",
        "Aborting already Completed Job not allowed",
    )
    assert refused(bulk.patch(job))[:2] == (400, "INVALIDJOBSTATE")
    assert refused(bulk.patch(job, "Nope"))[1:] == (
        "API_ERROR",
        "Invalid value: 'Nope' supplied for property: 'state'",
    )


def test_hard_delete_needs_its_permission() -> None:
    _, bulk = client(OrgSettings(hard_delete=False))
    done = bulk.call("POST", "/jobs/ingest", {"object": "Account", "operation": "hardDelete"})
    assert refused(done)[1] == "FEATURENOTENABLED"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("Nam\nA\n", "InvalidBatch : Field name not found : Nam"),
        ("\ufeffName\nA\n", "InvalidBatch : Field name not found : \ufeffName"),
        ("Name\r\nA\r\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        ('Name\n"A\n', "InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote"),
        ("Name\nA,B\n", "InvalidBatch : Failed to parse CSV. The number of values in a row does not match the number of columns in the header"),
        ("", "ClientInputError : Unable to find any data to create batch"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_fails_the_job_only_after_the_upload(
    bulk: Bulk, org: Org, data: str, message: str
) -> None:
    job, shown = bulk.run(data)
    assert (shown["state"], shown["errorMessage"]) == ("Failed", message)
    assert (shown["numberRecordsProcessed"], shown["numberRecordsFailed"]) == (0, 0)
    assert list(shown)[-1] == "errorMessage"
    assert len(org.store.table("Account")) == 0
    made, bad, _ = bulk.all_rows(job)
    assert (made, bad) == ([], [])
    assert bulk.text(job, "unprocessedrecords") == data if "LineEnding" in message else True


def test_all_rows_are_unprocessed_when_the_header_is_wrong(bulk: Bulk) -> None:
    job, _ = bulk.run("Nam,Phone\nA,1\nB,2\n")
    assert bulk.text(job, "unprocessedrecords") == 'Nam,Phone\n"A","1"\n"B","2"\n'


def test_a_header_alone_is_a_job_without_rows(bulk: Bulk) -> None:
    job, shown = bulk.run("Name\n")
    assert (shown["state"], shown["numberRecordsProcessed"]) == ("JobComplete", 0)
    assert bulk.text(job, "successfulResults") == '"sf__Id","sf__Created",Name\n'


def test_unknown_and_foreign_jobs(bulk: Bulk) -> None:
    done = bulk.call("GET", "/jobs/ingest/750000000000000AAA")
    assert refused(done) == (404, "NOT_FOUND", "The requested resource does not exist")
    job = bulk.start(named(1))
    assert refused(bulk.call("GET", f"/jobs/ingest/{job}/successfulResults"))[1] == "INVALIDJOBSTATE"
    assert bulk.get(job[:15])["id"] == job


# --- many rows ---------------------------------------------------------------------------------------------------


def test_batches_interleave_and_results_come_in_another_order(bulk: Bulk, org: Org) -> None:
    job = bulk.start(named(25_000))
    seen = []
    for _ in range(100):
        shown = bulk.get(job)
        seen.append(shown["numberRecordsProcessed"])
        if shown["state"] == "JobComplete":
            break
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    made, _, _ = bulk.all_rows(job)
    names = [row["Name"] for row in made]
    assert sorted(names) == sorted(f"Row {number}" for number in range(25_000))
    assert names != [f"Row {number}" for number in range(25_000)]
    table = org.store.table("Account")
    assert all(table.cell(table.seq_of(row["sf__Id"]), "Name") == row["Name"] for row in made[::97])
    firsts = {int(table.cell(seq, "Name").split()[1]) // 10_000 for seq in range(1, 801)}
    assert len(firsts) == 3
    assert bulk.text(job, "successfulResults") == bulk.text(job, "successfulResults")


def test_order_can_be_kept() -> None:
    _, bulk = client(OrgSettings(shuffle_results=False, batch_parallelism=1))
    job, _ = bulk.run(named(10_500))
    assert [row["Name"] for row in bulk.rows(job, "successfulResults")] == [
        f"Row {number}" for number in range(10_500)
    ]


def test_work_takes_its_time_on_the_clock() -> None:
    clock = VirtualClock()
    _, bulk = client(OrgSettings(row_seconds=0.01, batch_parallelism=2), clock)
    job = bulk.start(named(30_000))
    assert bulk.get(job)["state"] == "InProgress"
    clock.advance(10)
    assert bulk.get(job)["numberRecordsProcessed"] == 2_000
    clock.advance(99)
    assert bulk.get(job)["numberRecordsProcessed"] == 20_000 + 800
    clock.advance(1_000)
    shown = bulk.get(job)
    assert (shown["state"], shown["numberRecordsProcessed"]) == ("JobComplete", 30_000)
    assert shown["totalProcessingTime"] == 300_000
    assert shown["systemModstamp"][:16] < shown["createdDate"][:11] + "99"


def test_an_aborted_job_keeps_what_it_did() -> None:
    org, bulk = client(OrgSettings())
    job = bulk.start(named(12_000))
    while not bulk.get(job)["numberRecordsProcessed"]:
        pass
    assert bulk.patch(job, "Aborted").json()["state"] == "Aborted"
    shown = bulk.wait(job)
    made, bad, left = bulk.all_rows(job)
    assert 0 < len(made) < 12_000
    assert len(made) == shown["numberRecordsProcessed"] == len(org.store.table("Account"))
    assert not bad
    assert column([*made, *left], "Name") == sorted(f"Row {number}" for number in range(12_000))


def test_a_job_that_fails_half_way(bulk: Bulk, org: Org) -> None:
    org.plant(JobFault(JobFaultKind.FAIL, 3_000, "account"))
    job, shown = bulk.run("Name,Phone\n" + "".join(f"{'' if n % 10 == 0 else n},1\n" for n in range(11_000)))
    assert shown["state"] == "Failed"
    assert shown["errorMessage"].startswith("InternalServerError")
    made, bad, left = bulk.all_rows(job)
    assert (len(made) + len(bad), len(bad)) == (shown["numberRecordsProcessed"], shown["numberRecordsFailed"])
    assert len(made) + len(bad) + len(left) == 11_000
    assert len(org.store.table("Account")) == len(made)
    assert len(set(column([*made, *bad, *left], "Name"))) == 9_901
    assert bulk.run(named(11_000))[1]["state"] == "JobComplete"


def test_aborting_an_open_job_processes_nothing(bulk: Bulk, org: Org) -> None:
    job = bulk.create()
    bulk.put(job, "Name\nA\n")
    bulk.patch(job, "Aborted")
    assert bulk.wait(job)["numberRecordsProcessed"] == 0
    assert [row["Name"] for row in bulk.rows(job, "unprocessedrecords")] == ["A"]
    assert len(org.store.table("Account")) == 0
    empty = bulk.create()
    bulk.patch(empty, "Aborted")
    assert bulk.text(empty, "unprocessedrecords") == ""


# --- limits and time ---------------------------------------------------------------------------------------------


def test_a_job_over_the_daily_batches_fails_with_what_it_did() -> None:
    clock = VirtualClock()
    _, bulk = client(OrgSettings(bulk_batches=2, token_lifetime=30 * DAY), clock)
    job, shown = bulk.run(named(30_000))
    assert shown["state"] == "Failed"
    assert "ExceededQuota" in shown["errorMessage"]
    left_over = bulk.call("GET", "/limits").json()
    assert left_over["DailyBulkApiBatches"] == {"Max": 2, "Remaining": 0}
    made, _, left = bulk.all_rows(job)
    assert len(made) + len(left) == 20_000  # the batch over the allocation is in no result
    assert bulk.run(named(1))[1]["state"] == "Failed"
    clock.advance(DAY + 60)
    assert bulk.run(named(1))[1]["state"] == "JobComplete"


def test_open_jobs_end_after_a_day_and_all_jobs_are_forgotten_after_a_week() -> None:
    clock = VirtualClock()
    org, bulk = client(OrgSettings(token_lifetime=30 * DAY), clock)
    opened = bulk.create()
    done, _ = bulk.run(named(1))
    clock.advance(DAY)
    assert bulk.get(opened)["state"] == "Aborted"
    clock.advance(6 * DAY)
    assert bulk.call("GET", f"/jobs/ingest/{done}").status == 404
    assert bulk.get(opened)["state"] == "Aborted"
    clock.advance(DAY)
    assert bulk.call("GET", f"/jobs/ingest/{opened}").status == 404
    assert not org.part(IngestWork).jobs


def test_locks_send_the_rest_of_a_batch_back_to_the_queue(bulk: Bulk, org: Org) -> None:
    org.plant(JobFault(JobFaultKind.LOCK, after_rows=400, times=2))
    job, shown = bulk.run(named(2_000))
    assert (shown["state"], shown["retries"]) == ("JobComplete", 2)
    assert (shown["numberRecordsProcessed"], shown["numberRecordsFailed"]) == (2_000, 400)
    _, bad, _ = bulk.all_rows(job)
    assert {row["sf__Error"] for row in bad} == {
        "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"
    }


def test_too_many_lock_failures_fail_the_job(bulk: Bulk, org: Org) -> None:
    org.plant(JobFault(JobFaultKind.LOCK, times=100))
    job, shown = bulk.run(named(10_000))
    assert (shown["state"], shown["retries"], shown["numberRecordsProcessed"]) == ("Failed", 21, 4_200)
    assert shown["errorMessage"].startswith("TooManyLockFailure")
    assert len(bulk.rows(job, "unprocessedrecords")) == 5_800


# --- lists and deletion ------------------------------------------------------------------------------------------


def test_deleting_jobs(bulk: Bulk) -> None:
    job = bulk.create()
    assert refused(bulk.call("DELETE", f"/jobs/ingest/{job}"))[1:] == (
        "API_ERROR",
        "Error encountered when deleting the job because the job is not terminated",
    )
    bulk.patch(job, "Aborted")
    gone = bulk.call("DELETE", f"/jobs/ingest/{job}")
    assert (gone.status, gone.read()) == (204, b"")
    assert bulk.call("GET", f"/jobs/ingest/{job}").status == 404


def test_the_list_of_jobs_has_pages(bulk: Bulk) -> None:
    made = [bulk.create() for _ in range(1_001)]
    first = bulk.call("GET", "/jobs/ingest").json()
    assert (first["done"], len(first["records"])) == (False, 1_000)
    assert list(first["records"][0])[-3:] == ["jobType", "lineEnding", "columnDelimiter"]
    path, _, locator = first["nextRecordsUrl"].partition("?queryLocator=")
    second = bulk.call("GET", path, query={"queryLocator": locator}).json()
    assert (second["done"], second["nextRecordsUrl"]) == (True, None)
    listed: Sequence[dict[str, Any]] = [*first["records"], *second["records"]]
    assert sorted(row["id"] for row in listed) == sorted(made)
    assert bulk.call("GET", "/jobs/ingest", query={"jobType": "Classic"}).json()["records"] == []
    assert bulk.call("GET", "/jobs/ingest", query={"queryLocator": "x"}).status == 400


def test_a_small_job_does_not_wait_for_a_big_one(bulk: Bulk) -> None:
    big = bulk.start(named(60_000))
    while not bulk.get(big)["numberRecordsProcessed"]:
        pass
    small, _ = bulk.run(named(5), "Lead")
    assert bulk.get(small)["state"] == "JobComplete"
    assert bulk.get(big)["state"] == "InProgress"


def test_a_chunked_upload_over_http(org: Org) -> None:
    data = "Name,Description\n" + "".join(f'Row {n},"{"x" * 400}\n"\n' for n in range(6_000))
    parts = [data[first : first + 70_000].encode() for first in range(0, len(data), 70_000)]
    token = org.part(Tokens).issue()
    with serve(org) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)

        def call(
            method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
        ) -> Response:
            sent = iter(parts) if path.endswith("batches") else json.dumps(body)
            given = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                **(headers or {}),
            }
            connection.request(
                method, f"/services/data/v60.0{path}", sent, given, encode_chunked=path.endswith("batches")
            )
            answer = connection.getresponse()
            return Response(answer.status, Headers(answer.getheaders()), answer.read())

        bulk = Bulk(call)
        job = bulk.start(data)
        deadline = time.monotonic() + 60
        while bulk.get(job)["state"] != "JobComplete":
            assert time.monotonic() < deadline
        assert len(bulk.rows(job, "successfulResults")) == 6_000
        connection.close()
