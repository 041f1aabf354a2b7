"""A client that asks until something goes wrong, and the register of what each fault of the catalogue must look like to it."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migrator.clock import VirtualClock
from migrator.simulator import Org
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.strikes import Dropped

ROWS = 600
DATA = "/services/data/v66.0"
INGEST = f"{DATA}/jobs/ingest"


@dataclass
class Client:
    """A client of an org that asks until something goes wrong."""

    org: Org
    clock: VirtualClock
    token: str = ""

    def __post_init__(self) -> None:
        self.token = self.org.issue_token()

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Response | None:
        """The answer; None for a connection that ended without one."""
        given = {
            "Authorization": f"Bearer {self.token}",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        query = {}
        if "?" in path:
            path, _, rest = path.partition("?")
            query = dict(each.split("=", 1) for each in rest.split("&"))
        try:
            response = self.org.handle(Request(method, path, query, Headers(given), body.encode()))
        except Dropped:
            return None
        if response.delivery is not None and response.delivery.silent:
            return None
        return response

    def sign_in(self) -> Response | None:
        form = (
            f"grant_type=client_credentials&client_id={self.org.settings.client_id}"
            f"&client_secret={self.org.settings.client_secret}"
        )
        given = self.ask(
            "POST", "/services/oauth2/token", form, Content_Type="application/x-www-form-urlencoded"
        )
        if given is not None and given.status == 200:
            self.token = given.json()["access_token"]
        return given

    def create(self, sobject: str = "Account", operation: str = "insert") -> str | None:
        made = self.ask("POST", INGEST, f'{{"object":"{sobject}","operation":"{operation}"}}')
        return None if made is None or made.status != 200 else str(made.json()["id"])

    def put(self, job: str, rows: int = ROWS) -> Response | None:
        lines = "".join(f'"row {number}","{number}"\n' for number in range(rows))
        return self.ask(
            "PUT", f"{INGEST}/{job}/batches", f"Name,AccountNumber\n{lines}", Content_Type="text/csv"
        )

    def close(self, job: str) -> Response | None:
        return self.ask("PATCH", f"{INGEST}/{job}", '{"state":"UploadComplete"}')

    def job(self, job: str) -> dict[str, Any]:
        shown = self.ask("GET", f"{INGEST}/{job}")
        assert shown is not None
        assert shown.status == 200, shown.read()
        return dict(shown.json())

    def work(self, seconds: float = 0.0) -> None:
        """Let the org work until it has nothing to do."""
        self.clock.advance(seconds)
        while self.org.advance(self.clock.now()):
            pass

    def done(self, rows: int = ROWS) -> str:
        """A job that was carried out, whatever came of it."""
        job = self.create()
        assert job
        assert self.put(job, rows)
        assert self.close(job)
        self.work()
        return job

    def rows(self, job: str, kind: str = "successfulResults") -> list[list[str]]:
        found = self.ask("GET", f"{INGEST}/{job}/{kind}")
        assert found is not None
        assert found.status == 200, found.read()
        return list(csv.reader(io.StringIO(found.read().decode(), newline="")))[1:]

    def query(self) -> str:
        """A query job over the accounts that are there, complete."""
        made = self.ask(
            "POST", f"{DATA}/jobs/query", '{"operation":"query","query":"SELECT Id, Name FROM Account"}'
        )
        assert made is not None
        self.work()
        return str(made.json()["id"])

    def accounts(self) -> int:
        return len(self.org.store.table("Account"))


Check = Callable[[Client], None]
CHECKS: dict[str, Check] = {}


def check(*names: str) -> Callable[[Check], Check]:
    """The check of these faults."""

    def keep(found: Check) -> Check:
        CHECKS.update(dict.fromkeys(names, found))
        return found

    return keep


def status_of(found: Response | None) -> int:
    assert found is not None
    return found.status
