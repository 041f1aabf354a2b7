"""What a schedule means, field by field: what tells a reviewed plan from a changed one.

Each field of a step is either *semantic* (what is read, how rows are made and where they go) or *operational* (how fast, in which pieces).
Expected row counts are neither: they are measured anew each time.

**Invariant:** pure; a field that is new in the model is semantic until it is named here.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from migrator.model.schedule import Schedule, Step
from migrator.model.schedule_text import to_json

OPERATIONAL = frozenset(
    {
        "lane",
        "guarantee",
        "group_by",
        "on_lock",
        "max_in_flight",
        "prefer",
        "max_slice_rows",
        "max_slice_bytes",
    }
    | {"counts", "sample", "budget", "canary"}
)
_MEASURED = frozenset({"kind", "id", "expected"})
#: what a started step keeps even when operational settings change: its slices are cut for it
_KEPT = frozenset({"lane", "guarantee"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a step that differs. `field` empty: the whole step is new (`before` empty) or gone (`after` empty)."""

    step: str
    field: str
    before: str
    after: str
    operational: bool = False

    def __str__(self) -> str:
        if not self.field:
            return f"{self.step}: {'new' if not self.before else 'removed'}"
        if not self.before and not self.after:
            return f"{self.step}: {self.field}"
        return f"{self.step}: {self.field}: {_short(self.before)} → {_short(self.after)}"


def _short(text: str) -> str:
    return (text if len(text) <= 60 else f"{text[:57]}…") or "nothing"


def leaves(schedule: Schedule, step: Step) -> dict[str, str]:
    """The step's fields by dotted name, e.g. `columns.Industry.rule.source`, each as JSON text; `after`: what it waits for."""
    found = {
        name: text
        for key, value in to_json(step).items()
        if key not in _MEASURED
        for name, text in _flat(key, value)
    }
    waits = sorted(schedule.before(step.id))
    return found | ({"after": json.dumps(waits)} if waits else {})


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _flat(f"{name}.{key}", one)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, one in enumerate(value):
            yield from _flat(f"{name}.{one.get('rule', {}).get('target', number)}", one)
    else:
        yield name, json.dumps(value, ensure_ascii=False, sort_keys=True)


def is_operational(leaf: str) -> bool:
    """Whether a field by that dotted name says only how, not what."""
    return leaf.partition(".")[0] in OPERATIONAL


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The sha256 of a step's semantic and of its operational fields."""

    semantic: str
    operational: str


def fingerprint(schedule: Schedule, step: Step) -> Fingerprint:
    """What the step means, and how it is done."""
    found = leaves(schedule, step)

    def digest(*, operational: bool) -> str:
        chosen = {name: text for name, text in found.items() if is_operational(name) is operational}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()

    return Fingerprint(digest(operational=False), digest(operational=True))


def compare(before: Schedule, after: Schedule) -> tuple[Difference, ...]:
    """Every field in which two schedules differ, in the order of the first and then of the second."""
    old = {one.id: leaves(before, one) for one in before.steps}
    new = {one.id: leaves(after, one) for one in after.steps}
    return differences(old, new)


def differences(
    old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> tuple[Difference, ...]:
    """Every field in which two tables of steps' fields differ."""
    found: list[Difference] = []
    for step in (*old, *(one for one in new if one not in old)):
        was, now = old.get(step), new.get(step)
        if was is None or now is None:
            found.append(Difference(step, "", "" if was is None else "there", "" if now is None else "there"))
            continue
        found += [
            Difference(step, name, was.get(name, ""), now.get(name, ""), is_operational(name))
            for name in (*was, *(one for one in now if one not in was))
            if was.get(name) != now.get(name)
        ]
    return tuple(found)


def merged(before: Schedule, after: Schedule, started: frozenset[str]) -> Schedule:
    """`after`, but started steps as they were, except for operational settings that may change under way."""
    old = {one.id: one for one in before.steps}
    steps = tuple(_settings_of(one, old[one.id]) if one.id in started else one for one in after.steps)
    return replace(after, steps=steps)


def _settings_of(new: Step, old: Step) -> Step:
    names = {one.name for one in fields(old)} & {one.name for one in fields(new)} & (OPERATIONAL - _KEPT)
    return replace(old, **{name: getattr(new, name) for name in names})
