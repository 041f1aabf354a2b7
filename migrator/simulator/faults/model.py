"""What can go wrong on purpose: with a request, with a job, with a row, and what an administrator does in the middle.

A fault is set up with `Org.plant`. Faults of requests hold the count of what they have seen.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.simulator.http import Request

BAD_GATEWAY = b'[{"message":"Server unavailable","errorCode":"SERVER_UNAVAILABLE"}]'
FOREVER = 1 << 60  # times


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    DROP_BEFORE = "drop_before"  # the connection ends, and nothing happened
    DROP_AFTER_EFFECT = "drop_after_effect"  # it happened, and the connection ends without an answer
    DROP_IN_BODY = "drop_in_body"  # the connection is reset while the request's body arrives
    STATUS = "status"  # another answer, and nothing happened (unless `after_effect`)
    HTML = "html"  # a page of a proxy where JSON was due, and nothing happened
    REDIRECT = "redirect"  # the org says that it lives elsewhere
    DELAY = "delay"  # the answer comes late, on the org's clock
    LATE = "late"  # the connection ends now, and the request is carried out later, on the org's clock
    DUPLICATE = "duplicate"  # something on the way delivers the request twice
    TRUNCATE_BODY = "truncate_body"  # the answer ends in the middle
    SEGMENTS = "segments"  # the answer comes in pieces of `size` bytes
    SLOW = "slow"  # the answer comes at `size` bytes per second
    HOLE = "hole"  # the request is taken, and nothing comes back for `seconds`
    HANG_UP = "hang_up"  # the answer comes whole, and the connection ends although it was to be kept
    EDIT = "edit"  # the answer of the org is not true: see `Edit`
    ACT = "act"  # somebody does something to the org at this request, which is answered as usual


class Cut(StrEnum):
    """Where an answer is cut."""

    MIDDLE = "middle"
    ROW = "row"  # behind a whole CSV row
    QUOTE = "quote"  # inside a quoted CSV cell
    GZIP = "gzip"  # in the middle of the compressed stream


class Edit(StrEnum):
    """What is wrong with an answer that looks like one of the org's."""

    JOB_STATE = "job_state"  # the job is in a state that nobody has heard of
    COUNTERS_MOVE = "counters_move"  # a job that is complete still counts
    COUNTERS_MOVED = "counters_moved"  # and says other figures than its results have
    EMPTY = "empty"  # no body
    EMPTY_LIST = "empty_list"  # the body is []
    HEADER_ONLY = "header_only"  # a result without its rows
    REPEATED_ROW = "repeated_row"  # the first row of a result comes twice
    MISSING_ROW = "missing_row"  # the last row of a result is not there
    SHUFFLED = "shuffled"  # the rows of a result in another order
    IN_BOTH = "in_both"  # the first row that succeeded is among the failed ones as well
    FOREIGN_ID = "foreign_id"  # the ids in a result are of another sObject
    SHORT_ID = "short_id"  # the ids in a result have 15 characters
    LOCATOR_LOOP = "locator_loop"  # the next page is this one, for ever
    WRONG_COUNT = "wrong_count"  # `Sforce-NumberOfRecords` is one too many


class ActKind(StrEnum):
    """What somebody does to an org."""

    ABORT_JOBS = "abort_jobs"  # all that are not finished, of an sObject or of all
    DELETE_JOBS = "delete_jobs"  # those that ended
    EXPIRE_RESULTS = "expire_results"  # those that ended are past their seven days
    END_SESSIONS = "end_sessions"  # no token is good any more
    REVOKE_REFRESH = "revoke_refresh"  # and nobody can sign in again
    DEACTIVATE_USER = "deactivate_user"
    DELETE_RECORDS = "delete_records"  # `percent` of an sObject's records
    EDIT_RECORDS = "edit_records"  # `values` into `percent` of an sObject's records
    CREATE_RECORD = "create_record"  # of an sObject, with `values`
    REMOVE_FIELD = "remove_field"  # of an sObject; its cells are kept, and nobody sees them
    RESET = "reset"  # the sandbox is refreshed: the data of all sObjects but setup ones are gone
    USE_UP = "use_up"  # an allocation, but for `left` of it
    REFUSE_ROWS = "refuse_rows"  # a validation rule is switched on: a fault of rows from now on


class JobFaultKind(StrEnum):
    """What goes wrong with a job."""

    REJECT = "reject_job"  # it fails before the first row, as for a header that does not fit
    FAIL = "fail_job_after_rows"
    ABORT = "abort_job_after_rows"  # as an administrator does
    LOCK = "lock_rows"  # all rows of a transaction are refused, with `code`
    HOLD = "hold_job"  # it waits in the queue for `seconds`
    LOSE = "lose_results"  # it fails, and results of what is not begun are not recorded: the daily batches are used up
    ACT = "act"  # somebody does something to the org at this moment


@dataclass(frozen=True, slots=True)
class Rows:
    """Some of the rows that reach an org: all of those that every part given here fits."""

    sobject: str = ""
    field: str = ""  # of the upload's header
    values: frozenset[str] = frozenset()  # what the field must be one of
    matches: str = ""  # regular expression, for the whole cell
    percent: float = 100.0  # of the rows, by seed and content: a row is always in or always out

    def __post_init__(self) -> None:
        re.compile(self.matches)


