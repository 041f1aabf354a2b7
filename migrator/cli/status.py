"""`migrator status`: how a run stands, from its ledger, and from its files which fields faults are about."""

from pathlib import Path

import click

from migrator.audit import peek
from migrator.cli import options
from migrator.cli.console import print_outcomes, print_verification, summary_json
from migrator.cli.explained import explained
from migrator.errors import ExitCode
from migrator.model.run import RunStatus
from migrator.state import holder


@click.command()
@options.run_argument
@options.state_dir
@options.as_json
def status(run_name: str, state_dir: Path, as_json: bool) -> int:
    """Show how RUN (the newest, when none is named) stands; also while another process is driving it.

    \b
    Example:
      migrator status --json
    """
    folder = options.find_run(state_dir, run_name)
    summary = explained(folder, peek(folder))
    if as_json:
        options.print_json(summary_json(summary, ExitCode.OK))
        return ExitCode.OK
    held = holder(folder)
    state = summary.run.status.value
    if summary.run.status is RunStatus.RUNNING:
        state = f"running (process {held.pid} on {held.host})" if held else "interrupted; resume goes on"
    click.echo(f"run {summary.run.run_id}: {state}")
    print_outcomes(summary)
    if any(one.done for one in summary.verification):
        print_verification(summary)
    return ExitCode.OK
