"""A client of ingest jobs of Bulk API 2.0 for tests."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request, Response

Call = Callable[..., Response]
Rows = list[dict[str, str]]


class Bulk:
    """A client of ingest jobs."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def create(self, sobject: str = "Account", operation: str = "insert", **more: Any) -> str:
        done = self.call("POST", "/jobs/ingest", {"object": sobject, "operation": operation, **more})
        assert done.status == 200, done.read()
        return str(done.json()["id"])

    def put(self, job: str, data: str | bytes) -> Response:
        body = data if isinstance(data, bytes) else data.encode()
        return self.call("PUT", f"/jobs/ingest/{job}/batches", body, headers={"Content-Type": "text/csv"})

    def patch(self, job: str, state: str = "UploadComplete") -> Response:
        return self.call("PATCH", f"/jobs/ingest/{job}", {"state": state})

    def get(self, job: str) -> dict[str, Any]:
        found = self.call("GET", f"/jobs/ingest/{job}").json()
        assert isinstance(found, dict)
        return found

    def start(self, data: str, sobject: str = "Account", operation: str = "insert", **more: Any) -> str:
        job = self.create(sobject, operation, **more)
        assert self.put(job, data).status == 201
        assert self.patch(job).status == 200
        return job

    def wait(self, job: str) -> dict[str, Any]:
        for _ in range(200):
            shown = self.get(job)
            if shown["state"] in {"JobComplete", "Failed", "Aborted"}:
                return shown
        raise AssertionError("the job does not end")

    def run(
        self, data: str, sobject: str = "Account", operation: str = "insert", **more: Any
    ) -> tuple[str, dict[str, Any]]:
        job = self.start(data, sobject, operation, **more)
        return job, self.wait(job)

    def text(self, job: str, kind: str) -> str:
        done = self.call("GET", f"/jobs/ingest/{job}/{kind}")
        assert done.status == 200, done.read()
        return done.read().decode()

    def rows(self, job: str, kind: str) -> Rows:
        return list(csv.DictReader(io.StringIO(self.text(job, kind), newline="")))

    def all_rows(self, job: str) -> tuple[Rows, Rows, Rows]:
        return (
            self.rows(job, "successfulResults"),
            self.rows(job, "failedResults"),
            self.rows(job, "unprocessedrecords"),
        )


def named(count: int, column: str = "Name") -> str:
    return f"{column}\n" + "".join(f"Row {number}\n" for number in range(count))


def column(rows: Rows, name: str) -> list[str]:
    return sorted(row[name] for row in rows)


def refused(response: Response) -> tuple[int, str, str]:
    (body,) = response.json()
    assert list(body) == ["errorCode", "message"]
    return response.status, body["errorCode"], body["message"]


def client(settings: OrgSettings, clock: VirtualClock | None = None) -> tuple[Org, Bulk]:
    org = Org(load_schema(), settings, clock or VirtualClock())
    token = org.part(Tokens).issue()

    def call(method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = Headers({"Authorization": f"Bearer {token}", **(headers or {})})
        return org.handle(Request(method, f"/services/data/v60.0{path}", {}, given, data))

    return org, Bulk(call)
