"""Transactions over several requests' worth of work: all of it stays, or records and truth log are as before.

**Invariant:** savepoints are ended in the reverse order of their making.
"""

from typing import Self

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.store import Journal


class Savepoint:
    """A part of a request that is kept when it ends well, and is as if it had not been after `rollback` or an error."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._outer: Journal | None = None
        self._own: Journal = []
        self._events = 0
        self._back = False

    def __enter__(self) -> Self:
        self._outer = self._org.store.journal
        self._events = len(self._org.truth)
        self._org.store.note(self._own)
        return self

    def rollback(self) -> None:
        """Take everything back at the end."""
        self._back = True

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        org = self._org
        if kind is None and not self._back:
            if self._outer is not None:
                self._outer.extend(self._own)  # an outer savepoint can still take it back
        else:
            org.store.note(None)
            for undo in reversed(self._own):
                undo()
            org.truth.take_back(self._events)
            org.dml.forget()
        org.store.note(self._outer)
