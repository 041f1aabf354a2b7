"""What the data plane is asked to do with a run that is over, or nearly: another chance for rows, and taking the whole back.

**Invariant:** like `jobs`: frozen, and without a record's value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from migrator.data.jobs import LinkJob, LoadJob, Pages, SentColumn, Settled
from migrator.model.plan import Operation
from migrator.model.run import FileRef, Outcome
from migrator.model.summary import Again


@dataclass(frozen=True, slots=True)
class ReopenJob:
    """Let the failed and blocked rows of an outcome file wait again. `nth` makes the new file's name unique."""

    outcomes: FileRef
    nth: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """The file that takes the other one's place, and how many rows wait now, by their former outcome and by code."""

    outcomes: FileRef
    tallies: Mapping[Outcome, int]
    faults: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LeftJob:
    """What one load step of another run left. `before`: its before-images; `fields`: those of them that can be put back.

    `lookups` and `linked`: the relationship fields among the columns of its rows and of its link steps' rows.
    """

    name: str
    outcomes: tuple[FileRef, ...]
    rows: tuple[FileRef, ...]
    lookups: tuple[str, ...]
    links: tuple[FileRef, ...] = ()
    linked: tuple[str, ...] = ()
    before: Pages | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """`created`: CSV of the created records' ids and of those that they look up; `updated`: CSV of former values. None: there are none.
    `lacking`: rows that count as updated and whose record was not there before; who created it cannot be told."""

    created: FileRef | None
    updated: FileRef | None
    lacking: int


@dataclass(frozen=True, slots=True)
class UndoJob:
    """Make the slices of a step that deletes the records of `pages`, or (with `fields`) puts their former values back.

    `current`: Id, SystemModstamp, LastModifiedById of the records as they are now; `not_after` in epoch seconds; `children`: what earlier
    steps took back, with their outcomes.
    """

    step: str
    pages: Pages
    current: Pages
    users: tuple[str, ...]
    not_after: float
    children: tuple[tuple[Pages, tuple[FileRef, ...]], ...] = ()
    fields: tuple[str, ...] = ()
    changed_too: bool = False
    max_slice_rows: int = 10_000
    max_slice_bytes: int = 100_000_000
    first_no: int = 1


@dataclass(frozen=True, slots=True)
class AgainJob:
    """Prepare the waiting rows of a step anew, as `fresh` would prepare all of them, and cut them.

    `settled`: all outcome files of the step; `rows`: its rows files that count.
    """

    fresh: LoadJob | LinkJob | UndoJob
    round: int
    settled: tuple[FileRef, ...]
    rows: tuple[FileRef, ...]


@dataclass(frozen=True, slots=True)
class UnknownRows:
    """The rows of one slice, as an attempt of unknown fate sent them, without those in `told`: outcomes of rows whose fate is known."""

    rows: FileRef
    slice: int
    attempt: int
    told: FileRef | None = None


@dataclass(frozen=True, slots=True)
class ReconcileJob:
    """Compare unknown rows with the records that a lookup found.

    `key`: the field that only one record can have the row's value of (None: there is none). `others`: more unknown rows of the same sObject.
    `found` None: nothing was looked up, because all rows may be sent again. `known`: outcome files whose records are other rows'.
    `since` (epoch seconds): no record of these rows is older. `user`: the id of the user who sent them.
    """

    step: str
    mine: UnknownRows
    others: tuple[UnknownRows, ...]
    columns: tuple[SentColumn, ...]
    operation: Operation
    key: str | None
    key_prefix: str
    found: Pages | None
    known: tuple[FileRef, ...]
    since: float
    user: str


@dataclass(frozen=True, slots=True)
class ResolveJob:
    """A person's assignment of quarantined rows. `outcomes`: the attempt's; `path`: the filled-in file of rows; `known` as above."""

    step: str
    slice: int
    attempt: int
    nth: int
    outcomes: FileRef
    path: Path
    key_prefix: str
    known: tuple[FileRef, ...]
    created: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the assignment comes to. `faults`: what is wrong with it, in sentences; then there is no new outcome file."""

    settled: Settled | None
    assigned: int
    absent: int
    left: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StandingJob:
    """An outcome file of a run whose ledger is made anew. `later`: rows files and outcome files of later rounds: whoever is in one of
    them was waiting, whatever the file says."""

    step: str
    name: str
    outcomes: FileRef
    later: tuple[FileRef, ...]


@dataclass(frozen=True, slots=True)
class SurveyKey:
    """A sent field by which the org finds a record, or refuses a second one of the same value."""

    name: str
    case_sensitive: bool = True


@dataclass(frozen=True, slots=True)
class SurveyJob:
    """`rows`: what would be sent (None: nothing). `readback`: the records of the target as they are now, and where its pages are.
    `keys`: of an upsert the external id, of updates and deletes `Id`, of inserts every unique field that is sent.

    `first`: the outcome files of the run that is repeated, in its own folder.
    """

    step: str
    rows: FileRef
    operation: Operation
    columns: tuple[SentColumn, ...]
    keys: tuple[SurveyKey, ...]
    key_prefix: str
    readback: Pages
    first: tuple[FileRef, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """`counts` of the prepared rows by what would become of them; `outcomes`: as if they had been sent. `created`: CSV of source_key, and what
    the first run made of the row: those that would be created (None: there are none)."""

    counts: Mapping[Again, int]
    outcomes: FileRef
    created: FileRef | None
