"""OAuth: tokens for the org's integration user, who they are, and their end. Every token is really checked.

**Invariant:** a token is good only if this org gave it, and until it expires on the org's clock or is revoked.
"""

import base64
import hashlib
import hmac
import json
import string
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt

from migrator.simulator.http import ApiError, Headers, Request, Response, answer, dump
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import NEWEST, Call, Route

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_NO_CACHE = {
    "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
    "X-Readonlymode": "false",
}
_TOKEN_ALPHABET = string.ascii_letters + string.digits + "._"


class Tokens:
    """The tokens that an org has given and not taken back."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._held: dict[str, tuple[str, float]] = {}  # token → user's id, and when it expires

    def issue(self, user_id: str = "") -> str:
        """A new token of a user (the integration user), in the platform's form: the org's id, `!`, and noise."""
        noise = "".join(self._org.random.choices(_TOKEN_ALPHABET, k=96))
        token = f"{self._org.settings.organization_id[:15]}!AQ{noise}"
        expiry = self._org.clock.now() + self._org.settings.token_lifetime
        self._held[token] = (user_id or self._org.user_id, expiry)
        return token

    def user_of(self, token: str) -> str:
        """The id of the user whose token it is; empty when it does not open the org now.

        A user who was deactivated or frozen is out at once.
        """
        user_id, expiry = self._held.get(token, ("", 0.0))
        good = self._org.clock.now() < expiry and may_log_in(self._org, user_id)
        return user_id if good else ""

    def good(self, token: str) -> bool:
        """Whether the token opens the org now."""
        return bool(self.user_of(token))

    def revoke(self, token: str) -> bool:
        """Take a token back."""
        return self._held.pop(token, None) is not None

    def revoke_all(self) -> None:
        """End every session, as an administrator can."""
        self._held.clear()


def authenticate(org: OrgState, request: Request) -> str:
    """The user behind the request's token, or the platform's 401."""
    header = request.headers.get("Authorization", "")
    kind, _, token = header.partition(" ")
    if kind.lower() not in {"bearer", "oauth"}:
        token = request.headers.get("X-SFDC-Session", "") or request.query.get("oauth_token", "")
    user_id = org.part(Tokens).user_of(token.strip())
    if not user_id:
        raise ApiError(
            401, "INVALID_SESSION_ID", "Session expired or invalid", headers={"WWW-Authenticate": "Token"}
        )
    return user_id


def check_api_enabled(org: OrgState, user_id: str) -> None:
    """Refuse the APIs to a user without the permission for them."""
    if not org.view(user_id).may("ApiEnabled"):
        raise ApiError(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner")


def user_named(org: OrgState, username: str) -> str:
    """The id of the user of that name; `""` when there is none."""
    users = org.store.table("User")
    found = users.find("Username", username) if username else []
    return users.id_of(found[0]) if found else ""


def may_log_in(org: OrgState, user_id: str) -> bool:
    """Whether a user is active and not frozen."""
    users, logins = org.store.table("User"), org.store.table("UserLogin")
    seq = users.seq_of(user_id)
    if not seq or users.cell(seq, "IsActive") != "true":
        return False
    return all(logins.cell(each, "IsFrozen") != "true" for each in logins.find("UserId", user_id))


def _form(request: Request) -> dict[str, str]:
    """The parameters of the body and of the query string, as some clients send them."""
    body = request.read().decode("utf-8", "replace")
    if "json" in request.headers.get("Content-Type", ""):
        loaded = request.json()
        given = {key: str(value) for key, value in loaded.items()} if isinstance(loaded, dict) else {}
    else:
        given = dict(parse_qsl(body, keep_blank_values=True))
    return {**request.query, **given}


def _basic(request: Request) -> dict[str, str]:
    """The client's id and secret where they came as HTTP Basic authentication (RFC 6749, 2.3.1)."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}


def _refuse(error: str, description: str, *, status: int = 400) -> Response:
    return Response(
        status,
        Headers({"Content-Type": "application/json;charset=UTF-8", **_NO_CACHE}),
        dump({"error": error, "error_description": description}),
    )


def token(org: OrgState, call: Call) -> Response:
    """The token endpoint."""
    form = _form(call.request) | _basic(call.request)
    grant = form.get("grant_type", "")
    if grant == JWT_BEARER:
        user = _asserted_user(org, form.get("assertion", ""))
        return user if isinstance(user, Response) else _grant(org, call, user)
    if form.get("client_id") != org.settings.client_id:
        return _refuse("invalid_client_id", "client identifier invalid")
    return _check_secrets(org, grant, form) or _grant(org, call, org.user_id)


def _check_secrets(org: OrgState, grant: str, form: dict[str, str]) -> Response | None:
    """A refusal, or None for a good secret, refresh token or password."""
    settings = org.settings
    secret = _same(form.get("client_secret", ""), settings.client_secret)
    match grant:
        case "client_credentials":
            return None if secret else _refuse("invalid_client", "invalid client credentials")
        case "refresh_token":
            good = _same(form.get("refresh_token", ""), settings.refresh_token)
            return None if good else _refuse("invalid_grant", "expired access/refresh token")
        case "password":
            known = knows(org, form.get("username", ""), form.get("password", ""))
            return None if known and secret else _refuse("invalid_grant", "authentication failure")
        case _:
            return _refuse("unsupported_grant_type", "grant type not supported")


def knows(org: OrgState, username: str, password: str) -> str:
    """The id of the user with this password, or nothing; a security token may be pasted behind the password."""
    good = username == org.settings.username and password.startswith(org.settings.password)
    return org.user_id if good else ""


