"""`migrator run`, `resume` and `verify`: the same executor, begun or taken up."""

import getpass
import secrets
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from migrator.audit import peek
from migrator.cli import options, reviewed
from migrator.cli.boundary import show
from migrator.cli.console import make_console, print_gates, print_outcomes, print_verification, summary_json
from migrator.cli.failpoint import make_fuse
from migrator.cli.orgs import Orgs
from migrator.cli.signals import catch_signals
from migrator.clock import Clock, SystemClock
from migrator.errors import ExitCode, PlanInvalid, has_errors
from migrator.executor import Drive, Goal, Policy, Result, start
from migrator.model.plan import OrgEnd
from migrator.model.run import NewEvent
from migrator.review import Approved, Ends, check

DEFAULT_WORKERS = 4
#: MB that DuckDB may use; the client's peak is this and about 150 MB more
DEFAULT_MEMORY = 192


def driving(command: options.Decorated) -> options.Decorated:
    """--workers and --memory."""
    command = click.option(
        "--memory",
        type=click.IntRange(64, 65_536),
        default=DEFAULT_MEMORY,
        show_default=True,
        metavar="MB",
        help="Memory of the data plane.",
    )(command)
    return click.option(
        "--workers",
        type=click.IntRange(1, 32),
        default=DEFAULT_WORKERS,
        show_default=True,
        help="Requests and data-plane jobs at once.",
    )(command)


