"""Access tokens, refresh tokens and authorization codes of one org, and the user behind a request's token.

**Invariant:** a token is good only if this org gave it, until it expires on the org's clock or is revoked, and only
while its user is active.
"""

import string
from dataclasses import dataclass, field

from migrator.simulator.http import ApiError, Request
from migrator.simulator.orgstate import OrgState

CODE_LIFETIME = 900.0  # seconds of an authorization code; OAuth web server flow
_TOKEN_ALPHABET = string.ascii_letters + string.digits + "._"


@dataclass(frozen=True, slots=True)
class Access:
    """An access token: whose it is, how long it is good, and the refresh token it goes back to."""

    user_id: str
    issued: float
    expiry: float
    client_id: str = ""
    refresh: str = ""


@dataclass(slots=True)
class Refresh:
    """A refresh token; those that took its place when tokens rotate are of the same family."""

    user_id: str
    client_id: str
    family: int
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code and what its exchange has to show."""

    user_id: str
    client_id: str
    redirect_uri: str
    challenge: str
    expiry: float


@dataclass(slots=True)
class _Held:
    access: dict[str, Access] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)


class Tokens:
    """What an org has given and not taken back; `org.part(Tokens)`."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self.closed = ""  # why nobody can sign in
        self._held = _Held()
        self._families = 1
        given = org.settings
        self._held.refresh[given.refresh_token] = Refresh("", given.client_id, 0)  # of the integration user

    # --- access tokens

    def issue(self, user_id: str = "", client_id: str = "", refresh: str = "") -> str:
        """A new token of a user (the integration user), in the platform's form: the org's id, `!`, and noise."""
        token = f"{self._org.settings.organization_id[:15]}!AQ{self._noise(96)}"
        now = self._org.clock.now()
        expiry = now + self._org.settings.token_lifetime
        self._held.access[token] = Access(user_id or self._org.user_id, now, expiry, client_id, refresh)
        return token

    def access(self, token: str) -> Access | None:
        """What is known of a token that opens the org now."""
        held = self._held.access.get(token)
        if held is None or self._org.clock.now() >= held.expiry or not may_log_in(self._org, held.user_id):
            return None
        return held

    def user_of(self, token: str) -> str:
        """The id of the user whose token it is; empty when the token does not open the org now."""
        held = self.access(token)
        return held.user_id if held else ""

    def good(self, token: str) -> bool:
        """Whether the token opens the org now."""
        return self.access(token) is not None

    # --- refresh tokens

    def issue_refresh(self, user_id: str, client_id: str, family: int | None = None) -> str:
        """A new refresh token."""
        if family is None:
            family, self._families = self._families, self._families + 1
        token = f"5Aep861{self._noise(80)}"
        self._held.refresh[token] = Refresh(user_id, client_id, family)
        return token

    def refresh(self, token: str, client_id: str) -> Refresh | None:
        """The refresh token, if it is good. One that was rotated away ends its whole family."""
        held = self._held.refresh.get(token)
        if held is None or held.client_id != client_id:
            return None
        if held.spent:
            self._end_family(held.family)
            return None
        return Refresh(held.user_id or self._org.user_id, client_id, held.family)

    def rotate(self, token: str) -> str:
        """A refresh token in the place of this one."""
        held = self._held.refresh[token]
        held.spent = True
        return self.issue_refresh(held.user_id or self._org.user_id, held.client_id, held.family)

    def _end_family(self, family: int) -> None:
        for token, held in list(self._held.refresh.items()):
            if held.family == family:
                self._take_back(token)

    def _take_back(self, refresh: str) -> None:
        self._held.refresh.pop(refresh, None)
        for token, held in list(self._held.access.items()):
            if held.refresh == refresh:
                del self._held.access[token]

    # --- authorization codes

    def issue_code(self, user_id: str, client_id: str, redirect_uri: str, challenge: str) -> str:
        """A new authorization code."""
        code = f"aPrx{self._noise(80)}"
        expiry = self._org.clock.now() + CODE_LIFETIME
        self._held.codes[code] = Code(user_id, client_id, redirect_uri, challenge, expiry)
        return code

    def redeem(self, code: str) -> Code | None:
        """What a code stands for, once."""
        held = self._held.codes.pop(code, None)
        return held if held and self._org.clock.now() < held.expiry else None

    # --- the end of them

    def revoke(self, token: str) -> bool:
        """Take an access or refresh token back; the latter with the access tokens that came of it."""
        if token in self._held.refresh:
            self._take_back(token)
            return True
        return self._held.access.pop(token, None) is not None

    def close(self, reason: str) -> None:
        """End every session, and let nobody sign in again."""
        self.closed = reason
        self.revoke_all()

    def revoke_all(self) -> None:
        """End every session, as an administrator can."""
        self._held.access.clear()

    def _noise(self, length: int) -> str:
        return "".join(self._org.random.choices(_TOKEN_ALPHABET, k=length))


def token_of(request: Request) -> str:
    """The token that a request carries, wherever the platform looks for it."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() not in {"bearer", "oauth"}:
        token = request.headers.get("X-SFDC-Session", "") or request.query.get("oauth_token", "")
    return token.strip()


def authenticate(org: OrgState, request: Request) -> str:
    """The user behind the request's token, or the platform's 401."""
    user_id = org.part(Tokens).user_of(token_of(request))
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
    """The id of the user of that name, active or not; `""` when there is none."""
    users = org.store.table("User")
    found = users.find("Username", username) if username else []
    return users.id_of(found[0]) if found else ""


def may_log_in(org: OrgState, user_id: str) -> bool:
    """Whether a user is active and not frozen."""
    users, logins = org.store.table("User"), org.store.table("UserLogin")
    seq = users.seq_of(user_id)
    if not users.exists(seq) or users.cell(seq, "IsActive") != "true":
        return False
    return all(logins.cell(each, "IsFrozen") != "true" for each in logins.find("UserId", user_id))
