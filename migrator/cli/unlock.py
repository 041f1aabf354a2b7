"""`migrator unlock`: who holds a run, and taking it from a process that hangs."""

import sys
from pathlib import Path

import click

from migrator.cli import options
from migrator.cli.text import span
from migrator.clock import SystemClock
from migrator.errors import ExitCode
from migrator.state import Holder
from migrator.state import holder as holder_of
from migrator.state import unlock as take_from


@click.command()
@options.run_argument
@options.state_dir
@click.option("--force", is_flag=True, help="Take the run from the process that holds it.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@options.as_json
def unlock(run_name: str, state_dir: Path, force: bool, yes: bool, as_json: bool) -> int:
    """Show which process holds RUN (the newest, when none is named): holder, host, process, age, and the sObjects it writes.

    A process that died holds nothing. With --force the run is taken from one that hangs: whatever that process
    commits from then on is refused, and `migrator resume` goes on.

    \b
    Example:
      migrator unlock --force
    """
    folder = options.find_run(state_dir, run_name)
    found = holder_of(folder)
    age = max(0.0, SystemClock().now() - found.since) if found else 0.0
    if as_json and not force:
        options.print_json({"run": folder.name, "holder": _json(found, age)})
        return ExitCode.OK
    if found is None and not as_json:
        click.echo(f"run {folder.name}: nobody holds it")
    elif found is not None and not as_json:
        click.echo(f"run {folder.name}: held by process {found.pid} on {found.host} for {span(age)}")
        for scope in found.scopes:
            organization, _, sobject = scope.partition(":")
            click.echo(f"  writes {sobject} of org {organization}")
    taken = force and found is not None and (yes or _sure())
    if taken:
        take_from(folder)
    if as_json:
        options.print_json({"run": folder.name, "holder": _json(found, age), "taken": taken})
    elif taken:
        click.echo(f"taken; next: migrator resume {folder.name}{options.again(None, state_dir)}")
    return ExitCode.OK


def _sure() -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: say --yes to take the run")
    return click.confirm("Take it? That process will be refused at its next commit", default=False, err=True)


def _json(found: Holder | None, age: float) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "pid": found.pid,
        "host": found.host,
        "since": found.since,
        "age_seconds": round(age, 1),
        "writes": list(found.scopes),
    }
