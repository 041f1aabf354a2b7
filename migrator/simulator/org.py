"""The org as a function: `handle(request) → response`, with its token check, faults, API usage and compression."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from typing import assert_never

from migrator.clock import Clock, SystemClock
from migrator.simulator import acts, api, soap
from migrator.simulator.agenda import Agenda
from migrator.simulator.auth.oauth import Tokens, authenticate, check_api_enabled, user_named
from migrator.simulator.bulk.faults import JobFaults
from migrator.simulator.bulk.v1.answers import error_answer
from migrator.simulator.configure import check_names, configured
from migrator.simulator.faults.model import Act, Fault, JobFault, Planted, RowFault
from migrator.simulator.faults.rows import RowFaults
from migrator.simulator.furnish import furnish
from migrator.simulator.http import JSON, ApiError, Headers, Request, Response, dump
from migrator.simulator.limits import Limits
from migrator.simulator.locks.writers import Writers
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route, Router
from migrator.simulator.rules.standard import add_standard_rules
from migrator.simulator.schema.files import load_schema
from migrator.simulator.schema.model import Schema
from migrator.simulator.settings import OrgSettings
from migrator.simulator.strikes import Strikes

COMPRESS_FROM = 1_024  # bytes
_CACHE = "no-cache,must-revalidate,max-age=0,no-store,private"
_ASYNC = "/services/async/"
_DATA = "/services/data/"
_SOAP = "/services/Soap/"


class Org(OrgState):
    """A simulated org. Safe to use from many threads: one request at a time, and background work in between."""

    def __init__(
        self, schema: Schema | None = None, settings: OrgSettings | None = None, clock: Clock | None = None
    ) -> None:
        schema = schema or load_schema()
        given = settings or configured(OrgSettings().with_organization(schema.organization), schema.settings)
        check_names(given, schema)
        super().__init__(schema, given, clock or SystemClock())
        self._strikes = Strikes(self, self._handle, self._perform)
        self.faults = self._strikes.faults  # of requests, in the order in which they are looked at
        self._router = Router(api.routes())
        add_standard_rules(self)
        self.background.append(self.dml.recycle_bin)
        self._answered = 0  # requests
        self._answering: dict[object, float] = {}  # requests, and since when
        self._limits = self.part(Limits)
        self.part(JobFaults).perform = self._perform
        furnish(self)
        self.part(Writers)
        self.came_with = {table.sobject.name: table.next_seq for table in self.store.tables()}

    # --- faults ------------------------------------------------------------------------------------------------

    @property
    def requests(self) -> int:
        """API requests of the last 24 hours."""
        return self._limits.api_requests.used(self.now())

    def plant(self, *planted: Planted) -> None:
        """Set up faults of requests, jobs and rows, and what people do at a moment of the org's clock."""
        with self.lock:
            for each in planted:
                self._plant(each)

    def _plant(self, planted: Planted) -> None:
        match planted:
            case Fault():
                planted.planted = self.now()
                self.faults.append(planted)
            case JobFault():
                self.part(JobFaults).add(planted)
            case RowFault():
                self.part(RowFaults).faults.append(planted)
            case Act():
                self.part(Agenda).at(self.now() + (planted.at or 0.0), lambda _: self._perform(planted))
            case _:
                assert_never(planted)

    def _perform(self, act: Act) -> int:
        acts.perform(self, act)
        return 0

    # --- requests ----------------------------------------------------------------------------------------------

    def issue_token(self, username: str = "") -> str:
        """A token of a user (the integration user), as after a login; raises `LookupError` for one who is not there."""
        with self.lock:
            user_id = user_named(self, username) if username else self.user_id
            if not user_id:
                raise LookupError(f"no user {username}")
            return self.part(Tokens).issue(user_id, self.settings.client_id)

    def handle(self, request: Request) -> Response:
        """Answer a request; raises `Dropped` where a fault ends the connection."""
        since, mine = self.now(), object()
        settings = self.settings
        with self.lock:
            long = sum(since - begun >= settings.long_request_seconds for begun in self._answering.values())
            self._answering[mine] = since
        try:
            if long >= settings.long_requests and request.path.startswith(_DATA):
                text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
                return _refusal(request, ApiError(403, "REQUEST_LIMIT_EXCEEDED", text))
            return self._strikes.answer(request)
        finally:
            with self.lock:
                del self._answering[mine]

    def cuts_body(self, method: str, path: str) -> float | None:
        """The share of a beginning request's body behind which a fault resets the connection, if one does."""
        return self._strikes.cuts_body(method, path)

    def due(self) -> float | None:
        """When something happens next that somebody may be waiting for; None when nobody waits."""
        with self.lock:
            awaited = any(unfinished() for unfinished in self.unfinished)
            following = self.part(Agenda).awaited if awaited else None
            moments = [moment for moment in (following, self._strikes.due()) if moment is not None]
            return min(moments, default=None)

    def _handle(self, request: Request) -> Response:
        with self.lock:
            self.advance(self.clock.now())
            route: Route | None = None
            try:
                _check_length(request, self.settings.uri_bytes)
                route, params = self._router.find(_method(request), request.path)
                user = "" if route.public else authenticate(self, request)
                if route.counted and not route.public:
                    check_api_enabled(self, user)
                if route.counted:
                    self._count()
                call = Call(_inflated(request), params, user, self.clock.now())
                response = route.handler(self, call)
            except ApiError as error:
                response = _refusal(request, error)
            return self._finished(request, response, route)

    def _count(self) -> None:
        if not self._limits.count_request(self.now()):
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def advance(self, now: float) -> bool:
        """Do a small step of each asynchronous work that is due; whether there is more to do at once."""
        with self.lock:
            more = False
            for work in self.background:
                more = work.advance(now) or more
            return more

    def _finished(self, request: Request, response: Response, route: Route | None) -> Response:
        more = {} if "Cache-Control" in response.headers else {"Cache-Control": _CACHE}
        if route is not None and route.counted:
            more["Sforce-Limit-Info"] = self._limits.usage(self.now())
        more["Vary"] = "Accept-Encoding"
        more["Date"] = formatdate(self.now(), usegmt=True)
        self._answered += 1
        more |= dict.fromkeys(("X-SFDC-Request-Id", "X-Request-Id"), f"{self._answered:032x}")
        more["X-SFDC-Edge-Cache"] = "MISS"
        response = _pretty(request, Response(response.status, response.headers.with_(more), response.body))
        return _compressed(request, response) if self.settings.compress else response


