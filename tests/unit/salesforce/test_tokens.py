"""Sign-in and its renewal: what goes on by itself, and what is told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from migrator.errors import ExitCode, MigratorError
from migrator.model.wire import Sent
from migrator.salesforce import JwtBearer, RefreshToken, Secret
from tests.unit.salesforce.script import (
    BUSY,
    EXPIRED,
    INSTANCE,
    JOB,
    OK,
    Connect,
    Script,
    ask,
    create,
    failure,
    fresh,
    token,
)


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
