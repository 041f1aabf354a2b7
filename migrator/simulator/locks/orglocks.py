"""The locks of an org as its APIs use them: how long transactions take, and what they hold meanwhile."""

from migrator.simulator.agenda import Agenda
from migrator.simulator.locks.keys import Keys
from migrator.simulator.locks.table import LockTable
from migrator.simulator.orgstate import OrgState


class Locks:
    """The locks of one org; `org.part(Locks)`.

    **Invariant:** where no transaction takes time nobody can be in anybody's way, and no lock is looked at.
    """

    def __init__(self, org: OrgState) -> None:
        settings = org.settings
        self._row_seconds = settings.row_seconds
        self._by_sobject = {name.lower(): each for name, each in settings.sobject_seconds.items()}
        self.timed = settings.row_seconds > 0 or any(each > 0 for each in self._by_sobject.values())
        self.active = self.timed or bool(settings.locks.writers)
        self.keys = Keys(org.store, settings.locks)
        self.table = LockTable(org.part(Agenda), settings.locks.wait)

    def seconds(self, sobject: str, rows: int) -> float:
        """How long a transaction of so many rows takes."""
        return rows * self._by_sobject.get(sobject.lower(), self._row_seconds)
