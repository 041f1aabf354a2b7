"""The org as a function: `handle(request) → response`, with its token check, faults, API usage and compression."""

import gzip
import zlib
from collections.abc import Iterable, Iterator

from migrator.clock import Clock, SystemClock
from migrator.simulator import api
from migrator.simulator.auth.oauth import Tokens, authenticate, check_api_enabled, user_named
from migrator.simulator.bulk.faults import JobFault, JobFaults
from migrator.simulator.bulk.v1.answers import error_answer
from migrator.simulator.faults import Dropped, Fault, FaultKind
from migrator.simulator.furnish import furnish
from migrator.simulator.http import JSON, ApiError, Headers, Request, Response, dump
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route, Router
from migrator.simulator.rules.standard import add_standard_rules
from migrator.simulator.schema.files import load_schema
from migrator.simulator.schema.model import Schema
from migrator.simulator.settings import OrgSettings

COMPRESS_FROM = 1_024  # bytes
_CACHE = "no-cache,must-revalidate,max-age=0,no-store,private"
_ASYNC = "/services/async/"
MAX_URI = 16_384  # bytes; a longer query has to be sent another way


class Org(OrgState):
    """A simulated org. Safe to use from many threads: one request at a time, and background work in between."""

    def __init__(
        self, schema: Schema | None = None, settings: OrgSettings | None = None, clock: Clock | None = None
    ) -> None:
        schema = schema or load_schema()
        given = settings or OrgSettings().with_organization(schema.organization)
        super().__init__(schema, given, clock or SystemClock())
        self.faults: list[Fault] = []
        self._router = Router(api.routes())
        add_standard_rules(self)
        self.background.append(self.dml.recycle_bin)
        furnish(self)

    def add_job_fault(self, fault: JobFault) -> None:
        """Set up a fault of a job, as `faults` holds those of requests."""
        self.part(JobFaults).add(fault)

    def issue_token(self, username: str = "") -> str:
        """A token of a user (the integration user), as after a login; raises `LookupError` for one who is not there."""
        with self.lock:
            user_id = user_named(self, username) if username else self.user_id
            if not user_id:
                raise LookupError(f"no user {username}")
            return self.part(Tokens).issue(user_id, self.settings.client_id)

    def handle(self, request: Request) -> Response:
        """Answer a request; raises `Dropped` where a fault ends the connection."""
        # in list order; a fault counts the requests that no fault before it has hit
        fault = next((each for each in self.faults if each.hits(request)), None)
        if fault is None:
            return self._handle(request)
        match fault.kind:
            case FaultKind.DROP_BEFORE:
                raise Dropped("dropped before the effect")
            case FaultKind.STATUS | FaultKind.HTML:
                return fault.instead()
            case FaultKind.DELAY:
                self.clock.wait(fault.seconds)
                return self._handle(request)
            case FaultKind.DROP_AFTER_EFFECT:
                self._handle(request)
                raise Dropped("dropped after the effect")
            case FaultKind.TRUNCATE_BODY:
                return _truncated(self._handle(request))

    def _handle(self, request: Request) -> Response:
        with self.lock:
            self.advance(self.clock.now())
            route: Route | None = None
            try:
                _check_length(request)
                route, params = self._router.find(request.method, request.path)
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
        self.requests += 1
        if self.requests > self.settings.api_requests:
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
            more["Sforce-Limit-Info"] = f"api-usage={self.requests}/{self.settings.api_requests}"
        more["Vary"] = "Accept-Encoding"
        response = _pretty(request, Response(response.status, response.headers.with_(more), response.body))
        return _compressed(request, response) if self.settings.compress else response


def _refusal(request: Request, error: ApiError) -> Response:
    """An error as the API of the request words it."""
    if request.path.startswith(_ASYNC):
        return error_answer(request, error)
    return Response(error.status, Headers({"Content-Type": JSON, **error.headers}), dump(error.body()))


def _check_length(request: Request) -> None:
    query = sum(len(name) + len(value) + 2 for name, value in request.query.items())
    if len(request.path) + query > MAX_URI:
        raise ApiError(414, "URI_TOO_LONG", f"The length of the URI exceeds the {MAX_URI:,} byte limit.")


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


def _truncated(response: Response) -> Response:
    body = response.read()
    length = {"Content-Length": str(len(body))}

    def half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise Dropped("dropped in the middle of the answer")

    return Response(response.status, response.headers.with_(length), half())
