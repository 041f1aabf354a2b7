"""`plan.lock`, the file beside a plan that says as what it was reviewed.

**Invariant:** it holds hashes only: it is committed to git, and variables may say more than a repository should.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from migrator import __version__
from migrator.errors import ExitCode, MigratorError
from migrator.model.plan import Plan
from migrator.model.run import NewEvent
from migrator.model.schedule import Schedule
from migrator.review.fingerprint import Difference, differences, fingerprint, leaves
from migrator.review.identity import Identity
from migrator.review.schema_watch import listed

LOCK_VERSION = 1
#: hexadecimal digits of a field's hash in the lock
_SHORT = 16
#: how many fields of a schema an event names
_NAMED = 20


@dataclass(frozen=True, slots=True)
class LockCheck:
    """What differs from a lock: fields of steps, and fields of the orgs' schemas by name."""

    differences: tuple[Difference, ...] = ()
    schema: tuple[str, ...] = ()

    @property
    def semantic(self) -> tuple[Difference, ...]:
        """The differences that are not only about how."""
        return tuple(one for one in self.differences if not one.operational)

    def events(self) -> Iterator[NewEvent]:
        """What belongs into the log of a run that begins in spite of it."""
        if self.differences:
            kind = "plan-change-accepted" if self.semantic else "plan-settings-changed"
            steps = ", ".join(sorted({one.step for one in self.differences}))
            yield kind, {"against": "lock", "semantic": len(self.semantic), "steps": steps}
        if self.schema:
            named = ", ".join(self.schema[:_NAMED])
            yield "schema-differs-from-lock", {"fields": named, "count": len(self.schema)}


def lock_text(plan: Plan, schedule: Schedule, identity: Identity) -> str:
    """The content of `plan.lock`: one line a fact, so that a review sees what changed."""
    steps = {
        one.id: {
            "semantic": fingerprint(schedule, one).semantic,
            "operational": fingerprint(schedule, one).operational,
            "fields": {name: _hash(text) for name, text in leaves(schedule, one).items()},
        }
        for one in schedule.steps
    }
    document = {
        "lock": LOCK_VERSION,
        "tool": __version__,
        "plan": plan.name,
        "digest": plan.digest,
        "variables": {name: _hash(value) for name, value in plan.variables.items()},
        "steps": steps,
        "schema": {"source": _schema_hashes(identity.source), "target": _schema_hashes(identity.target)},
    }
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _schema_hashes(used: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        f"{sobject}.{name}": _hash(json.dumps(facts, sort_keys=True))
        for sobject, one in used.items()
        for name, facts in one["fields"].items()
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_SHORT]


def check_lock(text: str, where: str, plan: Plan, schedule: Schedule, identity: Identity) -> LockCheck:
    """What differs between a lock and what would run now. Raises MigratorError `lock-unreadable`."""
    now = json.loads(lock_text(plan, schedule, identity))
    try:
        old, schema = _read_lock(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise MigratorError(
            "lock-unreadable",
            f"{where} is not a lock that this version reads",
            hint="make it anew with `migrator plan PLAN --lock`, and review the difference",
        ) from wrong
    new = {step: one["fields"] for step, one in now["steps"].items()}
    # hashes say that a field differs; what it was is in git
    found = tuple(
        Difference(one.step, one.field, "", "", one.operational) if one.field else one
        for one in differences(old, new)
    )
    changed = sorted(
        f"{side} {name}"
        for side in ("source", "target")
        for name, mark in schema[side].items()
        if now["schema"][side].get(name, mark) != mark
    )
    return LockCheck(found, tuple(changed))


def _read_lock(was: dict[str, Any]) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """The hashes of the steps' fields and of the schema's."""
    if was["lock"] != LOCK_VERSION:
        raise ValueError("it has another version")
    steps = {
        step: {str(name): str(mark) for name, mark in one["fields"].items()}
        for step, one in was["steps"].items()
    }
    return steps, {side: dict(was["schema"][side]) for side in ("source", "target")}


def lock_differs(found: tuple[Difference, ...], where: str) -> MigratorError:
    """A plan that is not the one that its lock was made of."""
    return MigratorError(
        "plan-changed",
        f"the plan is not the one that {where} was made of: {listed([str(one) for one in found])}",
        hint="make the lock anew with `migrator plan PLAN --lock` and review it, or run with --accept-plan-change",
        exit_code=ExitCode.REFUSED,
    )
