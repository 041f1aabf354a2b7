"""Who gets a token and who does not: users, apps, flows that are switched off, refresh tokens, codes, identity."""

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.auth.grants import challenge_of
from migrator.simulator.http import Headers, Request, Response

SETTINGS = OrgSettings()
CLIENT = {"client_id": SETTINGS.client_id, "client_secret": SETTINGS.client_secret}
FORM = Headers({"Content-Type": "application/x-www-form-urlencoded"})
BASE = "https://example.my.salesforce.com"
AWAY = "http://localhost:1717/OauthRedirect"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def org_with(clock: VirtualClock, **changes: Any) -> Org:
    return Org(load_schema(), replace(SETTINGS, **changes), clock)


def post(org: Org, path: str, form: dict[str, str], base: str = BASE) -> Response:
    return org.handle(Request("POST", path, {}, FORM, urlencode(form).encode(), None, base))


def ask(org: Org, base: str = BASE, **form: str) -> dict[str, Any]:
    found: dict[str, Any] = post(org, "/services/oauth2/token", form, base).json()
    return found


def refused(found: dict[str, Any]) -> tuple[str, str]:
    return found["error"], found["error_description"]


def get(org: Org, path: str, token: str, **query: str) -> Response:
    headers = Headers({"Authorization": f"Bearer {token}"}) if token else Headers()
    return org.handle(Request("GET", path, query, headers))


def add_user(org: Org, username: str, *, active: bool = True) -> str:
    users = org.store.table("User")
    like = users.get(users.seq_of(org.user_id)) | {
        "Username": username,
        "FirstName": "",
        "LastName": "Second",
    }
    like |= {"IsActive": "true" if active else "false"}
    return users.id_of(
        users.insert({name: cell for name, cell in like.items() if name not in {"Id", "Name"}})
    )


def test_each_user_has_tokens_of_their_own(clock: VirtualClock) -> None:
    org = org_with(clock)
    second = add_user(org, "second@simulator.example")
    found = ask(
        org, grant_type="password", username="second@simulator.example", password="simulator", **CLIENT
    )
    assert found["id"].endswith(second)
    me = get(org, "/services/oauth2/userinfo", found["access_token"]).json()
    assert (me["user_id"], me["preferred_username"], me["name"]) == (
        second,
        "second@simulator.example",
        "Second",
    )
    headers = Headers(
        {"Authorization": f"Bearer {found['access_token']}", "Content-Type": "application/json"}
    )
    made = org.handle(Request("POST", "/services/data/v60.0/sobjects/Account", {}, headers, b'{"Name":"A"}'))
    account = get(org, f"/services/data/v60.0/sobjects/Account/{made.json()['id']}", org.issue_token()).json()
    assert (account["CreatedById"], account["OwnerId"]) == (second, second)
    assert get(org, "/services/oauth2/userinfo", org.issue_token("second@simulator.example")).status == 200
    with pytest.raises(LookupError, match="no user"):
        org.issue_token("nobody@simulator.example")


def test_an_inactive_user_is_out_at_once(clock: VirtualClock) -> None:
    org = org_with(clock)
    token = org.issue_token()
    users = org.store.table("User")
    users.update(users.seq_of(org.user_id), {"IsActive": "false"})
    assert get(org, "/services/data/v60.0/limits", token).status == 401
    assert refused(ask(org, grant_type="client_credentials", **CLIENT)) == (
        "inactive_user",
        "user is inactive",
    )
    given = {"refresh_token": SETTINGS.refresh_token, **CLIENT}
    assert refused(ask(org, grant_type="refresh_token", **given))[0] == "inactive_user"
    password = {"username": SETTINGS.username, "password": SETTINGS.password, **CLIENT}
    assert refused(ask(org, grant_type="password", **password)) == ("invalid_grant", "authentication failure")


@pytest.mark.parametrize(
    ("changes", "base", "expected"),
    [
        ({}, "https://login.salesforce.com", "request not supported on this domain"),
        ({}, "https://test.salesforce.com", "request not supported on this domain"),
        ({"client_credentials": False}, BASE, "no client credentials user enabled"),
        ({"run_as": "nobody@simulator.example"}, BASE, "no client credentials user enabled"),
    ],
)
def test_client_credentials_need_a_user_and_the_orgs_own_host(
    clock: VirtualClock, changes: dict[str, Any], base: str, expected: str
) -> None:
    found = ask(org_with(clock, **changes), base, grant_type="client_credentials", **CLIENT)
    assert refused(found) == ("invalid_grant", expected)


