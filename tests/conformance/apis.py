"""Two ways to speak to an org, as one interface: through our client, and by hand with a plain HTTP client.

What both find is what the platform does; what only one finds is a fault of ours. The one by hand shares no code with the
client: it reads the JSON itself.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from migrator.clock import Clock
from migrator.model.wire import JobInfo
from migrator.salesforce import AccessToken, ConnectionSettings, RequestFailed, Secret, connect
from migrator.salesforce.session import Download

T = TypeVar("T")

VERSION = "66.0"
BASE = f"/services/data/v{VERSION}"
ENDED = {"JobComplete", "Failed", "Aborted"}

Cells = list[dict[str, str]]


class Refused(Exception):  # noqa: N818 - what the org did
    """The org answered with an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Job:
    """How a job stands; None: not told."""

    id: str
    state: str
    processed: int | None
    failed: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Row:
    """The answer to one record."""

    id: str
    success: bool
    created: bool | None
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results."""

    rows: int | None
    locator: str
    cells: Cells


class Api(Protocol):
    """What the suite asks of an org."""

    def whoami(self) -> tuple[str, str]: ...
    def names(self) -> set[str]: ...
    def field_types(self, sobject: str) -> Mapping[str, str]: ...
    def count(self, soql: str) -> int: ...
    def query(self, soql: str) -> list[dict[str, Any]]: ...
    def limits(self) -> Mapping[str, tuple[int, int]]: ...
    def create(self, sobject: str, operation: str, key: str | None = None) -> Job: ...
    def upload(self, job: str, path: Path) -> None: ...
    def close(self, job: str) -> Job: ...
    def abort(self, job: str) -> Job: ...
    def job(self, job: str) -> Job: ...
    def results(self, job: str) -> dict[str, Cells]: ...
    def jobs(self) -> set[str]: ...
    def create_query(self, soql: str) -> Job: ...
    def query_job(self, job: str) -> Job: ...
    def page(self, job: str, locator: str = "", most: int | None = None) -> Found: ...
    def send(
        self, sobject: str, operation: str, key: str | None, records: Sequence[Mapping[str, str]]
    ) -> list[Row]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the org under test is."""

    origin: str
    token: str
    clock: Clock
    transport: httpx.BaseTransport | None


