"""A plan that changed under a run.

**Invariant:** what has begun never changes; what may change is named, and recorded in the run's log.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from migrator.clock import Clock
from migrator.model.run import Facts, LedgerState, NewEvent, RunRow, StepPhase
from migrator.model.schedule_text import dump_schedule, parse_schedule
from migrator.review.approved import Approved
from migrator.review.ends import Ends, check
from migrator.review.fingerprint import Difference, compare, merged
from migrator.review.identity import parse_identity
from migrator.review.reread import plan_changed, refuse_errors, reread, same_ends
from migrator.state import open_ledger


def follow_plan(
    row: RunRow, folder: Path, ends: Ends, clock: Clock, *, accept: bool
) -> tuple[Difference, ...]:
    """Hold a run to its plan file as it is now: what differs, once it is recorded in the run's log.

    Raises MigratorError `plan-changed` naming every difference that does not go through, PlanInvalid when the file has errors.
    """
    path = Path(row.plan_path)
    if not row.identity_json:
        return ()
    variables = parse_identity(row.identity_json).variables
    plan = reread(path, variables, row.plan_digest)
    if plan is None:
        return ()
    same_ends(plan, row.source, row.target)
    checked = check(plan, ends)
    refuse_errors(checked.diagnostics, path)
    approved = Approved.of(checked, variables, row.api_version)
    with open_ledger(folder, clock) as ledger:
        change = _plan_change(ledger.state(), approved)
        ledger.commit([change.row], [_judged(change, accept=accept)])
    return change.differences


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


def _plan_change(state: LedgerState, approved: Approved) -> PlanChange:
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


def _judged(change: PlanChange, *, accept: bool) -> NewEvent:
    """The event that records the change. Raises MigratorError `plan-changed` for one that may not go through."""
    if change.refused:
        raise plan_changed(
            change.refused,
            "of what has begun already",
            "restore the plan file and resume, or begin a new run with `migrator run`",
        )
    if change.semantic and not accept:
        raise plan_changed(
            change.semantic,
            "of what has not begun yet",
            "resume with --accept-plan-change if it is meant, or restore the plan file",
        )
    digest = hashlib.sha256("\n".join(str(one) for one in change.differences).encode()).hexdigest()
    facts: Facts = {
        "digest": change.row.plan_digest,
        "semantic": len(change.semantic),
        "operational": len(change.differences) - len(change.semantic),
        "steps": ", ".join(sorted({one.step for one in change.differences})),
        "differences_sha256": digest,
    }
    return ("plan-change-accepted" if change.semantic else "plan-settings-changed", facts)