_foreign_jobs = click.option(
    "--allow-foreign-jobs",
    "foreign",
    is_flag=True,
    help="Go on although the target has recent jobs of this user that no ledger here knows; goes into the log.",
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
    workers: int,
    memory: int,
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
    told = Told(as_json, orgs_path, state_dir, confirmed=confirmed, foreign_jobs=foreign)
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
    memory: int
    told: "Told"

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
@reviewed.accept_option
@options.confirmations
@_foreign_jobs
@driving
@options.as_json
def resume(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    *,
    accept_failures: bool,
    accept: bool,
    confirmed: tuple[str, ...],
    foreign: bool,
    workers: int,
    memory: int,
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
    )
    return take_up(taken, workers=workers, memory=memory, as_json=as_json)


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@driving
@options.as_json
def verify(run_name: str, orgs_path: Path, state_dir: Path, workers: int, memory: int, as_json: bool) -> int:
    """Read the target of RUN back and compare counts and field values with what was sent.

    Ends with exit code 1 when a record is missing, doubled or differs.

    \b
    Example:
      migrator verify
    """
    taken = TakenUp(Goal.VERIFY, run_name, orgs_path, state_dir)
    return take_up(taken, workers=workers, memory=memory, as_json=as_json)


@dataclass(frozen=True, slots=True)
class TakenUp:
    """Which run is taken up, to which goal; who accepted what failed before (empty: nobody), and which gates are confirmed."""

    goal: Goal
    run_name: str
    orgs_path: Path
    state_dir: Path
    accepted_by: str = ""
    accept_plan: bool = False
    confirmed: tuple[str, ...] = ()
    foreign_jobs: bool = False


def take_up(taken: TakenUp, *, workers: int, memory: int, as_json: bool) -> int:
    """Drive a run that exists to the goal, and tell how it ended."""
    clock = SystemClock()
    folder = options.find_run(taken.state_dir, taken.run_name)
    row = peek(folder).run
    source = row.source_alias
    orgs = Orgs(taken.orgs_path, options.environment(), clock, api_version=row.api_version)
    with orgs.ends(source, row.target) as ends:
        if not as_json:
            click.echo(f"run {row.run_id}")
        if taken.goal is Goal.LOAD:
            reviewed.follow(row, folder, ends, clock, accept=taken.accept_plan)
        told = Told(
            as_json, taken.orgs_path, taken.state_dir, taken.accepted_by, taken.confirmed, taken.foreign_jobs
        )
        return drive(folder, ends, clock, taken.goal, workers=workers, memory=memory, told=told)


def who() -> str:
    """Who decides, for the log: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Told:
    """How the end is told, as JSON or as text, and with which options the next command finds the same run; what was decided."""

    as_json: bool
    orgs_path: Path
    state_dir: Path
    accepted_by: str = ""
    confirmed: tuple[str, ...] = ()
    foreign_jobs: bool = False


def drive(
    folder: Path, ends: Ends, clock: Clock, goal: Goal, *, workers: int, memory: int, told: Told
) -> int:
    """Drive the run in `folder` to its goal, watched and told as `told` says; the exit code."""
    asked = [*told.confirmed]
    while True:
        result = _once(folder, ends, clock, goal, workers=workers, memory=memory, told=told, confirmed=asked)
        gate = _gate_to_ask(result)
        if not gate or told.as_json or not _asked(result):
            break
        asked.append(gate)
    if told.as_json:
        options.print_json(
            {
                **summary_json(result.summary, result.exit_code),
                "stop": _stop_json(result),
                "orphan_jobs": [one.id for one in result.orphans or ()],
            }
        )
        return result.exit_code
    _tell(result, goal, folder.name, told)
    return result.exit_code


def _gate_to_ask(result: Result) -> str:
    """The gate that waits for a person, when one is what stopped the run."""
    stopped = result.stop is not None and result.stop.code in {"gate-unanswered", "gate-open"}
    waiting = [one.step for one in result.summary.gates if one.by_hand or one.state == "shutting"]
    return waiting[0] if stopped and waiting else ""


def _asked(result: Result) -> bool:
    """Whether somebody at the terminal says that it is so."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or result.stop is None:
        return False
    return click.confirm(f"{result.stop.what}. Is it so?", default=False)


def _once(
    folder: Path,
    ends: Ends,
    clock: Clock,
    goal: Goal,
    *,
    workers: int,
    memory: int,
    told: Told,
    confirmed: Sequence[str],
) -> Result:
    driven = Drive(
        folder,
        ends,
        clock=clock,
        workers=workers,
        policy=Policy(),
        memory_mb=memory,
        fuse=make_fuse(options.environment()),
        chance=secrets.SystemRandom().random,
        by=who(),
        answers=dict.fromkeys(confirmed, who()),
    )
    restore = catch_signals(driven.interrupt)
    console = make_console(sys.stderr if told.as_json else sys.stdout, clock)
    try:
        with console:
            return driven.go(
                goal, console.update, accepted_by=told.accepted_by, foreign_jobs=told.foreign_jobs
            )
    finally:
        restore()


def _tell(result: Result, goal: Goal, name: str, told: Told) -> None:
    if result.stop is not None:
        click.echo(
            click.style(f"stopped[{result.stop.code}]", fg="yellow", bold=True)
            + f" {result.stop.what} → {result.stop.hint}",
            err=True,
        )
    match goal:
        case Goal.VERIFY:
            print_verification(result.summary)
        case Goal.LOAD:
            print_outcomes(result.summary)
        case Goal.RESTORE:
            print_gates(result.summary)
    if result.orphans:
        what = f"{len(result.orphans)} open jobs were left in the target by lost answers; nothing happens to them"
        click.echo(f"{what}: migrator doctor {name} --jobs --sweep", err=True)
    command = _next(result, goal)
    again = options.again(None if command in {"report", "status"} else told.orgs_path, told.state_dir)
    click.echo(f"next: migrator {command} {name}{again}")


def _stop_json(result: Result) -> dict[str, str] | None:
    stop = result.stop
    return None if stop is None else {"code": stop.code, "what": stop.what, "hint": stop.hint}


def _next(result: Result, goal: Goal) -> str:
    if goal is Goal.RESTORE:
        return "gates close" if result.stop is not None else "status"
    if result.stop is not None:
        return "verify" if goal is Goal.VERIFY else "resume"
    moved = goal is Goal.LOAD and result.exit_code is not ExitCode.ROWS_FAILED
    return "verify" if moved and result.summary.verification else "report"
