"""`migrator run`, `resume` and `verify`: the same executor, begun or taken up."""

from dataclasses import dataclass
from pathlib import Path

import click

from migrator.cli import options, reviewed
from migrator.cli.boundary import show
from migrator.cli.driving import TakenUp, Told, drive, driving, take_up, who
from migrator.cli.orgs import Orgs
from migrator.clock import Clock, SystemClock
from migrator.errors import PlanInvalid, has_errors
from migrator.executor import Goal, start
from migrator.model.plan import OrgEnd
from migrator.model.run import NewEvent
from migrator.review import Approved, Ends, check

_foreign_jobs = click.option(
    "--allow-foreign-jobs",
    "foreign",
    is_flag=True,
    help="Go on although the target has recent jobs of this user that no ledger here knows; goes into the log.",
)


_no_wait = click.option(
    "--no-wait",
    is_flag=True,
    help="Pause (exit code 75) where the org's allowance of requests, batches or records is spent, in place of waiting for it.",
)


@click.command()
@options.maybe_plan_argument
@options.variables
@options.orgs_file
@options.state_dir
@click.option(
    "--ledger",
    "ledger_url",
    default="",
    envvar="MIGRATOR_LEDGER",
    show_envvar=True,
    metavar="URL",
    help="Keep the ledger in PostgreSQL: postgresql://… without a password.",
)
@click.option(
    "--plan-file",
    "saved",
    type=click.Path(path_type=Path),
    help="Run exactly what `migrator plan --out` saved; PLAN is left out then.",
)
@reviewed.accept_option
@options.confirmations
@_foreign_jobs
@_no_wait
@driving
@options.as_json
def run(
    plan_file: Path | None,
    given: tuple[str, ...],
    vars_file: Path | None,
    orgs_path: Path,
    state_dir: Path,
    *,
    ledger_url: str,
    saved: Path | None,
    accept: bool,
    confirmed: tuple[str, ...],
    foreign: bool,
    no_wait: bool,
    workers: int,
    memory: int | None,
    as_json: bool,
) -> int:
    """Run PLAN: check it, then move every record until each has an outcome.

    Can be stopped at any instant, by Ctrl-C or by a power cut: `migrator resume` goes on. A plan with a lock beside it
    (`migrator plan --lock`) runs only as it was locked.

    \b
    Examples:
      migrator run plans/crm-cutover.yaml --var region=EMEA
      migrator run --plan-file reviewed.json
    """
    clock = SystemClock()
    told = Told(as_json, orgs_path, state_dir, confirmed=confirmed, foreign_jobs=foreign, wait=not no_wait)
    begin = _Beginning(clock, state_dir, ledger_url, workers, memory, told)
    if saved is not None:
        if plan_file is not None or given or vars_file is not None:
            raise click.UsageError("--plan-file runs what was saved: leave PLAN and variables out")
        approved = reviewed.read_saved(saved)
        orgs = Orgs(orgs_path, options.environment(), clock, api_version=approved.api_version)
        source = None if approved.source.startswith("files:") else approved.source
        with orgs.ends(source, approved.target) as ends:
            approved.check_fresh(ends)
            return begin.go(approved, ends, [("plan-file", {"name": saved.name})])
    if plan_file is None:
        raise click.UsageError("name a PLAN, or a saved one with --plan-file")
    loaded, found = options.read_plan(plan_file, given, vars_file)
    orgs = Orgs(orgs_path, options.environment(), clock)
    with orgs.ends(
        loaded.source.org if isinstance(loaded.source, OrgEnd) else None, loaded.target.org
    ) as ends:
        checked = check(loaded, ends)
        everything = [*found, *checked.diagnostics]
        if has_errors(everything):
            raise PlanInvalid(everything)
        approved = Approved.of(checked, options.chosen(given, vars_file), ends.target.api_version)
        events = reviewed.held_to_lock(plan_file, checked, approved, accept=accept)
        if not as_json:
            show(everything)
        return begin.go(approved, ends, events)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """How a new run begins and is driven."""

    clock: Clock
    state_dir: Path
    ledger_url: str
    workers: int
    memory: int | None
    told: Told

    def go(self, approved: Approved, ends: Ends, events: list[NewEvent]) -> int:
        """Make the run and drive it to its end; the exit code."""
        run_id = options.new_run_id(approved.plan_name, self.clock)
        folder = self.state_dir / run_id
        start(approved, folder, run_id=run_id, clock=self.clock, ledger_url=self.ledger_url, events=events)
        if not self.told.as_json:
            click.echo(f"run {run_id}")
        return drive(
            folder, ends, self.clock, Goal.LOAD, workers=self.workers, memory=self.memory, told=self.told
        )


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option(
    "--accept-failures",
    is_flag=True,
    help="Send the rest although the error budget is exceeded; budgets count anew from here. Goes into the log with your name.",
)
@click.option(
    "--accept-user",
    is_flag=True,
    help="Go on although an alias signs in as another user than the run began as; goes into the log with your name.",
)
@click.option(
    "--accept-unseen",
    is_flag=True,
    help="Go on although none of the records that the run created can be seen, because somebody has seen them there; goes into the log with your name.",
)
@reviewed.accept_option
@options.confirmations
@_foreign_jobs
@_no_wait
@driving
@options.as_json
def resume(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    *,
    accept_failures: bool,
    accept_user: bool,
    accept_unseen: bool,
    accept: bool,
    confirmed: tuple[str, ...],
    foreign: bool,
    no_wait: bool,
    workers: int,
    memory: int | None,
    as_json: bool,
) -> int:
    """Go on with RUN (the newest, when none is named) from what its ledger holds.

    Neither loses nor doubles a record, whatever ended the run before and however often. A plan file that has changed is held
    against the run: what has begun stays as it was.

    \b
    Example:
      migrator resume
    """
    taken = TakenUp(
        Goal.LOAD,
        run_name,
        orgs_path,
        state_dir,
        who() if accept_failures else "",
        accept_plan=accept,
        confirmed=confirmed,
        foreign_jobs=foreign,
        accept_user=accept_user,
        accept_unseen=accept_unseen,
        wait=not no_wait,
    )
    return take_up(taken, workers=workers, memory=memory, as_json=as_json)


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option(
    "--twice",
    is_flag=True,
    help="Work out as well what a second run of the plan would do now, and show that it would create nothing; nothing is sent.",
)
@driving
@options.as_json
def verify(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    *,
    twice: bool,
    workers: int,
    memory: int | None,
    as_json: bool,
) -> int:
    """Read the target of RUN back and compare counts and field values with what was sent.

    Ends with exit code 1 when a record is missing, doubled, orphaned or differs, when rows of the run failed or were blocked, and when a second run (--twice) would create records.

    \b
    Examples:
      migrator verify
      migrator verify --twice
    """
    taken = TakenUp(Goal.VERIFY, run_name, orgs_path, state_dir, twice=twice)
    return take_up(taken, workers=workers, memory=memory, as_json=as_json)
