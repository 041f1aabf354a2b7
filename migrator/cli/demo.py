"""`migrator demo`: the main job from end to end, every command as a person would type it.

Two simulated orgs run as processes of their own behind real HTTP, and each step is a process of its own, so that what is
shown is what anybody gets.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from migrator.cli.demo_data import SEED, write_legacy, write_merged
from migrator.clock import Clock, SystemClock
from migrator.errors import ExitCode, MigratorError
from migrator.resources import resource

SECRET_NAME = "MIGRATOR_SIMULATOR_SECRET"  # noqa: S105 - the name of a variable
#: seconds that a simulated org may take to load its data
PATIENCE = 60.0


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="The folder for the data, the run and the report; what is in it is replaced.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0.01, 20.0),
    default=1.0,
    show_default=True,
    help="How much data: 1 is about 63,000 records.",
)
@click.option("--seed", type=int, default=SEED, show_default=True, help="The same seed makes the same data.")
def demo(output: Path, scale: float, seed: int) -> int:
    """Move a whole org to another, between two simulated orgs over real HTTP: validate, plan, run, verify, report.

    Takes under a minute. Everything it makes is in the output folder; nothing leaves this machine.
    """
    clock = SystemClock()
    began = clock.monotonic()
    _renew(output)
    plan = resource("plans", "crm-cutover.yaml")
    click.echo(f"writing sample data to {output / 'data'}")
    counts = write_legacy(output / "data" / "legacy", scale=scale, seed=seed)
    write_merged(output / "data" / "merged", scale=scale, seed=seed)
    click.echo(f"{sum(counts.values()):,} records for the source org")
    with _orgs(output, clock) as environment:
        state = ("--state-dir", str(output / "runs"))
        orgs = ("--orgs", str(output / "orgs.yaml"))
        steps = (
            ("validate", str(plan)),
            ("plan", str(plan), *orgs),
            ("run", str(plan), *orgs, *state),
            ("verify", *orgs, *state),
            (
                "report",
                *state,
                "--html",
                str(output / "report.html"),
                "--json",
                str(output / "report.json"),
            ),
        )
        for step in steps:
            code = _call(step, environment)
            if code:
                click.echo(f"`migrator {step[0]}` ended with exit code {code}", err=True)
                return code
    click.echo(
        f"\nthe whole demo took {clock.monotonic() - began:.1f} s; the report is {output / 'report.html'}"
    )
    return ExitCode.OK


def _renew(output: Path) -> None:
    """Empty the output folder, if it is ours."""
    mark = output / ".migrator-demo"
    if output.exists() and any(output.iterdir()) and not mark.exists():
        raise MigratorError(
            "output-not-empty",
            f"{output} holds something else",
            hint="choose another folder with --output",
            exit_code=ExitCode.USAGE,
        )
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    mark.touch()


def _call(step: tuple[str, ...], environment: Mapping[str, str]) -> int:
    shown = " ".join(os.path.relpath(one) if one.startswith("/") else one for one in step)
    click.echo(click.style(f"\n$ migrator {shown}", bold=True))
    done = subprocess.run([sys.executable, "-m", "migrator", *step], env=dict(environment), check=False)  # noqa: S603 - our own commands
    return done.returncode


@contextmanager
def _orgs(output: Path, clock: Clock) -> Iterator[Mapping[str, str]]:
    """Both simulated orgs, started and always stopped, and the environment in which commands reach them."""
    started: list[subprocess.Popen[bytes]] = []
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        started.extend(_start(output, name) for name in ("legacy", "merged"))
        told = [
            _ready(output / f"{name}.json", process, clock)
            for name, process in zip(("legacy", "merged"), started, strict=True)
        ]
        (output / "orgs.yaml").write_text(_orgs_file(told), encoding="utf-8")
        for one in told:
            click.echo(f"org {one['name']}: {one['url']} (process {one['pid']})")
        yield {**os.environ, SECRET_NAME: str(told[0]["client_secret"])}  # noqa: TID251 - the edge passes it on to our own commands
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _start(output: Path, name: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "migrator", "simulate",
        "--schema", str(resource("plans", "orgs", f"{name}.yaml")),
        "--data", str(output / "data" / name),
        "--ready-file", str(output / f"{name}.json"),
        "--json",
    ]  # fmt: skip
    with (output / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own command


def _ready(path: Path, process: subprocess.Popen[bytes], clock: Clock) -> Mapping[str, str | int]:
    deadline = clock.monotonic() + PATIENCE
    while clock.monotonic() < deadline:
        if path.exists():
            orgs: list[Mapping[str, str | int]] = json.loads(path.read_text(encoding="utf-8"))["orgs"]
            return orgs[0]
        if process.poll() is not None:
            break
        clock.wait(0.05)
    raise MigratorError(
        "simulator-unusable",
        f"the simulated org did not start; see {path.with_suffix('.log')}",
        exit_code=ExitCode.REFUSED,
    )


def _orgs_file(told: list[Mapping[str, str | int]]) -> str:
    return json.dumps(
        {
            "orgs": {
                str(one["name"]): {
                    "url": one["url"],
                    "simulator": True,
                    "auth": {
                        "flow": "client_credentials",
                        "client_id": one["client_id"],
                        "client_secret": {"env": SECRET_NAME},
                    },
                }
                for one in told
            }
        },
        indent=2,
    )
