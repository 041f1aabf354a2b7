"""`migrator resolve`: a person's word on quarantined rows."""

from pathlib import Path

import click

from migrator.audit import peek
from migrator.cli import options
from migrator.cli.driving import who
from migrator.clock import SystemClock
from migrator.errors import ExitCode
from migrator.executor import mend
from migrator.model.run import Outcome

MEMORY = 192


@click.command()
@options.run_argument
@options.state_dir
@click.option(
    "--assign",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The run's quarantine/…-rows.csv with its column target_id filled in.",
)
@click.option("--yes", is_flag=True, help="Write the decision down; without it the file is only checked.")
@options.as_json
def resolve(run_name: str, state_dir: Path, path: Path, yes: bool, as_json: bool) -> int:
    """Settle quarantined rows of RUN (the newest, when none is named).

    Fill the column target_id: the id of the record that is the row's, or the word none where the target has no such record; such
    a row is sent again by the next resume. What is left empty stays quarantined. Goes into the log with your name.

    \b
    Example:
      migrator resolve --assign rows.csv --yes
    """
    folder = options.find_run(state_dir, run_name)
    found = mend.resolve_rows(folder, path, by=who(), apply=yes, clock=SystemClock(), memory_mb=MEMORY)
    if as_json:
        counts = {"assigned": found.assigned, "absent": found.absent, "left": found.left}
        options.print_json({"run": folder.name, "written": yes, **counts})
        return ExitCode.OK
    click.echo(
        f"{found.assigned:,} rows have a record, {found.absent:,} have none and are sent again, {found.left:,} stay quarantined"
    )
    if yes:
        # what looks these records up was blocked for them, and waits for somebody to say that it may go on
        blocked = any(one.tallies.get(Outcome.BLOCKED) for one in peek(folder).steps)
        command = "retry" if blocked else "resume"
        click.echo(f"next: migrator {command} {folder.name}{options.again(None, state_dir)}")
    else:
        click.echo("nothing was written: --yes makes it so")
    return ExitCode.OK
