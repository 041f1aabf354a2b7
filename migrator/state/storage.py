"""What can go wrong with the file under the ledger, in words and exit codes; and how that file is opened.

**Invariant:** the ledger is readable by its owner only, and never opened where others may write.
"""

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from migrator.errors import ExitCode, MigratorError

LEDGER_NAME = "ledger.sqlite"
#: another process can only be in the way while it reads a page of the ledger
BUSY_MS = 5_000

#: EFBIG: a limit of this process (`ulimit -f`)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_FAULTS = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the faults of SQLite and of the file system into messages."""
    try:
        yield
    except sqlite3.Error as fault:
        told = _explain_sqlite(fault, path)
        if told is fault:
            raise
        raise told from fault
    except UnicodeDecodeError as fault:
        # the message of SQLite's own fault, which quotes what is damaged
        raise corrupt(path, "SQLite cannot make sense of it") from fault
    except OSError as fault:
        told = _explain_os(fault, path)
        if told is fault:
            raise
        raise told from fault


def _explain_sqlite(fault: sqlite3.Error, path: Path) -> Exception:
    if isinstance(fault, sqlite3.ProgrammingError | sqlite3.IntegrityError):
        return fault  # ours
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return _disk_full(path)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return corrupt(path, "SQLite cannot read it")
        case sqlite3.SQLITE_IOERR if code in _READ_FAULTS:
            return corrupt(path, "the disk does not give it back")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return _not_writable(path, str(fault))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return MigratorError(
                "lease-held",
                f"another process has {path} locked",
                hint="wait for it; one that stands still in the middle of a commit has to be ended, which loses nothing: `migrator unlock` names it",
                exit_code=ExitCode.LEASE,
            )
        case sqlite3.SQLITE_ERROR:
            # a table or column that is not there, a text that is none: our statements are the same each time
            return corrupt(path, "SQLite cannot make sense of it")
        case _:
            return fault


def _explain_os(fault: OSError, path: Path) -> Exception:
    if fault.errno in _FULL:
        return _disk_full(path)
    if fault.errno in _READ_ONLY:
        return _not_writable(path, os.strerror(fault.errno))
    return fault


def _disk_full(path: Path) -> MigratorError:
    return MigratorError(
        "disk-full",
        f"no space is left for {path}",
        hint="make room, then resume; what was committed is safe",
        exit_code=ExitCode.PAUSED,
    )


def _not_writable(path: Path, why: str) -> MigratorError:
    return MigratorError(
        "state-read-only",
        f"{path} cannot be written: {why}",
        hint="make the state folder writable, then resume",
        exit_code=ExitCode.PAUSED,
    )


def corrupt(path: Path | str, why: str) -> MigratorError:
    """The ledger cannot be trusted; nothing is repaired or deleted on its own."""
    return MigratorError(
        "state-corrupt",
        f"{path} is damaged: {why}",
        hint="keep the folder as it is; restore the ledger from a backup made after the run's last step, or make it anew with `migrator rescue`",
    )


def private_folder(folder: Path) -> None:
    """Make the folder if needed, for its owner only; refuse one where others may write."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o022:
        raise MigratorError(
            "state-unsafe",
            f"other users may write in {folder} (mode {mode:o})",
            hint=f"chmod 700 {folder}",
        )


def open_for_writing(path: Path, *, new: bool = False) -> sqlite3.Connection:
    """A connection on which a commit that returned is on the disk."""
    if new:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk there
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside a writer or alone."""
    quoted = path.absolute().as_uri()
    try:
        connection = sqlite3.connect(
            f"{quoted}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_MS / 1000
        )
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        # a folder that cannot be written has no place for SQLite's shared memory; without a log there is nothing in it
        if not path.exists() or path.with_name(f"{path.name}-wal").exists():
            raise
        connection = sqlite3.connect(f"{quoted}?immutable=1", uri=True, isolation_level=None)
    return connection


def quick_check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a damaged file."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise corrupt(path, "its pages do not fit together")


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder durable."""
    sync_file(folder)


def sync_file(path: Path) -> None:
    """Make what was written to the file (or folder) durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
