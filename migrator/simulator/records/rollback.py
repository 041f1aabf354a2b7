"""Taking back what a transaction did: records and truth log are as before, as if it had not been.

**Invariant:** savepoints are ended in the reverse order of their making.
"""

from collections.abc import Callable
from typing import Self

from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Journal, Store
from migrator.simulator.records.truth import Truth

# the error of a row that was good, in a transaction that had to be all or nothing
ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class Rollback:
    """Work that is kept when it ends well, and is as if it had not been after `rollback` or an error."""

    def __init__(self, store: Store, truth: Truth, forget: Callable[[], None]) -> None:
        self._store = store
        self._truth = truth
        self._forget = forget  # what is remembered of records
        self._outer: Journal | None = None
        self._own: Journal = []
        self._events = 0
        self._back = False

    def __enter__(self) -> Self:
        self._outer = self._store.journal
        self._events = len(self._truth)
        self._store.note(self._own)
        return self

    def rollback(self) -> None:
        """Take everything back at the end."""
        self._back = True

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self._back:
            if self._outer is not None:
                self._outer.extend(self._own)  # an outer savepoint can still take it back
        else:
            self._store.note(None)
            for undo in reversed(self._own):
                undo()
            self._truth.take_back(self._events)
            self._forget()
        self._store.note(self._outer)
