"""Transactions over several requests' worth of work: all of it stays, or records and truth log are as before."""

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.rollback import Rollback


class Savepoint(Rollback):
    """A part of a request that is kept when it ends well, and is as if it had not been after `rollback` or an error."""

    def __init__(self, org: OrgState) -> None:
        super().__init__(org.store, org.truth, org.dml.forget)
