"""The ledger of a run: what is durable, which files count, and who may write.

Start at `open_ledger`; `read_ledger` looks without taking part.
"""

from migrator.state.disk import Disk, look_at_disk
from migrator.state.lease import Holder
from migrator.state.ledger import Ledger
from migrator.state.store import (
    FoundRun,
    holder,
    known_jobs,
    list_runs,
    open_ledger,
    read_audited,
    read_ledger,
    unlock,
)
from migrator.state.wreck import Wreck

__all__ = [
    "Disk",
    "FoundRun",
    "Holder",
    "Ledger",
    "Wreck",
    "holder",
    "known_jobs",
    "list_runs",
    "look_at_disk",
    "open_ledger",
    "read_audited",
    "read_ledger",
    "unlock",
]
