"""What kind of disk a folder is on: locks and syncs of a network file system cannot be relied on.

Linux tells in /proc/self/mountinfo (proc(5)); elsewhere the kind is unknown and taken to be local.
"""

import re
from pathlib import Path

from migrator.errors import ExitCode, MigratorError

MOUNTS = Path("/proc/self/mountinfo")
#: file systems over a network or another machine's disk; SQLite's documentation advises against all of them ("How To Corrupt", 2.1)
REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "beegfs", "gpfs"}
    | {
        f"fuse.{one}"
        for one in ("sshfs", "s3fs", "rclone", "glusterfs", "gcsfuse", "onedriver", "davfs", "goofys")
    }
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system(folder: Path, mounts: str | None = None) -> str:
    """The type of the file system that holds the folder (or its nearest parent that exists); empty: unknown."""
    if mounts is None:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace") if MOUNTS.exists() else ""
    path = folder.resolve()
    best: tuple[int, str] = (-1, "")
    for line in mounts.split("\n"):
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if not dash or len(fields) < 5:
            continue
        at = Path(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), fields[4]))
        # the last of several mounts on one place is the one that is seen
        if path.is_relative_to(at) and len(at.parts) >= best[0]:
            drive = "drvfs" if "aname=drvfs" in line else kind[0]
            best = (len(at.parts), drive)
    return best[1]


def refuse_remote(folder: Path, mounts: str | None = None) -> None:
    """Raise MigratorError `state-not-local` for a folder on a network file system."""
    kind = file_system(folder, mounts)
    if kind in REMOTE or kind == "drvfs":
        raise MigratorError(
            "state-not-local",
            f"{folder} is on a {kind} file system, where locks and syncs cannot be relied on",
            hint="name a folder on a local disk with --state-dir",
            exit_code=ExitCode.USAGE,
        )
