"""A Bulk API 2.0 query job: its forms, its result, and the work that fills it.

**Invariant:** a result is complete and fixed before the job says `JobComplete`; pages of it never change.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from migrator.simulator.bulk.csvdialect import Dialect, dialect, write_rows
from migrator.simulator.bulk.spool import Spool
from migrator.simulator.bulk.transaction import KEPT_FOR
from migrator.simulator.bulk.v2.job import JobState, job_time
from migrator.simulator.limits import Limits
from migrator.simulator.orgstate import OrgState
from migrator.simulator.query.as_json import Row
from migrator.simulator.query.faults import QueryFault
from migrator.simulator.query.select import bulk_rows
from migrator.soql import Query

IN_SELECT_ORDER = 50  # API version from which columns are in the order of SELECT; alphabetical before
STEP_ROWS = 20_000  # rows of one look at the work


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """What a client asked for."""

    operation: str  # query or queryAll
    text: str
    query: Query
    sobject: str
    column_delimiter: str = "COMMA"
    line_ending: str = "LF"

    @property
    def dialect(self) -> Dialect:
        return dialect(self.column_delimiter, self.line_ending)


@dataclass(slots=True)
class QueryJob:
    """One job."""

    id: str
    spec: QuerySpec
    version: str
    created_by: str
    created: float
    modified: float
    state: JobState = JobState.UPLOAD_COMPLETE
    error: str = ""
    ended: float = 0.0
    columns: tuple[str, ...] = ()
    result: Spool = field(default_factory=Spool)
    starts: "array[int]" = field(default_factory=lambda: array("Q"))  # where each row begins
    source: Iterator[Row] | None = None

    @property
    def rows(self) -> int:
        return len(self.starts)

    def enter(self, state: JobState, now: float, error: str = "") -> None:
        """Go into a state."""
        self.state = state
        self.modified = max(self.modified, now)
        self.error = error
        if state.terminal:
            self.ended = now
            self.source = None

    def write(self, rows: list[Row]) -> None:
        """Add rows to the result."""
        form = self.spec.dialect
        place = self.result.size
        lines = [write_rows([row], form).encode() for row in rows]
        for line in lines:
            self.starts.append(place)
            place += len(line)
        self.result.append(b"".join(lines))

    def page(self, start: int, stop: int) -> Iterator[bytes]:
        """The rows from `start` to `stop`."""
        if start >= self.rows:
            return iter(())
        end = self.starts[stop] if stop < self.rows else self.result.size
        return self.result.stream(self.starts[start], end)

    # --- forms -------------------------------------------------------------------------------------------------

    def short_form(self) -> dict[str, Any]:
        """What a change of state answers."""
        return {
            "id": self.id,
            "operation": self.spec.operation,
            "object": self.spec.sobject,
            "createdById": self.created_by,
            "createdDate": job_time(self.created),
            "systemModstamp": job_time(self.modified),
            "state": self.state.value,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
        }

    def create_form(self) -> dict[str, Any]:
        """What the creation answers."""
        return {**self.short_form(), **self._format()}

    def list_form(self) -> dict[str, Any]:
        """An entry of the list of jobs."""
        return {**self.short_form(), "jobType": "V2Query", **self._format()}

    def info_form(self) -> dict[str, Any]:
        """What asking for the job answers."""
        shown = self.list_form()
        shown["numberRecordsProcessed"] = self.rows
        shown["retries"] = 0
        shown["totalProcessingTime"] = 0
        if float(self.version) >= 59:  # a transcript of v52 does not have it, the v66 guide does
            shown["isPkChunkingSupported"] = not self.spec.query.order_by and self.spec.query.limit is None
        if self.error:
            shown["errorMessage"] = self.error
        return shown

    def _format(self) -> dict[str, Any]:
        return {"lineEnding": self.spec.line_ending, "columnDelimiter": self.spec.column_delimiter}


class QueryWork:
    """The query jobs of one org and the work on them; `org.part(QueryWork)`."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self.jobs: dict[str, QueryJob] = {}
        self._queue: deque[QueryJob] = deque()
        self._swept = 0.0
        org.background.append(self)

    def create(self, spec: QuerySpec, version: str, user_id: str, now: float) -> QueryJob:
        """A new job; it runs by itself."""
        job = QueryJob(self.org.new_id("750"), spec, version, user_id, now, now)
        self.jobs[job.id] = job
        self._queue.append(job)
        return job

    def advance(self, now: float) -> bool:
        """Do a small step of the first job; whether there is more to do at once."""
        self._sweep(now)
        if not self._queue:
            return False
        job = self._queue[0]
        if job.state is JobState.UPLOAD_COMPLETE:
            self._begin(job, now)
        elif job.state is JobState.IN_PROGRESS and job.source is not None:
            rows = list(islice(job.source, STEP_ROWS))
            before = job.result.size
            job.write(rows)
            self.org.part(Limits).query_storage.add(now, job.result.size - before)
            job.modified = max(job.modified, now)
            if len(rows) < STEP_ROWS:
                job.enter(JobState.JOB_COMPLETE, now)
        if job.state.terminal:
            self._queue.popleft()
        return bool(self._queue)

    def _begin(self, job: QueryJob, now: float) -> None:
        deleted = job.spec.operation == "queryAll"
        try:
            job.columns, job.source = bulk_rows(
                self.org.store,
                job.spec.query,
                now,
                include_deleted=deleted,
                schema=self.org.view(job.created_by).schema,
            )
        except QueryFault as fault:  # the sObject's records decide some faults only now
            job.enter(JobState.FAILED, now, fault.text(job.spec.text))
            return
        if float(job.version) < IN_SELECT_ORDER:
            order = sorted(range(len(job.columns)), key=lambda place: job.columns[place].casefold())
            job.columns = tuple(job.columns[place] for place in order)
            job.source = (tuple(row[place] for place in order) for row in job.source)
        job.enter(JobState.IN_PROGRESS, now)

    def _sweep(self, now: float) -> None:
        if now - self._swept < 60:
            return
        self._swept = now
        for job in list(self.jobs.values()):
            if job.state.terminal and now - job.ended >= KEPT_FOR:
                del self.jobs[job.id]
