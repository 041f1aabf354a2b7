"""The ledger of a run: what is durable, which files count, and who may write.

Start at `open_ledger`; `read_ledger` looks without taking part.
"""

from migrator.state.lease import Holder
from migrator.state.ledger import Ledger
from migrator.state.store import FoundRun, holder, list_runs, open_ledger, read_ledger, unlock
from migrator.state.transitions import IllegalWrite

__all__ = [
    "FoundRun",
    "Holder",
    "IllegalWrite",
    "Ledger",
    "holder",
    "list_runs",
    "open_ledger",
    "read_ledger",
    "unlock",
]
