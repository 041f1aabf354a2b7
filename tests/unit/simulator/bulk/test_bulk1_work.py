"""Bulk API v1 ingest at work, through the front of an org: whose turn it is, locks, and ends."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import JobFault, JobFaultKind, Org, OrgSettings, load_schema
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request
from tests.unit.simulator.bulk.bulk1_client import CSV, Bulk1, element, names, states

DAY = 86_400.0
SERIAL = "<concurrencyMode>Serial</concurrencyMode>" + CSV


class TestTurns:
    def test_serial_batches_of_all_jobs_go_one_at_a_time(self, clock: VirtualClock) -> None:
        bulk1 = Bulk1(Org(load_schema({}), OrgSettings(row_seconds=0.01), clock))
        jobs = [bulk1.create(more=SERIAL), bulk1.create(more=SERIAL)]
        for job in jobs:
            bulk1.post(job, names(200))
            bulk1.post(job, names(200))
        seen = []
        for _ in range(4):
            clock.wait(1)
            seen.append([states(bulk1, job) for job in jobs])
            clock.wait(1)
        first, second = ["Completed", "InProgress"], ["Queued", "Queued"]
        assert seen[0] == [["InProgress", "Queued"], ["Queued", "Queued"]]
        assert seen[1] == [first, second]
        assert seen[2] == [["Completed", "Completed"], ["InProgress", "Queued"]]
        assert seen[3] == [["Completed", "Completed"], ["Completed", "InProgress"]]

    def test_parallel_batches_go_side_by_side_and_past_serial_ones(self, clock: VirtualClock) -> None:
        bulk1 = Bulk1(Org(load_schema({}), OrgSettings(row_seconds=0.01, batch_parallelism=3), clock))
        serial, parallel = bulk1.create(more=SERIAL), bulk1.create(more=CSV)
        for job in (serial, serial, parallel, parallel, parallel):
            bulk1.post(job, names(200))
        clock.wait(1)
        assert states(bulk1, serial) == ["InProgress", "Queued"]
        assert states(bulk1, parallel) == ["InProgress", "InProgress", "Queued"]
        clock.wait(9)
        assert set(states(bulk1, serial) + states(bulk1, parallel)) == {"Completed"}

    def test_both_apis_share_the_slots(self, clock: VirtualClock) -> None:
        org = Org(load_schema({}), OrgSettings(row_seconds=0.01, batch_parallelism=1), clock)
        bulk1 = Bulk1(org)
        bearer = {"Authorization": f"Bearer {bulk1.token}"}

        def two(method: str, path: str, body: str = "") -> Any:
            full = f"/services/data/v60.0/jobs/ingest{path}"
            return org.handle(Request(method, full, {}, Headers(bearer), body.encode()))

        job = two("POST", "", '{"object":"Account","operation":"insert"}').json()["id"]
        two("PUT", f"/{job}/batches", names(400))
        two("PATCH", f"/{job}", '{"state":"UploadComplete"}')
        clock.wait(1)
        two("GET", f"/{job}")
        own = bulk1.create(more=CSV)
        batch = bulk1.post(own, names(200))
        clock.wait(1.5)
        assert element(bulk1("GET", f"/{own}/batch/{batch}"), "state") == "Queued"
        clock.wait(4)
        assert two("GET", f"/{job}").json()["state"] == "JobComplete"
        assert element(bulk1("GET", f"/{own}/batch/{batch}"), "state") == "Completed"


class TestLocks:
    def test_the_remainder_of_a_batch_is_tried_again(self, clock: VirtualClock) -> None:
        org = Org(load_schema({}), OrgSettings(), clock)
        bulk1 = Bulk1(org)
        org.plant(JobFault(JobFaultKind.LOCK, after_rows=200))
        job = bulk1.create(more=CSV)
        batch = bulk1.post(job, names(2_000))
        shown = bulk1.wait(job, batch)
        assert element(shown, "state") == "Completed"
        assert element(shown, "numberRecordsFailed") == "200"
        assert element(bulk1("GET", f"/{job}"), "numberRetries") == "1"
        rows = bulk1.result(job, batch).split("\n")[1:-1]
        assert [number for number, row in enumerate(rows) if "UNABLE_TO_LOCK_ROW" in row] == list(
            range(200, 400)
        )
        assert org.truth.count("Account") == 1_800

    @pytest.mark.parametrize(("retry", "locks"), [("", 50), ("TRUE", 1)])
    def test_a_batch_fails_in_the_end(self, clock: VirtualClock, retry: str, locks: int) -> None:
        org = Org(load_schema({}), OrgSettings(), clock)
        bulk1 = Bulk1(org)
        org.plant(JobFault(JobFaultKind.LOCK, after_rows=200, times=locks))
        job = bulk1.create(more=CSV, Sforce_Disable_Batch_Retry=retry)
        batch = bulk1.post(job, names(3_000))
        shown = bulk1.wait(job, batch)
        assert element(shown, "state") == "Failed"
        assert element(shown, "stateMessage").startswith("TooManyLockFailure : ")
        processed = int(element(shown, "numberRecordsProcessed"))
        assert processed == (400 if retry else 2_400)
        assert bulk1.result(job, batch).count("\n") == processed + 1
        assert org.truth.count("Account") == 200


class TestEnds:
    def test_a_closed_job_takes_no_batch_and_its_batches_go_on(self, org: Org, bulk1: Bulk1) -> None:
        job = bulk1.create(more=CSV)
        batch = bulk1.post(job, names(5))
        assert element(bulk1.change(job, "Closed"), "state") == "Closed"
        done = bulk1("POST", f"/{job}/batch", names(1), {"Content-Type": "text/csv"})
        assert done.status == 400
        assert element(done, "exceptionCode") == "InvalidJobState"
        assert element(done, "exceptionMessage") == "Failed to create batch, since the Job is not Open"
        assert element(bulk1.wait(job, batch), "state") == "Completed"
        assert element(bulk1.change(job, "Closed"), "exceptionCode") == "InvalidJobState"
        assert (
            element(bulk1.change(job, "Aborted"), "exceptionMessage")
            == "Aborting already Completed Job not allowed"
        )
        assert org.truth.count("Account") == 5

    def test_an_aborted_job_leaves_what_is_done(self, clock: VirtualClock) -> None:
        org = Org(load_schema({}), OrgSettings(row_seconds=0.01, batch_parallelism=1), clock)
        bulk1 = Bulk1(org)
        job = bulk1.create(more=CSV)
        first, second = bulk1.post(job, names(600)), bulk1.post(job, names(10))
        clock.wait(2.5)
        assert element(bulk1.change(job, "Aborted"), "state") == "Aborted"
        assert states(bulk1, job) == ["Failed", "NotProcessed"]
        clock.wait(60)
        assert org.truth.count("Account") == 200
        assert bulk1.result(job, first).count("\n") == 201
        assert bulk1("GET", f"/{job}/batch/{second}/result").status == 400

    @pytest.mark.parametrize(
        ("kind", "state"), [(JobFaultKind.FAIL, "Closed"), (JobFaultKind.ABORT, "Aborted")]
    )
    def test_job_faults(self, org: Org, bulk1: Bulk1, kind: JobFaultKind, state: str) -> None:
        org.plant(JobFault(kind, after_rows=200, sobject="Account"))
        job = bulk1.create(more=CSV)
        batch = bulk1.post(job, names(500))
        bulk1.change(job, "Closed")
        assert element(bulk1.wait(job, batch), "state") == "Failed"
        assert element(bulk1("GET", f"/{job}"), "state") == state
        assert bulk1.result(job, batch).count("\n") == 201

    def test_time_closes_jobs_and_forgets_them(self, bulk1: Bulk1, clock: VirtualClock) -> None:
        job = bulk1.create(more=CSV)
        clock.wait(DAY)
        bulk1.token = bulk1.org.part(Tokens).issue()
        assert element(bulk1("GET", f"/{job}"), "state") == "Closed"
        clock.wait(6 * DAY)
        bulk1.token = bulk1.org.part(Tokens).issue()
        assert element(bulk1("GET", f"/{job}"), "exceptionCode") == "InvalidJob"

    def test_the_allocation_of_batches_is_shared_and_refused_ones_count(self, clock: VirtualClock) -> None:
        bulk1 = Bulk1(Org(load_schema({}), OrgSettings(bulk_batches=2), clock))
        job = bulk1.create(more=CSV)
        bulk1.post(job, names(1))
        bulk1.change(job, "Closed")
        assert bulk1("POST", f"/{job}/batch", names(1), {"Content-Type": "text/csv"}).status == 400
        other = bulk1.create(more=CSV)
        done = bulk1("POST", f"/{other}/batch", names(1), {"Content-Type": "text/csv"})
        assert element(done, "exceptionCode") == "ExceededQuota"
        clock.wait(DAY)
        bulk1.token = bulk1.org.part(Tokens).issue()
        bulk1.post(bulk1.create(more=CSV), names(1))
