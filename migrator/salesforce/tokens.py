"""Access tokens: got once, renewed once for all threads that found the same one expired.

**Invariant:** a token is only ever paired with the checked origin that it was given for.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never
from urllib.parse import urlencode

import jwt

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.model.wire import Sent
from migrator.salesforce.exchange import Call, Exchange
from migrator.salesforce.failure import RequestFailed
from migrator.salesforce.origins import checked_origin
from migrator.salesforce.retries import Retries
from migrator.salesforce.secret import Secret
from migrator.salesforce.settings import (
    AccessToken,
    ClientCredentials,
    ConnectionSettings,
    JwtBearer,
    RefreshToken,
)

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: an assertion is used at once; three minutes forgive a clock that is a little off
_JWT_LIFETIME = 180


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and the origin it opens."""

    token: Secret
    origin: str


class Tokens:
    """The current grant of one org."""

    def __init__(
        self, settings: ConnectionSettings, exchange: Exchange, retries: Retries, clock: Clock
    ) -> None:
        self._settings = settings
        self._exchange = exchange
        self._retries = retries
        self._clock = clock
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._pinned = self._checked(settings.instance_url) if settings.instance_url else ""
        self._login = self._checked(settings.login_url)

    def current(self) -> Grant:
        """The grant to use; the first caller gets it, the others wait for that."""
        with self._lock:
            if self._grant is None:
                self._grant = self._fetch()
            return self._grant

    def renew(self, stale: Grant) -> None:
        """Replace `stale`, unless another thread has done so already."""
        with self._lock:
            if self._grant is stale:
                self._grant = self._renewed()

    def _renewed(self) -> Grant:
        if isinstance(self._settings.auth, AccessToken):
            raise self._sign_in_failed("its access token has expired and cannot be renewed")
        return self._fetch()

    def _fetch(self) -> Grant:
        auth = self._settings.auth
        match auth:
            case AccessToken(token):
                if not self._pinned:
                    raise self._sign_in_failed("an access token needs the org's instance_url")
                return Grant(token, self._pinned)
            case ClientCredentials(client_id, secret):
                form = {
                    "grant_type": "client_credentials",
                    "client_id": client_id,
                    "client_secret": secret.reveal(),
                }
            case RefreshToken(client_id, refresh, secret):
                form = {
                    "grant_type": "refresh_token",
                    "client_id": client_id,
                    "refresh_token": refresh.reveal(),
                }
                form |= {"client_secret": secret.reveal()} if secret else {}
            case JwtBearer():
                form = {"grant_type": _JWT_GRANT, "assertion": self._assertion(auth)}
            case _:
                assert_never(auth)
        return self._ask(form)

    def _ask(self, form: dict[str, str]) -> Grant:
        call = Call(
            "POST",
            TOKEN_PATH,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        try:
            answer = self._retries.run(lambda: self._exchange.answer(call, self._login))
        except RequestFailed as failed:
            raise self._judged(failed) from failed
        return self._granted(answer.body)

    def _judged(self, failed: RequestFailed) -> RequestFailed:
        """A failure of the token endpoint, told of the request that wanted the token: that one was never sent."""
        if failed.sent is Sent.YES and not failed.retryable:
            return self._sign_in_failed(f"the org refused to sign in ({failed.error_code or failed.status})")
        return RequestFailed(
            failed.code,
            failed.diagnostic.what,
            hint=failed.diagnostic.hint,
            sent=Sent.NO,
            exit_code=failed.exit_code,
            # tried again already: not once more for each try of the request that wanted the token
            retryable=False,
            retry_after=failed.retry_after,
        )

    def _granted(self, body: Any) -> Grant:
        token = body.get("access_token") if isinstance(body, dict) else None
        instance = body.get("instance_url") if isinstance(body, dict) else None
        if not isinstance(token, str) or not isinstance(instance, str):
            raise self._sign_in_failed("the answer of the token endpoint has no token")
        origin = self._checked(instance)
        if self._pinned and origin != self._pinned:
            raise MigratorError(
                "foreign-url",
                f"org {self._settings.alias}: the token is for {origin}, not for the configured instance_url",
                hint="correct or remove instance_url in the org's settings",
            )
        return Grant(Secret(token), origin)

    def _assertion(self, auth: JwtBearer) -> str:
        key = auth.private_key
        claims = {
            "iss": auth.client_id,
            "sub": auth.username,
            "aud": auth.audience or self._login,
            "exp": int(self._clock.now()) + _JWT_LIFETIME,
        }
        try:
            text = key.reveal() if isinstance(key, Secret) else Path(key).read_text("ascii")
            return jwt.encode(claims, text, algorithm="RS256")
        except (OSError, ValueError, jwt.PyJWTError) as fault:
            raise self._sign_in_failed(f"its private key cannot be used ({type(fault).__name__})") from None

    def _checked(self, url: str) -> str:
        return checked_origin(url, simulator=self._settings.simulator, hosts=self._settings.hosts)

    def _sign_in_failed(self, why: str) -> RequestFailed:
        return RequestFailed(
            "sign-in-failed",
            f"org {self._settings.alias}: {why}",
            hint="renew the org's credentials, then resume; the run's state is intact",
            sent=Sent.NO,
            exit_code=ExitCode.PAUSED,
        )
