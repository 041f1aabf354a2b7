"""TLS to an org: its certificate must come from an authority that we trust, or were told to trust."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.clock import SystemClock
from migrator.errors import MigratorError
from migrator.salesforce import ClientCredentials, ConnectionSettings, Secret, connect
from migrator.simulator import Org, Server, make_authority, serve


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return tmp_path / "ca.pem"


@pytest.fixture
def server(ca_file: Path) -> Iterator[Server]:
    authority = make_authority(SystemClock().now())
    ca_file.write_bytes(authority.certificate)
    with serve(Org(), authority=authority) as made:
        yield made


def settings(server: Server, ca_file: Path | None) -> ConnectionSettings:
    given = server.org.settings
    auth = ClientCredentials(given.client_id, Secret(given.client_secret))
    return ConnectionSettings("sim", auth, server.url, server.url, simulator=True, ca_file=ca_file)


def test_an_authority_that_we_were_told_of(server: Server, ca_file: Path) -> None:
    with connect(settings(server, ca_file), SystemClock()) as org:
        assert org.identity().organization_id == server.org.settings.organization_id


def test_an_authority_that_nobody_knows(server: Server) -> None:
    with connect(settings(server, None), SystemClock()) as org, pytest.raises(MigratorError) as refused:
        org.identity()
    assert refused.value.code == "tls-failed"
    assert server.org.requests == 0
