"""What faults do to requests: instead of the org, before it, or to its answer on the way back."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import assert_never

from migrator.simulator.agenda import Agenda
from migrator.simulator.bulk.v1.work import Work
from migrator.simulator.bulk.v2.query_job import QueryWork
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.simulator.faults.cuts import cut_short
from migrator.simulator.faults.edits import edited
from migrator.simulator.faults.model import Act, Cut, Edit, Fault, FaultKind
from migrator.simulator.http import JSON, Delivery, Headers, Request, Response
from migrator.simulator.ids import is_id, to_18
from migrator.simulator.orgstate import OrgState

_PAGE = (
    b"<html><head><title>Down for Maintenance</title></head><body>We are down for maintenance.</body></html>"
)
_SOBJECT = re.compile(r"/sobjects/(?P<name>\w+)|/composite/tree/(?P<tree>\w+)")
_JOB = re.compile(r"/job(?:s/ingest|s/query)?/(?P<id>\w{15,18})")
_FROM = re.compile(r"\bFROM\s+(\w+)", re.IGNORECASE)
_MADE = re.compile(rb'"object"\s*:\s*"(\w+)"|<object>(\w+)</object>')
_TYPE = re.compile(rb'"type"\s*:\s*"(\w+)"')
_DATE = re.compile(r"\{now\+(\d+)\}")


_DELIVERY: dict[FaultKind, Callable[[Fault], Delivery | None]] = {
    FaultKind.SEGMENTS: lambda fault: Delivery(segment=fault.size),
    FaultKind.SLOW: lambda fault: Delivery(bytes_per_second=fault.size),
    FaultKind.HANG_UP: lambda _: Delivery(hang_up=True),
    FaultKind.ACT: lambda _: None,  # it is done beside the request
}


class Dropped(ConnectionResetError):  # noqa: N818 - what happened to the connection
    """The connection ends here without (the rest of) an answer."""

    def __init__(self, what: str, *, reset: bool = True) -> None:
        super().__init__(what)
        self.reset = reset


class Strikes:
    """The request faults of one org."""

    def __init__(
        self, org: OrgState, handle: Callable[[Request], Response], perform: Callable[[Act], object]
    ) -> None:
        self._org = org
        self._handle = handle
        self._perform = perform
        self._lock = threading.Lock()
        self.faults: list[Fault] = []

    def answer(self, request: Request) -> Response:
        """The answer to a request, or `Dropped`; what people do at it is done."""
        acts, fault = self._found(request)
        for each in acts:
            if each.act is not None and not each.after_effect:
                self._act(each.act)
        response = self._handle(request) if fault is None else self._struck(fault, request)
        for each in acts:
            if each.act is not None and each.after_effect:
                self._act(each.act)
        return response

    def cuts_body(self, method: str, path: str) -> float | None:
        """How much of the body of a request that is beginning will arrive, where the network cuts it."""
        request = Request(method, path)
        for fault in self.faults:
            if fault.kind is FaultKind.DROP_IN_BODY and not fault.keeps and self._hits(fault, request):
                return fault.share
        return None

    def due(self) -> float | None:
        """When the next fault that lasts for a time is over; None when none has begun."""
        now = self._org.now()
        ends = [
            each.first_strike + each.when.lasts
            for each in self.faults
            if each.first_strike is not None and each.when.lasts != float("inf")
        ]
        return min((end for end in ends if end > now), default=None)

    def _act(self, act: Act) -> None:
        with self._org.lock:
            self._perform(act)

    def _found(self, request: Request) -> tuple[list[Fault], Fault | None]:
        """In list order; a fault counts the requests that no fault before it has hit. Acts stand in nobody's way."""
        acts: list[Fault] = []
        for fault in list(self.faults):
            cut_on_the_way = fault.kind is FaultKind.DROP_IN_BODY and not fault.keeps and request.carried
            if cut_on_the_way or not self._hits(fault, request):
                continue
            if fault.kind is not FaultKind.ACT:
                return acts, fault
            acts.append(fault)
        return acts, None

    def _hits(self, fault: Fault, request: Request) -> bool:
        with self._lock:
            sobject = sobject_of(self._org, request) if fault.when.sobject else ""
            return fault.hits(request, self._org.now(), sobject)

    def _struck(self, fault: Fault, request: Request) -> Response:
        match fault.kind:
            case (
                FaultKind.DROP_BEFORE | FaultKind.DROP_IN_BODY | FaultKind.DROP_AFTER_EFFECT | FaultKind.LATE
            ):
                raise self._dropped(fault, request)
            case FaultKind.STATUS | FaultKind.HTML | FaultKind.REDIRECT:
                if fault.after_effect:
                    self._handle(request)
                return _instead(fault, request, self._org.now())
            case FaultKind.DELAY:
                self._org.clock.wait(fault.seconds)
                return self._handle(request)
            case FaultKind.DUPLICATE:
                return self._twice(fault, request)
            case FaultKind.EDIT:
                return self._edited(fault.edit or Edit.EMPTY, request)
            case FaultKind.TRUNCATE_BODY:
                response = self._handle(request)
                whole = fault.clean or fault.cut is not Cut.MIDDLE
                return cut_short(response, fault.cut) if whole else _torn(response)
            case FaultKind.HOLE:
                if fault.after_effect:
                    self._handle(request)
                return Response(200, delivery=Delivery(silent=fault.seconds))
            case FaultKind.SEGMENTS | FaultKind.SLOW | FaultKind.HANG_UP | FaultKind.ACT:
                return replace(self._handle(request), delivery=_DELIVERY[fault.kind](fault))
            case _:
                assert_never(fault.kind)

    def _dropped(self, fault: Fault, request: Request) -> Dropped:
        """How the connection ends, with what happens or will happen all the same."""
        if fault.kind is FaultKind.DROP_AFTER_EFFECT:
            self._handle(request)
        elif fault.kind is FaultKind.LATE:
            later = replace(request, body=request.read(), stream=None)
            self._later(fault.seconds, lambda: self._handle(later))
        elif fault.kind is FaultKind.DROP_IN_BODY and fault.keeps:
            body = request.read()
            self._handle(replace(request, body=body[: int(len(body) * fault.share)], stream=None))
        return Dropped(fault.kind.value)

    def _later(self, seconds: float, happen: Callable[[], object]) -> None:
        def now_then(_: float) -> int:
            happen()
            return 0

        with self._org.lock:
            self._org.part(Agenda).at(self._org.now() + seconds, now_then)

    def _twice(self, fault: Fault, request: Request) -> Response:
        kept = replace(request, body=request.read(), stream=None)
        first = self._handle(kept)
        if fault.seconds:
            self._later(fault.seconds, lambda: self._handle(kept))
        else:
            self._handle(replace(kept, raced=True))
        return first

    def _edited(self, edit: Edit, request: Request) -> Response:
        def successful() -> Response:
            path = request.path.replace("failedResults", "successfulResults")
            return self._handle(replace(request, path=path))

        return edited(edit, request, self._handle(request), successful)


