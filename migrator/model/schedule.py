"""The schedule: what the planner makes of a plan and what the executor performs, step by step.

**Invariant:** frozen, complete and printable; `explain` shows the very steps that the executor runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from migrator.model.budget import NO_BUDGET, NO_CANARY, Canary, ErrorBudget
from migrator.model.gates import Gate, changes
from migrator.model.plan import (
    NO_HEADERS,
    FieldRule,
    Headers,
    Match,
    OnLock,
    Operation,
    Prefer,
    RelationshipRule,
    WhenMissing,
)
from migrator.model.throttle import NO_THROTTLE, Throttle

#: a lock key of at least this weight decides which rows travel together
STRONG: Final = 0.7


class Lane(StrEnum):
    """How slices are sent: Bulk API 2.0, a serial job of Bulk API v1, or sObject Collections."""

    BULK2 = "bulk2"
    BULK1_SERIAL = "bulk1-serial"
    REST = "rest"


class Guarantee(StrEnum):
    """What a crash can do to the rows of a step (see docs/guarantee.md).

    UPSERT: unique external id, exactly one record. INSERT: exactly once by the UploadComplete gate. SERIAL_INSERT: exactly
    once, because a doubtful job is closed and looked at.
    UPDATE: by record id, applied at least once. DELETE: by record id; what is gone already counts as done. READ: nothing is written.
    """

    UPSERT = "U"
    INSERT = "I2"
    SERIAL_INSERT = "I1"
    UPDATE = "M"
    DELETE = "D"
    READ = "R"


class Side(StrEnum):
    """Which end a step talks to."""

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One sent field: how its value is made, and the facts of the target field that sending and matching need."""

    rule: FieldRule
    type: str
    length: int = 0
    scale: int = 0
    numeric: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class LookupSpec:
    """One sent relationship field: the plan objects whose id maps answer, in order."""

    rule: RelationshipRule
    #: names of plan objects; their load or match steps make the id maps
    via: tuple[str, ...]
    when_missing: WhenMissing
    required: bool = False


@dataclass(frozen=True, slots=True)
class LockKey:
    """A sent relationship field whose record a row locks when it is written: how likely (0 to 1), and why."""

    field: str
    weight: float
    why: str


def strong(keys: Iterable[LockKey]) -> tuple[LockKey, ...]:
    """The keys that decide which rows travel together."""
    return tuple(one for one in keys if one.weight >= STRONG)


@dataclass(frozen=True, slots=True)
class ExtractStep:
    """Read the records of one sObject: by a query job, or from a CSV file."""

    id: str
    object_name: str
    sobject: str
    side: Side
    #: the columns that later steps read; the first ones are the key
    columns: tuple[str, ...]
    soql: str = ""
    file: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"
    #: rows expected, from a count query or the file; None: unknown
    expected: int | None = None
    #: it reads only what was changed or deleted since the run began
    since_start: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class MatchStep:
    """Pair source and target records of a reference object by equal keys; writes nothing to any org."""

    id: str
    object_name: str
    sobject: str
    source_extract: str
    target_extract: str
    match: Match
    #: the source columns that identify a row
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TakeBack:
    """What a step that takes a run back must know, to leave alone what was changed since.

    A record is changed since when it was last modified by somebody else than `users` (none: this cannot be told, because the run set audit
    fields), or after `not_after` (epoch seconds, the org's clock). `children`: steps before it, whose records may look up these.
    """

    #: the extract step that reads what the records are now
    current: str
    users: tuple[str, ...]
    not_after: float
    children: tuple[str, ...] = ()
    #: take it back all the same
    changed_too: bool = False


@dataclass(frozen=True, slots=True)
class LoadStep:
    """Send the rows of one plan object: cut into slices, each with its attempts, until every row has an outcome."""

    id: str
    object_name: str
    sobject: str
    key_prefix: str
    operation: Operation
    guarantee: Guarantee
    lane: Lane
    source_extract: str
    #: the source columns that identify a row; empty: the row's number
    key: tuple[str, ...]
    columns: tuple[ColumnSpec, ...]
    lookups: tuple[LookupSpec, ...]
    external_id: str | None = None
    external_id_case_sensitive: bool = False
    #: only rows whose value of this relationship field was selected (`follow`); the others are skipped
    follow: str | None = None
    #: what its rows lock, the likeliest first
    lock_keys: tuple[LockKey, ...] = ()
    #: target relationship field whose rows stay together, when one decides
    group_by: str | None = None
    #: what is done with rows that met locks, in order
    on_lock: tuple[OnLock, ...] = tuple(OnLock)
    #: slices on their way at once; 0: the executor decides
    max_in_flight: int = 0
    #: whether rows with several lock keys are cut for an early end or for full slices
    prefer: Prefer = Prefer.TIME
    max_slice_rows: int = 0
    max_slice_bytes: int = 100_000_000
    expected: int | None = None
    budget: ErrorBudget = NO_BUDGET
    canary: Canary = NO_CANARY
    #: whether an update or upsert empties the fields that have no value in the source
    clear_nulls: bool = False
    #: how many records a step that deletes may delete at most (0: no limit)
    max_deletes: int = 0
    headers: Headers = NO_HEADERS
    #: the extract step that reads what changed in the source since; empty: that is not looked for. `frozen`: nothing may have
    changes: str = ""
    frozen: bool = False
    #: of a step that takes a run back
    undoes: TakeBack | None = None


