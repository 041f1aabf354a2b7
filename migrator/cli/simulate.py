"""`migrator simulate`: simulated orgs on loopback, until stopped."""

import json
import os
import signal
import threading
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import click

from migrator.cli.clients import Endpoint, settings
from migrator.cli.faultfile import load_faults
from migrator.clock import SystemClock
from migrator.errors import ExitCode, MigratorError
from migrator.simulator import (
    Authority,
    Org,
    OrgClock,
    OrgSettings,
    SchemaKind,
    Server,
    load_csv_folder,
    load_schema,
    load_schema_from,
    make_authority,
    serve,
)
from migrator.simulator.configure import SettingInvalid, assigned, configured
from migrator.simulator.schema.files import SchemaInvalid
from migrator.simulator.schema.model import Schema
from migrator.simulator.seed import SeedInvalid

MAX_NOTES = 25  # of a schema that are printed one by one
TRUTH_STEP = 0.5  # seconds between looks at what happened


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
    help="Serve over https only, with a certificate authority made now, which clients trust by this file.",
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
    truth: Path | None,
) -> int:
    """Serve simulated Salesforce orgs on this machine until stopped (Ctrl-C or SIGTERM).

    Prints an orgs file for `migrator run`, ready to paste, with the credentials of the simulated integration user.

    \b
    Example:
      migrator simulate --schema plans/orgs/legacy.yaml --schema plans/orgs/merged.yaml
      migrator simulate --https ca.pem --clients
      migrator simulate --faults plans/faults/bad-day.yaml --set row_seconds=0.01 --jump --truth truth.jsonl
    """
    stop = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stop.set())
    servers: list[Server] = []
    authority = _authority(ca_file)
    clock = OrgClock(SystemClock(), speed=speed, jumps=jump)
    try:
        for rank, schema in enumerate(schemas or (None,)):
            folder = folders[rank] if rank < len(folders) else None
            port = ports[rank] if rank < len(ports) else 0
            org = _org(schema, folder, clock, given)
            if rank < len(scripts):
                org.plant(*load_faults(scripts[rank], org.now()))
            servers.append(_serve(org, (host, port), authority))
        told = [_told(server, ca_file) for server in servers]
        if as_json:
            click.echo(json.dumps({"orgs": told}, indent=2))
        else:
            click.echo(_orgs_file(told))
            for server in servers if for_clients else ():
                click.echo("\n" + settings(_endpoint(server, ca_file)))
        if ready_file is not None:
            made = ready_file.with_suffix(".tmp")
            made.write_text(json.dumps({"orgs": told}), encoding="utf-8")
            made.replace(ready_file)
        _watch(stop, truth, [server.org for server in servers])
    finally:
        for server in servers:
            server.close()
    return ExitCode.OK


def _authority(ca_file: Path | None) -> Authority | None:
    if ca_file is None:
        return None
    made = make_authority(SystemClock().now())
    try:
        ca_file.write_bytes(made.certificate)
    except OSError as fault:
        raise MigratorError(
            "simulator-unusable", f"{ca_file} cannot be written: {fault.strerror}", exit_code=ExitCode.USAGE
        ) from fault
    return made


def _org(schema: str | None, folder: Path | None, clock: OrgClock, given: Sequence[str]) -> Org:
    try:
        loaded = _schema(schema) if schema else load_schema()
        org = Org(loaded, _settings(loaded, schema, given), clock)
        if folder is not None:
            for name, count in load_csv_folder(org, folder).items():
                click.echo(f"{org.settings.name}: {count:,} {name}", err=True)
    except (SchemaInvalid, SettingInvalid, SeedInvalid, OSError) as fault:
        raise _unusable(fault) from fault
    return org


def _serve(org: Org, address: tuple[str, int], authority: Authority | None) -> Server:
    try:
        return serve(org, *address, authority=authority)
    except OSError as fault:
        raise _unusable(fault) from fault


def _unusable(fault: Exception) -> MigratorError:
    return MigratorError(
        "simulator-unusable", f"the simulated org cannot be served: {fault}", exit_code=ExitCode.USAGE
    )


def _watch(stop: threading.Event, truth: Path | None, orgs: list[Org]) -> None:
    """Until stopped; meanwhile write down what happens."""
    if truth is None:
        stop.wait()
        return
    written = dict.fromkeys(range(len(orgs)), 0)
    try:
        with truth.open("w", encoding="utf-8") as file:
            stopped = False
            while not stopped:
                stopped = stop.wait(TRUTH_STEP)
                for rank, org in enumerate(orgs):
                    with org.lock:  # no transaction is half-way
                        lines = list(org.truth.lines(written[rank]))
                    written[rank] += len(lines)
                    name = json.dumps(org.settings.name)
                    file.writelines(f'{{"org":{name},{line[1:]}\n' for line in lines)
                file.flush()
    except OSError as fault:
        raise MigratorError(
            "simulator-unusable", f"{truth} cannot be written: {fault.strerror}", exit_code=ExitCode.USAGE
        ) from fault


def _schema(given: str) -> Schema:
    """The schema at a path; what of it the org does not have is told."""
    word, colon, rest = given.partition(":")
    stated = bool(colon) and word in set(SchemaKind)
    found = load_schema_from(Path(rest if stated else given), SchemaKind(word) if stated else None)
    for note in found.notes[:MAX_NOTES]:
        click.echo(f"note: {note}", err=True)
    if len(found.notes) > MAX_NOTES:
        click.echo(f"note: … and {len(found.notes) - MAX_NOTES:,} more", err=True)
    return found.schema


def _settings(loaded: Schema, schema: str | None, given: Sequence[str]) -> OrgSettings:
    default = OrgSettings()
    settings = OrgSettings(
        name=Path(schema.rpartition(":")[2]).resolve().stem if schema else "simulated",
        organization_id=loaded.organization.get("id", default.organization_id),
        sandbox=loaded.organization.get("sandbox", "true").casefold() == "true",
    )
    return reduce(configured, [loaded.settings, *map(assigned, given)], settings)


def _endpoint(server: Server, ca_file: Path | None) -> Endpoint:
    given = server.org.settings
    return Endpoint(
        name=given.name,
        url=server.url,
        token=server.org.issue_token(),
        organization_id=given.organization_id,
        user_id=server.org.user_id,
        username=given.username,
        client_id=given.client_id,
        client_secret=given.client_secret,
        ca_file=str(ca_file.resolve()) if ca_file else "",
    )


def _told(server: Server, ca_file: Path | None) -> dict[str, str | int]:
    given = server.org.settings
    return {
        "name": given.name,
        "url": server.url,
        "organization_id": given.organization_id,
        "username": given.username,
        "client_id": given.client_id,
        "client_secret": given.client_secret,
        "pid": os.getpid(),
        **({"ca_file": str(ca_file.resolve())} if ca_file else {}),
    }


def _orgs_file(told: list[dict[str, str | int]]) -> str:
    lines = ["# an orgs file for these orgs; export MIGRATOR_SIMULATOR_SECRET as told below", "orgs:"]
    for one in told:
        lines += [
            f"  {one['name']}:",
            f"    url: {one['url']}",
            "    simulator: true",
            *([f"    ca_file: {one['ca_file']}"] if "ca_file" in one else []),
            f"    auth: {{flow: client_credentials, client_id: {one['client_id']}, client_secret: {{env: MIGRATOR_SIMULATOR_SECRET}}}}",
        ]
    lines.append(f"# export MIGRATOR_SIMULATOR_SECRET={told[0]['client_secret']}")
    return "\n".join(lines)
