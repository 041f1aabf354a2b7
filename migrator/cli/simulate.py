"""`migrator simulate`: simulated orgs on loopback, until stopped."""

import json
import os
import signal
import threading
from pathlib import Path

import click

from migrator.errors import ExitCode, MigratorError
from migrator.simulator import Org, OrgSettings, Server, load_csv_folder, load_schema, serve
from migrator.simulator.schema import Schema
from migrator.simulator.schema_file import SchemaInvalid
from migrator.simulator.seed import SeedInvalid


@click.command()
@click.option(
    "--schema",
    "schemas",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A schema file (custom objects and fields over the standard ones); once for each org.",
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
    "--ready-file",
    type=click.Path(path_type=Path),
    help="Write the orgs as JSON to this file once they answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the orgs as JSON.")
def simulate(
    schemas: tuple[Path, ...],
    folders: tuple[Path, ...],
    ports: tuple[int, ...],
    host: str,
    ready_file: Path | None,
    as_json: bool,
) -> int:
    """Serve simulated Salesforce orgs over HTTP on this machine until stopped (Ctrl-C or SIGTERM).

    Prints an orgs file for `migrator run`, ready to paste, with the credentials of the simulated integration user.

    \b
    Example:
      migrator simulate --schema plans/orgs/legacy.yaml --schema plans/orgs/merged.yaml
    """
    stop = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stop.set())
    servers: list[Server] = []
    try:
        for rank, schema in enumerate(schemas or (None,)):
            folder = folders[rank] if rank < len(folders) else None
            port = ports[rank] if rank < len(ports) else 0
            servers.append(_serve(schema, folder, host, port))
        told = [_told(server) for server in servers]
        if as_json:
            click.echo(json.dumps({"orgs": told}, indent=2))
        else:
            click.echo(_orgs_file(told))
        if ready_file is not None:
            made = ready_file.with_suffix(".tmp")
            made.write_text(json.dumps({"orgs": told}), encoding="utf-8")
            made.replace(ready_file)
        stop.wait()
    finally:
        for server in servers:
            server.close()
    return ExitCode.OK


def _serve(schema: Path | None, folder: Path | None, host: str, port: int) -> Server:
    try:
        loaded = load_schema(schema) if schema else load_schema()
        org = Org(loaded, _settings(loaded, schema))
        if folder is not None:
            for name, count in load_csv_folder(org, folder).items():
                click.echo(f"{org.settings.name}: {count:,} {name}", err=True)
        return serve(org, host, port)
    except (SchemaInvalid, SeedInvalid, OSError) as fault:
        raise MigratorError(
            "simulator-unusable", f"the simulated org cannot be served: {fault}", exit_code=ExitCode.USAGE
        ) from fault


def _settings(loaded: Schema, schema: Path | None) -> OrgSettings:
    default = OrgSettings()
    return OrgSettings(
        name=schema.stem if schema else "simulated",
        organization_id=loaded.organization.get("id", default.organization_id),
        sandbox=loaded.organization.get("sandbox", "true").casefold() == "true",
    )


def _told(server: Server) -> dict[str, str | int]:
    settings = server.org.settings
    return {
        "name": settings.name,
        "url": server.url,
        "organization_id": settings.organization_id,
        "username": settings.username,
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "pid": os.getpid(),
    }


def _orgs_file(told: list[dict[str, str | int]]) -> str:
    lines = ["# an orgs file for these orgs; export MIGRATOR_SIMULATOR_SECRET as told below", "orgs:"]
    for one in told:
        lines += [
            f"  {one['name']}:",
            f"    url: {one['url']}",
            "    simulator: true",
            f"    auth: {{flow: client_credentials, client_id: {one['client_id']}, client_secret: {{env: MIGRATOR_SIMULATOR_SECRET}}}}",
        ]
    lines.append(f"# export MIGRATOR_SIMULATOR_SECRET={told[0]['client_secret']}")
    return "\n".join(lines)
