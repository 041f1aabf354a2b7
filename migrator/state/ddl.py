"""The ledger's tables, in the words of either database, and how older ones become the current.

A SQLite file holds one run; PostgreSQL holds many in one schema, each row with the run that it belongs to before its own key.

**Invariant:** what a released version made is never made otherwise; a change is a new migration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

VERSION: Final = 4
#: "MIGR": tells our files from other SQLite files
APPLICATION_ID: Final = 0x4D494752
#: PostgreSQL: where the tables are
SCHEMA: Final = "migrator"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table. `columns` is the definition of each but the key's; `refers`: columns that name a row of another table's key."""

    name: str
    key: Mapping[str, str]
    columns: Mapping[str, str]
    refers: tuple[tuple[str, str], ...] = ()
    #: whether rows are read in the order they were first written in, not in that of the key
    in_order: bool = False
    #: PostgreSQL: whether `key` is complete without the run
    own_key: bool = False

    def for_sqlite(self) -> str:
        """The statement that makes it in a file of one run."""
        lines = [_defined({**self.key, **self.columns})]
        lines += [
            f'FOREIGN KEY ("{column}") REFERENCES {other} DEFERRABLE INITIALLY DEFERRED'
            for column, other in self.refers
        ]
        lines.append(f"PRIMARY KEY ({_named(self.key)})")
        kind = "STRICT, WITHOUT ROWID" if len(self.key) > 1 else "STRICT"
        return f"CREATE TABLE {self.name} ({', '.join(lines)}) {kind}"

    def for_postgres(self) -> str:
        """The statement that makes it for all runs."""
        run = {} if self.own_key else {"run": "TEXT NOT NULL REFERENCES run DEFERRABLE INITIALLY DEFERRED"}
        key = [*run, *self.key]
        lines = [
            _defined({**run, **self.key, **self.columns})
            .replace(" REAL", " DOUBLE PRECISION")
            .replace(" INTEGER", " BIGINT")
        ]
        lines += [
            f'FOREIGN KEY (run, "{column}") REFERENCES {other} DEFERRABLE INITIALLY DEFERRED'
            for column, other in self.refers
        ]
        if self.in_order:
            lines.append("place BIGINT GENERATED ALWAYS AS IDENTITY")
        lines.append(f"PRIMARY KEY ({_named(key)})")
        return f"CREATE TABLE {self.name} ({', '.join(lines)})"


