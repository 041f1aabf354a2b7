"""What is repeated, what is not, and what a failure says about what happened."""

import gzip
import json
import logging
import re
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from migrator.clock import SystemClock, VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.wire import JobState, Sent
from migrator.salesforce import AccessToken, ConnectionSettings, Secret, connect
from tests.unit.salesforce.script import (
    BUSY,
    HTML,
    INSTANCE,
    JOB,
    OK,
    Connect,
    Script,
    ask,
    create,
    failure,
    token,
)


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        (httpx.ConnectError("refused"), Sent.NO),
        (httpx.ConnectTimeout("slow"), Sent.NO),
        (httpx.PoolTimeout("busy"), Sent.NO),
        (httpx.WriteError("reset"), Sent.MAYBE),
        (httpx.WriteTimeout("slow"), Sent.MAYBE),
        (httpx.ReadError("reset"), Sent.MAYBE),
        (httpx.ReadTimeout("silence"), Sent.MAYBE),
        (httpx.CloseError("reset"), Sent.MAYBE),
        (httpx.RemoteProtocolError("cut"), Sent.MAYBE),
        (httpx.LocalProtocolError("odd"), Sent.MAYBE),
        (ConnectionResetError("reset"), Sent.MAYBE),
        (BrokenPipeError("pipe"), Sent.MAYBE),
    ],
)
def test_what_a_lost_connection_says(scripted: Connect, fault: Exception, sent: Sent) -> None:
    script = Script(fault)
    failed = failure(create(scripted(script)))
    assert (failed.sent, failed.code, failed.retryable, failed.status) == (sent, "network-failed", True, None)
    assert failed.exit_code is ExitCode.PAUSED
    assert len(script.seen) == 1, "a write is never repeated"


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 408, 429, 500, 503])
def test_what_an_answer_says(scripted: Connect, status: int) -> None:
    failed = failure(create(scripted(Script(httpx.Response(status, json=[])), auth=AccessToken(Secret("t")))))
    assert (failed.sent, failed.status) == (Sent.YES, status)


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        httpx.Response(200, content=b'{"id":'),
        httpx.Response(200, json={"unexpected": 1}),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b""),
        httpx.Response(200, headers={"Content-Length": "999"}, content=json.dumps(JOB).encode()),
        httpx.Response(200, headers={"Content-Encoding": "br"}, stream=httpx.ByteStream(b"xx")),
        httpx.Response(200, content=b"[" * 100_000),
    ],
    ids=["page", "cut", "form", "list", "empty", "short", "encoding", "deep"],
)
def test_an_unusable_answer_to_a_write_leaves_it_in_doubt(scripted: Connect, answer: httpx.Response) -> None:
    failed = failure(create(scripted(Script(answer))))
    assert failed.sent is Sent.MAYBE
    assert failed.code in {"answer-broken", "proxy-answer"}


def test_a_refusal_tells_salesforces_code_and_a_harmless_message(scripted: Connect) -> None:
    hostile = "\x1b]52;c;AAAA\x07No such\r\ncolumn " + "x" * 1000
    answer = httpx.Response(400, json=[{"errorCode": "INVALIDJOB", "message": hostile}])
    failed = failure(create(scripted(Script(answer))))
    assert (failed.code, failed.error_code, failed.exit_code) == (
        "request-refused",
        "INVALIDJOB",
        ExitCode.REFUSED,
    )
    assert not failed.retryable
    what = failed.diagnostic.what
    assert what.startswith("acme: POST /services/data/v66.0/jobs/ingest: HTTP 400: INVALIDJOB: ")
    assert what.isprintable()
    assert len(what) < 500


@pytest.mark.parametrize(
    ("status", "error", "code", "exit_code"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", "request-limit-exceeded", ExitCode.PAUSED),
        (403, "API_DISABLED_FOR_ORG", "access-denied", ExitCode.REFUSED),
        (403, "INSUFFICIENT_ACCESS", "request-refused", ExitCode.REFUSED),
        (429, "", "org-unavailable", ExitCode.PAUSED),
        (500, "UNKNOWN_EXCEPTION", "org-unavailable", ExitCode.PAUSED),
        (301, "", "instance-moved", ExitCode.REFUSED),
        (302, "", "instance-moved", ExitCode.REFUSED),
    ],
)
def test_codes(scripted: Connect, status: int, error: str, code: str, exit_code: ExitCode) -> None:
    answer = httpx.Response(
        status, json=[{"errorCode": error, "message": "m"}], headers={"Location": "https://evil.example/"}
    )
    script = Script(answer)
    failed = failure(create(scripted(script)))
    assert (failed.code, failed.exit_code, failed.error_code) == (code, exit_code, error)
    assert len(script.seen) == 1


# -- what is repeated


@pytest.mark.parametrize(
    "fault",
    [BUSY, httpx.ReadError("reset"), httpx.ConnectError("refused"), httpx.Response(200, content=b"{")],
    ids=["503", "reset", "refused", "cut"],
)
def test_a_read_is_repeated_with_growing_jittered_pauses(
    scripted: Connect, clock: VirtualClock, fault: httpx.Response | Exception
) -> None:
    script = Script(fault, fault, fault, fault, OK)
    org = scripted(script)
    assert org.job(JOB["id"]).state is JobState.OPEN
    assert len(script.seen) == 5
    assert org.requests == 5
    assert 0 < clock.monotonic() < 2 + 4 + 8 + 16


