"""The orgs of `migrator simulate`: made from its options, told to whoever wants to reach them, written out at the end."""

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import click

from migrator.cli.clients import Endpoint
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
    export_csv_folder,
    load_csv_folder,
    load_schema,
    load_schema_from,
    make_authority,
    serve,
)
from migrator.simulator.appkey import make_app_key, public_key_of
from migrator.simulator.configure import SettingInvalid, assigned, configured
from migrator.simulator.schema.files import SchemaInvalid
from migrator.simulator.schema.model import Schema
from migrator.simulator.seed import SeedInvalid

MAX_NOTES = 25  # of a schema that are printed one by one


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one org is made of; the rank tells it from the others of the command."""

    rank: int
    name: str
    schema: str | None
    data: Path | None
    faults: Path | None
    port: int
    settings: Sequence[str]
    public_key: str | None


@dataclass(frozen=True, slots=True)
class Lists:
    """What the command line says of each org, by rank; lists that are too short say nothing of the others."""

    schemas: Sequence[str | None]
    data: Sequence[Path]
    faults: Sequence[Path]
    ports: Sequence[int]

    def wanted(self, *, settings: Sequence[str], public_key: str | None) -> list[Wanted]:
        """The orgs, one for each schema."""
        names = _names_of(self.schemas)
        return [
            Wanted(
                rank=rank,
                name=names[rank],
                schema=schema,
                data=self.data[rank] if rank < len(self.data) else None,
                faults=self.faults[rank] if rank < len(self.faults) else None,
                port=self.ports[rank] if rank < len(self.ports) else 0,
                settings=settings,
                public_key=public_key,
            )
            for rank, schema in enumerate(self.schemas)
        ]


@dataclass(frozen=True, slots=True)
class Served:
    """An org that answers; with an authority over https first, and over http besides."""

    org: Org
    servers: tuple[Server, ...]
    ca_file: Path | None
    key_file: Path | None

    @property
    def own_clock(self) -> bool:
        """Whether its clock goes its own way."""
        return isinstance(self.org.clock, OrgClock) and not self.org.clock.keeps_time

    @property
    def url(self) -> str:
        """Where clients that can trust the authority reach it."""
        return self.servers[0].url

    @property
    def http_url(self) -> str:
        """Where it is reached without TLS."""
        return self.servers[-1].url

    @property
    def answers(self) -> bool:
        """False when it has broken down."""
        return all(server.answers for server in self.servers)

    def close(self) -> None:
        """Stop answering."""
        for server in self.servers:
            server.close()

    def endpoint(self) -> Endpoint:
        """What the settings of other clients are made of, with a fresh token."""
        given = self.org.settings
        return Endpoint(
            name=given.name,
            url=self.url,
            http_url=self.http_url,
            token=self.org.issue_token(),
            organization_id=given.organization_id,
            user_id=self.org.user_id,
            username=given.username,
            client_id=given.client_id,
            client_secret=given.client_secret,
            ca_file=str(self.ca_file.resolve()) if self.ca_file else "",
            key_file=str(self.key_file.resolve()) if self.key_file else "",
        )

    def told(self) -> Mapping[str, str | int]:
        """The org as the ready file and `--json` have it."""
        given = self.org.settings
        return {
            "name": given.name,
            "url": self.url,
            "http_url": self.http_url,
            "organization_id": given.organization_id,
            "username": given.username,
            "client_id": given.client_id,
            "client_secret": given.client_secret,
            "access_token": self.org.issue_token(),
            "pid": os.getpid(),
            **({"ca_file": str(self.ca_file.resolve())} if self.ca_file else {}),
            **({"private_key": str(self.key_file.resolve())} if self.key_file else {}),
        }


def make_orgs(wanted: Sequence[Wanted], clock: OrgClock) -> list[Org]:
    """The orgs with their data and faults; what of their schemas they do not have is told."""
    made: list[Org] = []
    for each in wanted:
        org = _make_org(each, clock, {other.settings.organization_id[:15] for other in made})
        if any(other.settings.name == org.settings.name for other in made):
            raise unusable(f"two of the orgs have the name {org.settings.name}, and it is their alias")
        made.append(org)
    return made


def _make_org(wanted: Wanted, clock: OrgClock, taken: AbstractSet[str]) -> Org:
    try:
        loaded = _schema(wanted.schema) if wanted.schema else load_schema()
        settings = _settings(loaded, wanted)
        if settings.organization_id[:15] in taken:
            other = next(each for each in map(_id_of, range(99)) if each[:15] not in taken)
            click.echo(f"note: {wanted.name} has the id {other}, its own is another org's", err=True)
            settings = replace(settings, organization_id=other)
        org = Org(loaded, settings, clock)
        if wanted.data is not None:
            if not wanted.data.is_dir():
                raise SeedInvalid(f"{wanted.data}: there is no such folder")  # noqa: TRY301 - told as the others
            for name, count in load_csv_folder(org, wanted.data).items():
                click.echo(f"{org.settings.name}: {count:,} {name}", err=True)
    except (SchemaInvalid, SettingInvalid, SeedInvalid, OSError) as fault:
        raise unusable(f"the simulated org cannot be served: {fault}") from fault
    if wanted.faults is not None:
        org.plant(*load_faults(wanted.faults, org.now()))
    return org


def serve_org(
    org: Org,
    host: str,
    port: int,
    *,
    authority: Authority | None,
    ca_file: Path | None,
    key_file: Path | None,
) -> Served:
    """Answer over http, and with an authority over https at the given port."""
    servers: list[Server] = []
    try:
        if authority is not None:
            servers.append(serve(org, host, port, authority=authority))
        servers.append(serve(org, host, 0 if authority else port, works=authority is None))
    except OSError as fault:
        for server in servers:
            server.close()
        raise unusable(f"the simulated org cannot be served: {host}:{port}: {fault.strerror}") from fault
    return Served(org, tuple(servers), ca_file, key_file)


def unusable(why: str) -> MigratorError:
    """Why there is no simulated org."""
    return MigratorError("simulator-unusable", why, exit_code=ExitCode.USAGE)


def authority_in(ca_file: Path | None) -> Authority | None:
    """A new authority, its certificate written for clients to trust."""
    if ca_file is None:
        return None
    made = make_authority(SystemClock().now())
    try:
        ca_file.write_bytes(made.certificate)
    except OSError as fault:
        raise unusable(f"{ca_file} cannot be written: {fault.strerror}") from fault
    return made


def public_key_in(key_file: Path | None) -> str | None:
    """The public key that belongs to a private one; a file that is not there is made, readable to its owner only."""
    if key_file is None:
        return None
    try:
        if not key_file.exists():
            handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(make_app_key())
        return public_key_of(key_file.read_bytes())
    except OSError as fault:
        raise unusable(f"{key_file} cannot be used: {fault.strerror}") from fault
    except ValueError as fault:
        raise unusable(f"{key_file} is no private key: {fault}") from fault


def _schema(given: str) -> Schema:
    kind, path = _kind_and_path(given)
    found = load_schema_from(path, kind)
    for note in found.notes[:MAX_NOTES]:
        click.echo(f"note: {note}", err=True)
    if len(found.notes) > MAX_NOTES:
        click.echo(f"note: … and {len(found.notes) - MAX_NOTES:,} more", err=True)
    return found.schema


def _kind_and_path(given: str) -> tuple[SchemaKind | None, Path]:
    word, colon, rest = given.partition(":")
    if colon and word in set(SchemaKind):
        return SchemaKind(word), Path(rest)
    return None, Path(given)


def _id_of(rank: int) -> str:
    return f"00D{rank + 1:012d}EAA"


def _settings(loaded: Schema, wanted: Wanted) -> OrgSettings:
    settings = OrgSettings(
        name=wanted.name,
        organization_id=loaded.organization.get("id") or _id_of(wanted.rank),
        sandbox=loaded.organization.get("sandbox", "true").casefold() == "true",
        public_key=wanted.public_key,
    )
    return reduce(configured, [loaded.settings, *map(assigned, wanted.settings)], settings)


def _names_of(schemas: Sequence[str | None]) -> list[str]:
    """The aliases of the orgs: what their schemas are called, and a number for the second of a name."""
    made: list[str] = []
    for schema in schemas:
        stem = _kind_and_path(schema)[1].resolve().stem if schema else "simulated"
        same = sum(1 for each in made if each == stem or each.startswith(f"{stem}-"))
        made.append(f"{stem}-{same + 1}" if same else stem)
    return made


def orgs_file(served: Sequence[Served]) -> str:
    """An orgs file for `migrator run`, with what has to be exported."""
    lines = ["# an orgs file for these orgs; export MIGRATOR_SIMULATOR_SECRET as told below", "orgs:"]
    for each in served:
        given = each.org.settings
        lines += [f"  {given.name}:", f"    url: {each.url}", "    simulator: true"]
        if each.own_clock:
            lines.append("    own_clock: true")
        if each.ca_file is not None:
            lines.append(f"    ca_file: {each.ca_file.resolve()}")
        if each.key_file is not None:
            flow = f"flow: jwt, client_id: {given.client_id}, username: {given.username}"
            lines.append(f"    auth: {{{flow}, private_key: {{file: {each.key_file.resolve()}}}}}")
        else:
            flow = f"flow: client_credentials, client_id: {given.client_id}"
            lines.append(f"    auth: {{{flow}, client_secret: {{env: MIGRATOR_SIMULATOR_SECRET}}}}")
    lines.append(f"# export MIGRATOR_SIMULATOR_SECRET={served[0].org.settings.client_secret}")
    return "\n".join(lines)


def export_all(orgs: Sequence[Org], folder: Path) -> None:
    """Write each org's records below the folder."""
    for org in orgs:
        try:
            counts = export_csv_folder(org, folder / org.settings.name)
        except OSError as fault:
            raise unusable(f"{folder} cannot be written: {fault.strerror}") from fault
        total = sum(counts.values())
        click.echo(f"{org.settings.name}: {total:,} records in {folder / org.settings.name}", err=True)
