"""`migrator simulate`: simulated orgs on loopback, until stopped."""

import json
import signal
import threading
from pathlib import Path

import click

from migrator.cli.clients import settings
from migrator.cli.simulated import (
    Lists,
    Served,
    authority_in,
    export_all,
    make_orgs,
    orgs_file,
    public_key_in,
    serve_org,
    unusable,
)
from migrator.clock import SystemClock
from migrator.errors import ExitCode
from migrator.simulator import OrgClock

STEP = 0.5  # seconds between looks at what happened


@click.command()
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    metavar="[KIND:]PATH",
    help="Schema of an org, once for each: a YAML file, describe JSON, or metadata source.",
)
@click.option(
    "--data",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A folder of <sObject>.csv for the org of the same rank.",
)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(0, 65_535),
    multiple=True,
    help="The port of the org of the same rank; 0 takes a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Only loopback addresses make sense.")
@click.option(
    "--https",
    "ca_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="CA_FILE",
    help="Serve over https too, with a certificate authority made now, which clients trust by this file.",
)
@click.option(
    "--clients", "for_clients", is_flag=True, help="Print the settings of common Salesforce clients as well."
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of every org, over those of its schema file: row_seconds=0.004, locks.lookups=always.",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path),
    help="Write the orgs as JSON to this file once they answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the orgs as JSON.")
@click.option(
    "--faults",
    "scripts",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A fault script (schemas/faults.schema.json) for the org of the same rank.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Seconds of the orgs' clock in a real second.",
)
@click.option(
    "--jump",
    is_flag=True,
    help="Leave out the time in which a job or a request waits and nothing else happens.",
)
@click.option(
    "--jwt-key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="KEY_FILE",
    help="The app's private key for sign-in by JWT bearer; made when the file is not there.",
)
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="When stopped, write every org's records below this folder, as CSV files that --data takes.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what really happened to the orgs' records to this file, as JSON lines.",
)
def simulate(
    *,
    schemas: tuple[str, ...],
    folders: tuple[Path, ...],
    ports: tuple[int, ...],
    host: str,
    ca_file: Path | None,
    for_clients: bool,
    given: tuple[str, ...],
    ready_file: Path | None,
    as_json: bool,
    scripts: tuple[Path, ...],
    speed: float,
    jump: bool,
    key_file: Path | None,
    export_to: Path | None,
    truth: Path | None,
) -> int:
    """Serve simulated Salesforce orgs on this machine until stopped (Ctrl-C or SIGTERM).

    Prints an orgs file for `migrator run`, ready to paste, with the credentials of the simulated integration user.

    \b
    Example:
      migrator simulate --schema plans/orgs/legacy.yaml --schema plans/orgs/merged.yaml
      migrator simulate --schema force-app --https ca.pem --jwt-key server.key --clients
      migrator simulate --faults plans/faults/bad-day.yaml --set row_seconds=0.01 --jump --truth truth.jsonl
      migrator simulate --schema describes/ --data seed/ --export after/
    """
    stop = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stop.set())
    authority, public_key = authority_in(ca_file), public_key_in(key_file)
    clock = OrgClock(SystemClock(), speed=speed, jumps=jump)
    lists = Lists(schemas or (None,), folders, scripts, ports)
    wanted = lists.wanted(settings=given, public_key=public_key)
    orgs = make_orgs(wanted, clock)
    served: list[Served] = []
    try:
        for org, each in zip(orgs, wanted, strict=True):
            served.append(
                serve_org(org, host, each.port, authority=authority, ca_file=ca_file, key_file=key_file)
            )
        _tell(served, as_json=as_json, for_clients=for_clients, ready_file=ready_file)
        _watch(stop, truth, served)
    finally:
        for each_served in served:
            each_served.close()
    if export_to is not None:
        export_all(orgs, export_to)
    return ExitCode.OK


def _tell(served: list[Served], *, as_json: bool, for_clients: bool, ready_file: Path | None) -> None:
    """Write the ready file and print how the orgs are reached."""
    told = {"orgs": [each.told() for each in served]}
    if ready_file is not None:
        made = ready_file.with_suffix(".tmp")
        try:
            made.write_text(json.dumps(told), encoding="utf-8")
            made.replace(ready_file)
        except OSError as fault:
            raise unusable(f"{ready_file} cannot be written: {fault.strerror}") from fault
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(orgs_file(served))
        for each in served if for_clients else ():
            click.echo("\n" + settings(each.endpoint()))


def _watch(stop: threading.Event, truth: Path | None, served: list[Served]) -> None:
    """Until stopped; meanwhile write down what happens. A server that has broken down ends them all: its clients would wait for ever."""
    if truth is None:
        while not stop.wait(STEP):
            _check(served)
        return
    written = dict.fromkeys(range(len(served)), 0)
    try:
        with truth.open("w", encoding="utf-8") as file:
            stopped = False
            while not stopped:
                stopped = stop.wait(STEP)
                for rank, each in enumerate(served):
                    with each.org.lock:  # no transaction is half-way
                        lines = list(each.org.truth.lines(written[rank]))
                    written[rank] += len(lines)
                    name = json.dumps(each.org.settings.name)
                    file.writelines(f'{{"org":{name},{line[1:]}\n' for line in lines)
                file.flush()
                _check(served)
    except OSError as fault:
        raise unusable(f"{truth} cannot be written: {fault.strerror}") from fault


def _check(served: list[Served]) -> None:
    for each in served:
        if not each.answers:
            raise RuntimeError(f"the simulated org {each.org.settings.name} has stopped answering")