def cells_of(text: str) -> Cells:
    """The rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


class Ours:
    """Through migrator.salesforce."""

    def __init__(self, place: Place) -> None:
        settings = ConnectionSettings(
            "conformance", AccessToken(Secret(place.token)), instance_url=place.origin, api_version=VERSION
        )
        self.org = connect(settings, place.clock, transport=place.transport)

    def whoami(self) -> tuple[str, str]:
        found = self.org.identity()
        return found.organization_id, found.user_id

    def names(self) -> set[str]:
        return set(self.org.describe(["Account"]).names)

    def field_types(self, sobject: str) -> Mapping[str, str]:
        found = self.org.describe([sobject]).sobject(sobject)
        if found is None:
            raise Refused(404, "NOT_FOUND")
        return {name: one.type for name, one in found.fields.items()}

    def count(self, soql: str) -> int:
        return self._try(lambda: self.org.count(soql))

    def query(self, soql: str) -> list[dict[str, Any]]:
        return self._try(lambda: list(self.org.query(soql)))

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return {name: (one.maximum, one.remaining) for name, one in self.org.limits().items()}

    def create(self, sobject: str, operation: str, key: str | None = None) -> Job:
        return self._job(lambda: self.org.create_ingest(sobject, operation, key))

    def upload(self, job: str, path: Path) -> None:
        self._try(lambda: self.org.upload(job, path))

    def close(self, job: str) -> Job:
        return self._job(lambda: self.org.close_upload(job))

    def abort(self, job: str) -> Job:
        return self._job(lambda: self.org.abort(job))

    def job(self, job: str) -> Job:
        return self._job(lambda: self.org.job(job))

    def results(self, job: str) -> dict[str, Cells]:
        return {
            "successful": self._cells(lambda: self.org.results(job, "successful")),
            "failed": self._cells(lambda: self.org.results(job, "failed")),
            "unprocessed": self._cells(lambda: self.org.results(job, "unprocessed")),
        }

    def jobs(self) -> set[str]:
        return {one.id for one in self.org.ingest_jobs()}

    def create_query(self, soql: str) -> Job:
        return self._job(lambda: self.org.create_query(soql))

    def query_job(self, job: str) -> Job:
        return self._job(lambda: self.org.query_job(job))

    def page(self, job: str, locator: str = "", most: int | None = None) -> Found:
        page = self._try(lambda: self.org.page(job, locator, most))
        return Found(page.rows, page.locator, cells_of(b"".join(page).decode()))

    def send(
        self, sobject: str, operation: str, key: str | None, records: Sequence[Mapping[str, str]]
    ) -> list[Row]:
        types = self.field_types(sobject)
        replies = self._try(lambda: self.org.send_rows(sobject, operation, key, records, types))
        return [
            Row(one.id, one.success, one.created, tuple(fault.code for fault in one.faults))
            for one in replies
        ]

    def _cells(self, ask: Callable[[], Download]) -> Cells:
        return cells_of(b"".join(self._try(ask)).decode())

    def _job(self, ask: Callable[[], JobInfo]) -> Job:
        found = self._try(ask)
        return Job(found.id, found.state.value, found.processed, found.failed, found.error)

    def _try(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except RequestFailed as failed:
            if failed.status is None:
                raise
            raise Refused(failed.status, failed.error_code) from failed


class ByHand:
    """With a plain HTTP client."""

    def __init__(self, place: Place) -> None:
        self.http = httpx.Client(
            base_url=place.origin,
            transport=place.transport,
            headers={"Authorization": f"Bearer {place.token}"},
            timeout=60,
        )

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self.http.request(method, path, **more)
        if answer.status_code >= 300:
            raise Refused(answer.status_code, answer.json()[0]["errorCode"])
        return answer

    def whoami(self) -> tuple[str, str]:
        found = self.ask("GET", "/services/oauth2/userinfo").json()
        return found["organization_id"], found["user_id"]

    def names(self) -> set[str]:
        return {one["name"] for one in self.ask("GET", f"{BASE}/sobjects/").json()["sobjects"]}

    def field_types(self, sobject: str) -> Mapping[str, str]:
        found = self.ask("GET", f"{BASE}/sobjects/{sobject}/describe").json()
        return {one["name"]: one["type"] for one in found["fields"]}

    def count(self, soql: str) -> int:
        return int(self.ask("GET", f"{BASE}/query", params={"q": soql}).json()["totalSize"])

    def query(self, soql: str) -> list[dict[str, Any]]:
        page = self.ask("GET", f"{BASE}/query", params={"q": soql}).json()
        records = page["records"]
        while not page["done"]:
            page = self.ask("GET", page["nextRecordsUrl"]).json()
            records += page["records"]
        return [{key: value for key, value in one.items() if key != "attributes"} for one in records]

    def limits(self) -> Mapping[str, tuple[int, int]]:
        found = self.ask("GET", f"{BASE}/limits").json()
        return {name: (one["Max"], one["Remaining"]) for name, one in found.items()}

    def create(self, sobject: str, operation: str, key: str | None = None) -> Job:
        form = {"object": sobject, "operation": operation} | ({"externalIdFieldName": key} if key else {})
        return self._job(self.ask("POST", f"{BASE}/jobs/ingest", json=form))

    def upload(self, job: str, path: Path) -> None:
        headers = {"Content-Type": "text/csv"}
        answer = self.ask(
            "PUT", f"{BASE}/jobs/ingest/{job}/batches", content=path.read_bytes(), headers=headers
        )
        assert (answer.status_code, answer.content) == (201, b"")

    def close(self, job: str) -> Job:
        return self._job(self.ask("PATCH", f"{BASE}/jobs/ingest/{job}", json={"state": "UploadComplete"}))

    def abort(self, job: str) -> Job:
        return self._job(self.ask("PATCH", f"{BASE}/jobs/ingest/{job}", json={"state": "Aborted"}))

    def job(self, job: str) -> Job:
        return self._job(self.ask("GET", f"{BASE}/jobs/ingest/{job}"))

    def results(self, job: str) -> dict[str, Cells]:
        names = {
            "successful": "successfulResults",
            "failed": "failedResults",
            "unprocessed": "unprocessedrecords",
        }
        found = {}
        for kind, name in names.items():
            answer = self.ask("GET", f"{BASE}/jobs/ingest/{job}/{name}/")
            assert answer.headers["Content-Type"].startswith("text/csv")
            found[kind] = cells_of(answer.content.decode())
        return found

    def jobs(self) -> set[str]:
        page = self.ask("GET", f"{BASE}/jobs/ingest", params={"jobType": "V2Ingest"}).json()
        found = {one["id"] for one in page["records"]}
        while not page["done"]:
            page = self.ask("GET", page["nextRecordsUrl"]).json()
            found |= {one["id"] for one in page["records"]}
        return found

    def create_query(self, soql: str) -> Job:
        return self._job(self.ask("POST", f"{BASE}/jobs/query", json={"operation": "query", "query": soql}))

    def query_job(self, job: str) -> Job:
        return self._job(self.ask("GET", f"{BASE}/jobs/query/{job}"))

    def page(self, job: str, locator: str = "", most: int | None = None) -> Found:
        params = {"locator": locator, "maxRecords": str(most or "")}
        answer = self.ask(
            "GET", f"{BASE}/jobs/query/{job}/results", params={key: one for key, one in params.items() if one}
        )
        locator = answer.headers["Sforce-Locator"]
        return Found(
            int(answer.headers["Sforce-NumberOfRecords"]),
            "" if locator == "null" else locator,
            cells_of(answer.content.decode()),
        )

    def send(
        self, sobject: str, operation: str, key: str | None, records: Sequence[Mapping[str, str]]
    ) -> list[Row]:
        path = f"{BASE}/composite/sobjects" + (f"/{sobject}/{key}" if operation == "upsert" else "")
        sent = [
            {"attributes": {"type": sobject}}
            | {
                "id" if name == "Id" else name: None if text == "#N/A" else text
                for name, text in one.items()
                if text
            }
            for one in records
        ]
        method = "POST" if operation == "insert" else "PATCH"
        found = self.ask(method, path, json={"allOrNone": False, "records": sent}).json()
        return [
            Row(
                one.get("id") or "",
                one["success"],
                one.get("created"),
                tuple(fault["statusCode"] for fault in one["errors"]),
            )
            for one in found
        ]

    @staticmethod
    def _job(answer: httpx.Response) -> Job:
        assert answer.status_code == 200
        found = json.loads(answer.content)
        return Job(
            found["id"],
            found["state"],
            found.get("numberRecordsProcessed"),
            found.get("numberRecordsFailed"),
            found.get("errorMessage", ""),
        )
