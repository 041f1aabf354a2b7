"""`migrator doctor`: whether this machine, the state folder, the orgs and the jobs in the target are fit for a cutover."""

import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

import click

from migrator import __version__
from migrator.cli import options
from migrator.cli.orgcheck import Finding, check_orgs
from migrator.cli.orgs import Orgs
from migrator.cli.text import plain
from migrator.clock import Clock, SystemClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import RunStatus
from migrator.model.schedule_text import parse_schedule
from migrator.preflight import Neighbours, accepted_until, find_neighbours, overdue
from migrator.salesforce import Org
from migrator.state import Disk, FoundRun, known_jobs, list_runs, read_audited, read_ledger
from migrator.state import look_at_disk as disk_of

_PACKAGES = ("duckdb", "httpx", "psycopg")
_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}
#: a run with verification needs about ten times its data as CSV (docs/operations.md); less room than this is worth a word
LITTLE_ROOM = 2 << 30


@click.command()
@options.run_argument
@options.orgs_file
@options.state_dir
@click.option("--jobs", is_flag=True, help="Look for jobs in the target that no ledger here knows.")
@click.option("--sweep", is_flag=True, help="Abort the open ones among them, after a question.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def doctor(
    run_name: str,
    orgs_path: Path,
    state_dir: Path,
    *,
    jobs: bool,
    sweep: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Look at this machine, the state folder, the orgs and, with --jobs, at the target's jobs of RUN's user (the newest run, when none is named).

    Changes nothing, unless --sweep aborts open jobs that a lost answer left; they hold no rows that were processed. Ends with
    exit code 3 when something would stop a run.

    \b
    Examples:
      migrator doctor
      migrator doctor --jobs --sweep
    """
    clock = SystemClock()
    disk = disk_of(state_dir)
    orgs: Iterable[Finding] = [Finding("warn", "orgs", f"no file {orgs_path}")]
    if orgs_path.is_file():
        orgs = check_orgs(orgs_path, options.environment(), clock, _waiting)
    found: list[Finding] = []
    for one in chain(_machine(disk), _disk(disk, state_dir), _runs(state_dir, clock), orgs):
        found.append(one)
        _show(one, quiet=as_json)
    swept: list[str] = []
    if jobs or sweep:
        more, swept = _jobs(options.find_run(state_dir, run_name), orgs_path, clock, sweep=sweep, yes=yes)
        found += more
        for one in more:
            _show(one, quiet=as_json)
    code = ExitCode.REFUSED if any(one.state == "fail" for one in found) else ExitCode.OK
    if as_json:
        options.print_json(
            {"exit_code": int(code), "findings": [asdict(one) for one in found], "swept": swept}
        )
    return code


def _show(one: Finding, *, quiet: bool) -> None:
    if not quiet:
        word, colour = _MARKS[one.state]
        click.echo(f"{click.style(word, fg=colour)}  {one.about}: {plain(one.what)}")


def _waiting(aliases: Sequence[str]) -> None:
    click.echo(f"no answer yet from: {', '.join(aliases)}", err=True)


def _machine(disk: Disk) -> Iterator[Finding]:
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield Finding(
        "ok", "program", f"migrator {__version__}, Python {platform.python_version()}, {sys.platform}"
    )
    yield Finding("ok", "libraries", f"SQLite {disk.sqlite}, {packages}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _disk(disk: Disk, state_dir: Path) -> Iterator[Finding]:
    mode = "not there yet" if disk.mode is None else f"mode {disk.mode:o}"
    kind = disk.kind or "unknown file system"
    if disk.fault:
        yield Finding("fail", "state folder", f"{state_dir} ({kind}, {mode}): {disk.fault}")
    else:
        yield Finding("ok", "state folder", f"{state_dir} ({kind}, {mode})")
    room = "warn" if disk.free < LITTLE_ROOM else "ok"
    yield Finding(
        room, "disk", f"{disk.free / (1 << 30):.1f} GiB free; a run needs about ten times its data as CSV"
    )


def _runs(state_dir: Path, clock: Clock) -> Iterator[Finding]:
    for one in list_runs(state_dir):
        yield from _run(one, clock)


def _run(one: FoundRun, clock: Clock) -> Iterator[Finding]:
    name = f"run {one.folder.name}"
    if one.run is None:
        yield Finding("fail", name, one.fault.diagnostic.what if one.fault else "cannot be read")
        return
    if one.run.status in {RunStatus.COMPLETE, RunStatus.UNDONE}:
        return
    yield Finding("warn", name, f"is {one.run.status.value}; `migrator resume {one.folder.name}` goes on")
    for late in overdue(read_ledger(one.folder), clock.now()):
        what = (
            f"results of job {late.job_id} wait for {late.age / 86_400:.1f} days; Salesforce keeps them for 7"
        )
        yield Finding("fail" if late.urgent else "warn", name, what)


def _jobs(
    folder: Path, orgs_path: Path, clock: Clock, *, sweep: bool, yes: bool
) -> tuple[list[Finding], list[str]]:
    state = read_ledger(folder)
    try:
        until, wrong = accepted_until(read_audited(folder)[1]), []
    except (
        MigratorError
    ) as fault:  # nothing is believed to be accepted that a damaged log says; the jobs are told all the same
        until, wrong = 0.0, [Finding("fail", f"run {folder.name}", fault.diagnostic.what)]
    orgs = Orgs(orgs_path, options.environment(), clock, api_version=state.run.api_version)
    with orgs.connect(state.run.target) as org:
        sobjects = parse_schedule(state.run.schedule_json).written
        found = find_neighbours(state, org, sobjects, known_jobs(folder.parent), clock)
        if found is None:
            return [*wrong, Finding("warn", "jobs", "the user may not list jobs")], []
        swept = _swept(org, found, yes=yes) if sweep else []
    return [*wrong, *_told(found.accepted_to(until), swept)], swept


def _swept(org: Org, found: Neighbours, *, yes: bool) -> list[str]:
    """Abort the orphans, each seen to be open once more just before."""
    if not found.orphans or not (yes or _sure(len(found.orphans))):
        return []
    return [one.id for one in found.orphans if org.abort(one.id).state.value == "Aborted"]


def _sure(count: int) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: say --yes to abort the open jobs")
    return click.confirm(f"Abort {count} open jobs? Another tool of the same user may own them", err=True)


def _told(found: Neighbours, swept: list[str]) -> Iterator[Finding]:
    if found == Neighbours():
        yield Finding("ok", "jobs", "the target has no jobs of this user that no ledger here knows")
    for one in found.orphans:
        done = "aborted" if one.id in swept else "open and unknown; nothing happens to it; --sweep aborts it"
        yield Finding(
            "ok" if one.id in swept else "warn", f"job {one.id}", f"{one.operation} {one.object}: {done}"
        )
    for state, jobs, more in (
        ("ok", found.accepted, ", and that is accepted in this run"),
        ("fail", (*found.foreign, *found.behind), ""),
    ):
        for one in jobs:
            what = f"{one.operation} {one.object}, {one.state.value}: no ledger here knows it{more}"
            yield Finding(state, f"job {one.id}", what)