def test_a_read_is_given_up_after_five_tries(scripted: Connect) -> None:
    script = Script(BUSY)
    assert failure(ask(scripted(script))).status == 503
    assert len(script.seen) == 5


@pytest.mark.parametrize("status", [400, 403, 404, 409, 302])
def test_a_refused_read_is_not_repeated(scripted: Connect, status: int) -> None:
    script = Script(httpx.Response(status, json=[{"errorCode": "X", "message": ""}]))
    assert failure(ask(scripted(script))).status == status
    assert len(script.seen) == 1


def test_too_many_long_requests_at_once_are_no_spent_allowance(
    scripted: Connect, clock: VirtualClock
) -> None:
    told = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    busy = httpx.Response(403, json=[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": told}])
    script = Script(busy, busy, OK)
    assert scripted(script).job(JOB["id"]).state is JobState.OPEN
    assert 0 < clock.monotonic() < 2 + 4
    failed = failure(create(scripted(Script(busy))))
    assert (failed.code, failed.exit_code) == ("org-busy", ExitCode.PAUSED)


def test_a_spent_allowance_is_the_callers_business(scripted: Connect, clock: VirtualClock) -> None:
    script = Script(
        httpx.Response(403, json=[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests"}])
    )
    assert failure(ask(scripted(script))).code == "request-limit-exceeded"
    assert (len(script.seen), clock.monotonic()) == (1, 0.0)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("86400", 900.0),
        (formatdate(1_760_000_030.0, usegmt=True), 30.0),
        (formatdate(1_750_000_000.0, usegmt=True), 0.0),
        (formatdate(1_770_000_000.0, usegmt=True), 900.0),
    ],
)
def test_retry_after_is_honoured_within_measure(
    scripted: Connect, clock: VirtualClock, header: str, pause: float
) -> None:
    scripted(Script(httpx.Response(429, headers={"Retry-After": header}), OK)).job(JOB["id"])
    assert clock.monotonic() == pause


def test_nonsense_in_retry_after_is_ignored(scripted: Connect, clock: VirtualClock) -> None:
    for header in ("soon", "-5", "1e9", "Mon, 99 Foo 2026"):
        before = clock.monotonic()
        scripted(Script(httpx.Response(429, headers={"Retry-After": header}), OK)).job(JOB["id"])
        assert clock.monotonic() - before <= 2.0


def test_a_stopped_clock_ends_the_waiting(clock: VirtualClock) -> None:
    stopped = SystemClock()
    stopped.stop()
    script = Script(BUSY)
    org = connect(
        ConnectionSettings("acme", AccessToken(Secret("t")), instance_url=INSTANCE), stopped, transport=script
    )
    failure(ask(org))
    assert len(script.seen) == 1


# -- URLs, logs, limits


@pytest.mark.parametrize(
    "url", ["https://evil.example/services/data/v66.0/query/0r8", "//evil.example/services/x"]
)
def test_the_next_page_is_never_fetched_from_elsewhere(scripted: Connect, url: str) -> None:
    script = Script(
        httpx.Response(200, json={"totalSize": 2, "done": False, "records": [], "nextRecordsUrl": url})
    )
    with pytest.raises(MigratorError) as caught:
        scripted(script).query("SELECT Id FROM Account")
    assert caught.value.code == "foreign-url"
    assert {one.url.host for one in script.seen} == {"acme.my.salesforce.com"}


def test_pages_that_go_round_in_circles_end(scripted: Connect) -> None:
    page = {
        "totalSize": 2,
        "done": False,
        "records": [],
        "nextRecordsUrl": "/services/data/v66.0/query/0r8-1",
    }
    script = Script(httpx.Response(200, json=page))
    assert failure(lambda: scripted(script).query("SELECT Id FROM Account")).code == "answer-broken"
    assert len(script.seen) == 2


def test_logs_name_requests_and_nothing_else(
    signing_in: Connect, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    canary = "canary4711"
    (tmp_path / "rows.csv").write_text(f"Name\n{canary}\n")
    record = {"Id": "001", "Name": canary}
    script = Script(
        token(f"00D!{canary}"),
        httpx.Response(200, json={"totalSize": 1, "done": True, "records": [record]}),
        httpx.Response(201, content=b""),
        httpx.Response(400, json=[{"errorCode": "X", "message": "no"}]),
    )
    with caplog.at_level(logging.DEBUG):
        org = signing_in(script)
        org.query(f"SELECT Id FROM Account WHERE Name = '{canary}'")
        org.upload(JOB["id"], tmp_path / "rows.csv")
        failure(lambda: org.send_rows("Account", "upsert", "Key__c", [{"Name": canary}], {}))
    text = caplog.text
    assert "acme: GET /services/data/v66.0/query 200" in text
    assert "acme: PUT /services/data/v66.0/jobs/ingest/750ak000009BWKLAA4/batches 201" in text
    assert "PATCH /services/data/v66.0/composite/sobjects/Account/Key__c 400" in text
    ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("migrator"))
    assert canary not in ours
    assert "app-secret" not in text


def test_an_answer_is_not_read_without_end(scripted: Connect) -> None:
    bomb = gzip.compress(b" " * (66 << 20), 6)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for answer, why in (
        (httpx.Response(200, headers=headers, stream=httpx.ByteStream(bomb)), "encoding|measure"),
        (httpx.Response(200, content=b" " * (65 << 20)), "longer than"),
    ):
        failed = failure(create(scripted(Script(answer))))
        assert failed.code == "answer-broken"
        assert re.search(why, failed.diagnostic.what)
