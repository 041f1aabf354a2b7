"""Connections to orgs that show what real ones show rarely."""

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from migrator.clock import VirtualClock
from migrator.salesforce import AccessToken, ClientCredentials, ConnectionSettings, Org, Secret, connect
from tests.unit.salesforce.script import INSTANCE, Connect, Play


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def scripted(clock: VirtualClock) -> Connect:
    """Connect to a script, with a token in hand."""

    def connect_to(script: httpx.BaseTransport, **settings: object) -> Org:
        facts = {"auth": AccessToken(Secret("00D000000000001!held")), "instance_url": INSTANCE, **settings}
        return connect(
            ConnectionSettings("acme", **facts),  # type: ignore[arg-type]
            clock,
            transport=script,
            rng=random.Random(1),  # noqa: S311 - jitter
        )

    return connect_to


@pytest.fixture
def signing_in(scripted: Connect) -> Connect:
    """Connect to a script that is asked for a token first."""
    auth = ClientCredentials("app", Secret("app-secret"))
    return lambda script, **settings: scripted(
        script, **{"auth": auth, "instance_url": "", "login_url": INSTANCE, **settings}
    )


@pytest.fixture
def raw_server() -> Iterator[Callable[[Play], str]]:
    """Start such a server; gives its origin."""
    started: list[tuple[socket.socket, threading.Thread]] = []

    def start(play: Play) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        play(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        started.append((listener, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener, thread in started:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)
