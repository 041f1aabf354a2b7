"""Bulk API 2.0 ingest at work, through the front of an org: many rows, limits and time, lists of jobs and their deletion."""

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any

from migrator.clock import VirtualClock
from migrator.simulator import JobFault, JobFaultKind, Org, OrgSettings, serve
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.simulator.http import Headers, Response
from tests.unit.simulator.bulk.bulk2_client import Bulk, client, column, named, refused

DAY = 86_400.0


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
