"""Requests to one org as its user: the token is added, renewed when it has expired, and GETs are repeated.

**Invariant:** a write is sent exactly once per call; after a 401 its token is renewed and the failure told.
"""

from collections.abc import Callable, Iterator
from typing import Self, TypeVar

import httpx

from migrator.errors import ExitCode
from migrator.model.wire import Sent
from migrator.salesforce.answers import broken_answer
from migrator.salesforce.body import BrokenBody, decoded
from migrator.salesforce.exchange import Answer, Call, Exchange
from migrator.salesforce.failure import RequestFailed
from migrator.salesforce.origins import path_of
from migrator.salesforce.retries import Retries
from migrator.salesforce.tokens import Grant, Tokens

T = TypeVar("T")


class Download:
    """The body of a CSV answer, piece by piece. Iterate it once, to the end, or close it.

    Raises RequestFailed `answer-broken` where the body turns out not to be whole: what came before is worthless.
    `rows`: how many the org says there are; None: it does not say. `locator`: of the next page; empty: there is none.
    """

    def __init__(self, response: httpx.Response, where: str, ended: Callable[[], None]) -> None:
        self._response = response
        self._where = where
        self._ended: Callable[[], None] | None = ended
        told = response.headers.get("Sforce-NumberOfRecords", "")
        locator = response.headers.get("Sforce-Locator", "")
        self.rows = int(told) if told.isdigit() else None
        # the last page says the word null (Bulk API guide, "Get Results for a Query Job")
        self.locator = "" if locator == "null" else locator

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from decoded(self._response)
        except (httpx.TransportError, OSError, BrokenBody) as fault:
            reason = str(fault) if isinstance(fault, BrokenBody) else "it was cut"
            raise broken_answer(reason, self._where, self._response.status_code) from fault
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back without reading on."""
        self._response.close()
        if self._ended is not None:
            self._ended()
            self._ended = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session:
    """What the Org speaks through."""

    def __init__(self, exchange: Exchange, tokens: Tokens, retries: Retries) -> None:
        self._exchange = exchange
        self._tokens = tokens
        self._retries = retries

    @property
    def requests(self) -> int:
        """How many requests were made, those for tokens included."""
        return self._exchange.requests

    @property
    def under_way(self) -> int:
        """How many requests have no whole answer yet, those that wait to be repeated included."""
        return self._exchange.under_way + self._retries.waiting

    @property
    def skew(self) -> float | None:
        """By how many seconds the org's clock is ahead of ours; None: it does not tell."""
        return self._exchange.skew

    @property
    def origin(self) -> str:
        """Where the org is."""
        return self._tokens.current().origin

    def call(self, call: Call) -> Answer:
        """The whole answer. A GET is repeated when that may help, anything else never."""

        def once() -> Answer:
            return self._as_user(lambda grant: self._exchange.answer(call, grant.origin, grant.token))

        return self._retries.run(once) if call.repeatable else once()

    def download(self, call: Call) -> Download:
        """The answer with its body still to come; only the opening is repeated."""

        def once() -> Download:
            response = self._as_user(lambda grant: self._exchange.open(call, grant.origin, grant.token))
            return Download(response, self._exchange.where(call), self._exchange.ended)

        return self._retries.run(once)

    def path_of(self, url: str) -> str:
        """The path in a URL that the org gave."""
        return path_of(url, self.origin)

    def where(self, call: Call) -> str:
        """Org and request, for messages."""
        return self._exchange.where(call)

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()

    def _as_user(self, send: Callable[[Grant], T]) -> T:
        grant = self._tokens.current()
        try:
            return send(grant)
        except RequestFailed as failed:
            if failed.code == "session-expired":
                self._renew(grant, failed)
            raise

    def _renew(self, grant: Grant, failed: RequestFailed) -> None:
        try:
            self._tokens.renew(grant)
        except RequestFailed as renewal:
            # the request itself was answered: nothing may be concluded from the renewal's own failure
            raise RequestFailed(
                renewal.code,
                renewal.diagnostic.what,
                hint=renewal.diagnostic.hint,
                sent=Sent.YES,
                exit_code=ExitCode.PAUSED,
                status=failed.status,
                error_code=failed.error_code,
            ) from renewal
