"""Who gets a token: one function for each grant, which gives the user or says why not.

Error names and texts are those of the platform where a capture, its documentation or a client that looks for them shows
them; which grants an org allows is set in `OrgSettings`.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from migrator.simulator.auth.oauth import Tokens, may_log_in, user_named
from migrator.simulator.orgstate import OrgState

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PLATFORM_CLI = "PlatformCLI"  # the Salesforce CLI's own app: in every org, without a secret
LOGIN_HOSTS = ("login.", "test.")  # hosts that are no org's own
AUDIENCES = frozenset({"https://login.salesforce.com", "https://test.salesforce.com"})


class Refused(Exception):  # noqa: N818 - what happened
    """A grant that is refused, in the platform's words."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Granted:
    """Who gets a token, and what comes with it."""

    user_id: str
    client_id: str
    refresh: str = ""  # the refresh token that the access token goes back to
    shown_refresh: str = ""  # a refresh token to tell the client
    signed: bool = True  # whether the answer has the time of issue and a signature


Form = Mapping[str, str]
Grant = Callable[[OrgState, Form, str], Granted]


def grant(org: OrgState, form: Form, base: str) -> Granted:
    """The grant that a form asks for at an address; raises `Refused`."""
    kind = form.get("grant_type", "")
    if not kind:
        raise Refused("invalid_request", "must supply grant_type")
    if kind not in _GRANTS:
        raise Refused("unsupported_grant_type", "grant type not supported")
    if closed := org.part(Tokens).closed:
        raise Refused("invalid_grant", closed)
    return _GRANTS[kind](org, form, base)


def knows(org: OrgState, username: str, password: str) -> str:
    """The id of the user with this password, or nothing; a security token may be pasted behind the password."""
    user_id = user_named(org, username)
    known = bool(user_id) and may_log_in(org, user_id)
    return user_id if known and password.startswith(org.settings.password) else ""


def same(given: str, expected: str) -> bool:
    """Whether two secrets are the same."""
    return hmac.compare_digest(given.encode(), expected.encode())


def app(org: OrgState, form: Form) -> str:
    """The client id, if it is an app of the org."""
    client_id = form.get("client_id", "")
    if not client_id:
        raise Refused("invalid_client_id", "client identifier invalid")
    if client_id not in {org.settings.client_id, PLATFORM_CLI}:
        raise Refused("invalid_client_id", "client identifier invalid")
    return client_id


def secret_is_good(org: OrgState, client_id: str, form: Form) -> bool:
    """Whether the app showed its secret; the Salesforce CLI's has none."""
    if client_id == PLATFORM_CLI:
        return not form.get("client_secret")
    return same(form.get("client_secret", ""), org.settings.client_secret)


def check_secret(org: OrgState, client_id: str, form: Form) -> None:
    """Refuse an app that does not show its secret."""
    if not secret_is_good(org, client_id, form):
        raise Refused("invalid_client", "invalid client credentials")


def _check_active(org: OrgState, user_id: str) -> None:
    if not may_log_in(org, user_id):
        raise Refused("inactive_user", "user is inactive")


def _client_credentials(org: OrgState, form: Form, base: str) -> Granted:
    client_id = app(org, form)
    if client_id == PLATFORM_CLI or not org.settings.client_credentials:
        raise Refused("invalid_grant", "no client credentials user enabled")
    check_secret(org, client_id, form)
    if (urlsplit(base).hostname or "").startswith(LOGIN_HOSTS):
        raise Refused("invalid_grant", "request not supported on this domain")
    user_id = user_named(org, org.settings.run_as) if org.settings.run_as else org.user_id
    if not user_id:
        raise Refused("invalid_grant", "no client credentials user enabled")
    _check_active(org, user_id)
    return Granted(user_id, client_id)


