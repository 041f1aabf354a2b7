"""The same records sent by each API, and what each said about them in one form, so that tests can ask all of them alike."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from migrator.simulator import Org
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.http import Headers, Request, Response
from tests.unit.simulator.bulk.bulk1_client import CSV, Bulk1

APIS = ("rest", "collections", "bulk2", "bulk1")
Record = Mapping[str, Any]


class Said(NamedTuple):
    """What became of one record."""

    id: str
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()

    @property
    def bulk(self) -> str:
        """As Bulk results print it."""
        return (
            f"{self.code}:{self.message}:{','.join(self.fields)} --".replace(": --", ":--")
            if self.code
            else ""
        )


class Sender:
    """Sends records by one API."""

    def __init__(self, org: Org, api: str, headers: Mapping[str, str] | None = None) -> None:
        self.org = org
        self.api = api
        self.headers = dict(headers or {})
        self.token = org.part(Tokens).issue()

    def __call__(self, operation: str, sobject: str, *records: Record, key: str = "") -> list[Said]:
        """`insert`, `update` (with Id), `upsert` (with a key) or `delete` (with Id). None sets null."""
        match self.api:
            case "rest":
                return [self._row(operation, sobject, dict(record), key) for record in records]
            case "collections":
                return self._collection(operation, sobject, records, key)
            case "bulk2":
                return self._bulk2(operation, sobject, records, key)
            case _:
                return self._bulk1(operation, sobject, records, key)

    def ask(self, method: str, path: str, body: Any = b"", kind: str = "application/json") -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **self.headers}
        path, _, query = path.partition("?")
        pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        return self.org.handle(Request(method, f"/services/data/v60.0{path}", pairs, Headers(given), data))

    def _row(self, operation: str, sobject: str, record: dict[str, Any], key: str) -> Said:
        path = f"/sobjects/{sobject}"
        record_id = str(record.pop("Id", ""))
        match operation:
            case "insert":
                done = self.ask("POST", path, record)
            case "update":
                done = self.ask("PATCH", f"{path}/{record_id}", record)
            case "upsert":
                done = self.ask("PATCH", f"{path}/{key}/{record.pop(key)}", record)
            case _:
                done = self.ask("DELETE", f"{path}/{record_id}")
        if done.status < 300:
            return Said(record_id if done.status == 204 else str(done.json()["id"]))
        error = done.json()[0]
        return Said("", error["errorCode"], error["message"], tuple(error.get("fields", ())))

    def _collection(self, operation: str, sobject: str, records: Sequence[Record], key: str) -> list[Said]:
        path = "/composite/sobjects"
        if operation == "delete":
            done = self.ask("DELETE", path + "?ids=" + ",".join(str(each["Id"]) for each in records))
        else:
            method, target = ("POST", path) if operation == "insert" else ("PATCH", path)
            if operation == "upsert":
                target = f"{path}/{sobject}/{key}"
            body = {"records": [{"attributes": {"type": sobject}, **record} for record in records]}
            done = self.ask(method, target, body)
        assert done.status == 200, done.read()
        said = []
        for each in done.json():
            error = each["errors"][0] if each["errors"] else None
            said.append(
                Said("", error["statusCode"], error["message"], tuple(error["fields"]))
                if error
                else Said(each["id"])
            )
        return said

    def _bulk2(self, operation: str, sobject: str, records: Sequence[Record], key: str) -> list[Said]:
        """One job a record, because results come in no order."""
        body = {"object": sobject, "operation": operation, **({"externalIdFieldName": key} if key else {})}
        columns = _columns(records)
        return [self._one(body, columns, record) for record in records]

    def _one(self, body: Mapping[str, str], columns: Sequence[str], record: Record) -> Said:
        job = self.ask("POST", "/jobs/ingest", body).json()["id"]
        assert (
            self.ask("PUT", f"/jobs/ingest/{job}/batches", _csv(columns, [record]), "text/csv").status == 201
        )
        self.ask("PATCH", f"/jobs/ingest/{job}", {"state": "UploadComplete"})
        for _ in range(50):
            shown = self.ask("GET", f"/jobs/ingest/{job}").json()
            if shown["state"] in {"JobComplete", "Failed"}:
                break
        else:
            raise AssertionError("the job does not end")
        assert shown["state"] == "JobComplete", shown
        for name in ("successfulResults", "failedResults"):
            text = self.ask("GET", f"/jobs/ingest/{job}/{name}").read().decode()
            for row in csv.DictReader(io.StringIO(text, newline="")):
                return Said(row["sf__Id"]) if name == "successfulResults" else _split(row["sf__Error"])
        raise AssertionError("no row in the results")

    def _bulk1(self, operation: str, sobject: str, records: Sequence[Record], key: str) -> list[Said]:
        columns = _columns(records)
        more = (f"<externalIdFieldName>{key}</externalIdFieldName>" if key else "") + CSV
        text = Bulk1(self.org).run(_csv(columns, records).decode(), operation, sobject, more=more)
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [Said(row["Id"]) if row["Success"] == "true" else _split(row["Error"]) for row in rows]


def _columns(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def _csv(columns: Sequence[str], records: Sequence[Record]) -> bytes:
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow(
            ["#N/A" if name in record and record[name] is None else record.get(name, "") for name in columns]
        )
    return made.getvalue().encode()


def _split(error: str) -> Said:
    code, _, rest = error.partition(":")
    message, _, fields = rest.rpartition(":")
    names = fields.removesuffix("--").strip()
    return Said("", code, message, tuple(names.split(",")) if names else ())
