"""What a run learns about locks: which records were in the way of its rows, by the texts of the faults.

A step's row of the ledger counts, for each relationship field, how many of the records that faults named its rows look up, and by key prefix those
that no row looks up. What no plan knew decides how the next rounds travel:

- a field that was not thought to lock: rows of one of its records travel together from now on, beside those of the plan's own keys;
- records that no row looks up (what an automation writes, a roll-up's configuration): any two slices may fight for them, so one is sent at a time.

So the keys by which a round is cut are worked out here: those of the plan and those that were learned.

**Invariant:** pure; names of fields, key prefixes and counts, never values.
"""

from collections.abc import Mapping, Sequence

from migrator.data.jobs import LockKeys
from migrator.model.platform import PARALLELISM
from migrator.model.schedule import Lane, LinkStep, LoadStep, strong

_PREFIX = "lock."
#: records of the sObject that is written: who else writes them is nobody that another order of ours would avoid
_OWN = "Id"


def with_locks(counts: Mapping[str, int], keys: Mapping[str, int]) -> dict[str, int]:
    """A step row's counts with what the faults of a slice named."""
    return {**counts, **{_PREFIX + key: counts.get(_PREFIX + key, 0) + count for key, count in keys.items()}}


def _keys(counts: Mapping[str, int]) -> dict[str, int]:
    return {key.removeprefix(_PREFIX): count for key, count in counts.items() if key.startswith(_PREFIX)}


def _fields(step: LoadStep | LinkStep) -> dict[str, str]:
    return {one.rule.target.casefold(): one.rule.target for one in step.lookups}


def planned_keys(step: LoadStep | LinkStep) -> tuple[str, ...]:
    """The fields that the plan takes to decide which rows travel together."""
    return tuple(one.field for one in strong(step.lock_keys)) if isinstance(step, LoadStep) else ()


def lock_keys(
    step: LoadStep | LinkStep, lane: Lane, more: Sequence[str] = (), *, several: bool = False
) -> LockKeys | None:
    """The keys that decide which rows travel together: the plan's, and `more` that were learned. None: there is none, or not `several`."""
    binding = strong(step.lock_keys) if isinstance(step, LoadStep) else ()
    fields = (*(one.field for one in binding), *more)
    if len(fields) <= several:
        return None
    weights = (*(one.weight for one in binding), *(1.0 for _ in more))
    # no more slices side by side than may be under way: serial batches are full, whatever their rows lock
    at_once = 1 if lane is Lane.BULK1_SERIAL else step.max_in_flight or PARALLELISM
    return LockKeys(fields, weights, parallelism=at_once, prefer=step.prefer)


def unknown(step: LoadStep | LinkStep, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Why slices are sent one at a time: key prefixes of records that no row looks up."""
    fields = _fields(step)
    return tuple(sorted(key for key in _keys(counts) if key != _OWN and key.casefold() not in fields))


def learned(step: LoadStep | LinkStep, counts: Mapping[str, int]) -> tuple[str, ...]:
    """The fields that decide from the next round on which rows travel together, beside the plan's keys: what was in the way most often first."""
    fields = _fields(step)
    planned = set(planned_keys(step))
    found = {
        fields[key.casefold()]: count for key, count in _keys(counts).items() if key.casefold() in fields
    }
    fresh = tuple(sorted(found.keys() - planned, key=lambda one: (-found[one], one)))
    # in a second pass rows are records themselves: one that is a child in its own row may be the parent in another
    family = isinstance(step, LinkStep) and any(
        one.rule.target in fresh and step.object_name in one.via for one in step.lookups
    )
    return (*fresh, _OWN) if family else fresh


def note(step: LoadStep | LinkStep, before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    """What is new, for people."""
    notes = [
        f"rows met locks of records with key prefix {key}, which no row looks up: further rounds send one slice at a time"
        for key in sorted(set(unknown(step, after)) - set(unknown(step, before)))
    ]
    known = learned(step, before)
    notes += [
        f"rows met locks of records that {field} looks up: further rounds keep the rows of each together"
        for field in learned(step, after)
        if field not in (*known, _OWN)
    ]
    return tuple(notes)
