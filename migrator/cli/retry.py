"""`migrator retry`: rows that failed or were blocked get another chance, in the same run."""

from pathlib import Path

import click

from migrator.cli import options
from migrator.cli.driving import TakenUp, driving, take_up, who
from migrator.clock import SystemClock
from migrator.executor import Goal, begin_retry
from migrator.review import Ends


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option(
    "--reread/--no-reread",
    default=True,
    show_default=True,
    help="Read the source of these objects again, because it may have been mended.",
)
@click.option(
    "--changed-too", is_flag=True, help="Of an undo: take back also what somebody changed after the run."
)
@driving
@options.as_json
def retry(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    *,
    reread: bool,
    changed_too: bool,
    workers: int,
    memory: int | None,
    as_json: bool,
) -> int:
    """Send only the failed and blocked rows of RUN (the newest, when none is named) again.

    For after a fix in the data, the plan's orgs or their settings. Rows that are in the target are not touched, and quarantined
    ones neither. What a stopped run has not sent yet is sent as well, and its budgets count anew. Each row still ends in exactly one outcome, its latest. When RUN is an undo, it looks anew at what it left alone.

    \b
    Example:
      migrator retry
    """
    folder = options.find_run(state_dir, run_name)

    def begin(ends: Ends) -> None:
        ends.target.identity()  # whether the org lets us in is known before an outcome is taken back
        rows = begin_retry(
            folder, reread=reread, by=who(), clock=SystemClock(), memory_mb=memory, changed_too=changed_too
        )
        if not as_json:
            click.echo(f"{rows:,} rows get another chance")

    taken = TakenUp(Goal.LOAD, folder.name, orgs_path, state_dir)
    return take_up(taken, workers=workers, memory=memory, as_json=as_json, begin=begin)
