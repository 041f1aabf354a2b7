"""Tokens: every grant, their end, and the 401 without one."""

import base64
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.http import Headers, Request, Response

FORM = Headers({"Content-Type": "application/x-www-form-urlencoded"})
SETTINGS = OrgSettings()
CLIENT = {"client_id": SETTINGS.client_id, "client_secret": SETTINGS.client_secret}


def ask(org: Org, **form: str) -> Response:
    return org.handle(Request("POST", "/services/oauth2/token", {}, FORM, urlencode(form).encode()))


def limits(org: Org, header: str) -> int:
    return org.handle(
        Request("GET", "/services/data/v60.0/limits", {}, Headers({"Authorization": header}))
    ).status


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "client_credentials"},
        {"grant_type": "refresh_token", "refresh_token": SETTINGS.refresh_token},
        {
            "grant_type": "password",
            "username": SETTINGS.username,
            "password": SETTINGS.password + "SecurityToken",
        },
    ],
)
def test_a_grant_gives_a_token_that_opens_the_org(org: Org, form: dict[str, str]) -> None:
    done = ask(org, **CLIENT, **form)
    body = done.json()
    assert done.status == 200
    assert done.headers["Cache-Control"].startswith("no-cache")
    assert body["token_type"] == "Bearer"
    assert body["id"].endswith(f"/id/{SETTINGS.organization_id}/{org.user_id}")
    assert {"access_token", "instance_url", "issued_at", "signature"} <= body.keys()
    assert limits(org, f"Bearer {body['access_token']}") == 200
    assert limits(org, f"OAuth {body['access_token']}") == 200


@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        (
            {"grant_type": "client_credentials", "client_id": "x"},
            "invalid_client_id",
            "client identifier invalid",
        ),
        (
            {"grant_type": "client_credentials", "client_id": SETTINGS.client_id},
            "invalid_client",
            "invalid client credentials",
        ),
        ({"grant_type": "refresh_token", **CLIENT}, "invalid_grant", "expired access/refresh token"),
        ({"grant_type": "password", **CLIENT}, "invalid_grant", "authentication failure"),
        ({"grant_type": "magic", **CLIENT}, "unsupported_grant_type", "grant type not supported"),
    ],
)
def test_a_wrong_grant_is_refused(org: Org, form: dict[str, str], error: str, description: str) -> None:
    done = ask(org, **form)
    assert (done.status, done.json()) == (400, {"error": error, "error_description": description})


def test_no_token_a_revoked_one_and_an_expired_one_are_the_same_401(
    org: Org, clock: VirtualClock, call: Any
) -> None:
    first, second = (
        ask(org, grant_type="client_credentials", **CLIENT).json()["access_token"] for _ in range(2)
    )
    body = urlencode({"token": first}).encode()
    assert org.handle(Request("POST", "/services/oauth2/revoke", {}, FORM, body)).status == 200
    assert (limits(org, f"Bearer {first}"), limits(org, f"Bearer {second}")) == (401, 200)
    clock.advance(SETTINGS.token_lifetime)
    done = call("GET", "/limits")
    assert (done.status, done.json()) == (
        401,
        [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )
    assert limits(org, "Bearer") == 401


def test_a_jwt_bearer_must_be_signed_by_the_right_key_and_not_be_too_old(clock: VirtualClock) -> None:
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    public = (
        keys[0]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    org = Org(load_schema(), OrgSettings(public_key=public.decode()), clock)
    claims: dict[str, Any] = {
        "iss": SETTINGS.client_id,
        "sub": SETTINGS.username,
        "aud": "https://login.salesforce.com",
    }
    claims["exp"] = int(clock.now()) + 180

    def bearer(changes: dict[str, Any], key: int = 0) -> Any:
        assertion = jwt.encode({**claims, **changes}, keys[key], algorithm="RS256")
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return ask(org, grant_type=grant, assertion=assertion).json()

    assert limits(org, f"Bearer {bearer({})['access_token']}") == 200
    assert "access_token" in bearer(
        {"exp": int(clock.now() * 1000) + 300}
    )  # milliseconds, as some clients send
    assert bearer({}, key=1)["error_description"] == "invalid assertion"
    assert bearer({"sub": "who@x.example"})["error_description"] == "user hasn't approved this consumer"
    assert bearer({"exp": int(clock.now()) - 1})["error_description"] == "expired authorization code"
    assert bearer({"iss": "x"})["error"] == "invalid_client_id"


def test_who_the_user_is(org: Org, call: Any) -> None:
    found = call("GET", "/services/oauth2/userinfo").json()
    assert (found["user_id"], found["organization_id"]) == (org.user_id, SETTINGS.organization_id)
    assert found["preferred_username"] == SETTINGS.username
    identity = call(
        "GET", f"/id/{SETTINGS.organization_id}/{org.user_id}", query={"version": "latest"}
    ).json()
    assert identity["username"] == SETTINGS.username
    assert identity["urls"]["query"].endswith("/services/data/v66.0/query/")


@pytest.mark.parametrize(
    ("secret", "status"),
    [(SETTINGS.client_secret, 200), ("wrong", 400), ("", 400)],
    ids=["good", "wrong", "none"],
)
def test_the_client_may_say_who_it_is_by_http_basic(org: Org, secret: str, status: int) -> None:
    encoded = base64.b64encode(f"{SETTINGS.client_id}:{secret}".encode()).decode()
    headers = FORM.with_({"Authorization": f"Basic {encoded}"})
    body = b"grant_type=client_credentials"
    assert org.handle(Request("POST", "/services/oauth2/token", {}, headers, body)).status == status


def test_broken_http_basic_is_no_client(org: Org) -> None:
    headers = FORM.with_({"Authorization": "Basic \xe4"})
    done = org.handle(
        Request("POST", "/services/oauth2/token", {}, headers, b"grant_type=client_credentials")
    )
    assert done.json()["error"] == "invalid_client_id"
