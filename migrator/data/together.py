"""Doing at once what several threads ask for at about the same time.

Asking DuckDB costs as much as some thousand rows. While one call is done, those that come wait; what is alike among them is done together then.

**Invariant:** every call gets a result of work over its own job, or an error of such work; one whose company failed is done alone.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(slots=True, eq=False)
class _Call(Generic[_T, _R]):
    """`result` stays empty until it is done; `alone`: its company failed."""

    kind: Hashable
    name: Hashable
    job: _T
    result: tuple[_R] | None = None
    alone: bool = False


class Together(Generic[_T, _R]):
    """Calls of the same kind; no two of one name are done together.

    `threads`: how many works at once keep the machine busy. Calls begin another work only when they are as many as those of one that is being done, and
    never one alone: fewer may still get company.
    """

    def __init__(self, threads: int = 2) -> None:
        self._changed = threading.Condition()
        self._waiting: list[_Call[_T, _R]] = []
        self._threads = threads
        #: of the works that are being done, how many calls each has
        self._at_work: list[int] = []
        #: held by what is so large that it would take the memory of several
        self.turn = threading.Lock()

    def do(self, kind: Hashable, name: Hashable, job: _T, work: Callable[[Sequence[_T]], _R]) -> _R:
        """What the work over this job, and over others that wait, has for a result."""
        mine: _Call[_T, _R] = _Call(kind, name, job)
        with self._changed:
            self._waiting.append(mine)
            self._changed.wait_for(lambda: mine.result or self._may_begin(mine))
            if mine.result:
                return mine.result[0]
            calls = self._alike(mine)
            self._waiting = [one for one in self._waiting if one not in calls]
            self._at_work.append(len(calls))
        result: tuple[_R] | None = None
        try:
            result = (work([one.job for one in calls]),)
            return result[0]
        finally:
            with self._changed:
                self._at_work.remove(len(calls))
                for one in calls[1:]:
                    one.result, one.alone = result, result is None
                    if one.alone:
                        self._waiting.append(one)
                self._changed.notify_all()

    def _may_begin(self, mine: _Call[_T, _R]) -> bool:
        if mine not in self._waiting:
            return False
        if not self._at_work or mine.alone:
            return len(self._at_work) < self._threads
        return len(self._at_work) < self._threads and len(self._alike(mine)) >= max(2, *self._at_work)

    def _alike(self, mine: _Call[_T, _R]) -> list[_Call[_T, _R]]:
        """This call and, unless it is to be alone, those that wait and can be done with it."""
        found = {mine.name: mine}
        if not mine.alone:
            for one in self._waiting:
                if one.kind == mine.kind and not one.alone:
                    found.setdefault(one.name, one)
        return list(found.values())