def _refusal(request: Request, error: ApiError) -> Response:
    """An error as the API of the request words it."""
    if request.path.startswith(_ASYNC):
        return error_answer(request, error)
    if request.path.startswith(_SOAP):
        return soap.refusal(request, error)
    return Response(error.status, Headers({"Content-Type": JSON, **error.headers}), dump(error.body()))


def _method(request: Request) -> str:
    """The method; clients that can only POST say the true one in the query string."""
    return request.query.get("_HttpMethod", "POST") if request.method == "POST" else request.method


def _check_length(request: Request, most: int) -> None:
    """The platform's 414 and 431."""
    query = sum(len(name) + len(value) + 2 for name, value in request.query.items())
    uri = len(request.path) + query
    if uri > most:
        raise ApiError(414, "URI_TOO_LONG", f"The length of the URI exceeds the {most:,} byte limit.")
    if uri + sum(len(name) + len(value) + 4 for name, value in request.headers.items()) > most:
        text = f"The combined length of the URI and headers exceeds the {most:,} byte limit."
        raise ApiError(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", text)


def _inflated(request: Request) -> Request:
    if request.headers.get("Content-Encoding", "").lower() != "gzip":
        return request
    try:
        body = gzip.decompress(request.read())
    except (OSError, EOFError, zlib.error) as fault:
        raise ApiError(400, "UNKNOWN_EXCEPTION", "Not in GZIP format") from fault
    return Request(request.method, request.path, request.query, request.headers, body, None, request.base_url)


def _pretty(request: Request, response: Response) -> Response:
    if (
        request.headers.get("X-PrettyPrint") != "1"
        or response.headers.get("Content-Type") != JSON
        or not response.body
    ):
        return response
    return Response(response.status, response.headers, dump(response.json(), pretty=True))


def _compressed(request: Request, response: Response) -> Response:
    body = response.body
    if "gzip" not in request.headers.get("Accept-Encoding", "") or "Content-Encoding" in response.headers:
        return response
    if isinstance(body, bytes):
        if len(body) < COMPRESS_FROM:
            return response
        return Response(
            response.status, response.headers.with_({"Content-Encoding": "gzip"}), gzip.compress(body, 1)
        )
    return Response(response.status, response.headers.with_({"Content-Encoding": "gzip"}), _gzip_stream(body))


def _gzip_stream(parts: Iterable[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
    for part in parts:
        made = squeeze.compress(part)
        if made:
            yield made
    yield squeeze.flush()
