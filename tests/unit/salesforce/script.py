"""A transport that answers what it is told to, and what is asked of it."""

import socket
import threading
from collections.abc import Callable

import httpx
import pytest

from migrator.salesforce import Org, RequestFailed

Connect = Callable[..., Org]
Play = Callable[[socket.socket], None]

INSTANCE = "https://acme.my.salesforce.com"
JOB = {"id": "750ak000009BWKLAA4", "state": "Open", "object": "Account", "operation": "insert"}
OK = httpx.Response(200, json=JOB)
EXPIRED = httpx.Response(
    401, json=[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
)
BUSY = httpx.Response(503, json=[{"message": "Server unavailable", "errorCode": "SERVER_UNAVAILABLE"}])
HTML = httpx.Response(200, html="<html>Please sign in to the guest network</html>")


def fresh(answer: httpx.Response) -> httpx.Response:
    """The answer with its body still to come, as from the network."""
    stream = answer.stream if answer.headers.get("Content-Encoding") else httpx.ByteStream(answer.content)
    return httpx.Response(answer.status_code, headers=answer.headers, stream=stream)


class Script(httpx.BaseTransport):
    """Answers one after the other; the last is repeated."""

    def __init__(
        self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
    ) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self.lock:
            self.seen.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return fresh(answer(request) if callable(answer) else answer)

    @property
    def calls(self) -> list[str]:
        return [f"{one.method} {one.url.path}" for one in self.seen]


def token(name: str, instance: str = INSTANCE) -> httpx.Response:
    return httpx.Response(200, json={"access_token": name, "instance_url": instance, "token_type": "Bearer"})


def failure(act: Callable[[], object]) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        act()
    return caught.value


def create(org: Org) -> Callable[[], object]:
    return lambda: org.create_ingest("Account", "insert")


def ask(org: Org) -> Callable[[], object]:
    return lambda: org.job(JOB["id"])
