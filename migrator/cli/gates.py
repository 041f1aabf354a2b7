"""`migrator gates`: what a run changed in its target before it sent anything, and putting it back."""

from pathlib import Path

import click

from migrator.audit import peek
from migrator.cli import options
from migrator.cli.console import gates_json, print_gates
from migrator.cli.driving import TakenUp, take_up
from migrator.errors import ExitCode
from migrator.executor import Goal


@click.group()
def gates() -> None:
    """Show the gates of a run, and put back what they changed in the target.

    \b
    Examples:
      migrator gates show
      migrator gates close
    """


@gates.command()
@options.run_argument
@options.state_dir
@options.as_json
def show(run_name: str, state_dir: Path, as_json: bool) -> int:
    """Show the gates of RUN (the newest, when none is named) and how each stands."""
    folder = options.find_run(state_dir, run_name)
    summary = peek(folder)
    if as_json:
        options.print_json({"run": summary.run.run_id, "gates": gates_json(summary)})
        return ExitCode.OK
    click.echo(f"run {summary.run.run_id}: {len(summary.gates)} gates, {len(summary.held_gates)} to put back")
    print_gates(summary)
    return ExitCode.OK


@gates.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@options.confirmations
@options.as_json
def close(run_name: str, orgs_path: Path, state_dir: Path, confirmed: tuple[str, ...], as_json: bool) -> int:
    """Put back what the gates of RUN changed, without sending anything else.

    For a run that will not be resumed, or not soon. A later `migrator resume` passes the gates again.
    """
    taken = TakenUp(Goal.RESTORE, run_name, orgs_path, state_dir, confirmed=confirmed)
    return take_up(taken, workers=1, memory=64, as_json=as_json)
