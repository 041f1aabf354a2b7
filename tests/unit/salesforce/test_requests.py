"""What is repeated, what is not, and what a failure says about what happened."""

import gzip
import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from migrator.clock import SystemClock, VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.wire import JobState, Sent
from migrator.salesforce import (
    AccessToken,
    ConnectionSettings,
    JwtBearer,
    Org,
    RefreshToken,
    RequestFailed,
    Secret,
    connect,
)

Connect = Callable[..., Org]
Play = Callable[[socket.socket], None]

INSTANCE = "https://acme.my.salesforce.com"
JOB = {"id": "750ak000009BWKLAA4", "state": "Open", "object": "Account", "operation": "insert"}
OK = httpx.Response(200, json=JOB)
EXPIRED = httpx.Response(
    401, json=[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
)
BUSY = httpx.Response(503, json=[{"message": "Server unavailable", "errorCode": "SERVER_UNAVAILABLE"}])
HTML = httpx.Response(200, html="<html>Please sign in to the guest network</html>")


def fresh(answer: httpx.Response) -> httpx.Response:
    """The answer with its body still to come, as from the network."""
    stream = answer.stream if answer.headers.get("Content-Encoding") else httpx.ByteStream(answer.content)
    return httpx.Response(answer.status_code, headers=answer.headers, stream=stream)


class Script(httpx.BaseTransport):
    """Answers one after the other; the last is repeated."""

    def __init__(
        self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
    ) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self.lock:
            self.seen.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return fresh(answer(request) if callable(answer) else answer)

    @property
    def calls(self) -> list[str]:
        return [f"{one.method} {one.url.path}" for one in self.seen]


def token(name: str, instance: str = INSTANCE) -> httpx.Response:
    return httpx.Response(200, json={"access_token": name, "instance_url": instance, "token_type": "Bearer"})


def failure(act: Callable[[], object]) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        act()
    return caught.value


def create(org: Org) -> Callable[[], object]:
    return lambda: org.create_ingest("Account", "insert")


def ask(org: Org) -> Callable[[], object]:
    return lambda: org.job(JOB["id"])


# -- what was sent


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


# -- tokens


def test_a_read_with_an_expired_session_goes_on_with_a_new_one(signing_in: Connect) -> None:
    script = Script(token("one"), EXPIRED, token("two"), OK)
    org = signing_in(script)
    org.job(JOB["id"])
    assert [one.headers.get("Authorization") for one in script.seen] == [
        None,
        "Bearer one",
        None,
        "Bearer two",
    ]


def test_a_write_with_an_expired_session_renews_it_and_tells(signing_in: Connect) -> None:
    script = Script(token("one"), EXPIRED, token("two"), OK)
    org = signing_in(script)
    failed = failure(create(org))
    assert (failed.code, failed.sent, failed.status, failed.retryable) == (
        "session-expired",
        Sent.YES,
        401,
        True,
    )
    assert failed.error_code == "INVALID_SESSION_ID"
    assert len(script.seen) == 3, "renewed, not repeated"
    org.create_ingest("Account", "insert")
    assert script.seen[-1].headers["Authorization"] == "Bearer two"
    assert len(script.seen) == 4


def test_many_threads_renew_once(signing_in: Connect) -> None:
    asked = 0
    threads = 8
    barrier = threading.Barrier(threads, timeout=20)

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        if request.url.path.endswith("/token"):
            asked += 1  # under the lock of the tokens
            return token(f"token{asked}")
        if request.headers["Authorization"] == "Bearer token1":
            barrier.wait()  # all have the old one in hand
            return EXPIRED
        return OK

    org = signing_in(httpx.MockTransport(lambda request: fresh(answer(request))))
    with ThreadPoolExecutor(threads) as pool:
        jobs = list(pool.map(lambda _: org.job(JOB["id"]), range(threads)))
    assert len(jobs) == threads
    assert asked == 2


def test_an_access_token_that_expired_asks_for_a_person(scripted: Connect) -> None:
    for act in (create, ask):
        failed = failure(act(scripted(Script(EXPIRED))))
        assert (failed.code, failed.exit_code, failed.sent) == ("sign-in-failed", ExitCode.PAUSED, Sent.YES)
        assert not failed.retryable


def test_a_refused_sign_in_means_the_request_never_left(signing_in: Connect) -> None:
    script = Script(httpx.Response(400, json={"error": "invalid_grant", "error_description": "expired"}))
    failed = failure(create(signing_in(script)))
    assert (failed.code, failed.sent, failed.exit_code) == ("sign-in-failed", Sent.NO, ExitCode.PAUSED)
    assert "invalid_grant" in failed.diagnostic.what
    assert len(script.seen) == 1


def test_a_refused_renewal_leaves_a_write_in_its_own_doubt(signing_in: Connect) -> None:
    revoked = httpx.Response(400, json={"error": "invalid_grant", "error_description": "revoked"})
    failed = failure(create(signing_in(Script(token("one"), EXPIRED, revoked))))
    assert (failed.code, failed.sent, failed.status) == ("sign-in-failed", Sent.YES, 401)


def test_the_token_endpoint_is_asked_again_when_it_is_busy(signing_in: Connect) -> None:
    script = Script(BUSY, httpx.ReadError("reset"), token("one"), OK)
    signing_in(script).create_ingest("Account", "insert")
    assert script.calls[:3] == ["POST /services/oauth2/token"] * 3
    failed = failure(create(signing_in(Script(BUSY))))
    assert (failed.code, failed.sent) == ("org-unavailable", Sent.NO)


def test_a_read_does_not_multiply_the_tries_of_its_sign_in(signing_in: Connect) -> None:
    script = Script(BUSY)
    failed = failure(lambda: signing_in(script).job("750000000000001AAA"))
    assert (failed.code, failed.sent, failed.retryable) == ("org-unavailable", Sent.NO, False)
    assert script.calls == ["POST /services/oauth2/token"] * 5


def test_a_token_for_a_foreign_host_is_not_used(signing_in: Connect) -> None:
    for instance in (
        "https://evil.example",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
    ):
        script = Script(token("one", instance))
        with pytest.raises(MigratorError) as caught:
            create(signing_in(script))()
        assert caught.value.code == "host-not-allowed"
        assert len(script.seen) == 1
    with pytest.raises(MigratorError) as caught:
        create(signing_in(Script(token("one", "https://other.my.salesforce.com")), instance_url=INSTANCE))()
    assert caught.value.code == "foreign-url"


def test_requests_go_to_the_instance_that_the_token_is_for(signing_in: Connect) -> None:
    script = Script(token("one", "https://acme--uat.sandbox.my.salesforce.com"), OK)
    signing_in(script, login_url="https://test.salesforce.com").job(JOB["id"])
    assert [one.url.host for one in script.seen] == [
        "test.salesforce.com",
        "acme--uat.sandbox.my.salesforce.com",
    ]


def test_the_refresh_flow(signing_in: Connect) -> None:
    script = Script(token("one"), OK)
    signing_in(script, auth=RefreshToken("app", Secret("5Aep"))).job(JOB["id"])
    assert script.seen[0].content == b"grant_type=refresh_token&client_id=app&refresh_token=5Aep"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_the_jwt_flow(signing_in: Connect, key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    (tmp_path / "key.pem").write_text(pem)
    for given in (Secret(pem), tmp_path / "key.pem"):
        script = Script(token("one"), OK)
        signing_in(script, auth=JwtBearer("app", "me@acme.example", given)).job(JOB["id"])
        form = httpx.QueryParams(script.seen[0].content.decode())
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(
            form["assertion"],
            key.public_key(),
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_aud": False},
        )
        assert claims == {"iss": "app", "sub": "me@acme.example", "aud": INSTANCE, "exp": 1_760_000_180}


def test_a_key_that_is_none_is_told_without_showing_it(signing_in: Connect, tmp_path: Path) -> None:
    for given in (Secret("-----BEGIN hunter2"), tmp_path / "none.pem"):
        failed = failure(create(signing_in(Script(OK), auth=JwtBearer("app", "me", given))))
        assert (failed.code, failed.sent) == ("sign-in-failed", Sent.NO)
        assert "hunter2" not in str(failed.diagnostic)


def test_an_access_token_needs_to_know_its_org(scripted: Connect) -> None:
    assert failure(create(scripted(Script(OK), instance_url=""))).code == "sign-in-failed"


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


# -- real sockets


def head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    return data


def test_nobody_listens(scripted: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    org = scripted(None, instance_url=f"http://127.0.0.1:{port}", simulator=True)
    failed = failure(create(org))
    assert (failed.code, failed.sent) == ("network-failed", Sent.NO)
    org.close()


def test_the_connection_is_cut_after_the_request(
    scripted: Connect, raw_server: Callable[[Play], str]
) -> None:
    def play(connection: socket.socket) -> None:
        head(connection)

    org = scripted(None, instance_url=raw_server(play), simulator=True)
    failed = failure(create(org))
    assert (failed.code, failed.sent) == ("network-failed", Sent.MAYBE)
    org.close()


def test_a_server_without_a_trusted_certificate(scripted: Connect, raw_server: Callable[[Play], str]) -> None:
    def play(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    org = scripted(None, instance_url=raw_server(play).replace("http:", "https:"), simulator=True)
    failed = failure(create(org))
    assert (failed.code, failed.sent, failed.exit_code) == ("tls-failed", Sent.NO, ExitCode.REFUSED)
    assert isinstance(failed.__cause__, httpx.ConnectError)
    assert any(isinstance(one, ssl.SSLError) for one in _causes(failed))
    org.close()


def _causes(fault: BaseException | None) -> list[BaseException]:
    found = []
    while fault is not None:
        found.append(fault)
        fault = fault.__cause__ or fault.__context__
    return found


def test_an_unknown_host(scripted: Connect) -> None:
    org = scripted(None, instance_url="https://no-such-host.invalid", hosts=("no-such-host.invalid",))
    failed = failure(create(org))
    assert (failed.code, failed.sent) == ("network-failed", Sent.NO)
    org.close()


def test_an_upload_goes_out_as_it_is_on_the_disk(
    scripted: Connect, raw_server: Callable[[Play], str], tmp_path: Path
) -> None:
    content = 'Name\r\n"a\nb"\r\n\u2028ü\r\n'.encode() * 50_000
    (tmp_path / "rows.csv").write_bytes(content)
    received: list[bytes] = []

    def play(connection: socket.socket) -> None:
        data = head(connection)
        start, _, body = data.partition(b"\r\n\r\n")
        while len(body) < len(content):
            body += connection.recv(1 << 20)
        received.extend((start, body))
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    org = scripted(None, instance_url=raw_server(play), simulator=True)
    org.upload(JOB["id"], tmp_path / "rows.csv")
    start = received[0].decode().lower()
    assert received[1] == content
    assert f"content-length: {len(content)}" in start
    assert "transfer-encoding" not in start
    assert "content-type: text/csv" in start
    org.close()


def test_proxies_in_the_environment_are_not_used(
    scripted: Connect, raw_server: Callable[[Play], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def play(connection: socket.socket) -> None:
        head(connection)
        body = json.dumps(JOB).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    org = scripted(None, instance_url=raw_server(play), simulator=True)
    assert org.job(JOB["id"]).state is JobState.OPEN
    org.close()
