"""What was reviewed is what runs: locks beside plans, saved plans, and plans that changed under a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from migrator.clock import Clock
from migrator.errors import Diagnostic, MigratorError, PlanInvalid, has_errors
from migrator.executor import (
    Approved,
    Checked,
    Ends,
    approve,
    change_plan,
    check,
    check_fresh,
    check_lock,
    load,
    lock_differs,
    lock_text,
    parse_identity,
    parse_saved,
    same_ends,
    saved_text,
)
from migrator.model.plan import Plan
from migrator.model.run import RunRow

Event = tuple[str, Mapping[str, str | int | float | bool | None]]

accept_option = click.option(
    "--accept-plan-change",
    "accept",
    is_flag=True,
    help="Go on although the plan has changed; the difference goes into the run's log.",
)


def lock_path(plan_file: Path) -> Path:
    """Where the lock of a plan is: beside it."""
    return plan_file.with_suffix(".lock")


def write_lock(plan_file: Path, checked: Checked, approved: Approved) -> Path:
    """Write the lock beside the plan."""
    path = lock_path(plan_file)
    _write(path, lock_text(checked.plan, approved.schedule, approved.identity))
    return path


def write_saved(path: Path, approved: Approved) -> None:
    """Save the plan as it was checked, to be run as it is."""
    _write(path, saved_text(approved))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise MigratorError(
            "output-not-written",
            f"{path} cannot be written ({type(fault).__name__})",
            hint="name another file",
        ) from fault


def held_to_lock(plan_file: Path, checked: Checked, approved: Approved, *, accept: bool) -> list[Event]:
    """Refuse a plan that is not the one its lock was made of; what is allowed to differ is recorded.

    Nothing, when the plan has no lock.
    """
    path = lock_path(plan_file)
    if not path.exists():
        return []
    text = _read(path, "lock-unreadable")
    found = check_lock(text, str(path), checked.plan, approved.schedule, approved.identity)
    semantic = tuple(one for one in found.differences if not one.operational)
    if semantic and not accept:
        raise lock_differs(semantic, str(path))
    events: list[Event] = []
    if found.differences:
        kind = "plan-change-accepted" if semantic else "plan-settings-changed"
        steps = ", ".join(sorted({one.step for one in found.differences}))
        events.append((kind, {"against": "lock", "semantic": len(semantic), "steps": steps}))
    if found.schema:
        events.append(
            ("schema-differs-from-lock", {"fields": ", ".join(found.schema[:20]), "count": len(found.schema)})
        )
        click.echo(
            f"the orgs' schema is not as it was when the plan was locked: {', '.join(found.schema[:20])}",
            err=True,
        )
    return events


def read_saved(path: Path) -> Approved:
    """A saved plan."""
    return parse_saved(_read(path, "saved-plan-unreadable"), str(path))


def _read(path: Path, code: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise MigratorError(
            code, f"{path} cannot be read ({type(fault).__name__})", hint="name the right file"
        ) from fault


def still_fresh(approved: Approved, ends: Ends) -> None:
    """Refuse a saved plan whose orgs or plan file are no longer what was reviewed."""
    plan = _changed_plan(Path(approved.plan_path), approved.identity.variables, approved.plan_digest)
    if plan is not None:
        same_ends(plan, approved.source, approved.target)
    check_fresh(approved, ends, check(plan, ends) if plan is not None else None)


def follow_plan(row: RunRow, folder: Path, ends: Ends, clock: Clock, *, accept: bool) -> None:
    """Hold a run to its plan file as it is now: refuse what may not change, record what may."""
    path = Path(row.plan_path)
    if not row.identity_json or not path.exists():
        return
    variables = parse_identity(row.identity_json).variables
    plan = _changed_plan(path, variables, row.plan_digest)
    if plan is None:
        return
    same_ends(plan, row.source, row.target)
    checked = check(plan, ends)
    _refuse_errors(checked.diagnostics, path)
    change = change_plan(folder, clock, approve(checked, variables, row.api_version), accept=accept)
    for one in change.differences:
        click.echo(f"plan changed: {one}", err=True)


def _changed_plan(path: Path, variables: Mapping[str, str], digest: str) -> Plan | None:
    """The plan in the file when it means something else than it did; None: it does not, or it is gone."""
    if not path.exists():
        return None
    plan, found = load(path, dict(variables))
    _refuse_errors(found, path)
    return None if plan is None or plan.digest == digest else plan


def _refuse_errors(found: Sequence[Diagnostic], path: Path) -> None:
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
