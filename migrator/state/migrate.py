"""Bringing an older ledger file up to date: on a copy, which takes its place whole.

**Invariant:** until the copy is complete, checked and synced, the file is as it was; afterwards the old one lies beside it.
"""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from migrator.errors import MigratorError
from migrator.state.ddl import APPLICATION_ID, MIGRATIONS, VERSION
from migrator.state.sqlite import transaction
from migrator.state.storage import corrupt, open_for_writing, quick_check, sync_file, sync_folder

Migrations = Mapping[int, Sequence[str]]


def version_of(
    connection: sqlite3.Connection, path: Path, *, current: int = VERSION, may_migrate: bool = True
) -> int:
    """The file's format. Raises MigratorError for a newer one, for an older one that may not be changed here, and for another
    program's file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise corrupt(path, "it is not a ledger of ours")
    if version > current or (version < current and not may_migrate):
        newer = version > current
        raise MigratorError(
            "state-too-new" if newer else "state-too-old",
            f"the ledger has format {version}, this version writes {current}",
            hint="use the version that made it, or a newer one" if newer else "resume the run first",
        )
    return int(version)


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    version: int,
    *,
    migrations: Migrations = MIGRATIONS,
    current: int = VERSION,
) -> None:
    """Put a copy in the current format in the place of the file; only for the process that holds the run's lock."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with closing(open_for_writing(draft, new=True)) as copy:
            connection.backup(copy)
            with transaction(copy):
                for step in range(version, current):
                    for statement in migrations[step]:
                        copy.execute(statement)
                # rows may have other columns now: their sum is made anew at the next commit
                copy.execute("UPDATE ledger SET content = ''")
                copy.execute(f"PRAGMA user_version = {current}")
            quick_check(copy, draft)
            copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        kept = path.with_name(f"{path.stem}.v{version}{path.suffix}")
        kept.unlink(missing_ok=True)
        kept.hardlink_to(path)
        sync_file(draft)
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        for leftover in path.parent.glob(f"{draft.name}*"):
            leftover.unlink(missing_ok=True)
