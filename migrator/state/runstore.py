"""What a database must do for the ledger of one run. `tests/unit/state` holds every implementation to it.

**Invariant:** a store keeps and fences; what may be written is the ledger's question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from migrator.errors import ExitCode, MigratorError
from migrator.model.run import Event, LedgerRow, LedgerState
from migrator.state.chain import Stored


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ledger stands: hash and number of its last event, and the sum of its rows (empty: not known yet)."""

    hash: str
    events: int
    content: str


class RunStore(Protocol):
    """The rows and events of one run, for one writer.

    Every method raises MigratorError when the database cannot do it; `write` raises IllegalWrite for rows that do not fit each other.
    """

    @property
    def place(self) -> str:
        """Where the ledger is, for messages; never with a secret."""
        ...

    def take_over(self) -> int:
        """Begin a new epoch: whoever wrote before can write no more. The epoch."""
        ...

    def head(self) -> Head:
        """Where it stands."""
        ...

    def state(self) -> LedgerState:
        """Everything, of one instant."""
        ...

    def stored(self, after: int = 0) -> tuple[Stored, ...]:
        """The events behind number `after`, as they are stored."""
        ...

    def write(self, rows: Sequence[LedgerRow], events: Sequence[Event], before: Head, after: Head) -> None:
        """Write all or nothing, on the disk when it returns; refuse when `before` is not where it stands in this epoch."""
        ...

    def hold(self, scopes: Sequence[str]) -> None:
        """Take these leases too, all or none. Raises MigratorError `lease-held` naming who has one of them."""
        ...

    def close(self) -> None:
        """Give everything back; twice is harmless."""
        ...


def lost(run_id: str) -> MigratorError:
    """This process is no longer the one that may write."""
    return MigratorError(
        "lease-lost",
        f"another process has taken over run {run_id}",
        hint="let that one finish; `status` shows how it stands",
        exit_code=ExitCode.LEASE,
    )
