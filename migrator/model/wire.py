"""What an org answers, once parsed: the values that pass between the Salesforce client and the executor."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """States of a Bulk API 2.0 job (Bulk API guide, "Get Job Info"). UNKNOWN: a state this version does not know."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"
    UNKNOWN = "Unknown"

    @property
    def terminal(self) -> bool:
        """Whether the org will do nothing more for the job."""
        return self in {JobState.JOB_COMPLETE, JobState.FAILED, JobState.ABORTED}


@dataclass(frozen=True, slots=True)
class JobInfo:
    """An ingest or query job as the org tells it. `processed` includes `failed`; None: not told."""

    id: str
    state: JobState
    processed: int | None = None
    failed: int | None = None
    error: str = ""
    created: float | None = None
    #: when its state or its counters last changed; of a job that has ended, the end
    modified: float | None = None
    object: str = ""
    operation: str = ""
    retries: int = 0
    processing_ms: int = 0
    #: the user who made it; empty: not told
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class RowFault:
    """Salesforce's answer to one row it refused."""

    code: str
    message: str = ""
    fields: tuple[str, ...] = ()


class Sent(StrEnum):
    """Whether a request that failed can have had an effect. NO: it never left. MAYBE: nobody knows. YES: it was answered."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class OrgIdentity:
    """Who we are and where, as the org tells."""

    organization_id: str
    user_id: str
    username: str
    instance_url: str
    production: bool
    organization_name: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """One entry of `GET /limits`."""

    name: str
    maximum: int
    remaining: int


Limits = Mapping[str, Limit]
