"""The hash chain of the audit log: no event can be changed, dropped or slipped in without breaking it."""

import hashlib
from collections.abc import Iterable

from migrator.model.run import Event, Facts
from migrator.state.rows import dumps

#: an event as stored: number, time, kind, facts as JSON text, hash
Stored = tuple[int, float, str, str, str]


def first_hash(run_id: str) -> str:
    """What the first event is chained to: the run, so that no log passes for another run's."""
    return hashlib.sha256(run_id.encode()).hexdigest()


def chained(previous: str, seq: int, at: float, kind: str, facts: Facts) -> Event:
    """The event that follows the one with hash `previous`."""
    for name, value in facts.items():
        if value is not None and not isinstance(value, str | int | float | bool):
            raise TypeError(f"fact {name!r} of event {kind!r} is not a plain JSON value")
    return Event(seq, at, kind, dict(facts), _hash(previous, seq, at, kind, dumps(dict(facts))))


def broken_at(run_id: str, stored: Iterable[Stored]) -> int | None:
    """The number of the first event that does not follow from those before it; None when all do."""
    previous = first_hash(run_id)
    for number, (seq, at, kind, facts, mark) in enumerate(stored, start=1):
        if seq != number or mark != _hash(previous, seq, at, kind, facts):
            return number
        previous = mark
    return None


def _hash(previous: str, seq: int, at: float, kind: str, facts: str) -> str:
    # each part ends where its form or its told length says: no two events have one content
    content = f"{previous} {seq} {at!r} {len(kind)} {kind} {facts}"
    return hashlib.sha256(content.encode()).hexdigest()
