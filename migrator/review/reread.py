"""The plan file as it is now, beside what was approved of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from migrator.errors import Diagnostic, ExitCode, MigratorError, PlanInvalid, has_errors
from migrator.model.plan import OrgEnd, Plan
from migrator.review.ends import load
from migrator.review.fingerprint import Difference
from migrator.review.schema_watch import listed


def reread(path: Path, variables: Mapping[str, str], digest: str) -> Plan | None:
    """The plan in the file when it means something else than it did; None: it does not, or it is gone. Raises PlanInvalid."""
    if not path.exists():
        return None
    plan, found = load(path, dict(variables))
    refuse_errors(found, path)
    return None if plan is None or plan.digest == digest else plan


def refuse_errors(found: Sequence[Diagnostic], path: Path) -> None:
    """Raises PlanInvalid when a plan that was approved has errors now."""
    if has_errors(found):
        raise PlanInvalid(
            [
                *found,
                MigratorError(
                    "plan-changed",
                    f"{path} has changed since it was approved, and has errors now",
                    hint="restore the plan file",
                ).diagnostic,
            ]
        )


def source_of(plan: Plan) -> str:
    """How a run's row names the source."""
    return plan.source.org if isinstance(plan.source, OrgEnd) else f"files:{plan.source.files}"


def same_ends(plan: Plan, source: str, target: str) -> None:
    """Refuse a plan file that names other ends than it did."""
    now = (source_of(plan), plan.target.org)
    if now != (source, target):
        found = (
            Difference("plan", name, before, after)
            for name, before, after in zip(("source", "target"), (source, target), now, strict=True)
            if before != after
        )
        raise plan_changed(
            tuple(found), "that never change", "restore the plan file, or begin a new run with `migrator run`"
        )


def plan_changed(found: tuple[Difference, ...], of_what: str, hint: str) -> MigratorError:
    """A plan file that differs from what a run began with, in what may not differ."""
    return MigratorError(
        "plan-changed",
        f"the plan file has changed since the run began, in {len(found)} fields {of_what}: "
        + listed([str(one) for one in found]),
        hint=hint,
        exit_code=ExitCode.REFUSED,
    )
