"""What the data plane is asked to do and what it answers: one frozen job and one frozen result for each operation.

Files go in and out as `FileRef`s of the run's workspace. Source columns are read as text; an empty cell is NULL, because
Salesforce stores no empty string. SQL fragments name source columns as quoted identifiers.

**Invariant:** nothing here holds a record's value; results are counts, codes and files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.errors import Diagnostic
from migrator.model.lockfigures import LockedRecords
from migrator.model.plan import Operation, Prefer, WhenMissing
from migrator.model.run import FileRef, Outcome

#: joins the columns of a source key or match key that has several (U+001F, "unit separator")
KEY_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Pages:
    """An extract: CSV pages in order, each with its own header. UTF-8, no byte order mark."""

    files: tuple[FileRef, ...]
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """One sent field. `value_sql` yields VARCHAR or NULL; `fault_sql`, when given, NULL or a row fault code."""

    target: str
    value_sql: str
    fault_sql: str | None = None
    type: str = "string"
    numeric: bool = False
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdMap:
    """Where one plan object's target ids are: all its outcome files (the prepared one too), or its match file."""

    files: tuple[FileRef, ...]


@dataclass(frozen=True, slots=True)
class SqlLookup:
    """One sent relationship field; the id map that knows the source value answers.

    `keys_repeat`: files give their records keys each for itself, so several may know the value and mean different records.
    `default`: the match key (of a match file) or source key (of a load) of the record that takes the place of a missing one.
    `required`: a row without a value is the org's to refuse, not ours.
    """

    target: str
    source_column: str
    id_maps: tuple[IdMap, ...]
    when_missing: WhenMissing
    default: str | None = None
    required: bool = False
    keys_repeat: bool = False


@dataclass(frozen=True, slots=True)
class SentColumn:
    """One column of a slice and how its values compare with what an org says: by the field's describe type.

    `folded`: the org finds records by it whatever the case of its letters, and leaves the one that the record has.
    """

    name: str
    type: str = "string"
    numeric: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class LockKeys:
    """Sent relationship fields whose records a row locks when it is written, most contended first where the weights are equal.

    `weights`: how likely each one's lock is (0 to 1, describe does not tell); `parallelism`: how many jobs the org runs at once; `prefer`: what
    comes first where several keys do not let a load end early with full slices.
    """

    fields: tuple[str, ...]
    weights: tuple[float, ...] = ()
    parallelism: int = 15
    prefer: Prefer = Prefer.TIME


@dataclass(frozen=True, slots=True)
class LoadJob:
    """Make the slices of a load step. Every source row gets a row in the rows file or an outcome, exactly one of them.

    `follow`: target name of the lookup whose record must have been selected; other rows are skipped.
    `group_by`: sent field whose equal values stay in one slice; `locks`: several such fields, in its place. `max_slice_rows`: 0 means no limit.
    `clear_nulls`: update and upsert send `#N/A` for a null (else they leave the field alone).
    `changes`: what changed in the source since `pages`, with `IsDeleted`; with `frozen` nothing may have. `flagged`: the pages have `IsDeleted`.
    `canary_rows`: that many go into a first slice of their own when there are ten times as many (0: no such slice).
    """

    step: str
    pages: Pages
    key: tuple[str, ...]
    operation: Operation
    columns: tuple[SqlColumn, ...]
    lookups: tuple[SqlLookup, ...] = ()
    external_id: str | None = None
    external_id_case_sensitive: bool = False
    follow: str | None = None
    group_by: str | None = None
    locks: LockKeys | None = None
    max_slice_rows: int = 0
    max_slice_bytes: int = 100_000_000
    clear_nulls: bool = False
    first_no: int = 1
    canary_rows: int = 0
    changes: Pages | None = None
    frozen: bool = False
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class LinkJob:
    """Make the slices of a link step: `Id` and the relationship fields of the rows that were loaded and have a value.

    Rows that were not loaded, or have no value in any of the fields, are no rows of this step.
    A lookup that is still missing blocks its row when `when_missing` is FAIL or LINK.
    """

    step: str
    pages: Pages
    key: tuple[str, ...]
    loaded: IdMap
    lookups: tuple[SqlLookup, ...]
    group_by: str | None = None
    max_slice_rows: int = 10_000
    max_slice_bytes: int = 100_000_000
    first_no: int = 1
    changes: Pages | None = None
    frozen: bool = False
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class RetryJob:
    """Cut the rows that wait into new slices. `rows`: the rows files of the first round and of rounds in which rows were prepared anew.
    `settled`: outcome files of the step.

    A row that is final in any of `settled` is never cut again; so a slice whose fate is unknown needs an outcome file too
    (`Engine.settle_whole`), or rows that once waited would be sent a second time. `round` counts from 2.
    `locks`: the keys of the first round, then those that were learned since; their values are taken from what is sent.
    """

    step: str
    round: int
    rows: tuple[FileRef, ...]
    settled: tuple[FileRef, ...]
    locks: LockKeys | None = None
    max_slice_rows: int = 0
    max_slice_bytes: int = 100_000_000
    first_no: int = 1


