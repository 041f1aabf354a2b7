"""The client over real sockets."""

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from migrator.errors import ExitCode
from migrator.model.wire import JobState, Sent
from tests.unit.salesforce.script import JOB, Connect, Play, create, failure


def head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    return data


def test_nobody_listens(scripted: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    org = scripted(None, instance_url=f"http://127.0.0.1:{port}", simulator=True)
    failed = failure(create(org))
    assert (failed.code, failed.sent) == ("network-failed", Sent.NO)
    org.close()


def test_the_connection_is_cut_after_the_request(
    scripted: Connect, raw_server: Callable[[Play], str]
) -> None:
    def play(connection: socket.socket) -> None:
        head(connection)

    org = scripted(None, instance_url=raw_server(play), simulator=True)
    failed = failure(create(org))
    assert (failed.code, failed.sent) == ("network-failed", Sent.MAYBE)
    org.close()


def test_a_server_without_a_trusted_certificate(scripted: Connect, raw_server: Callable[[Play], str]) -> None:
    def play(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    org = scripted(None, instance_url=raw_server(play).replace("http:", "https:"), simulator=True)
    failed = failure(create(org))
    assert (failed.code, failed.sent, failed.exit_code) == ("tls-failed", Sent.NO, ExitCode.REFUSED)
    assert isinstance(failed.__cause__, httpx.ConnectError)
    assert any(isinstance(one, ssl.SSLError) for one in _causes(failed))
    org.close()


def _causes(fault: BaseException | None) -> list[BaseException]:
    found = []
    while fault is not None:
        found.append(fault)
        fault = fault.__cause__ or fault.__context__
    return found


def test_an_unknown_host(scripted: Connect) -> None:
    org = scripted(None, instance_url="https://no-such-host.invalid", hosts=("no-such-host.invalid",))
    failed = failure(create(org))
    assert (failed.code, failed.sent) == ("network-failed", Sent.NO)
    org.close()


def test_an_upload_goes_out_as_it_is_on_the_disk(
    scripted: Connect, raw_server: Callable[[Play], str], tmp_path: Path
) -> None:
    content = 'Name\r\n"a\nb"\r\n\u2028ü\r\n'.encode() * 50_000
    (tmp_path / "rows.csv").write_bytes(content)
    received: list[bytes] = []

    def play(connection: socket.socket) -> None:
        data = head(connection)
        start, _, body = data.partition(b"\r\n\r\n")
        while len(body) < len(content):
            body += connection.recv(1 << 20)
        received.extend((start, body))
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    org = scripted(None, instance_url=raw_server(play), simulator=True)
    org.upload(JOB["id"], tmp_path / "rows.csv")
    start = received[0].decode().lower()
    assert received[1] == content
    assert f"content-length: {len(content)}" in start
    assert "transfer-encoding" not in start
    assert "content-type: text/csv" in start
    org.close()


def test_proxies_in_the_environment_are_not_used(
    scripted: Connect, raw_server: Callable[[Play], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def play(connection: socket.socket) -> None:
        head(connection)
        body = json.dumps(JOB).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    org = scripted(None, instance_url=raw_server(play), simulator=True)
    assert org.job(JOB["id"]).state is JobState.OPEN
    org.close()
