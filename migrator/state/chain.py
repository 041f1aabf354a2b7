"""The hash chain of the audit log: no event can be changed, dropped or slipped in without breaking it."""

import hashlib
from collections.abc import Iterable, Mapping

from migrator.model.run import Event
from migrator.state.rows import dumps

Facts = Mapping[str, str | int | float | bool | None]


def first_hash(run_id: str) -> str:
    """What the first event is chained to: the run, so that no log passes for another run's."""
    return hashlib.sha256(run_id.encode()).hexdigest()


def chained(previous: str, seq: int, at: float, kind: str, facts: Facts) -> Event:
    """The event that follows the one with hash `previous`."""
    for name, value in facts.items():
        if value is not None and not isinstance(value, str | int | float | bool):
            raise TypeError(f"fact {name!r} of event {kind!r} is not a plain JSON value")
    content = dumps([previous, seq, at, kind, dict(facts)])
    return Event(seq, at, kind, dict(facts), hashlib.sha256(content.encode()).hexdigest())


def broken_at(run_id: str, events: Iterable[Event]) -> int | None:
    """The number of the first event that does not follow from those before it; None when all do."""
    previous = first_hash(run_id)
    for number, event in enumerate(events, start=1):
        if event.seq != number or chained(previous, number, event.at, event.kind, event.facts) != event:
            return number
        previous = event.hash
    return None