def test_client_credentials_run_as_the_user_that_was_set(clock: VirtualClock) -> None:
    org = org_with(clock, run_as="robot@simulator.example")
    robot = add_user(org, "robot@simulator.example")
    assert ask(org, grant_type="client_credentials", **CLIENT)["id"].endswith(robot)


def test_a_password_flow_that_is_off_reads_like_a_wrong_password(clock: VirtualClock) -> None:
    given = {"username": SETTINGS.username, "password": SETTINGS.password, **CLIENT}
    org = org_with(clock, password_flow=False)
    assert refused(ask(org, grant_type="password", **given)) == ("invalid_grant", "authentication failure")


def test_refresh_tokens_rotate_where_that_is_on_and_a_spent_one_ends_them_all(clock: VirtualClock) -> None:
    given = {"grant_type": "refresh_token", **CLIENT}
    still = org_with(clock)
    first = ask(still, refresh_token=SETTINGS.refresh_token, **given)
    assert "refresh_token" not in first
    assert "access_token" in ask(still, refresh_token=SETTINGS.refresh_token, **given)

    org = org_with(clock, rotate_refresh_tokens=True)
    one = ask(org, refresh_token=SETTINGS.refresh_token, **given)
    two = ask(org, refresh_token=one["refresh_token"], **given)
    assert get(org, "/services/data/v60.0/limits", two["access_token"]).status == 200
    expired = ("invalid_grant", "expired access/refresh token")
    assert refused(ask(org, refresh_token=one["refresh_token"], **given)) == expired
    assert refused(ask(org, refresh_token=two["refresh_token"], **given)) == expired
    assert get(org, "/services/data/v60.0/limits", two["access_token"]).status == 401


def test_a_refresh_token_belongs_to_its_app(clock: VirtualClock) -> None:
    org = org_with(clock, refresh_needs_secret=True)
    given = {"grant_type": "refresh_token", "refresh_token": SETTINGS.refresh_token}
    assert refused(ask(org, client_id="PlatformCLI", **given))[1] == "expired access/refresh token"
    assert refused(ask(org, client_id=SETTINGS.client_id, **given))[0] == "invalid_client"


def authorized(org: Org, **query: str) -> dict[str, list[str]]:
    given = {"response_type": "code", "client_id": "PlatformCLI", "redirect_uri": AWAY, "state": "s", **query}
    done = org.handle(Request("GET", "/services/oauth2/authorize", given, Headers()))
    assert done.status == 302
    assert done.headers["Location"].startswith(AWAY)
    return parse_qs(urlsplit(done.headers["Location"]).query)


