"""Bulk API 2.0 ingest."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from migrator.clock import Clock
from tests.conformance.apis import BASE, Api, ByHand, Job, Refused

Load = Callable[..., Job]
KEY = "Migration_Key__c"


def written(folder: Path, content: str) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content.encode())
    return path


def test_a_new_job_is_open_and_empty(api: Api) -> None:
    job = api.create("Account", "insert")
    assert (job.state, job.processed or 0, job.failed or 0) == ("Open", 0, 0)
    assert job.id.startswith("750")
    assert len(job.id) == 18
    assert api.job(job.id).state == "Open"
    assert job.id in api.jobs()


@pytest.mark.parametrize(
    ("sobject", "operation", "key", "code"),
    [
        ("NoSuchObject", "insert", None, "INVALIDJOB"),
        ("Account", "upsert", "Phone", "INVALIDJOB"),
        ("Account", "explode", None, "API_ERROR"),
    ],
)
def test_a_job_that_cannot_be_is_refused(
    api: Api, sobject: str, operation: str, key: str | None, code: str
) -> None:
    with pytest.raises(Refused) as caught:
        api.create(sobject, operation, key)
    assert (caught.value.status, caught.value.code) == (400, code)


def test_inserted_rows_come_back_with_ids_and_their_cells(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f'Name,Description\n{mark} a,"x, ""y""\nz"\n{mark} b,\n')
    assert (job.state, job.processed, job.failed) == ("JobComplete", 2, 0)
    found = api.results(job.id)
    assert (found["failed"], found["unprocessed"]) == ([], [])
    rows = {one["Name"]: one for one in found["successful"]}
    assert rows[f"{mark} a"]["Description"] == 'x, "y"\nz'
    assert {one["sf__Created"] for one in rows.values()} == {"true"}
    stored = api.query(f"SELECT Id, Name FROM Account WHERE Name LIKE '{mark}%'")
    assert {(one["Id"], one["Name"]) for one in stored} == {
        (one["sf__Id"], name) for name, one in rows.items()
    }


def test_failed_rows_say_why_and_do_not_fail_the_job(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f"Name,NumberOfEmployees\n{mark},1\n,2\n{mark},many\n")
    assert (job.state, job.processed, job.failed) == ("JobComplete", 3, 2), "processed counts failed rows too"
    failed = {one["NumberOfEmployees"]: one for one in api.results(job.id)["failed"]}
    assert failed["2"]["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
    assert failed["many"]["sf__Error"].endswith(" --")
    assert {one["sf__Id"] for one in failed.values()} == {""}


def test_an_unknown_column_fails_the_job_and_nothing_is_done(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f"Name,Nope__c\n{mark},1\n")
    assert (job.state, job.processed, job.failed) == ("Failed", 0, 0)
    assert job.error == "InvalidBatch : Field name not found : Nope__c"
    assert api.count(f"SELECT COUNT() FROM Account WHERE Name = '{mark}'") == 0


def test_upsert_tells_created_from_updated(api: Api, load: Load, mark: str) -> None:
    load("upsert", f"{KEY},Name\n{mark}1,one\n", KEY)
    job = load("upsert", f"{KEY},Name\n{mark}1,one again\n{mark}2,two\n", KEY)
    rows = {one[KEY]: one["sf__Created"] for one in api.results(job.id)["successful"]}
    assert rows == {f"{mark}1": "false", f"{mark}2": "true"}
    assert api.count(f"SELECT COUNT() FROM Account WHERE {KEY} LIKE '{mark}%'") == 2


def test_the_same_upsert_twice_makes_no_second_record(api: Api, load: Load, mark: str) -> None:
    for _ in range(2):
        load("upsert", f"{KEY},Name\n{mark},same\n", KEY)
    assert api.count(f"SELECT COUNT() FROM Account WHERE {KEY} = '{mark}'") == 1


def test_a_unique_field_refuses_the_second(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f"{KEY},Name\n{mark},a\n{mark},b\n")
    assert (job.processed, job.failed) == (2, 1)
    assert api.results(job.id)["failed"][0]["sf__Error"].startswith("DUPLICATE_VALUE:")


def test_an_empty_cell_leaves_the_field_and_the_null_word_empties_it(api: Api, load: Load, mark: str) -> None:
    load("upsert", f"{KEY},Name,Site,Fax\n{mark},n,s,f\n", KEY)
    load("upsert", f"{KEY},Name,Site,Fax\n{mark},n,,#N/A\n", KEY)
    (found,) = api.query(f"SELECT Site, Fax FROM Account WHERE {KEY} = '{mark}'")
    assert found == {"Site": "s", "Fax": None}


def test_update_and_delete_by_id(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f"Name\n{mark}\n")
    record = api.results(job.id)["successful"][0]["sf__Id"]
    job = load("update", f"Id,Site\n{record},here\n001000000000000AAA,there\n")
    assert (job.processed, job.failed) == (2, 1)
    assert api.query(f"SELECT Site FROM Account WHERE Id = '{record}'") == [{"Site": "here"}]
    job = load("delete", f"Id\n{record}\n")
    assert (job.state, job.failed) == ("JobComplete", 0)
    assert api.count(f"SELECT COUNT() FROM Account WHERE Id = '{record}'") == 0


def test_content_goes_up_once(api: Api, mark: str, tmp_path: Path) -> None:
    job = api.create("Account", "insert")
    path = written(tmp_path, f"Name\n{mark}\n")
    api.upload(job.id, path)
    with pytest.raises(Refused):
        api.upload(job.id, path)


def test_an_open_job_is_never_worked_on(api: Api, clock: Clock, mark: str, tmp_path: Path) -> None:
    job = api.create("Account", "insert")
    api.upload(job.id, written(tmp_path, f"Name\n{mark}\n"))
    clock.wait(10.0)
    assert api.job(job.id).state == "Open"
    aborted = api.abort(job.id)
    assert (aborted.state, aborted.processed or 0) == ("Aborted", 0)
    assert api.count(f"SELECT COUNT() FROM Account WHERE Name = '{mark}'") == 0
    with pytest.raises(Refused):
        api.close(job.id)
    with pytest.raises(Refused):
        api.upload(job.id, written(tmp_path, f"Name\n{mark}\n"))


def test_closing_twice_does_the_work_once(
    api: Api, finish: Callable[[Job], Job], mark: str, tmp_path: Path
) -> None:
    job = api.create("Account", "insert")
    api.upload(job.id, written(tmp_path, f"Name\n{mark}\n"))
    assert api.close(job.id).state == "UploadComplete"
    with suppress(Refused):  # by now it may have ended
        api.close(job.id)
    assert finish(job).processed == 1
    assert api.count(f"SELECT COUNT() FROM Account WHERE Name = '{mark}'") == 1


def test_a_finished_job_is_not_aborted(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f"Name\n{mark}\n")
    with pytest.raises(Refused) as caught:
        api.abort(job.id)
    assert (caught.value.status, caught.value.code) == (400, "INVALIDJOBSTATE")


def test_a_job_that_is_not_there(api: Api) -> None:
    for ask in (api.job, api.close, api.results):
        with pytest.raises(Refused) as caught:
            ask("750000000000000AAA")
        assert caught.value.status == 404


def test_the_wrong_line_ending_fails_the_job(api: Api, load: Load, mark: str) -> None:
    job = load("insert", f"Name\r\n{mark}\r\n")
    assert (job.state, job.processed) == ("Failed", 0)
    assert job.error.startswith("ClientInputError : LineEnding is invalid")


def test_the_long_and_the_short_form(by_hand: ByHand, tmp_path: Path, mark: str) -> None:
    created = by_hand.ask(
        "POST", f"{BASE}/jobs/ingest", json={"object": "Account", "operation": "insert"}
    ).json()
    assert not created["contentUrl"].startswith("/")
    assert created["contentUrl"].endswith(f"jobs/ingest/{created['id']}/batches")
    assert isinstance(created["apiVersion"], float)
    assert "numberRecordsProcessed" not in created
    by_hand.upload(created["id"], written(tmp_path, f"Name\n{mark}\n"))
    path = f"{BASE}/jobs/ingest/{created['id']}"
    assert by_hand.ask("GET", path).json()["numberRecordsProcessed"] == 0
    closed = by_hand.ask("PATCH", path, json={"state": "UploadComplete"}).json()
    assert not {"contentUrl", "lineEnding", "jobType", "numberRecordsProcessed"} & closed.keys()
