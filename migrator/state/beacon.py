"""How far a run's log has come, told a second time outside the run folder.

A ledger that is older than its beacon was restored from a backup, or lost its last commits: the org may hold what it does not know.
A beacon that is older than its ledger says nothing: it is written after the commit and not synced.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import MigratorError

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
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"seq": mark.seq, "hash": mark.hash}).ljust(120) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(descriptor, text.encode(), 0)
        finally:
            os.close(descriptor)

    def check(self, run_id: str, head: Mark, hash_at: str | None) -> None:
        """Raise MigratorError `ledger-behind` unless the log reaches the beacon. `hash_at`: the log's hash at the beacon's number."""
        told = self.read()
        if told is None or (told.seq <= head.seq and hash_at == told.hash):
            return
        raise MigratorError(
            "ledger-behind",
            f"the ledger of run {run_id} ends with event {head.seq} and is not the one that came to event {told.seq}: "
            "it was restored from a backup, or lost what it had committed",
            hint="bring back the newest ledger; going on with this one could send rows twice",
        )
