"""The truth log: what really happened to records, by which job or request. Tests judge clients by it.

Append-only, but for transactions that are rolled back, and compact: one event per transaction and kind of change, its records by number.
"""

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from migrator.simulator.records.store import Store
from migrator.simulator.records.values import moment


class Change(StrEnum):
    """What was done to a record."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    PURGED = "purged"
    UNDELETED = "undeleted"


@dataclass(frozen=True, slots=True)
class Event:
    """One transaction's change of records of one sObject."""

    number: int
    time: float
    origin: str  # the job's id, or `METHOD path` of the request
    actor: str  # the user's id
    change: Change
    sobject: str
    seqs: Sequence[int]

    def __len__(self) -> int:
        return len(self.seqs)


class Truth:
    """The log with the questions that tests ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: list[Event] = []

    def append(
        self, *, time: float, origin: str, actor: str, change: Change, sobject: str, seqs: Sequence[int]
    ) -> None:
        """Write one event."""
        if not seqs:
            return
        kept = seqs if isinstance(seqs, range) else array("Q", seqs)
        self._events.append(Event(len(self._events), time, origin, actor, change, sobject, kept))

    def __len__(self) -> int:
        return len(self._events)

    def since(self, length: int) -> Iterator[Event]:
        """The events after the first so many."""
        return islice(self._events, length, None)

    def lines(self, length: int = 0) -> Iterator[str]:
        """The events after the first so many, each as one line of JSON with the ids of its records."""
        for event in self.since(length):
            shown = {
                "number": event.number,
                "time": moment(event.time),
                "origin": event.origin,
                "actor": event.actor,
                "change": event.change.value,
                "sobject": event.sobject,
                "ids": self._store.table(event.sobject).ids_of(event.seqs),
            }
            yield json.dumps(shown, separators=(",", ":"))

    def take_back(self, length: int) -> None:
        """Forget the events of a transaction that was rolled back: nothing of it happened."""
        del self._events[length:]

    def events(
        self, *, origin: str | None = None, sobject: str | None = None, change: Change | None = None
    ) -> Iterator[Event]:
        """The events that fit, in order. `origin` is a job id or `METHOD path`."""
        for event in self._events:
            if origin is not None and event.origin != origin:
                continue
            if sobject is not None and event.sobject.lower() != sobject.lower():
                continue
            if change is None or event.change is change:
                yield event

    def count(self, sobject: str, change: Change = Change.CREATED, *, origin: str | None = None) -> int:
        """How many records were so changed (each time they were)."""
        return sum(len(event) for event in self.events(origin=origin, sobject=sobject, change=change))

    def ids(self, sobject: str, change: Change = Change.CREATED, *, origin: str | None = None) -> list[str]:
        """Their ids, in order."""
        table = self._store.table(sobject)
        return [
            record_id
            for event in self.events(origin=origin, sobject=sobject, change=change)
            for record_id in table.ids_of(event.seqs)
        ]

    def created(self, sobject: str) -> list[str]:
        """The ids of all records ever created of an sObject, in order."""
        return self.ids(sobject, Change.CREATED)

    def origins(self, sobject: str, change: Change = Change.CREATED) -> Counter[str]:
        """How many records each job or request changed."""
        counted: Counter[str] = Counter()
        for event in self.events(sobject=sobject, change=change):
            counted[event.origin] += len(event)
        return counted