def test_the_web_server_flow_with_pkce(clock: VirtualClock) -> None:
    org = org_with(clock)
    verifier = "v" * 64
    sent = authorized(org, code_challenge=challenge_of(verifier))
    assert sent["state"] == ["s"]
    given = {"grant_type": "authorization_code", "client_id": "PlatformCLI", "redirect_uri": AWAY}
    got = ask(org, code=sent["code"][0], code_verifier=verifier, **given)
    assert got["refresh_token"].startswith("5Aep861")
    again = ask(org, grant_type="refresh_token", client_id="PlatformCLI", refresh_token=got["refresh_token"])
    assert again["id"].endswith(org.user_id)
    code = ("invalid_grant", "expired authorization code")
    assert refused(ask(org, code=sent["code"][0], code_verifier=verifier, **given)) == code
    wrong = authorized(org, code_challenge=challenge_of(verifier))["code"][0]
    assert refused(ask(org, code=wrong, code_verifier="w", **given))[1] == "invalid code verifier"
    late = authorized(org)["code"][0]
    clock.advance(900)
    assert refused(ask(org, code=late, **given)) == code
    elsewhere = authorized(org)["code"][0]
    found = ask(org, code=elsewhere, **{**given, "redirect_uri": "http://localhost:1/"})
    assert refused(found)[0] == "redirect_uri_mismatch"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri_mismatch"),
        ({"client_id": "who"}, "invalid_client_id"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_codes_that_are_not_given(clock: VirtualClock, changes: dict[str, str], error: str) -> None:
    given = {"response_type": "code", "client_id": "PlatformCLI", "redirect_uri": AWAY, **changes}
    done = org_with(clock).handle(Request("GET", "/services/oauth2/authorize", given, Headers()))
    assert (done.status, done.json()["error"]) == (400, error)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_revoking_a_refresh_token_takes_its_access_tokens_too(clock: VirtualClock, method: str) -> None:
    org = org_with(clock)
    given = {"grant_type": "refresh_token", "refresh_token": SETTINGS.refresh_token, **CLIENT}
    access = ask(org, **given)["access_token"]
    token = {"token": SETTINGS.refresh_token}
    if method == "GET":
        done = org.handle(Request("GET", "/services/oauth2/revoke", token, Headers()))
    else:
        done = post(org, "/services/oauth2/revoke", token)
    assert (done.status, done.read()) == (200, b"")
    assert get(org, "/services/data/v60.0/limits", access).status == 401
    assert refused(ask(org, **given))[1] == "expired access/refresh token"
    again = post(org, "/services/oauth2/revoke", token)
    assert (again.status, again.json()["error"]) == (400, "invalid_token")


def test_introspection_is_for_apps_that_say_who_they_are(clock: VirtualClock) -> None:
    org = org_with(clock)
    token = ask(org, grant_type="client_credentials", **CLIENT)["access_token"]
    found = post(org, "/services/oauth2/introspect", {"token": token, **CLIENT}).json()
    assert (found["active"], found["username"], found["client_id"]) == (
        True,
        SETTINGS.username,
        SETTINGS.client_id,
    )
    assert found["exp"] - found["iat"] == SETTINGS.token_lifetime
    clock.advance(SETTINGS.token_lifetime)
    assert post(org, "/services/oauth2/introspect", {"token": token, **CLIENT}).json() == {"active": False}
    assert (
        post(org, "/services/oauth2/introspect", {"token": token, "client_id": SETTINGS.client_id}).status
        == 400
    )


def test_who_is_asked_for_and_who_is_not_told(clock: VirtualClock) -> None:
    org = org_with(clock)
    token = org.issue_token()
    inactive = add_user(org, "gone@simulator.example", active=False)
    base = f"/id/{SETTINGS.organization_id}"

    def told(path: str, by: str = token) -> tuple[int, bytes]:
        done = get(org, path, by)
        return done.status, done.read()

    assert told("/services/oauth2/userinfo", "") == (403, b"Missing_OAuth_Token")
    assert told("/services/oauth2/userinfo", "bad") == (403, b"Bad_OAuth_Token")
    assert told(f"{base}/{org.user_id}", "bad") == (403, b"Bad_OAuth_Token")
    assert told(f"/id/00D000000000009EAA/{org.user_id}") == (403, b"Wrong_Org")
    assert told(f"{base}/005000000000000AAA") == (404, b"Bad_Id")
    assert told(f"{base}/{inactive}") == (404, b"Inactive")
    other = add_user(org, "second@simulator.example")
    assert get(org, f"{base}/{other}", token).json()["asserted_user"] is False
    assert (
        get(org, "/services/data/v60.0/", org.issue_token("second@simulator.example"))
        .json()["identity"]
        .endswith(other)
    )


def test_assertions(clock: VirtualClock) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    claims: dict[str, Any] = {"iss": SETTINGS.client_id, "sub": SETTINGS.username, "aud": BASE}
    claims["exp"] = int(clock.now()) + 180
    org = org_with(clock, public_key=public.decode(), preauthorized=frozenset({SETTINGS.username}))
    add_user(org, "second@simulator.example")

    def bearer(at: Org, **changes: Any) -> dict[str, Any]:
        assertion = jwt.encode({**claims, **changes}, key, algorithm="RS256")
        return ask(at, grant_type=JWT_BEARER, assertion=assertion)

    good = bearer(org)
    assert set(good) == {"access_token", "scope", "instance_url", "id", "token_type"}
    for audience in ("https://login.salesforce.com", "https://test.salesforce.com/", [BASE]):
        assert "access_token" in bearer(org, aud=audience)
    assert refused(bearer(org, aud="https://elsewhere.example"))[1] == "audience is invalid"
    assert refused(bearer(org, sub="second@simulator.example"))[1] == "user hasn't approved this consumer"
    assert refused(bearer(org_with(clock)))[1] == "invalid assertion"  # the app has no certificate
    unsigned = jwt.encode(claims, "", algorithm="none")
    assert refused(ask(org, grant_type=JWT_BEARER, assertion=unsigned))[1] == "invalid assertion"
    confused = jwt.encode(claims, base64.b64encode(b"x" * 40).decode(), algorithm="HS256")
    assert refused(ask(org, grant_type=JWT_BEARER, assertion=confused))[1] == "invalid assertion"
    assert refused(ask(org, grant_type=JWT_BEARER))[0] == "invalid_request"


def test_a_token_is_asked_for_with_post(clock: VirtualClock) -> None:
    org = org_with(clock)
    done = org.handle(Request("GET", "/services/oauth2/token", {"grant_type": "password"}, Headers()))
    assert (done.status, done.json()["error_description"]) == (400, "must use HTTP POST")
    assert refused(ask(org, **CLIENT))[0] == "invalid_request"
