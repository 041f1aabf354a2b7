"""The ledger's tables and how older ones become the current.

**Invariant:** the text of a released version never changes; a change is a new migration, run in one transaction.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from migrator.errors import MigratorError

VERSION: Final = 1
#: "MIGR": tells our files from other SQLite files
APPLICATION_ID: Final = 0x4D494752

TABLES: Final = (
    """
    CREATE TABLE ledger (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL, -- who may write: one more at each opening
        head TEXT NOT NULL, -- hash of the last event
        events INTEGER NOT NULL -- how many there are
    ) STRICT
    """,
    """
    CREATE TABLE run (
        run_id TEXT PRIMARY KEY, plan_name TEXT NOT NULL, plan_path TEXT NOT NULL, plan_digest TEXT NOT NULL,
        schedule_json TEXT NOT NULL, tool_version TEXT NOT NULL, api_version TEXT NOT NULL,
        source TEXT NOT NULL, target TEXT NOT NULL, source_org_id TEXT NOT NULL, target_org_id TEXT NOT NULL,
        target_user_id TEXT NOT NULL, started REAL NOT NULL, status TEXT NOT NULL, finished REAL
    ) STRICT
    """,
    """
    CREATE TABLE step (
        step TEXT PRIMARY KEY, phase TEXT NOT NULL, total INTEGER, tallies TEXT NOT NULL, waiting INTEGER NOT NULL,
        rounds INTEGER NOT NULL, files TEXT NOT NULL, notes TEXT NOT NULL, counts TEXT NOT NULL,
        started REAL, finished REAL
    ) STRICT
    """,
    """
    CREATE TABLE slice (
        step TEXT NOT NULL REFERENCES step DEFERRABLE INITIALLY DEFERRED,
        no INTEGER NOT NULL, "round" INTEGER NOT NULL, file TEXT NOT NULL, lane TEXT NOT NULL, "group" TEXT NOT NULL,
        PRIMARY KEY (step, no)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY, step TEXT NOT NULL REFERENCES step DEFERRABLE INITIALLY DEFERRED,
        kind TEXT NOT NULL, state TEXT NOT NULL, slice INTEGER NOT NULL, try_no INTEGER NOT NULL,
        job_id TEXT NOT NULL, job_state TEXT NOT NULL, rows INTEGER NOT NULL, processed INTEGER, failed INTEGER,
        outcomes TEXT, tallies TEXT NOT NULL, waiting INTEGER NOT NULL, faults TEXT NOT NULL, created_at REAL,
        note TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE UNIQUE INDEX attempt_job ON attempt (job_id) WHERE job_id <> ''
    """,
    """
    CREATE TABLE page (
        attempt INTEGER NOT NULL REFERENCES attempt DEFERRABLE INITIALLY DEFERRED,
        step TEXT NOT NULL REFERENCES step DEFERRABLE INITIALLY DEFERRED,
        seq INTEGER NOT NULL, file TEXT NOT NULL, locator TEXT NOT NULL,
        PRIMARY KEY (attempt, seq)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, facts TEXT NOT NULL, hash TEXT NOT NULL
    ) STRICT
    """,
)

#: version → statements that lead to the next one
MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {}


def create_tables(connection: sqlite3.Connection) -> None:
    """All tables, in the caller's transaction."""
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def check_version(
    connection: sqlite3.Connection,
    *,
    migrations: Mapping[int, Sequence[str]] = MIGRATIONS,
    current: int = VERSION,
    may_migrate: bool = True,
) -> None:
    """Bring an older ledger up to date, in one transaction; refuse a newer one and what is no ledger of ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise MigratorError("state-corrupt", "the ledger file is not a ledger of ours")
    if version > current or (version < current and not may_migrate):
        raise MigratorError(
            "state-too-new" if version > current else "state-too-old",
            f"the ledger has format {version}, this version writes {current}",
            hint="use the version that made it, or a newer one"
            if version > current
            else "resume the run first",
        )
    if version == current:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, current):
            for statement in migrations[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {current}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
