"""Faults of the network, over real connections."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from migrator.simulator import Fault, FaultKind, Org, Server, make_authority, preset, serve

DATA = "/services/data/v60.0"


@pytest.fixture
def server(org: Org) -> Iterator[Server]:
    with serve(org) as running:
        yield running


@pytest.fixture
def client(org: Org, server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {org.issue_token()}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=20) as made:
        yield made


def upload(client: httpx.Client, body: bytes) -> str:
    """A job, and an attempt to upload this."""
    job = client.post(f"{DATA}/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()["id"]
    path = f"{DATA}/jobs/ingest/{job}"
    with pytest.raises(httpx.TransportError):
        client.put(f"{path}/batches", content=body, headers={"Content-Type": "text/csv"})
    return path


@pytest.mark.parametrize("rows", [3, 200_000])
def test_an_upload_is_reset_in_its_middle(org: Org, client: httpx.Client, rows: int) -> None:
    org.plant(*preset("N07"))
    body = b"Name\n" + b"some name of an account\n" * rows
    path = upload(client, body)
    assert "numberRecordsProcessed" not in client.get(path).json(), "the org has not heard of it"
    done = client.put(f"{path}/batches", content=body, headers={"Content-Type": "text/csv"})
    assert done.status_code == 201


def test_what_arrived_may_be_taken_for_all(org: Org, client: httpx.Client) -> None:
    org.plant(*preset("N07", keeps=True))
    path = upload(client, b"Name\n" + b"x\n" * 100)
    assert client.get(path).json()["numberRecordsProcessed"] == 0
    client.patch(path, json={"state": "UploadComplete"})
    while client.get(path).json()["state"] in {"UploadComplete", "InProgress"}:
        time.sleep(0.01)
    assert len(org.store.table("Account")) == 49


def test_a_chunked_body_is_cut_as_well(org: Org, client: httpx.Client) -> None:
    org.plant(Fault(FaultKind.DROP_IN_BODY, path=".*/sobjects/Account", method="POST"))
    with pytest.raises(httpx.TransportError):
        client.post(f"{DATA}/sobjects/Account", content=iter([b'{"Name":', b'"chunked"}']))
    assert len(org.store.table("Account")) == 0


def test_an_answer_in_single_bytes(org: Org, server: Server) -> None:
    org.plant(Fault(FaultKind.SEGMENTS))
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        connection.sendall(b"GET /services/data HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sizes = []
        text = b""
        while part := connection.recv(65_536):
            sizes.append(len(part))
            text += part
    assert json.loads(text.partition(b"\r\n\r\n")[2])[-1]["version"] == "66.0"
    assert len(sizes) > 20, "the client reads it in many pieces"


def test_an_answer_at_so_many_bytes_per_second(org: Org, client: httpx.Client) -> None:
    org.plant(Fault(FaultKind.SLOW, path="/services/data", size=5_000))
    began = time.monotonic()
    whole = client.get("/services/data", headers={"Accept-Encoding": "identity"})
    assert len(whole.content) > 2_000
    assert time.monotonic() - began > 0.3


def test_a_connection_falls_silent(org: Org, client: httpx.Client) -> None:
    path = f"{DATA}/sobjects/Account"
    org.plant(Fault(FaultKind.HOLE, path=path, method="POST", seconds=60.0, after_effect=True))
    with pytest.raises(httpx.ReadTimeout):
        client.post(path, json={"Name": "x"}, timeout=0.3)
    assert len(org.store.table("Account")) == 1
    org.plant(Fault(FaultKind.HOLE, path=path, method="POST", seconds=0.2))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post(path, json={"Name": "x"})
    assert len(org.store.table("Account")) == 1


def test_a_kept_connection_ends_all_the_same(org: Org, server: Server) -> None:
    org.plant(Fault(FaultKind.HANG_UP, path="/services/data"))
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", "/services/data")
    first = connection.getresponse()
    assert first.getheader("Connection", "").lower() != "close"
    assert len(json.loads(first.read())) == 36
    time.sleep(0.3)
    connection.auto_open = 0
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        _again(connection)
    connection.close()


def _again(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    connection.request("GET", "/services/data")
    return connection.getresponse()


def test_the_faults_reach_through_https(org: Org, tmp_path: object) -> None:
    authority = make_authority(time.time())
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    org.plant(*preset("N07"))
    headers = {"Authorization": f"Bearer {org.issue_token()}"}
    with (
        serve(org, authority=authority) as running,
        httpx.Client(base_url=running.url, headers=headers, verify=context, trust_env=False) as made,
    ):
        path = upload(made, b"Name\n" + b"x\n" * 1_000)
        assert "numberRecordsProcessed" not in made.get(path).json()
