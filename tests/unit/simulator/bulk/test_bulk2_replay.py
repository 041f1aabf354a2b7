"""Published captures of real orgs, replayed key by key and space by space where a checkout has them beside it."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request, Response

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings" / "bulk2"
VOLATILE = {"systemModstamp", "totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime"}
SCHEMA = {
    "objects": {
        "Opportunity": {
            "fields": {"external_id__c": {"type": "text", "length": 40, "unique": True, "external_id": True}}
        }
    }
}


class Replay:
    """An org at the time of a capture, and what the capture says."""

    def __init__(self, name: str, **settings: Any) -> None:
        self.path = RECORDINGS / name
        self.text = self.path.read_text(encoding="utf-8").strip()
        self.shown: dict[str, Any] = json.loads(self.text)
        created = datetime.fromisoformat(self.shown["createdDate"].replace("+0000", "+00:00"))
        self.clock = VirtualClock(created.timestamp())
        self.org = Org(load_schema(SCHEMA), OrgSettings(shuffle_results=False, **settings), self.clock)
        self._token = self.org.part(Tokens).issue()

    def call(self, method: str, path: str, body: bytes | dict[str, Any] = b"") -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = Headers({"Authorization": f"Bearer {self._token}"})
        version = f"{self.shown['apiVersion']:.1f}"
        return self.org.handle(Request(method, f"/services/data/v{version}{path}", {}, headers, data))

    def create(self) -> Response:
        asked: dict[str, Any] = {
            key: self.shown[key]
            for key in ("object", "operation", "externalIdFieldName")
            if key in self.shown
        }
        return self.call("POST", "/jobs/ingest", asked)

    def upload(self, data: bytes) -> str:
        job = str(self.create().json()["id"])
        self.call("PUT", f"/jobs/ingest/{job}/batches", data)
        self.call("PATCH", f"/jobs/ingest/{job}", {"state": "UploadComplete"})
        return job

    def watch(self, job: str, state: str) -> dict[str, Any]:
        for _ in range(50):
            shown = self.call("GET", f"/jobs/ingest/{job}").json()
            if shown["state"] == state:
                assert isinstance(shown, dict)
                return shown
        raise AssertionError("the job never gets there")

    def same_bytes(self, made: Response) -> None:
        """Equal to the last space once the ids are those of the capture."""
        shown = made.json()
        text = made.read().decode()
        for key in ("id", "createdById"):
            text = text.replace(shown[key], self.shown[key])
        spaced = text if '" : ' in self.text else text.replace('" : ', '": ')
        assert spaced == self.text

    def same_fields(self, shown: dict[str, Any]) -> None:
        """The same keys in the same order, and the same values where they do not depend on the org."""
        assert list(shown) == list(self.shown)
        for key in set(shown) - VOLATILE - {"id", "createdById"}:
            assert shown[key] == self.shown[key], key


def captured(name: str) -> bool:
    return (RECORDINGS / name).exists()


@pytest.mark.parametrize("name", ["write-launch-job-opportunity.json", "delete-launch-job-opportunity.json"])
def test_creating_a_job(name: str) -> None:
    if captured(name):
        replay = Replay(name)
        replay.same_bytes(replay.create())


@pytest.mark.parametrize("name", ["write-update-job-opportunity.json", "delete-update-job-opportunity.json"])
def test_closing_a_job(name: str) -> None:
    if captured(name):
        replay = Replay(name)
        job = replay.create().json()["id"]
        replay.same_bytes(replay.call("PATCH", f"/jobs/ingest/{job}", {"state": "UploadComplete"}))


def test_a_query_job() -> None:
    if captured("query-create.json"):
        replay = Replay("query-create.json")
        asked = {"operation": "query", "query": f"SELECT Id FROM {replay.shown['object']}"}
        replay.same_bytes(replay.call("POST", "/jobs/query", asked))


def test_a_job_with_a_refused_row() -> None:
    if captured("info-partial-failure.json"):
        replay = Replay("info-partial-failure.json")
        job = replay.upload((RECORDINGS / "partial-failure-input.csv").read_bytes())
        replay.same_fields(replay.watch(job, "JobComplete"))
        failed = replay.call("GET", f"/jobs/ingest/{job}/failedResults").read().strip()
        assert failed == (RECORDINGS / "partial-failure-failedResults.csv").read_bytes().strip()


def test_a_job_whose_header_is_wrong() -> None:
    if captured("info-complete-failure.json"):
        replay = Replay("info-complete-failure.json")
        job = replay.upload((RECORDINGS / "complete-failure-input.csv").read_bytes())
        replay.same_fields(replay.watch(job, "Failed"))


def rows(count: int) -> bytes:
    lines = [f"Name {number},Prospecting,2003-04-05,key-{number}\n" for number in range(count)]
    return ("Name,StageName,CloseDate,external_id__c\n" + "".join(lines)).encode()


def test_a_job_half_way_and_done() -> None:
    if captured("info-in-progress.json") and captured("info-success.json"):
        replay = Replay("info-in-progress.json", row_seconds=0.001)
        job = replay.upload(rows(3_000))
        replay.clock.advance(replay.shown["numberRecordsProcessed"] / 1_000 + 0.01)
        replay.same_fields(replay.watch(job, "InProgress"))
        replay = Replay("info-success.json", row_seconds=0.001)
        job = replay.upload(rows(3_000))
        replay.clock.advance(10)
        replay.same_fields(replay.watch(job, "JobComplete"))


def test_error_bodies() -> None:
    if not captured("error-bodies.json"):
        return
    bodies = json.loads((RECORDINGS / "error-bodies.json").read_text(encoding="utf-8"))
    replay = Replay("query-create.json")
    made = replay.call("POST", "/jobs/ingest", {"object": "", "operation": "insert"})
    assert made.json() == bodies["create_bad_object"]
    made = replay.call("POST", "/jobs/ingest", {"object": "Account", "operation": ""})
    assert made.json() == bodies["create_bad_operation"]
    made = replay.call("POST", "/jobs/ingest", {"object": "Account", "operation": "upsert"})
    expected = bodies["create_bad_external_id"][0]["message"].replace("LObjectScore__c", "Account")
    assert made.json() == [{"errorCode": "INVALIDJOB", "message": expected}]
    replay = Replay("write-launch-job-opportunity.json")
    job = str(replay.create().json()["id"])
    path = f"/jobs/ingest/{job}/batches"
    replay.call("PUT", path, rows(1))
    (expected,) = bodies["second_put_on_same_job"]
    (body,) = replay.call("PUT", path, rows(1)).json()
    assert body == {**expected, "message": re.sub(r"<\w+>", f"<{job[:15]}>", expected["message"])}
    replay.call("PATCH", f"/jobs/ingest/{job}", {"state": "UploadComplete"})
    replay.watch(job, "JobComplete")
    made = replay.call("PATCH", f"/jobs/ingest/{job}", {"state": "Aborted"})
    assert made.json() == bodies["abort_completed_job"]


HEADERS: dict[str, Any] = {
    "objects": {
        "Parent__c": {
            "fields": {"ApplicantId__c": {"type": "text", "length": 20, "unique": True, "external_id": True}}
        },
        "Child__c": {"fields": {"Parent__c": {"type": "lookup", "to": "Parent__c"}}},
    },
}


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("job_errorMessage_unknown_field", "StageName_invalid_field_on_purpose"),
        ("job_errorMessage_polymorphic_prefix_on_single_target", "Parent__c:Parent__r.ApplicantId__c"),
        ("job_errorMessage_bad_relationship", "Parent__r:Account.ApplicantId__c"),
        ("job_errorMessage_three_colons", "Parent:Account:ApplicantId__c"),
    ],
)
def test_what_a_job_says_of_a_header(key: str, header: str) -> None:
    if not captured("error-bodies.json"):
        return
    expected = json.loads((RECORDINGS / "error-bodies.json").read_text(encoding="utf-8"))[key]
    org = Org(load_schema({"objects": HEADERS["objects"]}), OrgSettings(), VirtualClock())
    token = org.part(Tokens).issue()

    def call(method: str, path: str, body: bytes) -> dict[str, Any]:
        found = org.handle(
            Request(
                method,
                f"/services/data/v60.0/jobs/ingest{path}",
                {},
                Headers({"Authorization": f"Bearer {token}"}),
                body,
            )
        )
        return dict(found.json()) if found.read() else {}

    job = call("POST", "", b'{"object":"Child__c","operation":"insert"}')["id"]
    call("PUT", f"/{job}/batches", f"Name,{header}\nx,1\n".encode())
    call("PATCH", f"/{job}", b'{"state":"UploadComplete"}')
    while org.advance(org.now()):
        pass
    shown = call("GET", f"/{job}", b"")
    assert (shown["state"], shown["numberRecordsProcessed"]) == ("Failed", 0)
    assert shown["errorMessage"] == expected.replace("references: Parent", "references: Parent__r")