@dataclass(slots=True)
class RowFault:
    """Rows are refused, each `times` times."""

    rows: Rows = field(default_factory=Rows)
    code: str = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    message: str = "refused by a fault of the simulator"
    fields: tuple[str, ...] = ()
    times: int = FOREVER
    whole_transaction: bool = False  # all rows that came with it are refused too, as a trigger does
    above_rows: int = 0  # only in transactions of more rows, as when a trigger comes to a limit of Apex
    seed: int = 1
    operation: str = ""  # insert, update, upsert; any when empty
    struck: dict[int, int] = field(default_factory=dict)  # how often, by digest of the row


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does, and when: at a moment of the org's clock, or at what a fault of kind `act` waits for."""

    kind: ActKind
    at: float | None = None  # seconds after it was planted
    sobject: str = ""
    percent: float = 100.0
    values: Mapping[str, str] = field(default_factory=dict)
    limit: str = (
        ""  # of USE_UP: api_requests, batches, records, query_jobs, query_storage, data_storage, file_storage
    )
    left: int = 0
    field: str = ""  # of REMOVE_FIELD
    refusal: RowFault | None = None  # of REFUSE_ROWS


@dataclass(slots=True)
class JobFault:
    """Strikes ingest jobs of the sObject (any, when empty) that processed so many rows, `times` times."""

    kind: JobFaultKind
    after_rows: int = 0
    sobject: str = ""
    times: int = 1
    message: str = "InternalServerError : Unable to process the job. Please try again."
    code: str = "UNABLE_TO_LOCK_ROW"  # of LOCK
    seconds: float = 0.0  # of HOLD
    act: Act | None = None
    struck: int = 0

    def fits(self, sobject: str, processed: int) -> bool:
        """Whether it strikes a job of this sObject now."""
        wanted = not self.sobject or self.sobject.lower() == sobject.lower()
        return wanted and self.times > 0 and processed >= self.after_rows


@dataclass(frozen=True, slots=True)
class When:
    """Which of the requests that fit by method and path are meant."""

    sends: str = ""  # regular expression, found anywhere in the body
    sobject: str = ""  # what the request is about
    probability: float = 1.0
    seed: int = 1
    since: float = 0.0  # seconds after it was planted
    until: float = float("inf")
    lasts: float = float("inf")  # seconds from its first strike


@dataclass(slots=True)
class Fault:
    """A fault for requests whose method and path fit, from the `nth` on, `times` times."""

    kind: FaultKind
    path: str = ".*"  # regular expression, for the whole path
    method: str = ".*"
    nth: int = 1  # the first request it hits, among those that fit
    times: int = 1
    when: When = field(default_factory=When)
    code: int = 503  # of STATUS, HTML, REDIRECT
    body: bytes = BAD_GATEWAY
    headers: dict[str, str] = field(
        default_factory=dict
    )  # `{now+30}` in a value is an HTTP date in 30 seconds
    seconds: float = 0.0  # of DELAY, LATE, DUPLICATE, HOLE
    size: int = 1  # bytes, of SEGMENTS and SLOW
    share: float = 0.5  # of the request's body that arrives before DROP_IN_BODY
    after_effect: bool = False  # of STATUS, HTML, HOLE, ACT: the request is carried out first
    keeps: bool = False  # of DROP_IN_BODY: what arrived is taken as if it were all
    clean: bool = False  # of TRUNCATE_BODY: the answer ends as if it were whole
    cut: Cut = Cut.MIDDLE
    edit: Edit | None = None
    act: Act | None = None
    seen: int = 0
    struck: int = 0
    planted: float | None = None  # the org's time
    first_strike: float | None = None
    chance: random.Random | None = None

    def concerns(self, request: Request) -> bool:
        """Whether method and path fit."""
        return bool(
            re.fullmatch(self.method, request.method)
            and re.fullmatch(self.path, request.path.rstrip("/") or "/")
        )

    def hits(self, request: Request, now: float, sobject: str) -> bool:
        """Whether it hits this request; counts the requests that fit. `now` is the org's time."""
        when = self.when
        if self.planted is None:
            self.planted = now
        if not self.concerns(request) or (when.sobject and when.sobject.lower() != sobject.lower()):
            return False
        if when.sends and not re.search(when.sends, request.body.decode("utf-8", "replace")):
            return False
        if not when.since <= now - self.planted < when.until:
            return False
        if self.first_strike is not None and now - self.first_strike >= when.lasts:
            return False
        self.seen += 1
        if self.seen < self.nth or self.struck >= self.times or not self._drawn():
            return False
        self.struck += 1
        if self.first_strike is None:
            self.first_strike = now
        return True

    def _drawn(self) -> bool:
        if self.when.probability >= 1:
            return True
        if self.chance is None:
            self.chance = random.Random(self.when.seed)  # noqa: S311 - deterministic on purpose
        return self.chance.random() < self.when.probability


Planted = Fault | JobFault | RowFault | Act
