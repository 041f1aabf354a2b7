"""Steps that would fight for records of one sObject, and are therefore never sent at the same time.

Which records two steps lock is only known row by row. The rule is the simplest that is sound: where records of an sObject that are there
already may be locked by two steps, slices of both are never under way together. While one waits for its next round the other may go.

**Invariant:** pure; equal schedules give equal answers in an equal order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from migrator.model.plan import Operation
from migrator.model.schedule import LinkStep, LoadStep, LockKey, MatchStep, Schedule, strong
from migrator.planner.lockset import MASTER

#: activities lock the account behind what they are about as well (Record Locking Cheat Sheet)
_ACTIVITIES: Final = frozenset({"Event", "Task"})


@dataclass(frozen=True, slots=True)
class SharedLock:
    """An sObject whose records several steps lock that would else be sent side by side; steps in schedule order."""

    sobject: str
    steps: tuple[str, ...]


def shared_locks(schedule: Schedule) -> tuple[SharedLock, ...]:
    """What steps may not be sent at the same time, by the sObject that they would fight for, in order of its name."""
    domains = _domains(schedule)
    earlier: dict[str, frozenset[str]] = {}
    for step in schedule.steps:
        before = schedule.before(step.id)
        earlier[step.id] = frozenset(before).union(*(earlier.get(one, frozenset()) for one in before))
    found = []
    for sobject in sorted({one for domain in domains.values() for one in domain}):
        steps = tuple(step for step, domain in domains.items() if sobject in domain)
        if any(
            one not in earlier[other] and other not in earlier[one] for one, other in combinations(steps, 2)
        ):
            found.append(SharedLock(sobject, steps))
    return tuple(found)


def _domains(schedule: Schedule) -> dict[str, frozenset[str]]:
    """By step that sends: the sObjects of which it locks records that are there before it begins."""
    sobjects = {
        step.object_name: step.sobject for step in schedule.steps if isinstance(step, LoadStep | MatchStep)
    }
    loads = [step for step in schedule.steps if isinstance(step, LoadStep)]
    parents: dict[str, frozenset[str]] = {}
    masters: dict[str, frozenset[str]] = {}
    for step in loads:
        found = _looked_up(step, strong(step.lock_keys), sobjects)
        parents[step.sobject] = parents.get(step.sobject, frozenset()) | found
        above = [one for one in step.lock_keys if one.why == MASTER]
        masters[step.sobject] = masters.get(step.sobject, frozenset()) | _looked_up(step, above, sobjects)
    domains = {}
    for each in schedule.steps:
        if isinstance(each, LoadStep):
            locked = _looked_up(each, strong(each.lock_keys), sobjects)
            if each.sobject in _ACTIVITIES:
                behind = (parents.get(one, frozenset()) for one in locked)
                locked |= frozenset[str]().union(*behind) & {"Account"}
            own = frozenset() if each.operation is Operation.INSERT else frozenset({each.sobject})
            domains[each.id] = _closed(own | locked, masters)
        elif isinstance(each, LinkStep):
            names = {name for one in each.lookups for name in one.via}
            looked_up = frozenset(sobjects[name] for name in names if name in sobjects)
            domains[each.id] = _closed(looked_up | {each.sobject}, masters)
    return domains


def _looked_up(step: LoadStep, keys: Iterable[LockKey], sobjects: Mapping[str, str]) -> frozenset[str]:
    names = {one.field for one in keys}
    return frozenset(
        sobjects[name]
        for one in step.lookups
        if one.rule.target in names
        for name in one.via
        if name in sobjects
    )


def _closed(domain: frozenset[str], masters: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """With the masters of what is locked, whose roll-ups change with it."""
    while True:
        more = domain.union(*(masters.get(one, frozenset()) for one in domain))
        if more == domain:
            return domain
        domain = more
