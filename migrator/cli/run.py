"""`migrator run`, `resume` and `verify`: the same executor, begun or taken up."""

import getpass
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from migrator.cli import options
from migrator.cli.boundary import show
from migrator.cli.console import make_console, print_outcomes, print_verification, summary_json
from migrator.cli.failpoint import make_fuse
from migrator.cli.orgs import Orgs
from migrator.clock import Clock, SystemClock
from migrator.errors import ExitCode, PlanInvalid, has_errors
from migrator.executor import Drive, Ends, Goal, Policy, Result, check, new_run_id, peek, start
from migrator.model.plan import OrgEnd

DEFAULT_WORKERS = 4
#: MB that DuckDB may use; the client's peak is this and about 150 MB more
DEFAULT_MEMORY = 192


def _driving(command: options.Decorated) -> options.Decorated:
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


@click.command()
@options.plan_argument
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
@_driving
@options.as_json
def run(
    plan_file: Path,
    given: tuple[str, ...],
    vars_file: Path | None,
    orgs_path: Path,
    state_dir: Path,
    *,
    ledger_url: str,
    workers: int,
    memory: int,
    as_json: bool,
) -> int:
    """Run PLAN: check it, then move every record until each has an outcome.

    Can be stopped at any instant, by Ctrl-C or by a power cut: `migrator resume` goes on.

    \b
    Example:
      migrator run plans/crm-cutover.yaml --var region=EMEA
    """
    clock = SystemClock()
    loaded, found = options.read_plan(plan_file, given, vars_file)
    orgs = Orgs(orgs_path, options.environment(), clock)
    source = loaded.source.org if isinstance(loaded.source, OrgEnd) else None
    with orgs.ends(source, loaded.target.org) as ends:
        checked = check(loaded, ends)
        everything = [*found, *checked.diagnostics]
        if has_errors(everything):
            raise PlanInvalid(everything)
        if not as_json:
            show(everything)
        run_id = new_run_id(loaded.name, clock.now(), secrets.token_hex(2))
        folder = state_dir / run_id
        start(
            checked,
            folder,
            run_id=run_id,
            api_version=ends.target.api_version,
            clock=clock,
            ledger_url=ledger_url,
        )
        if not as_json:
            click.echo(f"run {run_id}")
        told = _Told(as_json, orgs_path, state_dir)
        return _drive(folder, ends, clock, Goal.LOAD, workers=workers, memory=memory, told=told)


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option(
    "--accept-failures",
    is_flag=True,
    help="Send the rest although the error budget is exceeded; budgets count anew from here. Goes into the log with your name.",
)
@_driving
@options.as_json
def resume(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    accept_failures: bool,
    workers: int,
    memory: int,
    as_json: bool,
) -> int:
    """Go on with RUN (the newest, when none is named) from what its ledger holds.

    Neither loses nor doubles a record, whatever ended the run before and however often.

    \b
    Example:
      migrator resume
    """
    taken = _TakenUp(Goal.LOAD, run_name, orgs_path, state_dir, who() if accept_failures else "")
    return _take_up(taken, workers=workers, memory=memory, as_json=as_json)


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@_driving
@options.as_json
def verify(run_name: str, orgs_path: Path, state_dir: Path, workers: int, memory: int, as_json: bool) -> int:
    """Read the target of RUN back and compare counts and field values with what was sent.

    Ends with exit code 1 when a record is missing, doubled or differs.

    \b
    Example:
      migrator verify
    """
    taken = _TakenUp(Goal.VERIFY, run_name, orgs_path, state_dir)
    return _take_up(taken, workers=workers, memory=memory, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _TakenUp:
    """Which run is taken up, to which goal, and who accepted what failed before (empty: nobody)."""

    goal: Goal
    run_name: str
    orgs_path: Path
    state_dir: Path
    accepted_by: str = ""


def _take_up(taken: _TakenUp, *, workers: int, memory: int, as_json: bool) -> int:
    clock = SystemClock()
    folder = options.find_run(taken.state_dir, taken.run_name)
    row = peek(folder).run
    source = None if row.source.startswith("files:") else row.source
    orgs = Orgs(taken.orgs_path, options.environment(), clock, api_version=row.api_version)
    with orgs.ends(source, row.target) as ends:
        if not as_json:
            click.echo(f"run {row.run_id}")
        told = _Told(as_json, taken.orgs_path, taken.state_dir, taken.accepted_by)
        return _drive(folder, ends, clock, taken.goal, workers=workers, memory=memory, told=told)


def who() -> str:
    """Who decides, for the log: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class _Told:
    """How the end is told: as JSON or as text, and with which options the next command finds the same run; who accepted what failed."""

    as_json: bool
    orgs_path: Path
    state_dir: Path
    accepted_by: str = ""


def _drive(
    folder: Path, ends: Ends, clock: Clock, goal: Goal, *, workers: int, memory: int, told: _Told
) -> int:
    drive = Drive(
        folder,
        ends,
        clock=clock,
        workers=workers,
        policy=Policy(),
        memory_mb=memory,
        fuse=make_fuse(options.environment()),
        chance=secrets.SystemRandom().random,
    )
    restore = _catch_signals(drive.interrupt)
    console = make_console(sys.stderr if told.as_json else sys.stdout, clock)
    try:
        with console:
            result = drive.go(goal, console.update, accepted_by=told.accepted_by)
    finally:
        restore()
    if told.as_json:
        options.print_json({**summary_json(result.summary, result.exit_code), "stop": _stop_json(result)})
        return result.exit_code
    _tell(result, goal, folder.name, told)
    return result.exit_code


def _tell(result: Result, goal: Goal, name: str, told: _Told) -> None:
    if result.stop is not None:
        click.echo(
            click.style(f"stopped[{result.stop.code}]", fg="yellow", bold=True)
            + f" {result.stop.what} → {result.stop.hint}",
            err=True,
        )
    if goal is Goal.VERIFY:
        print_verification(result.summary)
    else:
        print_outcomes(result.summary)
    command = _next(result, goal)
    again = options.again(None if command == "report" else told.orgs_path, told.state_dir)
    click.echo(f"next: migrator {command} {name}{again}")


def _stop_json(result: Result) -> dict[str, str] | None:
    stop = result.stop
    return None if stop is None else {"code": stop.code, "what": stop.what, "hint": stop.hint}


def _next(result: Result, goal: Goal) -> str:
    if result.stop is not None:
        return "verify" if goal is Goal.VERIFY else "resume"
    moved = goal is Goal.LOAD and result.exit_code is not ExitCode.ROWS_FAILED
    return "verify" if moved else "report"


def _catch_signals(interrupt: Callable[[], None]) -> Callable[[], None]:
    """The first Ctrl-C (or SIGTERM) asks for an orderly stop, the second ends at once; the function puts things back."""
    asked: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("stopping: finishing what is under way (again to stop at once)", err=True)
        interrupt()

    before = {one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    return restore
