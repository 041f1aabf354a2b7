"""The report for programs; `schemas/report.schema.json` says what may be relied on."""

from typing import Any

from migrator.model.lockreport import lock_values
from migrator.model.summary import Again, GateSummary, StepSummary, VerificationSummary
from migrator.report.clean import moment
from migrator.report.facts import OUTCOMES, Facts, kind_of, seconds_of

#: raised when a key changes its meaning or goes away; new keys may come at any time
FORMAT = 1


def as_json(facts: Facts) -> dict[str, Any]:
    """The report as JSON values."""
    schedule = facts.summary.schedule
    return {
        "format": FORMAT,
        "made": moment(facts.made),
        "verdict": {"code": facts.verdict.value, "headline": facts.headline, "detail": facts.detail},
        "run": _run(facts),
        "totals": {
            "rows": facts.rows,
            "outcomes": {one.value: facts.totals[one] for one in OUTCOMES},
        },
        "steps": [_step(facts, one) for one in facts.summary.steps],
        "verification": [_verification(one) for one in facts.verification],
        "second_run": [_second_run(one) for one in facts.summary.repeated],
        "locks": [lock_values(one) for one in facts.summary.locked],
        "gates": [_gate(one) for one in facts.gates],
        "schedule": {
            "steps": [{"step": one.id, "object": one.object_name} for one in schedule.steps],
            "edges": [
                {"before": one.before, "after": one.after, "reason": one.reason} for one in schedule.edges
            ],
            "decisions": list(schedule.decisions),
        },
        "files": [
            {"step": one.step, "object": one.object_name, "path": one.path, "rows": one.rows}
            for one in facts.files
        ],
    }


def _run(facts: Facts) -> dict[str, Any]:
    run = facts.summary.run
    return {
        "id": run.run_id,
        "status": run.status.value,
        "plan": run.plan_name,
        "plan_digest": run.plan_digest,
        "tool_version": run.tool_version,
        "api_version": run.api_version,
        "source": {"name": run.source, "organization_id": run.source_org_id or None},
        "target": {
            "name": run.target,
            "organization_id": run.target_org_id,
            "user_id": run.target_user_id,
        },
        "started": moment(run.started),
        "finished": moment(run.finished) or None,
        "seconds": facts.seconds,
    }


def _step(facts: Facts, step: StepSummary) -> dict[str, Any]:
    return {
        "step": step.step,
        "kind": kind_of(facts.summary, step).value,
        "object": step.object_name,
        "sobject": step.sobject,
        "operation": step.operation,
        "lane": step.lane,
        "guarantee": step.guarantee,
        "phase": step.phase.value,
        "rows": step.total,
        "outcomes": {one.value: step.tallies.get(one, 0) for one in OUTCOMES},
        "waiting": step.waiting,
        "balanced": step.balanced,
        "faults": dict(step.faults),
        "fault_fields": {code: dict(found) for code, found in step.fault_fields.items()},
        "jobs": step.jobs,
        "rounds": step.rounds,
        "notes": list(step.notes),
        "started": moment(step.started) or None,
        "finished": moment(step.finished) or None,
        "seconds": seconds_of(step),
    }


def _gate(one: GateSummary) -> dict[str, Any]:
    return {
        "step": one.step,
        "what": one.what,
        "state": one.state,
        "to_put_back": one.held,
        "since": moment(one.since) or None,
        "note": one.note,
    }


def _second_run(one: StepSummary) -> dict[str, Any]:
    counts = one.again or {}
    return {
        "step": one.step,
        "object": one.object_name,
        **{each.value: counts.get(each, 0) for each in Again},
        "report": one.again_report.path if one.again_report else None,
    }


def _verification(one: VerificationSummary) -> dict[str, Any]:
    return {
        "step": one.step,
        "object": one.object_name,
        "sobject": one.sobject,
        "done": one.done,
        "rows": one.rows,
        "compared": one.compared,
        "missing": one.missing,
        "duplicated": one.duplicated,
        "duplicate_keys": one.duplicate_keys,
        "extra": one.extra,
        "orphaned": dict(one.orphaned),
        "differing": dict(one.differing),
        "without_success": one.unsuccessful,
        "verdict": one.verdict or None,
        "notes": list(one.notes),
        "report": one.report.path if one.report else None,
    }
