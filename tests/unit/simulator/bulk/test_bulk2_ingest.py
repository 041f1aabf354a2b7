"""Bulk API 2.0 ingest through the front of an org: what a job shows, takes and refuses."""

import re
from typing import Any

import pytest

from migrator.simulator import Org, OrgSettings
from migrator.simulator.records.truth import Change
from tests.unit.simulator.bulk.bulk2_client import Bulk, client, column, named, refused

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
