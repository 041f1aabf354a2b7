"""The plan: the user's YAML after parsing, with defaults filled in and variables substituted.

**Invariant:** frozen, and says nothing about any org; whether its names exist there is the planner's question.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.errors import Where
from migrator.model.budget import NO_BUDGET, NO_CANARY, Canary, ErrorBudget
from migrator.model.gates import Gate
from migrator.model.throttle import NO_THROTTLE, Throttle

#: where a value stands in the document, e.g. `("objects", 2, "external_id")`
DocumentPath = tuple[str | int, ...]


class Operation(StrEnum):
    """What happens to the rows of one object of the plan. REFERENCE reads the target and never writes."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hard_delete"
    REFERENCE = "reference"

    @property
    def wire(self) -> str:
        """What Salesforce calls it (Bulk API guide, "Create a Job")."""
        return "hardDelete" if self is Operation.HARD_DELETE else self.value

    @property
    def by_id(self) -> bool:
        """Whether it names records by their id."""
        return self in {Operation.UPDATE, Operation.DELETE, Operation.HARD_DELETE}

    @property
    def deletes(self) -> bool:
        """Whether records are gone afterwards."""
        return self in {Operation.DELETE, Operation.HARD_DELETE}


class WhenMissing(StrEnum):
    """What to do with a row whose looked-up record has no counterpart in the target.

    FAIL: the row is not sent, outcome blocked. NULL: sent without the value. SKIP: the row is left out, outcome
    skipped. LINK: the field is filled in a second pass (a link step). DEFAULT: a stated record takes its place.
    """

    FAIL = "fail"
    NULL = "null"
    SKIP = "skip"
    LINK = "link"
    DEFAULT = "default"


class Otherwise(StrEnum):
    """What to do with a value that a value map does not name."""

    KEEP = "keep"
    NULL = "null"
    FAIL = "fail"
    DEFAULT = "default"


class Consistency(StrEnum):
    """What a change of the source between the extract of a record and its load means.

    FUZZY: nothing, it is not looked for. FROZEN: there may be none. CATCH_UP: it is taken over.
    """

    FUZZY = "fuzzy"
    FROZEN = "frozen"
    CATCH_UP = "catch_up"


@dataclass(frozen=True, slots=True)
class OrgEnd:
    """An org, by alias; and of a source, what is done about changes while it is read."""

    org: str
    consistency: Consistency = Consistency.FUZZY


@dataclass(frozen=True, slots=True)
class FilesEnd:
    """A folder of CSV files, one `<object>.csv` an object unless the object names its `file`."""

    files: str
    delimiter: str = ","
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Expect:
    """What the target must be; None: not pinned."""

    organization_id: str | None = None
    production: bool | None = None


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one target field gets its value. Exactly one of `source`, `value`, `expression` is given.

    `source`: a source field (or CSV column). `value`: a constant for every row. `expression`: a `{{ … }}` template over
    source fields. Then, in this order: `values`/`otherwise`/`default`, `mask`, `truncate`.
    """

    target: str
    source: str | None = None
    value: str | None = None
    expression: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    otherwise: Otherwise = Otherwise.KEEP
    default: str | None = None
    mask: str | None = None
    truncate: int | None = None
    #: the source columns it reads; filled in by `transforms.resolve`
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelationshipRule:
    """How one relationship field is resolved.

    `types`: the sObjects it may look up (all that are in the plan, when empty). `via`: the plan object (by name) whose id map answers,
    when several plan objects load one sObject. `source`: the source column, when its name differs from the field. `default`: key of the record
    that takes the place of a missing one, as the matched object names its records.
    """

    target: str
    source: str | None = None
    types: tuple[str, ...] = ()
    via: str | None = None
    when_missing: WhenMissing = WhenMissing.FAIL
    default: str | None = None


@dataclass(frozen=True, slots=True)
class FieldSelection:
    """Which fields travel. `include` holds field names and the words `all`, `required`, `custom`."""

    include: tuple[str, ...] = ("all",)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """How a reference object's source records find their counterparts: equal values of `on`, after `transform`.

    `transform` is a template over `value` (the text of the first field), e.g. `{{ value }}.merged`.
    """

    on: tuple[str, ...]
    transform: str | None = None


class LaneChoice(StrEnum):
    """Which API sends an object's rows. AUTO: the planner decides. SERIAL_V1: Bulk API v1, one batch after the other."""

    AUTO = "auto"
    SERIAL_V1 = "serial_v1"