def identity_url(org: OrgState, base: str, user_id: str) -> str:
    """The address that says who a user is."""
    return f"{base}/id/{org.settings.organization_id}/{user_id}"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _asserted_user(org: OrgState, assertion: str) -> Response | str:
    """The user that a good assertion is about, or a refusal. Only an expiry in the past is too old: the platform caps nothing."""
    try:
        claims = _claims(assertion, org.settings.public_key)
    except jwt.InvalidTokenError:
        return _refuse("invalid_grant", "invalid assertion")
    if claims.get("iss") != org.settings.client_id:
        return _refuse("invalid_client_id", "client identifier invalid")
    expiry = claims.get("exp")
    user_id = user_named(org, str(claims.get("sub") or ""))
    refusals = {
        "user hasn't approved this consumer": not user_id,
        "audience is invalid": "aud" not in claims,
        "expired authorization code": not isinstance(expiry, int | float) or expiry <= org.clock.now(),
    }
    reason = next((text for text, refused in refusals.items() if refused), None)
    return _refuse("invalid_grant", reason) if reason else user_id


def _claims(assertion: str, public_key: str | None) -> dict[str, Any]:
    """What the assertion says, its signature checked when the org has a key."""
    if public_key is None:
        return jwt.decode(assertion, options={"verify_signature": False})
    unchecked = jwt.PyJWT(
        options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    )
    return unchecked.decode(assertion, public_key, algorithms=["RS256"])


def _grant(org: OrgState, call: Call, user_id: str) -> Response:
    if not may_log_in(org, user_id):
        return _refuse("inactive_user", "user is inactive")
    base = call.request.base_url
    identity = identity_url(org, base, user_id)
    issued = str(int(org.clock.now() * 1000))
    signed = hmac.new(org.settings.client_secret.encode(), (identity + issued).encode(), hashlib.sha256)
    body = {
        "access_token": org.part(Tokens).issue(user_id),
        "signature": signed.hexdigest(),
        "scope": "api refresh_token",
        "instance_url": base,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    }
    return answer(body, headers=_NO_CACHE)


def revoke(org: OrgState, call: Call) -> Response:
    """Take a token back; unknown ones are an error, as on the platform."""
    if org.part(Tokens).revoke(_form(call.request).get("token", "")):
        return Response(200, Headers(_NO_CACHE))
    return _refuse("unsupported_token_type", "this token type is not supported")


def introspect(org: OrgState, call: Call) -> Response:
    """Whether a token is active."""
    return answer({"active": org.part(Tokens).good(_form(call.request).get("token", ""))})


def _identity(org: OrgState, call: Call) -> dict[str, Any]:
    user = org.store.table("User").get(org.store.table("User").seq_of(call.user_id))
    base = call.request.base_url
    organization = org.settings.organization_id
    data = f"{base}/services/data/v{{version}}/"
    return {
        "sub": f"{base}/id/{organization}/{call.user_id}",
        "user_id": call.user_id,
        "organization_id": organization,
        "preferred_username": user["Username"],
        "nickname": user.get("CommunityNickname", ""),
        "name": f"{user.get('FirstName', '')} {user['LastName']}".strip(),
        "email": user["Email"],
        "email_verified": True,
        "given_name": user.get("FirstName"),
        "family_name": user["LastName"],
        "zoneinfo": user.get("TimeZoneSidKey", "GMT"),
        "urls": {
            "enterprise": f"{base}/services/Soap/c/{{version}}/{organization[:15]}",
            "metadata": f"{base}/services/Soap/m/{{version}}/{organization[:15]}",
            "partner": f"{base}/services/Soap/u/{{version}}/{organization[:15]}",
            "rest": data,
            "sobjects": f"{data}sobjects/",
            "search": f"{data}search/",
            "query": f"{data}query/",
            "recent": f"{data}recent/",
            "tooling_soap": f"{base}/services/Soap/T/{{version}}/{organization[:15]}",
            "tooling_rest": f"{data}tooling/",
            "profile": f"{base}/{call.user_id}",
        },
        "active": user.get("IsActive") == "true",
        "user_type": "STANDARD",
        "language": user.get("LanguageLocaleKey", "en_US"),
        "locale": user.get("LocaleSidKey", "en_US"),
        "utcOffset": 0,
        "updated_at": user["SystemModstamp"].replace("Z", "+0000"),
    }


def userinfo(org: OrgState, call: Call) -> Response:
    """OpenID's user information."""
    body = _identity(org, call)
    body["is_app_installed"] = True
    return answer(body)


def identity(org: OrgState, call: Call) -> Response:
    """The identity URL of a token's answer; `?version=latest` fills in the version."""
    found = _identity(org, call)
    version = call.request.query.get("version", "")
    text = json.dumps(found)
    if version:
        text = text.replace("{version}", f"{NEWEST}.0" if version == "latest" else version)
    body = json.loads(text)
    body["id"] = body.pop("sub")
    body["asserted_user"] = True
    body["username"] = body.pop("preferred_username")
    body["nick_name"] = body.pop("nickname")
    body["display_name"] = body.pop("name")
    body["first_name"] = body.pop("given_name")
    body["last_name"] = body.pop("family_name")
    return answer(body)


def routes() -> list[Route]:
    """The OAuth resources."""
    return [
        Route("POST", "/services/oauth2/token", token, public=True, counted=False),
        Route("POST", "/services/oauth2/revoke", revoke, public=True, counted=False),
        Route("GET", "/services/oauth2/revoke", revoke, public=True, counted=False),
        Route("POST", "/services/oauth2/introspect", introspect, public=True, counted=False),
        Route("GET", "/services/oauth2/userinfo", userinfo, counted=False),
        Route("POST", "/services/oauth2/userinfo", userinfo, counted=False),
        Route("GET", "/id/{organization}/{user}", identity, counted=False),
    ]
