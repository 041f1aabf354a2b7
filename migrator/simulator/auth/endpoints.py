"""The OAuth endpoints: token, authorize, revoke, introspect."""

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote_plus, urlencode, urlsplit

from migrator.simulator.auth import identity
from migrator.simulator.auth.grants import (
    Granted,
    Refused,
    app,
    check_secret,
    grant,
)
from migrator.simulator.auth.identity import identity_url
from migrator.simulator.auth.oauth import Tokens, user_named
from migrator.simulator.http import JSON, Headers, Request, Response, answer, dump
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route

SCOPE = "refresh_token api"
_NO_CACHE = {
    "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
    "X-Readonlymode": "false",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _form(request: Request) -> dict[str, str]:
    """The parameters of the body and of the query string, as some clients send them, and the client of HTTP Basic."""
    body = request.read().decode("utf-8", "replace")
    if "json" in request.headers.get("Content-Type", ""):
        loaded = request.json()
        given = {key: str(value) for key, value in loaded.items()} if isinstance(loaded, dict) else {}
    else:
        given = dict(parse_qsl(body, keep_blank_values=True))
    return {**request.query, **given, **_basic(request)}


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


def _refuse(refused: Refused) -> Response:
    body = {"error": refused.error, "error_description": refused.description}
    return Response(400, Headers({"Content-Type": JSON, **_NO_CACHE}), dump(body))


def token(org: OrgState, call: Call) -> Response:
    """The token endpoint."""
    try:
        granted = grant(org, _form(call.request), call.request.base_url)
    except Refused as refused:
        return _refuse(refused)
    return answer(_told(org, call, granted), headers=_NO_CACHE)


def token_by_get(_: OrgState, __: Call) -> Response:
    """Tokens are asked for with POST only."""
    return _refuse(Refused("invalid_request", "must use HTTP POST"))


def _told(org: OrgState, call: Call, granted: Granted) -> dict[str, Any]:
    base = call.request.base_url
    address = identity_url(org, base, granted.user_id)
    body: dict[str, Any] = {
        "access_token": org.part(Tokens).issue(granted.user_id, granted.client_id, granted.refresh)
    }
    if granted.shown_refresh:
        body["refresh_token"] = granted.shown_refresh
    where = {"scope": SCOPE, "instance_url": base, "id": address, "token_type": "Bearer"}
    if not granted.signed:
        return body | where
    issued = str(int(org.clock.now() * 1000))
    digest = hmac.new(org.settings.client_secret.encode(), (address + issued).encode(), hashlib.sha256)
    return body | {"signature": base64.b64encode(digest.digest()).decode(), **where, "issued_at": issued}


def authorize(org: OrgState, call: Call) -> Response:
    """The web server flow's first step. Nobody has to log in or approve: the user is `login_hint` or the integration user.

    A code is sent to loopback addresses only, where the client that asked for it listens.
    """
    given = call.request.query
    target = urlsplit(given.get("redirect_uri", ""))
    try:
        client_id = app(org, given)
        _check_request(target, given.get("response_type", ""), given.get("code_challenge_method", "S256"))
    except Refused as refused:
        return _refuse(refused)
    user_id = user_named(org, given.get("login_hint", "")) or org.user_id
    code = org.part(Tokens).issue_code(
        user_id, client_id, given["redirect_uri"], given.get("code_challenge", "")
    )
    shown = {"code": code} | ({"state": given["state"]} if "state" in given else {})
    joint = "&" if target.query else "?"
    return Response(302, Headers({"Location": given["redirect_uri"] + joint + urlencode(shown), **_NO_CACHE}))


def _check_request(target: SplitResult, response_type: str, method: str) -> None:
    if target.scheme not in {"http", "https"} or target.hostname not in _LOOPBACK:
        raise Refused("redirect_uri_mismatch", "redirect_uri must match configuration")
    if response_type != "code":
        raise Refused("unsupported_response_type", "response type not supported")
    if method != "S256":
        raise Refused("invalid_request", "invalid code challenge method")


def revoke(org: OrgState, call: Call) -> Response:
    """Take a token back; one that is unknown or was taken back already is an error."""
    if org.part(Tokens).revoke(_form(call.request).get("token", "")):
        return Response(200, Headers(_NO_CACHE))
    return _refuse(Refused("invalid_token", "invalid token"))


def introspect(org: OrgState, call: Call) -> Response:
    """What a token is (RFC 7662); only for an app that shows who it is."""
    form = _form(call.request)
    try:
        check_secret(org, app(org, form), form)
    except Refused as refused:
        return _refuse(refused)
    held = org.part(Tokens).access(form.get("token", ""))
    if held is None:
        return answer({"active": False})
    users = org.store.table("User")
    return answer(
        {
            "active": True,
            "scope": SCOPE,
            "client_id": held.client_id or org.settings.client_id,
            "username": users.cell(users.seq_of(held.user_id), "Username"),
            "sub": identity_url(org, call.request.base_url, held.user_id),
            "token_type": "access_token",
            "exp": int(held.expiry),
            "iat": int(held.issued),
            "nbf": int(held.issued),
        }
    )


def routes() -> list[Route]:
    """The OAuth resources."""
    base = "/services/oauth2"
    return [
        Route("POST", f"{base}/token", token, public=True, counted=False),
        Route("GET", f"{base}/token", token_by_get, public=True, counted=False),
        Route("GET", f"{base}/authorize", authorize, public=True, counted=False),
        Route("POST", f"{base}/revoke", revoke, public=True, counted=False),
        Route("GET", f"{base}/revoke", revoke, public=True, counted=False),
        Route("POST", f"{base}/introspect", introspect, public=True, counted=False),
        *identity.routes(),
    ]