class OnLock(StrEnum):
    """What is done with rows that met somebody's lock: sent again in their groups, in smaller slices, or serially."""

    REGROUP = "regroup"
    SHRINK = "shrink"
    SERIAL_V1 = "serial_v1"


class Prefer(StrEnum):
    """What comes first where rows with several lock keys cannot have both: an early end, or full slices."""

    TIME = "time"
    BATCHES = "batches"


@dataclass(frozen=True, slots=True)
class Locks:
    """How rows are kept from waiting for each other's locks.

    `keys`: relationship fields whose records rows lock, where describe does not tell; `weights`: how likely, 0 to 1. `max_in_flight` None:
    the tool decides.
    """

    group_by: str | None = None
    keys: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    on_lock: tuple[OnLock, ...] = tuple(OnLock)
    max_in_flight: int | None = None
    prefer: Prefer = Prefer.TIME


@dataclass(frozen=True, slots=True)
class Headers:
    """What the org is asked to do, or not to do, beside writing. `assignment_rule`: the id of one; empty: none is applied.

    `allow_duplicates`: duplicate rules that only alert are overruled.
    """

    assignment_rule: str = ""
    allow_duplicates: bool = False


NO_HEADERS = Headers()


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """One entry of `objects`. `name` is unique in the plan (the sObject's name unless given)."""

    name: str
    object: str
    operation: Operation
    source_object: str
    position: int
    external_id: str | None = None
    #: whether an upsert only makes records: a row whose key is in the target already fails
    refuse_existing: bool = False
    where: str | None = None
    file: str | None = None
    #: the source columns that identify a row: `Id` from an org; for a file without one, the row's number when empty
    key: tuple[str, ...] = ("Id",)
    fields: FieldSelection = FieldSelection()
    map: tuple[FieldRule, ...] = ()
    relationships: tuple[RelationshipRule, ...] = ()
    follow: str | None = None
    lane: LaneChoice = LaneChoice.AUTO
    locks: Locks = Locks()
    after: tuple[str, ...] = ()
    match: Match | None = None
    budget: ErrorBudget = NO_BUDGET
    canary: Canary = NO_CANARY
    #: whether a field without a value in the source is emptied in the target
    clear_nulls: bool = False
    #: whether records are read before they are overwritten, so that an undo can put the values back
    before_images: bool = True
    #: how many records may be deleted at most; 0 in an entry that deletes nothing
    max_deletes: int = 0
    headers: Headers = NO_HEADERS

    @property
    def path(self) -> DocumentPath:
        """Where it stands in the document."""
        return ("objects", self.position)


@dataclass(frozen=True, slots=True)
class VerifyRule:
    """What `verify` compares: counts, and the field values of `sample` rows an object (None: of all rows; 0: of none)."""

    counts: bool = True
    sample: int | None = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. `places` maps document paths to lines and columns; `digest` is the sha256 of its meaning."""

    name: str
    path: str
    source: OrgEnd | FilesEnd
    target: OrgEnd
    objects: tuple[ObjectPlan, ...]
    version: int = 1
    description: str = ""
    expect: Expect = Expect()
    variables: Mapping[str, str] = field(default_factory=dict)
    verify: VerifyRule = VerifyRule()
    #: for all rows of the run together
    run_budget: ErrorBudget = NO_BUDGET
    throttle: Throttle = NO_THROTTLE
    #: in this order before anything is sent; put back in the reverse order
    gates: tuple[Gate, ...] = ()
    digest: str = ""
    places: Mapping[DocumentPath, Where] = field(default_factory=dict, compare=False)

    def place(self, *path: str | int) -> Where:
        """The place of that value in the file, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return Where(self.path)

    def object_named(self, name: str) -> ObjectPlan | None:
        """The plan object of that name."""
        return next((one for one in self.objects if one.name == name), None)
