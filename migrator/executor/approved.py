"""A schedule that was checked and may run: what `run` begins with, what `plan --out` saves, what a changed plan is held against.

**Invariant:** what was reviewed is what runs: a difference is named, and only those that the rules allow go through, recorded in the run's log.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from migrator import __version__
from migrator.errors import ExitCode, MigratorError, PlanInvalid, has_errors
from migrator.executor.ends import Checked, Ends
from migrator.executor.identity import Identity, identity_of, parse_identity
from migrator.executor.schema_watch import SchemaWatch, listed
from migrator.model.plan import OrgEnd, Plan
from migrator.model.run import LedgerState, RunRow, StepPhase
from migrator.model.schedule import Schedule
from migrator.planner import Difference, compare, dump_schedule, merged, parse_schedule

SAVED_VERSION = 1
Event = tuple[str, Mapping[str, str | int | float | bool | None]]


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


def approve(checked: Checked, variables: Mapping[str, str], api_version: str) -> Approved:
    """The plan as it may run. Raises PlanInvalid when it was found wanting."""
    if checked.schedule is None or checked.target_identity is None or has_errors(checked.diagnostics):
        raise PlanInvalid(checked.diagnostics)
    plan = checked.plan
    return Approved(
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


def source_of(plan: Plan) -> str:
    """How a run's row names the source."""
    return plan.source.org if isinstance(plan.source, OrgEnd) else f"files:{plan.source.files}"


# -- a saved plan


def saved_text(approved: Approved) -> str:
    """The content of a saved plan: the very schedule, with a checksum."""
    facts = {
        **{one.name: getattr(approved, one.name) for one in fields(approved) if one.type is str},
        "schedule": dump_schedule(approved.schedule),
        "identity": approved.identity.dump(),
        "tool_version": __version__,
    }
    document = {"saved_plan": SAVED_VERSION, "sha256": _checksum(facts), **facts}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def parse_saved(text: str, where: str) -> Approved:
    """The saved plan. Raises MigratorError `saved-plan-unreadable` when it was edited, or made by another major version."""
    try:
        facts = _intact(json.loads(text))
        made_by = str(facts.pop("tool_version"))
        schedule, identity = parse_schedule(facts.pop("schedule")), parse_identity(facts.pop("identity"))
        approved = Approved(schedule=schedule, identity=identity, **facts)
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise MigratorError(
            "saved-plan-unreadable",
            f"{where} is not what `migrator plan --out` wrote",
            hint="save the plan again, and have it reviewed again",
        ) from wrong
    if made_by.partition(".")[0] != __version__.partition(".")[0]:
        raise _stale([f"it was saved by version {made_by}, this is {__version__}"])
    return approved


def _intact(document: dict[str, Any]) -> dict[str, Any]:
    """What a saved plan says, once its checksum is seen to be right."""
    if document.pop("saved_plan") != SAVED_VERSION or document.pop("sha256") != _checksum(document):
        raise ValueError("it has another version or checksum")
    return document


def _checksum(facts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def check_fresh(approved: Approved, ends: Ends, now: Checked | None) -> None:
    """Refuse a saved plan that is no longer what was reviewed: another org, a changed schema, or (`now`) a changed plan file."""
    pairs = [(approved.target, approved.target_org_id, ends.target)]
    if ends.source is not None:
        pairs.append((approved.source, approved.source_org_id, ends.source))
    wrong = [
        f"it was checked against org {expected}, and alias {alias} is org {actual}"
        for alias, expected, org in pairs
        if (actual := org.identity().organization_id) != expected
    ]
    if wrong:
        raise _stale(wrong)
    if now is not None and now.plan.digest != approved.plan_digest:
        if now.schedule is None:
            raise PlanInvalid(now.diagnostics)
        found = [str(one) for one in compare(approved.schedule, now.schedule)]
        raise _stale(found or ["the plan file differs in what no step shows"])
    watch = SchemaWatch(approved.identity, ends.source, ends.target)
    for step in approved.schedule.steps:
        watch.check(step)


def _stale(found: list[str]) -> MigratorError:
    return MigratorError(
        "plan-stale",
        f"the saved plan is out of date: {listed(found)}",
        hint="save it again with `migrator plan PLAN --out FILE`, and have it reviewed again",
        exit_code=ExitCode.REFUSED,
    )


# -- a plan that changed under a run


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a changed plan would change in a run. `refused`: of these, what began already."""

    differences: tuple[Difference, ...]
    refused: tuple[Difference, ...]
    row: RunRow

    @property
    def semantic(self) -> tuple[Difference, ...]:
        """The differences that are not only about how."""
        return tuple(one for one in self.differences if not one.operational)


def plan_change(state: LedgerState, approved: Approved) -> PlanChange:
    """What the plan as it is now would change in the run."""
    before = parse_schedule(state.run.schedule_json)
    started = frozenset(name for name, row in state.steps.items() if row.phase is not StepPhase.PENDING)
    found = compare(before, approved.schedule)
    refused = tuple(one for one in found if not one.operational and one.step in started)
    row = replace(
        state.run,
        plan_digest=approved.plan_digest,
        schedule_json=dump_schedule(merged(before, approved.schedule, started)),
        identity_json=approved.identity.dump(),
    )
    return PlanChange(found, refused, row)


def judged(change: PlanChange, *, accept: bool) -> Event:
    """The event that records the change. Raises MigratorError `plan-changed` for one that may not go through."""
    if change.refused:
        raise _changed(
            change.refused,
            "of what has begun already",
            "restore the plan file and resume, or begin a new run with `migrator run`",
        )
    if change.semantic and not accept:
        raise _changed(
            change.semantic,
            "of what has not begun yet",
            "resume with --accept-plan-change if it is meant, or restore the plan file",
        )
    digest = hashlib.sha256("\n".join(str(one) for one in change.differences).encode()).hexdigest()
    facts: dict[str, str | int | float | bool | None] = {
        "digest": change.row.plan_digest,
        "semantic": len(change.semantic),
        "operational": len(change.differences) - len(change.semantic),
        "steps": ", ".join(sorted({one.step for one in change.differences})),
        "differences_sha256": digest,
    }
    return ("plan-change-accepted" if change.semantic else "plan-settings-changed", facts)


def same_ends(plan: Plan, source: str, target: str) -> None:
    """Refuse a plan file that names other ends than it did."""
    now = (source_of(plan), plan.target.org)
    if now != (source, target):
        found = (
            Difference("plan", name, before, after)
            for name, before, after in zip(("source", "target"), (source, target), now, strict=True)
            if before != after
        )
        raise _changed(
            tuple(found), "that never change", "restore the plan file, or begin a new run with `migrator run`"
        )


def lock_differs(found: tuple[Difference, ...], where: str) -> MigratorError:
    """A plan that is not the one that its lock was made of."""
    return MigratorError(
        "plan-changed",
        f"the plan is not the one that {where} was made of: {listed([str(one) for one in found])}",
        hint="make the lock anew with `migrator plan PLAN --lock` and review it, or run with --accept-plan-change",
        exit_code=ExitCode.REFUSED,
    )


def _changed(found: tuple[Difference, ...], of_what: str, hint: str) -> MigratorError:
    return MigratorError(
        "plan-changed",
        f"the plan file has changed since the run began, in {len(found)} fields {of_what}: "
        + listed([str(one) for one in found]),
        hint=hint,
        exit_code=ExitCode.REFUSED,
    )
