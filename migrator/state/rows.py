"""Ledger rows ↔ table rows.

**Invariant:** what was written is read back equal; the column names are the names of the fields.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    FileRef,
    LedgerRow,
    Outcome,
    Page,
    RunRow,
    RunStatus,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import Lane

Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def dumps(value: Any) -> str:
    """JSON with one form for one value."""
    return _ENCODER.encode(value)


def _file_in(ref: FileRef | None) -> str | None:
    return None if ref is None else dumps(asdict(ref))


def _file_out(text: str | None) -> FileRef | None:
    return None if text is None else FileRef(**json.loads(text))


def _enum(kind: type[StrEnum]) -> Codec:
    return (lambda value: value.value, kind)


def _by_name(key: Callable[[str], Any]) -> Codec:
    return (dumps, lambda text: {key(name): value for name, value in json.loads(text).items()})


def _plain(value: Any) -> Any:
    return value


_AS_IS: Final[Codec] = (_plain, _plain)
_FILE: Final[Codec] = (_file_in, _file_out)
_FILES: Final[Codec] = (
    lambda refs: dumps([asdict(one) for one in refs]),
    lambda text: tuple(FileRef(**one) for one in json.loads(text)),
)
_TEXTS: Final[Codec] = (lambda texts: dumps(list(texts)), lambda text: tuple(json.loads(text)))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database writes: the mark of a value, the column before each key, what keeps the order of writing."""

    mark: str
    run: str
    place: str


SQLITE: Final = Dialect("?", "", "rowid")
POSTGRES: Final = Dialect("%s", "run", "place")


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows of one class live. `key`: its columns; `replaced`: whether a row may change after it was written."""

    name: str
    kind: type[LedgerRow]
    key: tuple[str, ...]
    replaced: bool
    columns: Mapping[str, Codec]
    #: read in the order of writing, not in that of the key
    in_order: bool = False

    def insert(self, to: Dialect) -> str:
        """The statement that writes a row; where the run is a column of its own, its value comes first."""
        run = self._run(to)
        columns = (*run, *self.columns)
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join(to.mark for _ in columns)
        statement = f"INSERT INTO {self.name} ({names}) VALUES ({marks})"
        if not self.replaced:
            return statement
        changed = ", ".join(f'"{name}" = excluded."{name}"' for name in self.columns if name not in self.key)
        return f"{statement} ON CONFLICT ({', '.join((*run, *self.key))}) DO UPDATE SET {changed}"

    def select(self, to: Dialect) -> str:
        """The statement that reads all rows (of one run) in order."""
        names = ", ".join(f'"{name}"' for name in self.columns)
        order = to.place if self.in_order else ", ".join(self.key)
        where = f" WHERE {self.run_column} = {to.mark}" if to.run else ""
        return f"SELECT {names} FROM {self.name}{where} ORDER BY {order}"

    @property
    def run_column(self) -> str:
        """Where PostgreSQL has the run's id."""
        return "run_id" if self.kind is RunRow else "run"

    def _run(self, to: Dialect) -> tuple[str, ...]:
        return (to.run,) if to.run and self.kind is not RunRow else ()

    def values(self, row: LedgerRow) -> tuple[Any, ...]:
        """The row as the statement wants it."""
        return tuple(encode(getattr(row, name)) for name, (encode, _) in self.columns.items())

    def row(self, values: Sequence[Any]) -> LedgerRow:
        """The row back."""
        pairs = zip(self.columns.items(), values, strict=True)
        return self.kind(**{name: decode(value) for (name, (_, decode)), value in pairs})


RUN: Final = Table(
    "run",
    RunRow,
    ("run_id",),
    replaced=True,
    columns={
        "run_id": _AS_IS,
        "plan_name": _AS_IS,
        "plan_path": _AS_IS,
        "plan_digest": _AS_IS,
        "schedule_json": _AS_IS,
        "tool_version": _AS_IS,
        "api_version": _AS_IS,
        "source": _AS_IS,
        "target": _AS_IS,
        "source_org_id": _AS_IS,
        "target_org_id": _AS_IS,
        "target_user_id": _AS_IS,
        "started": _AS_IS,
        "status": _enum(RunStatus),
        "finished": _AS_IS,
        "identity_json": _AS_IS,
    },
)
STEP: Final = Table(
    "step",
    StepRow,
    ("step",),
    replaced=True,
    in_order=True,
    columns={
        "step": _AS_IS,
        "phase": _enum(StepPhase),
        "total": _AS_IS,
        "tallies": _by_name(Outcome),
        "waiting": _AS_IS,
        "rounds": _AS_IS,
        "files": _FILES,
        "notes": _TEXTS,
        "counts": _by_name(str),
        "started": _AS_IS,
        "finished": _AS_IS,
    },
)
SLICE: Final = Table(
    "slice",
    Slice,
    ("step", "no"),
    replaced=False,
    columns={
        "step": _AS_IS,
        "no": _AS_IS,
        "round": _AS_IS,
        "file": _FILE,
        "lane": _enum(Lane),
        "group": _AS_IS,
        "wave": _AS_IS,
    },
)
ATTEMPT: Final = Table(
    "attempt",
    Attempt,
    ("id",),
    replaced=True,
    columns={
        "id": _AS_IS,
        "step": _AS_IS,
        "kind": _enum(AttemptKind),
        "state": _enum(AttemptState),
        "slice": _AS_IS,
        "try_no": _AS_IS,
        "job_id": _AS_IS,
        "job_state": _AS_IS,
        "rows": _AS_IS,
        "processed": _AS_IS,
        "failed": _AS_IS,
        "outcomes": _FILE,
        "tallies": _by_name(Outcome),
        "waiting": _AS_IS,
        "faults": _by_name(str),
        "locked": _AS_IS,
        "processing_ms": _AS_IS,
        "retries": _AS_IS,
        "created_at": _AS_IS,
        "ended_at": _AS_IS,
        "note": _AS_IS,
    },
)
PAGE: Final = Table(
    "page",
    Page,
    ("attempt", "seq"),
    replaced=False,
    columns={
        "attempt": _AS_IS,
        "step": _AS_IS,
        "seq": _AS_IS,
        "file": _FILE,
        "locator": _AS_IS,
    },
)

TABLES: Final[tuple[Table, ...]] = (RUN, STEP, SLICE, ATTEMPT, PAGE)
_BY_KIND: Final = {table.kind: table for table in TABLES}


def table_of(row: LedgerRow) -> Table:
    """The table that such a row lives in."""
    return _BY_KIND[type(row)]
