"""Options that several commands share, and the way from them to plans, orgs and runs."""

import json
import os
import secrets
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator.cli.boundary import diagnostic_json, show
from migrator.clock import Clock
from migrator.errors import Diagnostic, ExitCode, MigratorError, PlanInvalid, Where, error, has_errors
from migrator.model.plan import Plan
from migrator.planfile import load_yaml
from migrator.review import load
from migrator.state import list_runs

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

plan_argument = click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
maybe_plan_argument = click.argument(
    "plan_file", metavar="[PLAN]", type=click.Path(path_type=Path), required=False, default=None
)
run_argument = click.argument("run_name", metavar="[RUN]", required=False, default="")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")


def variables(command: Decorated) -> Decorated:
    """--var and --vars-file."""
    command = click.option(
        "--vars-file",
        type=click.Path(path_type=Path),
        help="A YAML file of variables, e.g. one per environment.",
    )(command)
    return click.option(
        "--var",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a plan variable; wins over --vars-file.",
    )(command)


confirmations = click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    metavar="GATE",
    help="Confirm a gate that waits for a person, by its step id. Goes into the log with your name.",
)

DEFAULT_ORGS = Path(".migrator/orgs.yaml")
DEFAULT_STATE = Path(".migrator/runs")


def again(orgs_path: Path | None, state_dir: Path) -> str:
    """The options with which a next command finds the same orgs and runs; empty when they are the usual ones."""
    orgs = "" if orgs_path in {None, DEFAULT_ORGS} else f" --orgs {shlex.quote(str(orgs_path))}"
    state = "" if state_dir == DEFAULT_STATE else f" --state-dir {shlex.quote(str(state_dir))}"
    return orgs + state


def orgs_file(command: Decorated) -> Decorated:
    """--orgs."""
    return click.option(
        "--orgs",
        "orgs_path",
        type=click.Path(path_type=Path),
        default=DEFAULT_ORGS,
        envvar="MIGRATOR_ORGS",
        show_default=True,
        show_envvar=True,
        help="The file that says how to reach each org alias.",
    )(command)


def state_dir(command: Decorated) -> Decorated:
    """--state-dir."""
    return click.option(
        "--state-dir",
        "state_dir",
        type=click.Path(path_type=Path),
        default=DEFAULT_STATE,
        envvar="MIGRATOR_STATE_DIR",
        show_default=True,
        show_envvar=True,
        help="Where runs keep their ledgers and files.",
    )(command)


def read_plan(path: Path, given: tuple[str, ...], vars_file: Path | None) -> tuple[Plan, list[Diagnostic]]:
    """The plan in the file, with its warnings. Raises PlanInvalid with every diagnostic when one is an error."""
    plan, found = load(path, chosen(given, vars_file))
    if plan is None or has_errors(found):
        raise PlanInvalid(found)
    return plan, found


def chosen(given: tuple[str, ...], vars_file: Path | None) -> dict[str, str]:
    """The variables of the command line; those of --var win."""
    values: dict[str, str] = {}
    if vars_file is not None:
        value, _, found = load_yaml(str(vars_file))
        if not has_errors(found) and not isinstance(value, Mapping):
            found = [
                *found,
                error("wrong-type", "a variables file is a mapping", where=Where(str(vars_file))),
            ]
        if has_errors(found):
            raise PlanInvalid(found)
        values |= {str(name): str(one) for name, one in value.items()}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"'{one}' is not NAME=VALUE", param_hint="--var")
        values[name] = text
    return values


def find_run(state_dir: Path, name: str) -> Path:
    """The folder of the named run (a unique beginning of its name is enough), or of the newest one."""
    runs = list_runs(state_dir)
    if not runs:
        raise MigratorError(
            "run-unknown",
            f"there are no runs in {state_dir}",
            hint="begin one with `migrator run PLAN`",
            exit_code=ExitCode.USAGE,
        )
    if not name:
        return runs[0].folder
    exact = [one for one in runs if one.folder.name == name]
    found = exact or [one for one in runs if one.folder.name.startswith(name)]
    if len(found) != 1:
        what = "several runs begin" if found else "no run begins"
        names = ", ".join(one.folder.name for one in (found or runs)[:5])
        raise MigratorError(
            "run-unknown", f"{what} with '{name}'", hint=f"runs here: {names}", exit_code=ExitCode.USAGE
        )
    return found[0].folder


def new_run_id(plan_name: str, clock: Clock) -> str:
    """A name that sorts by time and says what it is, e.g. `20261123-204501-emea-cutover-7f3a`."""
    stamp = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{plan_name}-{secrets.token_hex(2)}"


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def environment() -> Mapping[str, str]:
    """The environment; read here only, passed on from here."""
    return os.environ  # noqa: TID251 - this is the place


def report_findings(found: list[Diagnostic], *, plan: str, json_wanted: bool) -> int:
    """Print what was found; the exit code that goes with it."""
    code = ExitCode.USAGE if has_errors(found) else ExitCode.OK
    if json_wanted:
        print_json(
            {
                "plan": plan,
                "valid": code is ExitCode.OK,
                "diagnostics": [diagnostic_json(one) for one in found],
            }
        )
        return code
    show(found)
    errors = sum(one.severity == "error" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    verdict = click.style("valid", fg="green") if not errors else click.style("invalid", fg="red")
    click.echo(f"{plan}: {verdict} ({errors} errors, {warnings} warnings)")
    return code