@dataclass(frozen=True, slots=True)
class CutSlice:
    """One slice file. `group`: of the slices of one group (the rows of a hot record, of a track in a wave, …) one is under way at a time.

    Slices of one `wave` that are of different groups, or of none, lock no record in common; a wave begins when the one before is through.
    """

    no: int
    file: FileRef
    group: str = ""
    wave: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """`rows`: the rows to send, parquet. `outcomes`: rows that got their outcome without being sent (None: there are none).

    `total` = sum of `tallies` + rows of all slices. `faults` counts the codes in `outcomes`. `canary`: the number of the slice that goes first.
    """

    rows: FileRef
    outcomes: FileRef | None
    total: int
    slices: tuple[CutSlice, ...]
    tallies: Mapping[Outcome, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    canary: int | None = None
    #: how rows spread over the records of each lock key, of a load's first round
    locked: tuple[LockedRecords, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchJob:
    """Pair source and target records by equal keys, without regard to case or surrounding spaces.

    `source_sql`: one SQL expression over source columns for each of the target columns `on`. `nth`: how often it was done before.
    """

    step: str
    source: Pages
    target: Pages
    key: tuple[str, ...]
    source_sql: tuple[str, ...]
    on: tuple[str, ...]
    target_id: str = "Id"
    nth: int = 0


@dataclass(frozen=True, slots=True)
class Matched:
    """`id_map`: parquet (source_key, name, target_id). `total` source records, of which `matched` have one counterpart;
    `ambiguous` have several and are left unmatched."""

    id_map: FileRef
    total: int
    matched: int
    ambiguous: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockSigns:
    """How to tell that a row met a lock: status codes, and parts of messages (lower case) of faults whose code does not tell."""

    codes: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SettleJob:
    """Match the three result files of an ingest job with the slice it was given.

    `sent`: how many rows it was given; `rows`: the rows file of the slice's round. `columns`: what the slice's columns are (name as sent).
    `processed`/`failed`: the job's counters. `last_round`: what waits otherwise fails for good.
    `first_round`: rows that came to a limit of Apex (`limits`: parts of the messages, lower case) wait too, once, to travel in a smaller job.
    `lock_fields`: those that are known to lock; a record that one of them looks up counts for no other field.
    `doubted`: outcome files of a delete among which are rows that are sent once more because nobody knows what became of them.
    """

    step: str
    slice: int
    attempt: int
    sent: int
    rows: FileRef
    columns: tuple[SentColumn, ...]
    operation: Operation
    successful: FileRef
    failed_results: FileRef
    unprocessed: FileRef
    processed: int | None
    failed: int | None
    external_id: str | None = None
    key_prefix: str = ""
    retryable: frozenset[str] = frozenset()
    locks: LockSigns = LockSigns()
    lock_fields: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    first_round: bool = False
    last_round: bool = False
    doubted: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The org's answer to the row at `position` (from 0) of a slice sent over REST. `fields` are joined by commas."""

    position: int
    id: str = ""
    success: bool = False
    created: bool = False
    code: str = ""
    message: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True)
class RestJob:
    """Settle a slice sent over REST by the replies file that `Engine.write_replies` made."""

    step: str
    slice: int
    attempt: int
    rows: FileRef
    operation: Operation
    replies: FileRef
    key_prefix: str = ""
    retryable: frozenset[str] = frozenset()
    locks: LockSigns = LockSigns()
    lock_fields: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    columns: tuple[SentColumn, ...] = ()
    first_round: bool = False
    last_round: bool = False
    doubted: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class WholeJob:
    """Give every row of a slice the same outcome (quarantined, failed, …); `outcome` None: they all wait."""

    step: str
    slice: int
    attempt: int
    rows: FileRef
    outcome: Outcome | None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """`outcomes`: parquet (row, source_key, target_id, outcome, code, message, fields, final), one row for each row of the slice.

    `tallies` counts the final ones; `waiting` the others (retryable or unprocessed); `faults` all row faults by code. `locked`: rows that met
    a lock, `limited`: a limit of Apex; `lock_keys`: of the records that the faults name, how many each field looks up, and by key prefix those
    that no field does. `missing`: rows of the slice that are not in `outcomes`, because the org has no result of them.
    """

    outcomes: FileRef
    tallies: Mapping[Outcome, int]
    waiting: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    locked: int = 0
    limited: int = 0
    missing: int = 0
    lock_keys: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompareJob:
    """Compare what was read back from the target with what was sent.

    `sent`: rows files of the load that count, the oldest first. `links`: those of each link step. `outcomes`: the load's outcome files; `link_outcomes`:
    the link steps' (a link that failed is not compared). `sample` rows are compared field by field (None: all, 0: none).
    `key`: the external id that the load matched on; no two records may have the key of a loaded one. `orphans`: whether records that lost their
    parent are looked for, among all of them.
    """

    step: str
    sent: tuple[FileRef, ...]
    outcomes: tuple[FileRef, ...]
    readback: Pages
    columns: tuple[SentColumn, ...]
    links: tuple[tuple[FileRef, ...], ...] = ()
    link_outcomes: tuple[FileRef, ...] = ()
    sample: int | None = 10_000
    key: str | None = None
    key_case_sensitive: bool = False
    orphans: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """`rows` loaded rows, of which `sampled` were compared; `missing` ids not read back; `duplicated` ids or keys seen twice, of which
    `duplicate_keys` are keys of several records; `orphaned`: records that lost their parent, and `differing` ones, by field.

    `report`: CSV source_key, target_id, field, sent, found: the only result that holds values.
    """

    rows: int
    sampled: int
    missing: int
    duplicated: int
    differing: Mapping[str, int]
    report: FileRef
    orphaned: Mapping[str, int] = field(default_factory=dict)
    duplicate_keys: int = 0


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source file as it was found: its columns, its records, and everything wrong with it."""

    columns: tuple[str, ...]
    rows: int
    diagnostics: tuple[Diagnostic, ...] = ()
