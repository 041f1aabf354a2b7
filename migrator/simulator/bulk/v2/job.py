"""A Bulk API 2.0 ingest job and the forms in which the API shows it.

**Invariant:** the order of keys in each form is the platform's; clients have been seen to depend on nothing of it, replays do.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from migrator.simulator.bulk.csvdialect import Dialect, Layout, dialect
from migrator.simulator.bulk.spool import Spool
from migrator.simulator.records.compile import Operation


class JobState(StrEnum):
    """States of Bulk API 2.0 jobs."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    ABORTED = "Aborted"
    FAILED = "Failed"

    @property
    def terminal(self) -> bool:
        return self in {JobState.JOB_COMPLETE, JobState.ABORTED, JobState.FAILED}


def job_time(seconds: float) -> str:
    """A time as job resources print it: whole seconds, `.000+0000`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000+0000"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a client asked for when it made the job."""

    sobject: str
    operation: Operation
    external_id: str | None = None
    column_delimiter: str = "COMMA"
    line_ending: str = "LF"
    assignment_rule: str | None = None

    @property
    def dialect(self) -> Dialect:
        return dialect(self.column_delimiter, self.line_ending)


@dataclass(slots=True)
class Batch:
    """One internal batch: which rows of the upload, and how far it is."""

    number: int
    rows: int
    done: int = 0  # rows that were processed
    retries: int = 0
    started: bool = False


@dataclass(slots=True)
class IngestJob:
    """One job."""

    id: str
    spec: JobSpec
    version: str
    created_by: str
    created: float
    modified: float
    number: int  # order of creation
    state: JobState = JobState.OPEN
    upload: Spool | None = None
    layout: Layout | None = None
    batches: list[Batch] = field(default_factory=list)
    good: Spool = field(default_factory=Spool)
    bad: Spool = field(default_factory=Spool)
    processed: int = 0
    failed: int = 0
    retries: int = 0
    milliseconds: int = 0
    error: str = ""
    ended: float = 0.0
    held_until: float = 0.0  # it waits in the queue at least so long
    contents: int = 1  # deliveries of its data; more than one, and it cannot be closed
    over_allocation: bool = False  # results of batches that were not started are not recorded

    @property
    def rows(self) -> int:
        return self.layout.rows if self.layout else 0

    def enter(self, state: JobState, now: float, error: str = "") -> None:
        """Go into a state."""
        self.state = state
        self.modified = max(self.modified, now)
        self.error = error
        if state.terminal:
            self.ended = now

    # --- forms -------------------------------------------------------------------------------------------------

    def short_form(self) -> dict[str, Any]:
        """What a change of state answers."""
        spec = self.spec
        shown: dict[str, Any] = {
            "id": self.id,
            "operation": spec.operation.value,
            "object": spec.sobject,
            "createdById": self.created_by,
            "createdDate": job_time(self.created),
            "systemModstamp": job_time(self.modified),
            "state": self.state.value,
        }
        if spec.external_id:
            shown["externalIdFieldName"] = spec.external_id
        shown["concurrencyMode"] = "Parallel"
        shown["contentType"] = "CSV"
        shown["apiVersion"] = float(self.version)
        if spec.assignment_rule:
            shown["assignmentRuleId"] = spec.assignment_rule
        return shown

    def create_form(self) -> dict[str, Any]:
        """What the creation answers."""
        return {**self.short_form(), **self._content_url(), **self._format()}

    def list_form(self) -> dict[str, Any]:
        """An entry of the list of jobs."""
        return {**self.short_form(), "jobType": "V2Ingest", **self._format()}

    def info_form(self) -> dict[str, Any]:
        """What asking for the job answers."""
        shown = {**self.short_form(), "jobType": "V2Ingest", **self._content_url(), **self._format()}
        if self.upload is not None or self.state is not JobState.OPEN:
            shown["numberRecordsProcessed"] = self.processed
            shown["numberRecordsFailed"] = self.failed
        shown["retries"] = self.retries
        shown["totalProcessingTime"] = self.milliseconds
        shown["apiActiveProcessingTime"] = self.milliseconds
        shown["apexProcessingTime"] = 0
        if self.error:
            shown["errorMessage"] = self.error
        return shown

    def _content_url(self) -> dict[str, Any]:
        if self.state is not JobState.OPEN:
            return {}
        return {"contentUrl": f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"}

    def _format(self) -> dict[str, Any]:
        return {"lineEnding": self.spec.line_ending, "columnDelimiter": self.spec.column_delimiter}