def _defined(columns: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


def _named(columns: Sequence[str] | Mapping[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


_TEXT: Final = "TEXT NOT NULL"
_COUNT: Final = "INTEGER NOT NULL"
_TIME: Final = "REAL"
#: a count that older versions did not have
_MORE: Final = "INTEGER NOT NULL DEFAULT 0"

RELATIONS: Final = (
    Relation(
        "run",
        {"run_id": _TEXT},
        {
            **dict.fromkeys(
                ("plan_name", "plan_path", "plan_digest", "schedule_json", "tool_version", "api_version"),
                _TEXT,
            ),
            **dict.fromkeys(("source", "target", "source_org_id", "target_org_id", "target_user_id"), _TEXT),
            "started": "REAL NOT NULL",
            "status": _TEXT,
            "finished": _TIME,
            "identity_json": "TEXT NOT NULL DEFAULT ''",
        },
        own_key=True,
    ),
    Relation(
        "step",
        {"step": _TEXT},
        {
            "phase": _TEXT,
            "total": "INTEGER",
            "tallies": _TEXT,
            "waiting": _COUNT,
            "rounds": _COUNT,
            **dict.fromkeys(("files", "notes", "counts"), _TEXT),
            "started": _TIME,
            "finished": _TIME,
        },
        in_order=True,
    ),
    Relation(
        "slice",
        {"step": _TEXT, "no": _COUNT},
        {"round": _COUNT, "file": _TEXT, "lane": _TEXT, "group": _TEXT, "wave": _MORE},
        refers=(("step", "step"),),
    ),
    Relation(
        "attempt",
        {"id": _COUNT},
        {
            **dict.fromkeys(("step", "kind", "state"), _TEXT),
            "slice": _COUNT,
            "try_no": _COUNT,
            "job_id": _TEXT,
            "job_state": _TEXT,
            "rows": _COUNT,
            "processed": "INTEGER",
            "failed": "INTEGER",
            "outcomes": "TEXT",
            "tallies": _TEXT,
            "waiting": _COUNT,
            "faults": _TEXT,
            **dict.fromkeys(("locked", "processing_ms", "retries"), _MORE),
            **dict.fromkeys(("created_at", "ended_at"), _TIME),
            "note": _TEXT,
        },
        refers=(("step", "step"),),
    ),
    Relation(
        "page",
        {"attempt": _COUNT, "seq": _COUNT},
        {"step": _TEXT, "file": _TEXT, "locator": _TEXT},
        refers=(("attempt", "attempt"), ("step", "step")),
    ),
    Relation(
        "event",
        {"seq": _COUNT},
        {"at": "REAL NOT NULL", "kind": _TEXT, "facts": _TEXT, "hash": _TEXT},
    ),
)

_HEAD: Final = {
    "epoch": "INTEGER NOT NULL",  # who may write: one more at each opening
    "head": _TEXT,  # hash of the last event
    "events": "INTEGER NOT NULL",  # how many there are
    "content": "TEXT NOT NULL DEFAULT ''",  # the sum of all other rows; empty: not known yet
}
JOBS: Final = "CREATE UNIQUE INDEX attempt_job ON attempt ({}job_id) WHERE job_id <> ''"

#: everything in a new file
SQLITE: Final = (
    f"CREATE TABLE ledger (one INTEGER PRIMARY KEY CHECK (one = 1), {_defined(_HEAD)}) STRICT",
    *(one.for_sqlite() for one in RELATIONS),
    JOBS.format(""),
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)

#: everything in a new schema. A lease is somebody's until `until`, by the time of the database.
POSTGRES: Final = (
    "CREATE TABLE format (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    f"INSERT INTO format VALUES (1, {VERSION})",
    *(one.for_postgres() for one in RELATIONS),
    JOBS.format("run, "),
    Relation("ledger", {}, _HEAD).for_postgres(),
    """CREATE TABLE lease (
        scope TEXT PRIMARY KEY, epoch BIGINT NOT NULL, token TEXT NOT NULL, run TEXT NOT NULL, host TEXT NOT NULL,
        pid BIGINT NOT NULL, since TIMESTAMPTZ NOT NULL, until TIMESTAMPTZ NOT NULL
    )""",
    "CREATE INDEX lease_token ON lease (token)",
)

_OF_VERSION_3: Final = (
    ("slice", "wave"),
    ("attempt", "locked"),
    ("attempt", "processing_ms"),
    ("attempt", "retries"),
)
#: rows have other columns then: their sum is made anew at the next commit
_SUM_ANEW: Final = "UPDATE ledger SET content = ''"
#: version → statements that lead to the next one; PostgreSQL came with version 2
MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {
    1: [
        "ALTER TABLE ledger ADD COLUMN content TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE run ADD COLUMN identity_json TEXT NOT NULL DEFAULT ''",
    ],
    2: [f"ALTER TABLE {table} ADD COLUMN {name} {_MORE}" for table, name in _OF_VERSION_3],
    3: [f"ALTER TABLE attempt ADD COLUMN ended_at {_TIME}"],
}
POSTGRES_MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {
    2: [
        *(
            f"ALTER TABLE {table} ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0"
            for table, name in _OF_VERSION_3
        ),
        _SUM_ANEW,
    ],
    3: ["ALTER TABLE attempt ADD COLUMN ended_at DOUBLE PRECISION", _SUM_ANEW],
}
