"""What was reviewed is what runs: locks beside plans, saved plans, and plans that changed under a run."""

from pathlib import Path

import click

from migrator.clock import Clock
from migrator.errors import MigratorError
from migrator.model.run import NewEvent, RunRow
from migrator.review import Approved, Checked, Ends, follow_plan

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
    _write(path, approved.lock(checked.plan))
    return path


def write_saved(path: Path, approved: Approved) -> None:
    """Save the plan as it was checked, to be run as it is."""
    _write(path, approved.dump())


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise MigratorError(
            "output-not-written",
            f"{path} cannot be written ({type(fault).__name__})",
            hint="name another file",
        ) from fault


def held_to_lock(plan_file: Path, checked: Checked, approved: Approved, *, accept: bool) -> list[NewEvent]:
    """Refuse a plan that is not the one its lock was made of; what is allowed to differ is for the run's log.

    Nothing, when the plan has no lock.
    """
    path = lock_path(plan_file)
    if not path.exists():
        return []
    text = _read(path, "lock-unreadable")
    found = approved.check_lock(text, str(path), checked.plan, accept=accept)
    if found.schema:
        click.echo(
            f"the orgs' schema is not as it was when the plan was locked: {', '.join(found.schema[:20])}",
            err=True,
        )
    return [*found.events()]


def read_saved(path: Path) -> Approved:
    """A saved plan."""
    return Approved.parse(_read(path, "saved-plan-unreadable"), str(path))


def _read(path: Path, code: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise MigratorError(
            code, f"{path} cannot be read ({type(fault).__name__})", hint="name the right file"
        ) from fault


def follow(row: RunRow, folder: Path, ends: Ends, clock: Clock, *, accept: bool) -> None:
    """Hold a run to its plan file as it is now, and tell what has changed."""
    for one in follow_plan(row, folder, ends, clock, accept=accept):
        click.echo(f"plan changed: {one}", err=True)
