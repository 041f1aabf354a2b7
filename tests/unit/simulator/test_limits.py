"""What an org allows, with all of it set small."""

import base64
import json
import re
import threading
from itertools import pairwise
from typing import Any

import pytest

from migrator.clock import SystemClock, VirtualClock
from migrator.simulator import Fault, FaultKind, Org, OrgClock, OrgSettings
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.limits import DAY, Limits

DATA = "/services/data/v60.0"
CSV = {"Content-Type": "text/csv"}


def ask(org: Org, method: str, path: str, body: str = "", **headers: str) -> Response:
    query = {}
    if "?" in path:
        path, _, text = path.partition("?")
        query = dict(each.split("=", 1) for each in text.split("&"))
    given = Headers({"Authorization": f"Bearer {org.issue_token()}", **headers})
    return org.handle(Request(method, DATA + path, query, given, body.encode()))


def small(clock: VirtualClock, **settings: Any) -> Org:
    return Org(settings=OrgSettings(**settings), clock=clock)


def ingest(org: Org, rows: int) -> dict[str, Any]:
    """A job of so many rows, carried out."""
    job = ask(org, "POST", "/jobs/ingest", '{"object":"Account","operation":"insert"}').json()["id"]
    ask(org, "PUT", f"/jobs/ingest/{job}/batches", "Name\n" + "x\n" * rows, **CSV)
    ask(org, "PATCH", f"/jobs/ingest/{job}", '{"state":"UploadComplete"}')
    while org.advance(org.now()):
        pass
    return dict(ask(org, "GET", f"/jobs/ingest/{job}").json())


def test_requests_of_a_day_and_their_window(clock: VirtualClock) -> None:
    org = small(clock, api_requests=5)
    assert [ask(org, "GET", "/sobjects").status for _ in range(6)] == [200] * 5 + [403]
    clock.advance(DAY + 61)
    assert ask(org, "GET", "/sobjects").status == 200
    assert ask(org, "GET", "/limits").json()["DailyApiRequests"] == {"Max": 5, "Remaining": 3}


def test_the_usage_that_is_shown_is_not_exact(clock: VirtualClock) -> None:
    org = small(clock)
    headers = [ask(org, "GET", "/limits").headers["Sforce-Limit-Info"] for _ in range(200)]
    assert all(re.fullmatch(r"api-usage=\d+/100000", each) for each in headers)
    shown = [int(each[10:-7]) for each in headers]
    steps = [after - before for before, after in pairwise(shown)]
    assert 0 in steps
    assert min(steps) < 0
    assert all(-20 < each - true <= 0 for true, each in enumerate(shown, 1))
    exact = small(clock, fuzzy_usage=False)
    assert [ask(exact, "GET", "/limits").headers["Sforce-Limit-Info"] for _ in range(2)] == [
        "api-usage=1/100000",
        "api-usage=2/100000",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bulk_batches": 1}, "ExceededQuota : ApiBatchItems Limit exceeded."),
        ({"bulk_records": 10_000}, "ExceededQuota : Records Limit exceeded."),
    ],
)
def test_batches_and_records_of_a_day(clock: VirtualClock, settings: dict[str, int], message: str) -> None:
    org = small(clock, batch_parallelism=1, shuffle_results=False, **settings)
    shown = ingest(org, 10_500)
    assert (shown["state"], shown["errorMessage"]) == ("Failed", message)
    assert shown["numberRecordsProcessed"] == 10_000
    clock.advance(DAY)
    assert ingest(org, 10)["state"] == "JobComplete"
    assert (
        ask(org, "GET", "/limits").json()["DailyBulkApiBatches"]["Remaining"] == org.settings.bulk_batches - 1
    )


def test_query_jobs_and_what_they_store(clock: VirtualClock) -> None:
    body = '{"operation":"query","query":"SELECT Id, Name FROM Account"}'
    org = small(clock, query_jobs=2)
    assert [ask(org, "POST", "/jobs/query", body).status for _ in range(3)] == [200, 200, 400]
    text = ask(org, "POST", "/jobs/query", body).json()[0]["message"]
    assert text == "Max bulk v2 query jobs (2) per 24 hrs has been reached"
    org = small(clock, query_storage_mb=1)
    ingest(org, 50_000)
    assert ask(org, "POST", "/jobs/query", body).status == 200
    while org.advance(clock.now()):
        pass
    refused = ask(org, "POST", "/jobs/query", body)
    assert (
        refused.json()[0]["message"]
        == "Max bulk v2 query result size stored (1024) kb per 24 hrs has been exceeded"
    )
    assert ask(org, "GET", "/limits").json()["DailyBulkV2QueryFileStorageMB"] == {"Max": 1, "Remaining": 0}


