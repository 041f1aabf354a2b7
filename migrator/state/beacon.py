"""How far a run's log has come, told a second time outside the run folder.

A ledger that is older than its beacon was restored from a backup, or lost its last commits: the org may hold what it does not know.
A beacon that is older than its ledger says nothing: it is written after the commit and not synced.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from migrator.state.storage import explained

FOLDER = ".beacons"


@dataclass(frozen=True, slots=True)
class Mark:
    """Number and hash of an event."""

    seq: int
    hash: str


class Beacon:
    """The beacon of one run."""

    def __init__(self, run_folder: Path) -> None:
        self.path = run_folder.parent / FOLDER / f"{run_folder.name}.json"

    def read(self) -> Mark | None:
        """What it says; None: there is none, or a power cut left nothing readable."""
        try:
            found = json.loads(self.path.read_bytes())
            return Mark(int(found["seq"]), str(found["hash"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return None

    def write(self, mark: Mark) -> None:
        """Say that the log has come this far. One write of one block: a kill leaves the old text or the new one."""
        text = json.dumps({"seq": mark.seq, "hash": mark.hash}).ljust(120) + "\n"
        with explained(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.pwrite(descriptor, text.encode(), 0)
            finally:
                os.close(descriptor)
