"""A client of Bulk API v1 for tests: makes jobs in XML, as most do, and reads ids and states back."""

import re
from collections.abc import Mapping

from defusedxml.ElementTree import fromstring

from migrator.simulator import Org
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request, Response

CSV = "<contentType>CSV</contentType>"
XML = {"Content-Type": "application/xml; charset=UTF-8"}
NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"


class Bulk1:
    """A client of Bulk API v1 that makes its jobs in XML, as most do."""

    def __init__(self, org: Org, version: str = "60.0") -> None:
        self.org = org
        self.token = org.part(Tokens).issue()
        self.base = f"/services/async/{version}/job"

    def __call__(
        self, method: str, path: str, body: str | bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        data = body if isinstance(body, bytes) else body.encode()
        given = {"X-SFDC-Session": self.token, **(XML if headers is None else headers)}
        return self.org.handle(Request(method, self.base + path, {}, Headers(given), data))

    def create(
        self, operation: str = "insert", sobject: str = "Account", *, more: str = "", **headers: str
    ) -> str:
        """The id of a new job; `more` is XML that goes in as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        done = self("POST", "", info(operation, sobject, more), {**XML, **named})
        assert done.status == 201, done.read()
        return element(done, "id")

    def post(self, job: str, data: str, kind: str = "text/csv") -> str:
        """The id of a new batch."""
        done = self("POST", f"/{job}/batch", data, {"Content-Type": kind})
        assert done.status == 201, done.read()
        return (
            str(done.json()["id"])
            if done.headers["Content-Type"] == "application/json"
            else element(done, "id")
        )

    def wait(self, job: str, batch: str) -> Response:
        """The batch when it has ended."""
        for _ in range(300):
            shown = self("GET", f"/{job}/batch/{batch}")
            if element(shown, "state") not in {"Queued", "InProgress"}:
                return shown
        raise AssertionError("the batch does not end")

    def result(self, job: str, batch: str) -> str:
        """The result of a batch that has ended."""
        done = self("GET", f"/{job}/batch/{batch}/result")
        assert done.status == 200, done.read()
        return done.read().decode()

    def run(self, data: str, operation: str = "insert", sobject: str = "Account", *, more: str = CSV) -> str:
        """The result of a job of one batch."""
        job = self.create(operation, sobject, more=more)
        batch = self.post(job, data)
        assert element(self.wait(job, batch), "state") == "Completed"
        return self.result(job, batch)

    def change(self, job: str, state: str) -> Response:
        """Close or abort a job."""
        return self("POST", f"/{job}", f'<jobInfo xmlns="{NAMESPACE}"><state>{state}</state></jobInfo>')


def info(operation: str, sobject: str, more: str = "") -> str:
    """A job in XML."""
    inner = f"<operation>{operation}</operation><object>{sobject}</object>{more}"
    return f'<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="{NAMESPACE}">{inner}</jobInfo>'


def element(response: Response, name: str) -> str:
    """The text of the first element of that name."""
    root = fromstring(response.read())
    return root.findtext(f".//{{{NAMESPACE}}}{name}") or ""


def names(count: int, start: int = 0) -> str:
    return "Name\n" + "".join(f"N{number}\n" for number in range(start, start + count))


def states(bulk1: Bulk1, job: str) -> list[str]:
    text = bulk1("GET", f"/{job}/batch").read().decode()
    return re.findall(r"<state>(\w+)</state>", text)
