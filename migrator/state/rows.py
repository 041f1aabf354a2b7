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
class Table:
    """Where rows of one class live. `key`: its columns; `replaced`: whether a row may change after it was written."""

    name: str
    kind: type[LedgerRow]
    key: tuple[str, ...]
    replaced: bool
    columns: Mapping[str, Codec]

    @property
    def insert(self) -> str:
        """The statement that writes a row."""
        names = ", ".join(f'"{name}"' for name in self.columns)
        marks = ", ".join("?" for _ in self.columns)
        statement = f"INSERT INTO {self.name} ({names}) VALUES ({marks})"
        if not self.replaced:
            return statement
        changed = ", ".join(f'"{name}" = excluded."{name}"' for name in self.columns if name not in self.key)
        return f"{statement} ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changed}"

    @property
    def select(self) -> str:
        """The statement that reads all rows in order."""
        names = ", ".join(f'"{name}"' for name in self.columns)
        # steps keep the order they were first written in
        order = "rowid" if self.name == "step" else ", ".join(self.key)
        return f"SELECT {names} FROM {self.name} ORDER BY {order}"

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
    },
)
STEP: Final = Table(
    "step",
    StepRow,
    ("step",),
    replaced=True,
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
        "created_at": _AS_IS,
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
