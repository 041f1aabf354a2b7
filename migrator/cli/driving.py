"""How commands drive a run: taken up, watched, asked about gates, and told at the end.

**Invariant:** nothing here decides about rows or jobs; a command says to which goal, and the executor does the rest.
"""

import getpass
import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from migrator.audit import peek
from migrator.cli import options, reviewed
from migrator.cli.console import (
    make_console,
    print_gates,
    print_outcomes,
    print_second_run,
    print_verification,
    summary_json,
)
from migrator.cli.explained import explained
from migrator.cli.failpoint import make_fuse
from migrator.cli.orgs import Orgs
from migrator.cli.signals import catch_signals, end_now
from migrator.clock import Clock, SystemClock
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Drive, Goal, Policy, Result
from migrator.model.run import RunStatus
from migrator.review import Ends
from migrator.state import list_runs, read_ledger

DEFAULT_WORKERS = 8


def driving(command: options.Decorated) -> options.Decorated:
    """--workers and --memory."""
    command = click.option(
        "--memory",
        type=click.IntRange(64, 65_536),
        metavar="MB",
        help="Memory of the data plane: 192 unless given, and one more for each column of a load beyond 50.",
    )(command)
    return click.option(
        "--workers",
        type=click.IntRange(1, 32),
        default=DEFAULT_WORKERS,
        show_default=True,
        help="Requests and data-plane jobs at once.",
    )(command)


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
    twice: bool = False
    accept_user: bool = False
    accept_unseen: bool = False
    wait: bool = True


def _no_change(_ends: Ends) -> None:
    """Leave the run as it is."""


def take_up(
    taken: TakenUp,
    *,
    workers: int,
    memory: int | None,
    as_json: bool,
    begin: Callable[[Ends], None] = _no_change,
) -> int:
    """Drive a run that exists to the goal, and tell how it ended. `begin` changes it before, once its plan is seen to be what it was."""
    clock = SystemClock()
    folder = _meant(taken)
    row = peek(folder).run
    source = row.source_alias
    orgs = Orgs(taken.orgs_path, options.environment(), clock, api_version=row.api_version)
    with orgs.ends(source, row.target) as ends:
        if not as_json:
            click.echo(f"run {row.run_id}")
        if taken.goal is Goal.LOAD:
            reviewed.follow(row, folder, ends, clock, accept=taken.accept_plan)
        begin(ends)
        told = Told(
            as_json,
            taken.orgs_path,
            taken.state_dir,
            taken.accepted_by,
            taken.confirmed,
            taken.foreign_jobs,
            twice=taken.twice,
            accept_user=taken.accept_user,
            accept_unseen=taken.accept_unseen,
            wait=taken.wait,
        )
        return drive(folder, ends, clock, taken.goal, workers=workers, memory=memory, told=told)


def _meant(taken: TakenUp) -> Path:
    """The folder of the run. The newest one is not taken for it where it was refused before it began: to begin it now would send everything once more.

    Raises MigratorError `run-unknown` when there is none, or another one of the same plan may be meant.
    """
    folder = options.find_run(taken.state_dir, taken.run_name)
    if taken.run_name or taken.goal is not Goal.LOAD:
        return folder
    newest, *older = list_runs(taken.state_dir)
    if newest.run is None or read_ledger(folder).attempts:
        return folder
    for one in older:
        if one.run is None or one.run.status is RunStatus.UNDONE:
            continue
        if (one.run.plan_name, one.run.target_org_id) == (newest.run.plan_name, newest.run.target_org_id):
            raise MigratorError(
                "run-unknown",
                f"run {folder.name} has not begun yet, and run {one.folder.name} of the same plan is {one.run.status.value}",
                hint=f"name the one that is meant: migrator resume {one.folder.name}, or {folder.name} to send everything once more",
                exit_code=ExitCode.USAGE,
            )
    return folder


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
    twice: bool = False
    accept_user: bool = False
    accept_unseen: bool = False
    wait: bool = True


def drive(
    folder: Path, ends: Ends, clock: Clock, goal: Goal, *, workers: int, memory: int | None, told: Told
) -> int:
    """Drive the run in `folder` to its goal, watched and told as `told` says; the exit code."""
    asked = [*told.confirmed]
    while True:
        result = _once(folder, ends, clock, goal, workers=workers, memory=memory, told=told, confirmed=asked)
        gate = _gate_to_ask(result)
        if not gate or told.as_json or not _asked(result):
            break
        asked.append(gate)
    result = replace(result, summary=explained(folder, result.summary))
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
    memory: int | None,
    told: Told,
    confirmed: Sequence[str],
) -> Result:
    driven = Drive(
        folder,
        ends,
        clock=clock,
        workers=workers,
        policy=Policy(wait=told.wait),
        memory_mb=memory,
        fuse=make_fuse(options.environment()),
        chance=secrets.SystemRandom().random,
        by=who(),
        answers=dict.fromkeys(confirmed, who()),
        abandon=end_now,
    )
    restore = catch_signals(driven.interrupt)
    console = make_console(sys.stderr if told.as_json else sys.stdout, clock)
    try:
        with console:
            return driven.go(
                goal,
                console.update,
                accepted_by=told.accepted_by,
                foreign_jobs=told.foreign_jobs,
                twice=told.twice,
                accept_user=told.accept_user,
                accept_unseen=told.accept_unseen,
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
            print_second_run(result.summary)
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
