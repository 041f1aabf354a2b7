"""A Bulk API v1 job with its batches, and the forms in which the API shows them.

**Invariant:** the order of the elements is the platform's; in JSON the keys are in order of their names.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from migrator.simulator.bulk.spool import Pieces, Spool
from migrator.simulator.bulk.v2.job import job_time

DEFAULT_CHUNK = 100_000  # records of one range of ids; Bulk API guide, "PK Chunking Header"
ZIP = "ZIP_"  # before the content type of batches with files
QUERIES = ("query", "queryAll")


class JobState(StrEnum):
    """States of jobs."""

    OPEN = "Open"
    CLOSED = "Closed"
    ABORTED = "Aborted"
    FAILED = "Failed"


class BatchState(StrEnum):
    """States of batches."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"

    @property
    def terminal(self) -> bool:
        return self not in {BatchState.QUEUED, BatchState.IN_PROGRESS}


class Content(StrEnum):
    """What batches are written in."""

    CSV = "CSV"
    XML = "XML"
    JSON = "JSON"


class Concurrency(StrEnum):
    """Whether the batches of a job may be processed side by side."""

    PARALLEL = "Parallel"
    SERIAL = "Serial"


@dataclass(frozen=True, slots=True)
class Chunking:
    """How a query is cut into ranges of ids."""

    size: int = DEFAULT_CHUNK
    start: str = ""  # the id to begin with


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a client asked for when it made the job."""

    operation: str
    sobject: str
    external_id: str | None = None
    content: Content = Content.XML
    concurrency: Concurrency = Concurrency.PARALLEL
    assignment_rule: str | None = None
    chunking: Chunking | None = None
    batch_retry: bool = True
    json: bool = False  # the job was described in JSON
    zipped: bool = False  # batches are zips with files beside the records

    @property
    def content_type(self) -> str:
        """What batches are written in, by the platform's name."""
        return f"{ZIP}{self.content}" if self.zipped else self.content.value

    @property
    def is_query(self) -> bool:
        return self.operation in QUERIES


@dataclass(slots=True)
class Batch:
    """One batch: what was posted, how far it is, and its result."""

    id: str
    request: Pieces
    result: Pieces
    request_type: str  # Content-Type of the request
    created: float
    modified: float
    state: BatchState = BatchState.QUEUED
    message: str = ""
    done: int = 0  # rows that were processed
    failed: int = 0
    retries: int = 0
    milliseconds: int = 0
    results: list[str] = field(default_factory=list)  # ids of a query's results

    def enter(self, state: BatchState, now: float, message: str = "") -> None:
        """Go into a state."""
        self.state = state
        self.modified = max(self.modified, now)
        self.message = message


@dataclass(slots=True)
class Job:
    """One job."""

    id: str
    spec: JobSpec
    version: str
    created_by: str
    created: float
    modified: float
    state: JobState = JobState.OPEN
    batches: dict[str, Batch] = field(default_factory=dict)
    spool: Spool = field(default_factory=Spool)  # of all requests and results

    @property
    def unfinished(self) -> bool:
        """Whether it can still be aborted."""
        return self.state is JobState.OPEN or any(not batch.state.terminal for batch in self.batches.values())

    @property
    def processed(self) -> int:
        return sum(batch.done for batch in self.batches.values())

    def add(self, batch_id: str, request: bytes, request_type: str, now: float) -> Batch:
        """A new batch."""
        made = Batch(batch_id, Pieces(self.spool), Pieces(self.spool), request_type, now, now)
        made.request.append(request)
        self.batches[batch_id] = made
        return made

    def enter(self, state: JobState, now: float) -> None:
        """Go into a state."""
        self.state = state
        self.modified = max(self.modified, now)


# --- forms -------------------------------------------------------------------------------------------------------

Shown = dict[str, Any]  # None where nothing is said; XML leaves those out
Stamp = Callable[[float], str]


def xml_time(seconds: float) -> str:
    """A time as the XML forms print it, unlike the rest of the platform with a `Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def job_form(job: Job, stamp: Stamp = job_time) -> Shown:
    """The job with its counters, in the order of the XML form."""
    spec = job.spec
    batches = list(job.batches.values())
    states = Counter(batch.state for batch in batches)
    milliseconds = sum(batch.milliseconds for batch in batches)
    return {
        "id": job.id,
        "operation": spec.operation,
        "object": spec.sobject,
        "createdById": job.created_by,
        "createdDate": stamp(job.created),
        "systemModstamp": stamp(max([job.modified, *(batch.modified for batch in batches)])),
        "state": job.state.value,
        "externalIdFieldName": spec.external_id,
        "concurrencyMode": spec.concurrency.value,
        "contentType": spec.content_type,
        "numberBatchesQueued": states[BatchState.QUEUED],
        "numberBatchesInProgress": states[BatchState.IN_PROGRESS],
        "numberBatchesCompleted": states[BatchState.COMPLETED],
        "numberBatchesFailed": states[BatchState.FAILED],
        "numberBatchesTotal": len(batches),
        "numberRecordsProcessed": job.processed,
        "numberRetries": sum(batch.retries for batch in batches),
        "apiVersion": float(job.version),
        "assignmentRuleId": spec.assignment_rule,
        "numberRecordsFailed": sum(batch.failed for batch in batches),
        "totalProcessingTime": milliseconds,
        "apiActiveProcessingTime": milliseconds,
        "apexProcessingTime": 0,
    }


def list_form(job: Job) -> Shown:
    """The job as Bulk API 2.0 lists it, beside its own."""
    names = ("id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state")
    shown = job_form(job)
    listed = {name: shown[name] for name in names}
    if job.spec.external_id:
        listed["externalIdFieldName"] = job.spec.external_id
    return listed | {
        "concurrencyMode": shown["concurrencyMode"],
        "contentType": shown["contentType"],
        "apiVersion": shown["apiVersion"],
        "jobType": "Classic",
    }


def batch_form(job: Job, batch: Batch, stamp: Stamp = job_time) -> Shown:
    """The batch, in the order of the XML form."""
    return {
        "id": batch.id,
        "jobId": job.id,
        "state": batch.state.value,
        "stateMessage": batch.message or None,
        "createdDate": stamp(batch.created),
        "systemModstamp": stamp(batch.modified),
        "numberRecordsProcessed": batch.done,
        "numberRecordsFailed": batch.failed,
        "totalProcessingTime": batch.milliseconds,
        "apiActiveProcessingTime": batch.milliseconds,
        "apexProcessingTime": 0,
    }
