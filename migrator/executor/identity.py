"""What a run was approved as: its plan's meaning, the variables, and the schema that it was checked against.

It is kept in the ledger with the run, in `plan.lock` beside a plan, and in the file that `plan --out` saves.

**Invariant:** the lock holds hashes only: it is committed to git, and variables may say more than a repository should.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator import __version__
from migrator.errors import MigratorError
from migrator.executor.ends import Checked
from migrator.model.plan import Plan
from migrator.model.schedule import Schedule, Side
from migrator.model.schema import OrgSchema
from migrator.planner import Difference, differences, fingerprint, leaves, used_schema

LOCK_VERSION = 1
#: hexadecimal digits of a field's hash in the lock
_SHORT = 16


@dataclass(frozen=True, slots=True)
class Identity:
    """The variables that the plan was read with, and what its schedule uses of both orgs' schemas (empty for files)."""

    variables: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    target: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def dump(self) -> str:
        """As JSON text."""
        return json.dumps(
            {"variables": dict(self.variables), "source": self.source, "target": self.target},
            ensure_ascii=False,
            sort_keys=True,
        )


def parse_identity(text: str) -> Identity:
    """The identity in a text of `dump`; an empty one for a run that older versions made."""
    return Identity(**json.loads(text)) if text else Identity()


def identity_of(checked: Checked, schedule: Schedule, variables: Mapping[str, str]) -> Identity:
    """What the plan was checked as."""
    source, target = checked.source, checked.target
    return Identity(
        variables,
        used_schema(schedule, Side.SOURCE, source) if isinstance(source, OrgSchema) else {},
        used_schema(schedule, Side.TARGET, target) if target is not None else {},
    )


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


@dataclass(frozen=True, slots=True)
class LockCheck:
    """What differs from a lock: fields of steps, and fields of the orgs' schemas by name."""

    differences: tuple[Difference, ...]
    schema: tuple[str, ...]


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