@dataclass(frozen=True, slots=True)
class LinkStep:
    """Second pass: fill relationship fields that could not be filled on insert, by updates on the record id."""

    id: str
    object_name: str
    sobject: str
    key_prefix: str
    load_step: str
    lookups: tuple[LookupSpec, ...]
    lane: Lane
    guarantee: Guarantee = Guarantee.UPDATE
    on_lock: tuple[OnLock, ...] = tuple(OnLock)
    max_in_flight: int = 0
    prefer: Prefer = Prefer.TIME
    max_slice_rows: int = 10_000
    max_slice_bytes: int = 100_000_000
    expected: int | None = None
    budget: ErrorBudget = NO_BUDGET
    headers: Headers = NO_HEADERS


@dataclass(frozen=True, slots=True)
class VerifyStep:
    """Read the target back and compare it with what was sent."""

    id: str
    object_name: str
    sobject: str
    load_step: str
    #: link steps whose fields are compared as well
    link_steps: tuple[str, ...]
    soql: str
    columns: tuple[str, ...]
    counts: bool = True
    sample: int | None = 10_000


@dataclass(frozen=True, slots=True)
class GateStep:
    """Set something in the target, or wait for a person, before anything is read or sent; it is put back afterwards."""

    id: str
    gate: Gate
    object_name: str = ""
    sobject: str = ""


Step = GateStep | ExtractStep | MatchStep | LoadStep | LinkStep | VerifyStep


@dataclass(frozen=True, slots=True)
class Edge:
    """`after` waits for `before`; the reason is a sentence fragment for people ("Contact.AccountId looks up Account")."""

    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will cost: rows, API requests, Bulk ingest batches, seconds (None: unknown)."""

    rows: int | None
    requests: int
    batches: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RecordRows:
    """A looked-up record of the source, and how many rows of a load look it up."""

    record: str
    rows: int


@dataclass(frozen=True, slots=True)
class KeyForecast:
    """How the rows of a load spread over the records of one relationship field, and what that would cost.

    `largest`: the largest first. `skewed`: records above Salesforce's threshold. `shared_random`: how likely two
    transactions at the same time share a record when rows go in no order; `shared_sorted`: records that lie on both sides of a cut
    between batches when rows are sorted. Both 0 where the field locks nothing.
    """

    field: str
    weight: float
    why: str
    rows: int
    records: int
    largest: tuple[RecordRows, ...]
    skewed: int
    shared_random: float
    shared_sorted: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What locks will cost a load step. `makespan`: the least time it can take, as a share of what it takes serially."""

    step: str
    rows: int
    keys: tuple[KeyForecast, ...]
    treatment: str
    makespan: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps in topological order, the edges between them, and what was decided on the way."""

    plan_name: str
    plan_digest: str
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    #: cycles that were broken, each as a sentence ("Account → Account.ParentId: filled by link Account.ParentId")
    decisions: tuple[str, ...] = ()
    estimate: Estimate = Estimate(None, 0, 0)
    #: what locks will cost the larger loads, where the source was asked
    forecasts: tuple[Forecast, ...] = ()
    #: for all rows of the run together
    run_budget: ErrorBudget = NO_BUDGET
    #: what holds slices back
    throttle: Throttle = NO_THROTTLE

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises KeyError when there is none."""
        for one in self.steps:
            if one.id == step_id:
                return one
        raise KeyError(step_id)

    @property
    def gated(self) -> tuple[str, ...]:
        """What of the target the gates change."""
        changed = (changes(step.gate) for step in self.steps if isinstance(step, GateStep))
        return tuple(dict.fromkeys(name for name in changed if name))

    @property
    def written(self) -> tuple[str, ...]:
        """The sObjects that the schedule writes, sorted."""
        return tuple(sorted({one.sobject for one in self.steps if isinstance(one, LoadStep | LinkStep)}))

    def before(self, step_id: str) -> tuple[str, ...]:
        """The ids of the steps that `step_id` waits for, in schedule order."""
        return tuple(edge.before for edge in self.edges if edge.after == step_id)