def test_the_storage_is_full(clock: VirtualClock) -> None:
    org = small(clock, data_storage_mb=1)
    shown = ingest(org, 1_000)
    assert 400 < shown["numberRecordsProcessed"] - shown["numberRecordsFailed"] < 800
    refused = ask(org, "POST", "/sobjects/Account", '{"Name":"one more"}')
    assert refused.json() == [
        {"message": "storage limit exceeded", "errorCode": "STORAGE_LIMIT_EXCEEDED", "fields": []}
    ]
    record = org.truth.created("Account")[0]
    assert ask(org, "PATCH", f"/sobjects/Account/{record}", '{"Name":"changed"}').status == 204
    assert ask(org, "GET", "/limits").json()["DataStorageMB"] == {"Max": 1, "Remaining": 0}


def test_long_requests_at_once() -> None:
    clock = OrgClock(SystemClock(), speed=100)
    org = Org(settings=OrgSettings(long_requests=2, token_lifetime=1e6), clock=clock)
    org.plant(Fault(FaultKind.DELAY, path=".*/limits", seconds=60, times=2))
    asking = [threading.Thread(target=ask, args=(org, "GET", "/limits")) for _ in range(2)]
    for each in asking:
        each.start()
    clock.wait(10)
    assert ask(org, "GET", "/sobjects").status == 200, "they are not long yet"
    clock.wait(20)
    refused = ask(org, "GET", "/sobjects")
    text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    assert (refused.status, refused.json()) == (
        403,
        [{"message": text, "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
    )
    for each in asking:
        each.join(timeout=20)
    assert ask(org, "GET", "/sobjects").status == 200


def test_addresses_and_headers_have_a_length(clock: VirtualClock) -> None:
    org = small(clock)
    assert ask(org, "GET", "/query?q=" + "x" * 16_500).status == 414
    assert ask(org, "GET", "/limits", Cookie="x" * 16_500).status == 431
    assert ask(org, "GET", "/limits", Cookie="x" * 10_000).status == 200


def test_open_cursors(clock: VirtualClock) -> None:
    org = small(clock, query_cursors=2, query_page=200)
    ingest(org, 300)
    pages = [ask(org, "GET", "/query?q=SELECT Id FROM Account").json()["nextRecordsUrl"] for _ in range(3)]
    found = [ask(org, "GET", each.removeprefix(DATA)).status for each in pages]
    assert found == [400, 200, 200]


def test_record_counts_are_of_a_while_ago(clock: VirtualClock) -> None:
    org = small(clock, record_count_age=3_600.0)
    assert ask(org, "GET", "/limits/recordCount?sObjects=Account").json() == {"sObjects": []}
    ingest(org, 3)
    assert ask(org, "GET", "/limits/recordCount?sObjects=Account").json() == {"sObjects": []}
    clock.advance(3_600)
    found = ask(org, "GET", "/limits/recordCount?sObjects=Account,Contact").json()
    assert found == {"sObjects": [{"count": 3, "name": "Account"}]}


@pytest.mark.parametrize("name", ["api_requests", "batches", "records", "query_jobs", "query_storage"])
def test_somebody_else_uses_an_allocation(clock: VirtualClock, name: str) -> None:
    limits = small(clock).part(Limits)
    limits.use_up(name, 3, clock.now())
    assert getattr(limits, name).left(clock.now()) == 3


def test_the_file_storage_is_full(clock: VirtualClock) -> None:
    org = small(clock, file_storage_mb=1)
    body = json.dumps(
        {"Title": "f", "PathOnClient": "f.bin", "VersionData": base64.b64encode(bytes(600_000)).decode()}
    )
    assert [ask(org, "POST", "/sobjects/ContentVersion", body).status for _ in range(2)] == [201, 400]
    refused = ask(org, "POST", "/sobjects/ContentVersion", body)
    assert refused.json()[0]["errorCode"] == "STORAGE_LIMIT_EXCEEDED"
    assert org.truth.count("ContentVersion") == 1
    assert ask(org, "POST", "/sobjects/Account", '{"Name":"has no file"}').status == 201
    assert ask(org, "GET", "/limits").json()["FileStorageMB"] == {"Max": 1, "Remaining": 0}
