"""`migrator undo`: what a run left is taken back, by a run of its own."""

import sys
from pathlib import Path

import click

from migrator.audit import peek
from migrator.cli import options
from migrator.cli.driving import Told, drive, driving, who
from migrator.cli.orgs import Orgs
from migrator.clock import SystemClock
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, Undo


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option("--restore-updates", is_flag=True, help="Put back the values that the run overwrote.")
@click.option("--changed-too", is_flag=True, help="Take back also what somebody changed after the run.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@driving
@options.as_json
def undo(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    *,
    restore_updates: bool,
    changed_too: bool,
    yes: bool,
    workers: int,
    memory: int | None,
    as_json: bool,
) -> int:
    """Delete what RUN (the newest, when none is named) created, in reverse order, into the recycle bin.

    Records that were changed since stay, and so do those that they look up. Updated records are listed; with
    --restore-updates their former values are put back. It is a run of its own: `migrator resume` goes on with it.

    \b
    Example:
      migrator undo --restore-updates
    """
    clock = SystemClock()
    folder = options.find_run(state_dir, run_name)
    taken_back = Undo(folder)
    summary = peek(folder)
    _ask(
        summary.run.run_id,
        summary.run.target,
        taken_back,
        restore_updates=restore_updates,
        yes=yes,
        quiet=as_json,
    )
    run_id = options.new_run_id(f"undo-{summary.run.plan_name}", clock)
    into = state_dir / run_id
    orgs = Orgs(orgs_path, options.environment(), clock, api_version=summary.run.api_version)
    with orgs.ends(None, summary.run.target) as ends:
        lacking = taken_back.begin(
            into,
            run_id=run_id,
            clock=clock,
            memory_mb=memory,
            restore_updates=restore_updates,
            changed_too=changed_too,
            by=who(),
            user=ends.target.identity().user_id,
            organization=ends.target.identity().organization_id,
        )
        if lacking and not as_json:
            click.echo(
                f"{lacking:,} records count as updated and were not there before; who created them cannot be told, and they stay",
                err=True,
            )
        if not as_json:
            click.echo(f"run {run_id}")
        told = Told(as_json, orgs_path, state_dir)
        return drive(into, ends, clock, Goal.LOAD, workers=workers, memory=memory, told=told)


def _ask(
    run_id: str, target: str, taken_back: Undo, *, restore_updates: bool, yes: bool, quiet: bool
) -> None:
    """Show what will be done, and go on only if somebody wants it."""
    if not quiet:
        click.echo(f"undo of {run_id} in {target}:")
        for one in taken_back.left:
            if one.created:
                click.echo(f"  {one.object_name}: {one.created:,} created records are deleted")
            if one.updated:
                click.echo(
                    f"  {one.object_name}: {one.updated:,} updated records {_fate(before_images=one.before_images, restore_updates=restore_updates)}"
                )
            if one.quarantined:
                what = "quarantined rows may have records, which stay: `migrator resolve` settles them, and only before an undo"
                click.echo(f"  {one.object_name}: {one.quarantined:,} {what}")
            if one.deleted:
                place = "are gone for good" if one.for_good else "stay in the recycle bin, if anywhere"
                click.echo(f"  {one.object_name}: {one.deleted:,} deleted records {place}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise MigratorError(
            "not-confirmed",
            "an undo deletes records, and nobody is there to confirm it",
            hint="give --yes",
            exit_code=ExitCode.USAGE,
        )
    if not click.confirm("go on?", err=True):
        raise MigratorError("not-confirmed", "nothing was done", exit_code=ExitCode.USAGE)


def _fate(*, before_images: bool, restore_updates: bool) -> str:
    if not before_images:
        return "stay as they are: their former values were not kept"
    return "get their former values back" if restore_updates else "stay as they are (--restore-updates)"