def _refresh_token(org: OrgState, form: Form, _: str) -> Granted:
    client_id, tokens = app(org, form), org.part(Tokens)
    given = form.get("refresh_token", "")
    if form.get("client_secret") or org.settings.refresh_needs_secret:
        check_secret(org, client_id, form)
    held = tokens.refresh(given, client_id)
    if held is None:
        raise Refused("invalid_grant", "expired access/refresh token")
    _check_active(org, held.user_id)
    if not org.settings.rotate_refresh_tokens:
        return Granted(held.user_id, client_id, given)
    fresh = tokens.rotate(given)
    return Granted(held.user_id, client_id, fresh, fresh)


def _password(org: OrgState, form: Form, _: str) -> Granted:
    client_id = app(org, form)
    user_id = knows(org, form.get("username", ""), form.get("password", ""))
    # a wrong secret, a wrong password and a flow that is switched off read the same
    if not org.settings.password_flow or not user_id or not secret_is_good(org, client_id, form):
        raise Refused("invalid_grant", "authentication failure")
    return Granted(user_id, client_id)


def _authorization_code(org: OrgState, form: Form, _: str) -> Granted:
    client_id, tokens = app(org, form), org.part(Tokens)
    held = tokens.redeem(form.get("code", ""))
    if held is None or held.client_id != client_id:
        raise Refused("invalid_grant", "expired authorization code")
    if form.get("redirect_uri", "") != held.redirect_uri:
        raise Refused("redirect_uri_mismatch", "redirect_uri must match configuration")
    if held.challenge:
        if not same(challenge_of(form.get("code_verifier", "")), held.challenge):
            raise Refused("invalid_grant", "invalid code verifier")
        if form.get("client_secret"):
            check_secret(org, client_id, form)
    else:
        check_secret(org, client_id, form)
    _check_active(org, held.user_id)
    refresh = tokens.issue_refresh(held.user_id, client_id)
    return Granted(held.user_id, client_id, refresh, refresh)


def challenge_of(verifier: str) -> str:
    """The challenge of a PKCE verifier (RFC 7636, method S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _jwt_bearer(org: OrgState, form: Form, base: str) -> Granted:
    settings = org.settings
    claims = _claims(org, form.get("assertion", ""))
    if claims.get("iss") != settings.client_id:
        raise Refused("invalid_client_id", "client identifier invalid")
    _check_audience(claims.get("aud"), base)
    expiry = claims.get("exp")
    # only an expiry in the past is too old: clients that send milliseconds get in, so nothing is capped
    if not isinstance(expiry, int | float) or expiry <= org.clock.now():
        raise Refused("invalid_grant", "expired authorization code")
    user_id = user_named(org, str(claims.get("sub") or claims.get("prn") or ""))
    approved = settings.preauthorized
    if not user_id or (approved is not None and claims.get("sub") not in approved):
        raise Refused("invalid_grant", "user hasn't approved this consumer")
    _check_active(org, user_id)
    return Granted(user_id, settings.client_id, signed=False)


def _check_audience(audience: object, base: str) -> None:
    """The audience is a login host or the org itself; `http` will do for an org that is served so."""
    named = audience if isinstance(audience, list) else [audience]
    allowed = AUDIENCES | {base}
    if not any(str(each).rstrip("/").removesuffix("/services/oauth2/token") in allowed for each in named):
        raise Refused("invalid_grant", "audience is invalid")


def _claims(org: OrgState, assertion: str) -> dict[str, Any]:
    """What the assertion says, its signature checked by the key of the app; without a key none is good."""
    if not assertion:
        raise Refused("invalid_request", "assertion is required")
    if org.settings.public_key is None:
        raise Refused("invalid_grant", "invalid assertion")
    unchecked = jwt.PyJWT(
        options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    )
    try:
        return unchecked.decode(assertion, org.settings.public_key, algorithms=["RS256"])
    except jwt.InvalidTokenError:
        raise Refused("invalid_grant", "invalid assertion") from None


_GRANTS: Mapping[str, Grant] = {
    "client_credentials": _client_credentials,
    "refresh_token": _refresh_token,
    "password": _password,
    "authorization_code": _authorization_code,
    JWT_BEARER: _jwt_bearer,
}
