"""`migrator rescue`: a new ledger for a run whose own is damaged."""

from pathlib import Path

import click

from migrator.cli import options
from migrator.cli.driving import who
from migrator.cli.orgs import Orgs
from migrator.cli.text import plain
from migrator.clock import SystemClock
from migrator.errors import ExitCode
from migrator.executor import mend
from migrator.state import Wreck

MEMORY = 192


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option(
    "--yes",
    is_flag=True,
    help="Put the new ledger in the place of the old one; without it nothing is changed.",
)
@options.as_json
def rescue(run_name: str, orgs_path: Path, state_dir: Path, *, yes: bool, as_json: bool) -> int:
    """Make the damaged ledger of RUN (the newest, when none is named) anew, from its files and from the org's own jobs.

    The old ledger is read only, and kept in the run folder. What jobs did is asked of the org, which remembers them for seven days; rows of which
    nothing tells are looked up in the target by the next resume, or quarantined. With --yes, jobs of the run that are open still are aborted.

    \b
    Examples:
      migrator rescue
      migrator rescue --yes
    """
    clock = SystemClock()
    with Wreck(options.find_run(state_dir, run_name), clock) as wreck:
        row = wreck.run
        orgs = Orgs(orgs_path, options.environment(), clock, api_version=row.api_version)
        with orgs.ends(row.source_alias, row.target) as ends:
            found = mend.rescue(wreck, ends, clock=clock, memory_mb=MEMORY, by=who(), apply=yes)
    if as_json:
        options.print_json(
            {
                "run": row.run_id,
                "written": yes,
                "damage": found.damage,
                "events": found.events,
                "slices": {"answered": found.answered, "pending": found.pending, "unknown": found.unknown},
                "doubtful_jobs": list(found.doubtful),
                "open_jobs": list(found.aborted),
                "notes": list(found.notes),
                "old_ledger": str(found.aside) if found.aside else None,
            }
        )
        return ExitCode.OK
    _tell(row.run_id, found, yes=yes)
    again = options.again(orgs_path, state_dir)
    click.echo(
        f"next: migrator resume {row.run_id}{again}" if yes else "nothing was changed: --yes makes it so"
    )
    return ExitCode.OK


def _tell(run_id: str, found: mend.Rescued, *, yes: bool) -> None:
    click.echo(f"run {run_id}: {plain(found.damage)}")
    click.echo(f"{found.events:,} events of its log are whole")
    click.echo(
        f"slices: {found.answered:,} whose answers are known, {found.pending:,} that were not processed, "
        f"{found.unknown:,} whose rows will be looked up in the target"
    )
    if found.aborted:
        click.echo(f"open jobs, {'aborted' if yes else 'to be aborted'}: {', '.join(found.aborted)}")
    if found.doubtful:
        click.echo(f"jobs whose rows are in no slice: {', '.join(found.doubtful)}")
    for note in found.notes:
        click.echo(plain(note))
    if found.aside is not None:
        click.echo(f"the old ledger is in {found.aside}")
