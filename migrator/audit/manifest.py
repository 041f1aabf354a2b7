"""What was done, by whom, with what result, in one file that the run's log vouches for.

Each time a run has been driven, a manifest is published and its checksum written into the chain of events; the manifest names the event that it follows.
So neither can be changed without the other, and neither without breaking the chain.

**Invariant:** ids, codes, counts and names of people and machines only; never a record's value.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.data import Workspace
from migrator.errors import MigratorError
from migrator.model.run import Event, FileRef, LedgerState
from migrator.model.schedule import Schedule
from migrator.model.schedule_text import parse_schedule
from migrator.model.summary import summarize
from migrator.state import Ledger, read_audited

MANIFEST_VERSION = 1
WRITTEN = "manifest-written"
#: events that are somebody's decision
DECISIONS = frozenset(
    {
        "plan-file",
        "plan-change-accepted",
        "plan-settings-changed",
        "failures-accepted",
        "foreign-jobs-accepted",
        "user-changed",
        "unseen-accepted",
    }
    | {"gate-confirmed", "schema-differs-from-lock"}
)


def manifest(state: LedgerState, events: Sequence[Event], schedule: Schedule) -> dict[str, Any]:
    """The manifest of a run that stands like this after these events."""
    run = state.run
    summary = summarize(state, schedule)
    approved = next((one.facts for one in events if one.kind == "run-approved"), {})
    return {
        "manifest": MANIFEST_VERSION,
        "run": run.run_id,
        "plan": {"name": run.plan_name, "path": run.plan_path, "digest": run.plan_digest},
        "tool": {"began": run.tool_version, "api_version": run.api_version},
        "source": {
            "alias": run.source,
            "organization_id": run.source_org_id,
            "user_id": approved.get("source_user", ""),
        },
        "target": {"alias": run.target, "organization_id": run.target_org_id, "user_id": run.target_user_id},
        "started": run.started,
        "finished": run.finished,
        "status": run.status.value,
        "complete": summary.complete,
        "driven": [{"at": one.at, **one.facts} for one in events if one.kind == "driven"],
        "decisions": [
            {"at": one.at, "kind": one.kind, **one.facts} for one in events if one.kind in DECISIONS
        ],
        "steps": [
            {
                "step": one.step,
                "sobject": one.sobject,
                "operation": one.operation,
                "rows": one.total,
                "outcomes": {outcome.value: count for outcome, count in one.tallies.items()},
                "jobs": one.jobs,
            }
            for one in summary.steps
        ],
        "verified": summary.verified,
        "follows": {"event": events[-1].seq if events else 0, "hash": events[-1].hash if events else ""},
    }


def write_manifest(ledger: Ledger, workspace: Workspace, schedule: Schedule) -> None:
    """Publish the manifest of a run as it stands, and chain it to the log."""
    events = ledger.events()
    text = _text(manifest(ledger.state(), events, schedule))
    file = workspace.publish(f"manifest/{events[-1].seq if events else 0:08d}.json", [text.encode()], rows=0)
    ledger.commit([], [(WRITTEN, {"path": file.path, "sha256": file.sha256, "size": file.size})])


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class Audit:
    """A run whose log was seen to be whole. `manifest` is the text of the newest one, seen to be what was written; empty: there is none yet."""

    events: int
    head: str
    manifest: str
    sha256: str


def audit(folder: Path) -> Audit:
    """Check a run's log, its rows and its newest manifest against each other.

    Raises MigratorError `state-corrupt` naming what was changed.
    """
    state, events = read_audited(folder)
    head = events[-1].hash if events else ""
    last = next((one for one in reversed(events) if one.kind == WRITTEN), None)
    if last is None:
        return Audit(len(events), head, "", "")
    facts = last.facts
    file = FileRef(str(facts["path"]), str(facts["sha256"]), int(facts["size"] or 0), 0)
    text = Workspace(folder).verify(file).read_text(encoding="utf-8")
    if last is events[-1]:
        now = _text(manifest(state, events[:-1], parse_schedule(state.run.schedule_json)))
        if now != text:
            raise MigratorError(
                "state-corrupt",
                f"{file.path} of the run folder does not say what the ledger says",
                hint="keep the folder as it is; one of the two was changed",
            )
    return Audit(len(events), head, text, file.sha256)
