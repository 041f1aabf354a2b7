"""The org behind HTTP: a WSGI application for tests in process, and a server on loopback for everybody else."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, quote

import waitress
from waitress import wasyncore
from waitress.channel import ClientDisconnected
from werkzeug.wrappers import Request as WsgiRequest

from migrator.clock import Clock
from migrator.simulator.clocks import OrgClock
from migrator.simulator.http import Delivery, Headers, Request, Response
from migrator.simulator.network import Channel, channel_of
from migrator.simulator.org import Org
from migrator.simulator.strikes import Dropped
from migrator.simulator.tls import Authority, Front

THREADS = 8
IN_MEMORY = 1 << 20  # bigger uploads wait in a temporary file
MAX_UPLOAD = 1 << 30
JOIN_WAIT = 5.0  # seconds that closing waits for what is being answered
LOOP_WAIT = 0.1  # seconds the HTTP loop sleeps at most, and so the time that closing takes
IDLE_STEP = 0.02  # seconds between looks at asynchronous work when nothing was due
YIELD_STEP = (
    0.0005  # seconds in which requests get the org between steps of work; locks are not fair by themselves
)

_REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    300: "Multiple Choices",
    304: "Not Modified",
    400: "Bad Request",
}

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def wsgi_app(org: Org) -> WsgiApp:
    """The org as a WSGI application. A dropped connection is a `ConnectionResetError`."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        response = org.handle(_request(environ))
        if response.delivery is not None:
            response = _delivered(response, response.delivery, org.clock)
        return _respond(response, start_response)

    return application


def _delivered(response: Response, delivery: Delivery, clock: Clock) -> Response:
    """The answer as a network brings it to a client in process: its time passes on the org's clock."""
    if delivery.silent:
        clock.wait(delivery.silent)
        raise Dropped("nothing came back")
    body = response.read()
    size = delivery.segment or max(1, delivery.bytes_per_second)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), size):
            if delivery.bytes_per_second and start:
                clock.wait(1.0)
            yield body[start : start + size]

    length = {"Content-Length": str(len(body))}
    return Response(response.status, response.headers.with_(length), pieces())


def _request(environ: dict[str, Any], *, carried: bool = False) -> Request:
    wsgi = WsgiRequest(environ)
    raw = environ.get("REQUEST_URI", "")
    path = raw.partition("?")[0] if raw.startswith("/") else quote(wsgi.path, safe="/:@!$&'()*+,;=-._~{}")
    length = wsgi.content_length or 0
    big = length > IN_MEMORY and hasattr(environ["wsgi.input"], "seek")
    return Request(
        method=wsgi.method,
        path="/" + path.lstrip("/"),  # the Salesforce CLI sends two slashes, which the platform takes as one
        query=dict(parse_qsl(wsgi.query_string.decode("utf-8", "replace"), keep_blank_values=True)),
        headers=Headers(list(wsgi.headers.items())),
        body=b""
        if big
        else environ["wsgi.input"].read()
        if environ.get("wsgi.input_terminated")
        else wsgi.get_data(),
        stream=environ["wsgi.input"] if big else None,
        base_url=wsgi.host_url.rstrip("/"),
        carried=carried,
    )


def _respond(response: Response, start_response: StartResponse) -> Iterable[bytes]:
    headers = [(name, response.headers[name]) for name in response.headers]
    if isinstance(response.body, bytes):
        if response.status not in {204, 304}:
            headers.append(("Content-Length", str(len(response.body))))
        start_response(f"{response.status} {_REASONS.get(response.status, 'Answer')}", headers)
        return [response.body]
    start_response(f"{response.status} {_REASONS.get(response.status, 'Answer')}", headers)
    return response.body


@dataclass(slots=True)
class Server:
    """A running server; `close()` ends it and frees the port."""

    url: str
    org: Org
    _threads: tuple[threading.Thread, ...]
    _stop: threading.Event
    _front: Front | None = None

    @property
    def answers(self) -> bool:
        """False when it has broken down."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Stop answering."""
        if self._front is not None:
            self._front.close()
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=JOIN_WAIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    org: Org,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    threads: int = THREADS,
    authority: Authority | None = None,
    works: bool = True,
) -> Server:
    """Serve the org from threads of this process; port 0 takes a free one. With an authority over HTTPS only.

    A second server of an org leaves its asynchronous work to the first (`works`).
    """
    logging.getLogger("waitress").setLevel(logging.ERROR)
    clock = org.clock if isinstance(org.clock, OrgClock) else None
    sockets: dict[int, Any] = {}
    server = waitress.create_server(
        _over_network(org, clock),
        map=sockets,
        host=host,
        port=0 if authority else port,
        url_scheme="https" if authority else "http",
        threads=threads,
        max_request_body_size=MAX_UPLOAD,
        inbuf_overflow=IN_MEMORY,
        outbuf_overflow=64 << 20,
        channel_timeout=600,
        connection_limit=200,
        ident="sfdcedge",
        clear_untrusted_proxy_headers=False,
    )
    server.channel_class = Channel
    server.cuts_body = org.cuts_body
    stop = threading.Event()

    def listen() -> None:
        while not stop.is_set():
            # `select` knows no descriptor above 1,023
            wasyncore.loop(timeout=LOOP_WAIT, use_poll=True, map=sockets, count=1)
        server.task_dispatcher.shutdown(timeout=JOIN_WAIT)
        server.close()
        for channel in list(sockets.values()):
            channel.handle_close()

    running = [threading.Thread(target=listen, name="simulator-http", daemon=True)]
    if works:
        work = threading.Thread(
            target=_work, args=(org, clock, stop), name="simulator-background", daemon=True
        )
        running.append(work)
    front = _front(authority, host, port, server) if authority else None
    for thread in running:
        thread.start()
    url = f"https://{host}:{front.port}" if front else f"http://{host}:{server.effective_port}"
    return Server(url, org, tuple(running), stop, front)


def _work(org: Org, clock: OrgClock | None, stop: threading.Event) -> None:
    """Asynchronous work, until stopped."""
    while not stop.is_set():
        more = org.advance(org.clock.now())
        if clock is not None and more:
            clock.busy(org)
        elif clock is not None:
            clock.idle(org, org.due())
        stop.wait(YIELD_STEP if more else IDLE_STEP)
    if clock is not None:
        clock.leave(org)


def _over_network(org: Org, clock: OrgClock | None) -> WsgiApp:
    """The org as it answers over real connections, which its faults reach."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        channel = channel_of(environ)
        try:
            with clock.acting() if clock else nullcontext():
                response = org.handle(_request(environ, carried=True))
        except Dropped as dropped:
            if channel is not None and dropped.reset:
                channel.reset()
            raise ClientDisconnected from dropped  # waitress then closes the socket without a word
        if response.delivery is not None and channel is not None:
            channel.deliver(response.delivery)
        return _until_dropped(_respond(response, start_response))

    return application


def _front(authority: Authority, host: str, port: int, server: Any) -> Front:
    try:
        return Front(authority.context(), host, port, server.effective_port)
    except OSError:
        server.close()
        raise


def _until_dropped(parts: Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(parts, list):
        return parts
    return _guarded(parts)


def _guarded(parts: Iterable[bytes]) -> Iterable[bytes]:
    try:
        yield from parts
    except Dropped as dropped:
        raise ClientDisconnected from dropped
