"""What a run remembers: the durable rows of the ledger.

The ledger says *which* files count, with their checksums and counts; the files hold *what*. Each class here is one row.

**Invariant:** a row is replaced whole, in one transaction with every other row that changes for the same reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.model.schedule import Lane


class Outcome(StrEnum):
    """The one final state of a source row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"
    FAILED = "failed"
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"


class RunStatus(StrEnum):
    """How a run stands. Only COMPLETE says that every row has an outcome. UNDONE: another run takes it back, and it never goes on."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    COMPLETE = "complete"
    UNDONE = "undone"


class StepPhase(StrEnum):
    """PENDING: not begun. OPEN: begun (extracting, or slices on their way). DONE: every row has an outcome."""

    PENDING = "pending"
    OPEN = "open"
    DONE = "done"


class AttemptState(StrEnum):
    """The durable state of one attempt; it alone decides what happens next, in a first run and in a resumed one.

    Bulk 2.0 ingest: PLANNED → CREATED → UPLOADING → UPLOADED → CLOSING → CLOSED → TERMINAL → HARVESTED, or ABANDONED
    (aborted before it was closed: its rows go into a new attempt) or QUARANTINED (its rows' fate is unknown).
    Bulk v1 serial: the same, but what is uploaded is processed at once: from UPLOADING on nothing is abandoned unless the
    closed job is seen to hold no batch. REST: PLANNED → SENDING → HARVESTED. Query: PLANNED → CREATED → TERMINAL → HARVESTED, pages recorded on the way.
    Gate: PLANNED → OPENING (what will change is known as it was) → OPEN → SHUTTING → SHUT.
    """

    PLANNED = "planned"
    CREATED = "created"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    CLOSING = "closing"
    CLOSED = "closed"
    TERMINAL = "terminal"
    UNKNOWN = "unknown"
    SENDING = "sending"
    OPENING = "opening"
    OPEN = "open"
    SHUTTING = "shutting"
    SHUT = "shut"
    HARVESTED = "harvested"
    ABANDONED = "abandoned"
    QUARANTINED = "quarantined"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in {
            AttemptState.HARVESTED,
            AttemptState.ABANDONED,
            AttemptState.QUARANTINED,
            AttemptState.SHUT,
        }


class AttemptKind(StrEnum):
    """What an attempt is: a query job, a gate, or one of the lanes."""

    QUERY = "query"
    GATE = "gate"
    BULK2 = "bulk2"
    BULK1_SERIAL = "bulk1-serial"
    REST = "rest"


def kind_of(lane: Lane) -> AttemptKind:
    """The kind of attempt that sends a slice in that lane."""
    return AttemptKind(lane.value)


@dataclass(frozen=True, slots=True)
class FileRef:
    """An immutable file of the run folder: path relative to it, sha256 of its bytes, bytes, rows."""

    path: str
    sha256: str
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """The run itself. Ids of orgs and users are recorded to refuse a swapped alias; no secret is ever here."""

    run_id: str
    plan_name: str
    plan_path: str
    plan_digest: str
    #: the canonical plan and schedule as JSON text, so that status, resume and report need nothing else
    schedule_json: str
    tool_version: str
    api_version: str
    source: str
    target: str
    source_org_id: str
    target_org_id: str
    target_user_id: str
    started: float
    status: RunStatus = RunStatus.RUNNING
    finished: float | None = None
    #: what the run was approved as: variables and the used schema of both orgs, as JSON text; empty: made by an older version
    identity_json: str = ""

    @property
    def source_alias(self) -> str | None:
        """The alias of the org that the run reads; None when its source is a folder of files, or another run."""
        return None if self.source.startswith(("files:", "run:")) else self.source


@dataclass(frozen=True, slots=True)
class StepRow:
    """How one step stands. `tallies` counts rows by outcome; `total` is all its rows, None before it is prepared."""

    step: str
    phase: StepPhase = StepPhase.PENDING
    total: int | None = None
    tallies: Mapping[Outcome, int] = field(default_factory=dict)
    #: rows waiting to be cut into slices of the next round (retryable or unprocessed)
    waiting: int = 0
    #: how many rounds of slices have been cut
    rounds: int = 0
    #: files that the step made: prepared rows, id map, comparison
    files: tuple[FileRef, ...] = ()
    #: why it stopped, or notes for the report; never a field value
    notes: tuple[str, ...] = ()
    #: what a comparison counted: `compared`, `missing`, `duplicated`, and `orphaned.<field>`, `differing.<field>` each
    counts: Mapping[str, int] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one step that travel in one attempt; immutable. `no` is unique in the step; `round` counts re-sends from 1."""

    step: str
    no: int
    round: int
    file: FileRef
    lane: Lane
    #: slices of one group (the rows of a hot record, of a track in a wave, …) are a chain: one is under way at a time; empty: of none
    group: str = ""
    #: a slice begins when all of its round that are of an earlier wave are through
    wave: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a slice, or one query job. `id` is unique in the run."""

    id: int
    step: str
    kind: AttemptKind
    state: AttemptState
    #: the slice's number; -1 for a query job
    slice: int = -1
    #: how many attempts this slice (or extract) has had, from 1
    try_no: int = 1
    job_id: str = ""
    job_state: str = ""
    rows: int = 0
    processed: int | None = None
    failed: int | None = None
    #: the settled outcomes file (a load), None for others; of an UNKNOWN one, the outcomes of those rows that have a result
    outcomes: FileRef | None = None
    #: rows by outcome in `outcomes`, and how many wait for the next round
    tallies: Mapping[Outcome, int] = field(default_factory=dict)
    waiting: int = 0
    #: row faults by status code
    faults: Mapping[str, int] = field(default_factory=dict)
    #: rows that met a lock
    locked: int = 0
    #: how long the org worked at the job, and how often it put a batch back into its queue, when it was told
    processing_ms: int = 0
    retries: int = 0
    #: server time (epoch seconds) at the job's creation, when it was told
    created_at: float | None = None
    #: the same at the job's end: what the org did for it, it had done by then
    ended_at: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an extract, as it was sent. `locator` is what fetches the next page; empty: this was the last."""

    attempt: int
    step: str
    seq: int
    file: FileRef
    locator: str = ""


LedgerRow = RunRow | StepRow | Slice | Attempt | Page


@dataclass(frozen=True, slots=True)
class LedgerState:
    """Everything in a ledger."""

    run: RunRow
    steps: Mapping[str, StepRow]
    slices: tuple[Slice, ...]
    attempts: tuple[Attempt, ...]
    pages: tuple[Page, ...]


#: what an event says: ids, codes, counts and names of people and machines; never a field's value
Facts = Mapping[str, str | int | float | bool | None]
#: an event to be written: its kind and its facts
NewEvent = tuple[str, Facts]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log, hash-chained by the ledger. `facts` are JSON values: ids, codes and counts only."""

    seq: int
    at: float
    kind: str
    facts: Facts
    hash: str
