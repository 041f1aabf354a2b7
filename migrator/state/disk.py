"""What the state folder's disk is like, for somebody who asks before a cutover."""

import os
import shutil
import sqlite3
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import MigratorError
from migrator.state.filesystem import file_system, refuse_remote
from migrator.state.storage import sync_file


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk under a folder. `kind` empty: unknown; `mode` None: the folder is not there yet; `free` in bytes. `fault`: why it will not do.
    `sqlite`: the version of the library that ledgers are written with."""

    kind: str
    mode: int | None
    free: int
    fault: str
    sqlite: str = sqlite3.sqlite_version


def look_at_disk(folder: Path) -> Disk:
    """The disk of a state folder (or of where it would be made), tried with a synced file of a moment."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    mode = stat.S_IMODE(folder.stat().st_mode) if folder.is_dir() else None
    return Disk(file_system(there), mode, shutil.disk_usage(there).free, _fault(there, mode))


def _fault(there: Path, mode: int | None) -> str:
    if mode is not None and mode & 0o022:
        return f"others may write in it (mode {mode:o}): chmod 700 {there}"
    try:
        refuse_remote(there)
        descriptor, name = tempfile.mkstemp(prefix=".doctor-", dir=there)
        try:
            os.write(descriptor, b"tried")
            sync_file(Path(name))
        finally:
            os.close(descriptor)
            Path(name).unlink()
    except MigratorError as fault:
        return fault.diagnostic.what
    except OSError as fault:
        return f"nothing can be written there: {os.strerror(fault.errno or 0)}"
    return ""
