"""Two simulated orgs behind real HTTP, an orgs file that names them, and the command line called as people call it."""

import contextlib
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.cli.boundary import run
from migrator.simulator import Org, OrgClock, OrgSettings, Server, load_csv_folder, load_schema, serve
from migrator.simulator.http import Headers, Request, Response

ROOT = Path(__file__).resolve().parents[2]
SECRET = "canary-client-secret-3f9a"
SCHEMA = """
objects:
  Account:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
      Tier__c: {type: picklist, values: [Gold, Silver], restricted: true}
      Remark__c: {type: text, length: 10}
      Letter__c: {type: long_text, length: 32768}
      Size__c: {type: number, precision: 18, scale: 4}
      Since__c: {type: date}
  Contact:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
"""


class WatchedOrg(Org):
    """An org that remembers what was asked of it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        #: what an administrator changed: the described facts of fields, by sObject and field; None: the field is gone
        self.changed: dict[tuple[str, str], dict[str, Any] | None] = {}

    def handle(self, request: Request) -> Response:
        """Answer, and remember the question."""
        self.asked.append((request.method, request.path))
        answer = super().handle(request)
        if request.path == "/services/oauth2/token" and answer.status == 200:
            self.tokens.append(str(answer.json()["access_token"]))
        return self._as_changed(request, answer) if self.changed else answer

    def _as_changed(self, request: Request, answer: Response) -> Response:
        parts = request.path.split("/")
        if parts[-1] != "describe" or answer.status != 200:
            return answer
        content = bytes(answer.body) if isinstance(answer.body, bytes) else b"".join(answer.body)
        packed = answer.headers.get("Content-Encoding") == "gzip"
        body = json.loads(gzip.decompress(content) if packed else content)
        for (sobject, name), facts in self.changed.items():
            if sobject == parts[-2]:
                body["fields"] = [
                    one | (facts or {}) if one["name"] == name else one
                    for one in body["fields"]
                    if one["name"] != name or facts is not None
                ]
        changed = json.dumps(body).encode()
        headers = Headers({"Content-Type": "application/json;charset=UTF-8"})
        return Response(200, headers, changed)

    @property
    def written(self) -> list[tuple[str, str]]:
        """The requests that could change something."""
        return [
            (method, path)
            for method, path in self.asked
            if method != "GET" and not path.startswith("/services/oauth2/")
        ]


@dataclass
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


@dataclass
class World:
    """A folder with both orgs, where commands are called."""

    folder: Path
    source: WatchedOrg
    target: WatchedOrg
    servers: tuple[Server, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    own_clock: bool = False

    @property
    def state(self) -> Path:
        """Where the runs are."""
        return self.folder / "runs"

    @property
    def run(self) -> Path:
        """The folder of the only run; beside it are the leases of target objects."""
        (found,) = (each for each in self.state.iterdir() if (each / "outcomes").is_dir())
        return found

    def open(self) -> None:
        """Serve both orgs and write the orgs file."""
        self.servers = (serve(self.source), serve(self.target))
        self.orgs({"legacy": self.servers[0].url, "merged": self.servers[1].url})

    def orgs(self, urls: Mapping[str, str]) -> None:
        """Write the orgs file."""
        auth = {
            "flow": "client_credentials",
            "client_id": "migrator-simulator",
            "client_secret": {"env": "ORG_SECRET"},
        }
        kind = {"simulator": True, "own_clock": self.own_clock}
        entries = {alias: {"url": url, **kind, "auth": auth} for alias, url in urls.items()}
        (self.folder / "orgs.yaml").write_text(json.dumps({"orgs": entries}), encoding="utf-8")

    def plan(self, text: str, name: str = "plan.yaml") -> Path:
        """Write a plan."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
        """Write a CSV file into the folder `data`."""
        folder = self.folder / "data"
        folder.mkdir(exist_ok=True)
        quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (header, *rows)]
        path = folder / f"{name}.csv"
        path.write_bytes(("\n".join(quoted) + "\n").encode())
        return path

    def seed(self, org: Org, name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Put records into an org, past HTTP."""
        folder = self.folder / f"seed-{name}-{id(org)}"
        folder.mkdir()
        self.csv(name, header, rows).rename(folder / f"{name}.csv")
        load_csv_folder(org, folder)

    def arguments(self, command: str, *more: str | Path) -> list[str]:
        """The command line: the world's orgs file and state folder, where the command has them."""
        given = [command, *(str(one) for one in more)]
        if command in {"plan", "run", "resume", "verify", "retry", "undo", "doctor", "rescue"}:
            given += ["--orgs", str(self.folder / "orgs.yaml")]
        if command in {
            "run",
            "resume",
            "verify",
            "status",
            "report",
            "retry",
            "resolve",
            "undo",
            "unlock",
            "doctor",
            "rescue",
        }:
            given += ["--state-dir", str(self.state)]
        return given

    def call(self, command: str, *more: str | Path) -> Told:
        """Call a command in this process."""
        return call(*self.arguments(command, *more))

    def begin(self, command: str, *more: str | Path) -> "subprocess.Popen[str]":
        """Begin a command as a process of its own."""
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "migrator", *self.arguments(command, *more)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **self.environment},
        )

    def close(self) -> None:
        """Stop serving."""
        for server in self.servers:
            server.close()


def call(*arguments: str | Path) -> Told:
    """Call a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGINT)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(one) for one in arguments])
    assert signal.getsignal(signal.SIGINT) is before, "a command left its signal handler behind"
    return Told(code, out.getvalue(), err.getvalue())


def make_world(folder: Path, schema: str = SCHEMA, clock: OrgClock | None = None) -> World:
    """Two empty orgs with one schema; on this machine's time, or on a clock of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "org.yaml"
    path.write_text(schema, encoding="utf-8")
    loaded = load_schema(path)
    source, target = (
        WatchedOrg(loaded, OrgSettings(organization_id=name, sandbox=True, client_secret=SECRET), clock)
        for name in ("00D000000000001EAA", "00D000000000002EAA")
    )
    world = World(folder, source, target, environment={"ORG_SECRET": SECRET}, own_clock=clock is not None)
    world.open()
    return world


def until(true: Callable[[], object], patience: float = 30.0) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
