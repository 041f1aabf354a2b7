"""A schedule that was checked and may run: what `run` begins with, what `plan --out` saves, what a changed plan is held against.

**Invariant:** what was reviewed is what runs; a difference is named.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from migrator import __version__
from migrator.errors import ExitCode, MigratorError, PlanInvalid, has_errors
from migrator.model.plan import Plan
from migrator.model.run import RunRow
from migrator.model.schedule import Schedule
from migrator.model.schedule_text import dump_schedule, parse_schedule
from migrator.review.ends import Checked, Ends, check
from migrator.review.fingerprint import compare
from migrator.review.identity import Identity, identity_of, parse_identity
from migrator.review.lock import LockCheck, check_lock, lock_differs, lock_text
from migrator.review.reread import reread, same_ends, source_of
from migrator.review.schema_watch import SchemaWatch, listed

SAVED_VERSION = 1


@dataclass(frozen=True, slots=True)
class Approved:
    """Everything that a run is made of but its name and its time."""

    plan_name: str
    plan_path: str
    plan_digest: str
    schedule: Schedule
    identity: Identity
    source: str
    target: str
    source_org_id: str
    target_org_id: str
    target_user_id: str
    api_version: str
    source_user_id: str = ""

    @classmethod
    def of(cls, checked: Checked, variables: Mapping[str, str], api_version: str) -> Self:
        """The plan as it may run. Raises PlanInvalid when it was found wanting."""
        if checked.schedule is None or checked.target_identity is None or has_errors(checked.diagnostics):
            raise PlanInvalid(checked.diagnostics)
        plan = checked.plan
        return cls(
            plan_name=plan.name,
            plan_path=str(Path(plan.path).resolve()),
            plan_digest=plan.digest,
            schedule=checked.schedule,
            identity=identity_of(checked, checked.schedule, variables),
            source=source_of(plan),
            target=plan.target.org,
            source_org_id=checked.source_identity.organization_id if checked.source_identity else "",
            target_org_id=checked.target_identity.organization_id,
            target_user_id=checked.target_identity.user_id,
            api_version=api_version,
            source_user_id=checked.source_identity.user_id if checked.source_identity else "",
        )

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """A saved plan. Raises MigratorError `saved-plan-unreadable` when it was edited, or made by another major version."""
        try:
            facts = _intact(json.loads(text))
            made_by = str(facts.pop("tool_version"))
            schedule, identity = parse_schedule(facts.pop("schedule")), parse_identity(facts.pop("identity"))
            approved = cls(schedule=schedule, identity=identity, **facts)
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise MigratorError(
                "saved-plan-unreadable",
                f"{where} is not what `migrator plan --out` wrote",
                hint="save the plan again, and have it reviewed again",
            ) from wrong
        if made_by.partition(".")[0] != __version__.partition(".")[0]:
            raise _stale([f"it was saved by version {made_by}, this is {__version__}"])
        return approved

    def dump(self) -> str:
        """The content of a saved plan: the very schedule, with a checksum."""
        facts = {
            **{one.name: getattr(self, one.name) for one in fields(self) if one.type is str},
            "schedule": dump_schedule(self.schedule),
            "identity": self.identity.dump(),
            "tool_version": __version__,
        }
        document = {"saved_plan": SAVED_VERSION, "sha256": _checksum(facts), **facts}
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def row(self, run_id: str, started: float) -> RunRow:
        """The row of a new run."""
        return RunRow(
            run_id=run_id,
            plan_name=self.plan_name,
            plan_path=self.plan_path,
            plan_digest=self.plan_digest,
            schedule_json=dump_schedule(self.schedule),
            tool_version=__version__,
            api_version=self.api_version,
            source=self.source,
            target=self.target,
            source_org_id=self.source_org_id,
            target_org_id=self.target_org_id,
            target_user_id=self.target_user_id,
            started=started,
            identity_json=self.identity.dump(),
        )

    def lock(self, plan: Plan) -> str:
        """The content of the lock beside its plan."""
        return lock_text(plan, self.schedule, self.identity)

    def check_lock(self, text: str, where: str, plan: Plan, *, accept: bool) -> LockCheck:
        """What differs from the lock of its plan. Raises MigratorError `plan-changed` for what is neither operational nor accepted,
        `lock-unreadable` when it is none.
        """
        found = check_lock(text, where, plan, self.schedule, self.identity)
        if found.semantic and not accept:
            raise lock_differs(found.semantic, where)
        return found

    def check_fresh(self, ends: Ends) -> None:
        """Refuse a saved plan that is no longer what was reviewed: another org, a changed schema, a changed plan file."""
        plan = reread(Path(self.plan_path), self.identity.variables, self.plan_digest)
        if plan is not None:
            same_ends(plan, self.source, self.target)
        now = check(plan, ends) if plan is not None else None
        pairs = [(self.target, self.target_org_id, ends.target)]
        if ends.source is not None:
            pairs.append((self.source, self.source_org_id, ends.source))
        wrong = [
            f"it was checked against org {expected}, and alias {alias} is org {actual}"
            for alias, expected, org in pairs
            if (actual := org.identity().organization_id) != expected
        ]
        if wrong:
            raise _stale(wrong)
        if now is not None:
            if now.schedule is None:
                raise PlanInvalid(now.diagnostics)
            found = [str(one) for one in compare(self.schedule, now.schedule)]
            raise _stale(found or ["the plan file differs in what no step shows"])
        watch = SchemaWatch(self.identity.dump(), ends)
        for step in self.schedule.steps:
            watch.check(step)


def _intact(document: dict[str, Any]) -> dict[str, Any]:
    """What a saved plan says, once its checksum is seen to be right."""
    if document.pop("saved_plan") != SAVED_VERSION or document.pop("sha256") != _checksum(document):
        raise ValueError("it has another version or checksum")
    return document


def _checksum(facts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _stale(found: list[str]) -> MigratorError:
    return MigratorError(
        "plan-stale",
        f"the saved plan is out of date: {listed(found)}",
        hint="save it again with `migrator plan PLAN --out FILE`, and have it reviewed again",
        exit_code=ExitCode.REFUSED,
    )