def _instead(fault: Fault, request: Request, now: float) -> Response:
    """The answer in place of the real one."""
    headers = {
        name: _DATE.sub(lambda found: _http_date(now + int(found[1])), value)
        for name, value in fault.headers.items()
    }
    if fault.kind is FaultKind.REDIRECT:
        target = headers.get("Location", "").rstrip("/")
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        headers["Location"] = f"{target}{request.path}" + (f"?{query}" if query else "")
        return Response(fault.code, Headers(headers))
    if fault.kind is FaultKind.HTML:
        return Response(fault.code, Headers({"Content-Type": "text/html; charset=UTF-8", **headers}), _PAGE)
    return Response(fault.code, Headers({"Content-Type": JSON, **headers}), fault.body)


def _http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def _torn(response: Response) -> Response:
    """The answer announced in its whole length, and half of it."""
    body = response.read()
    length = {"Content-Length": str(len(body))}

    def half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise Dropped("dropped in the middle of the answer", reset=False)

    return Response(response.status, response.headers.with_(length), half())


def sobject_of(org: OrgState, request: Request) -> str:
    """The sObject that a request is about, by its path, query, job or body; empty where it says none."""
    job = _JOB.search(request.path)
    if job:
        return _of_job(org, to_18(job["id"]))
    found = _SOBJECT.search(request.path)
    if found and (found["name"] or found["tree"]):
        return found["name"] or found["tree"]
    asked = _FROM.search(request.query.get("q", ""))
    if asked:
        return asked[1]
    body = request.body if request.stream is None else b""
    made = _MADE.search(body) or _TYPE.search(body)
    if made:
        return next(part for part in made.groups() if part).decode()
    queried = _FROM.search(body.decode("utf-8", "replace"))
    return queried[1] if queried else _of_record(org, request.path)


def _of_job(org: OrgState, job_id: str) -> str:
    jobs: Iterable[object] = (
        org.part(IngestWork).jobs.get(job_id),
        org.part(QueryWork).jobs.get(job_id),
        org.part(Work).jobs.get(job_id),
    )
    return next((each.spec.sobject for each in jobs if each is not None), "")  # type: ignore[attr-defined]


def _of_record(org: OrgState, path: str) -> str:
    last = path.rstrip("/").rpartition("/")[2]
    table = org.store.table_of_id(last) if is_id(last) else None
    return table.sobject.name if table else ""
