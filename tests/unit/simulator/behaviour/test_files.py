"""Files: versions and their documents, attachments, bytes in JSON and in parts of a request, and where they are read back."""

import base64
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.records.truth import Change
from tests.unit.simulator.apis import APIS, Sender

DATA = b"\x00\x01 bytes\r\n--not a boundary\n" * 50


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def insert(send: Sender, sobject: str, **values: Any) -> str:
    (said,) = send("insert", sobject, values)
    assert said.id, said
    return said.id


def rows(send: Sender, soql: str) -> list[tuple[Any, ...]]:
    found = send.ask("GET", f"/query?q={soql}").json()["records"]
    return [tuple(value for name, value in each.items() if name != "attributes") for each in found]


def multipart(
    send: Sender,
    method: str,
    path: str,
    document: tuple[str, Any],
    files: Mapping[str, bytes],
    stream: Any = None,
) -> Response:
    name, values = document
    pieces = [
        f'--B-1\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: application/json\r\n\r\n'.encode()
        + json.dumps(values).encode()
    ]
    for each, data in files.items():
        head = f'--B-1\r\nContent-Disposition: form-data; name="{each}"; filename="a.bin"\r\n'
        pieces.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data)
    body = b"\r\n".join(pieces) + b"\r\n--B-1--\r\n"
    headers = Headers(
        {
            "Authorization": f"Bearer {send.token}",
            "Content-Type": 'multipart/form-data; boundary="B-1"',
        }
    )
    full = f"/services/data/v60.0{path}"
    if stream is None:
        return send.org.handle(Request(method, full, {}, headers, body))
    stream.write(body)
    return send.org.handle(Request(method, full, {}, headers, b"", stream))


@pytest.fixture
def send(org: Org) -> Sender:
    return Sender(org, "rest")


@pytest.mark.parametrize("api", APIS)
def test_a_version_brings_its_document_and_links(org: Org, api: str) -> None:
    send = Sender(org, api)
    account = insert(send, "Account", Name="a")
    version = insert(
        send,
        "ContentVersion",
        PathOnClient="dir/plan.docx",
        VersionData=text(DATA),
        FirstPublishLocationId=account,
    )
    read = Sender(org, "rest")
    ((document, title, kind, size, latest, number, url),) = rows(
        read,
        "SELECT ContentDocumentId, Title, FileType, ContentSize, IsLatest, VersionNumber, VersionData FROM ContentVersion",
    )
    assert (title, kind, size, latest, number) == ("plan", "WORD_X", len(DATA), True, "1")
    assert url == f"/services/data/v60.0/sobjects/ContentVersion/{version}/VersionData"
    assert rows(read, "SELECT Id, Title, LatestPublishedVersionId, ContentSize FROM ContentDocument") == [
        (document, "plan", version, len(DATA))
    ]
    links = rows(
        read,
        f"SELECT LinkedEntityId, ShareType FROM ContentDocumentLink WHERE ContentDocumentId = '{document}' ORDER BY Id",
    )
    assert links == [(org.user_id, "I"), (account, "V")]
    again = {"ContentDocumentId": document, "LinkedEntityId": account, "ShareType": "V"}
    assert send("insert", "ContentDocumentLink", again)[0].code == "DUPLICATE_VALUE"
    done = read.ask("GET", f"/sobjects/ContentVersion/{version}/VersionData")
    assert (done.headers["Content-Type"], done.read()) == ("application/octetstream", DATA)
    assert len(org.truth.created("ContentDocument")) == 1
    assert len(org.truth.created("ContentDocumentLink")) == 2


def test_the_next_version_takes_the_place_of_the_first(org: Org, send: Sender) -> None:
    first = insert(send, "ContentVersion", PathOnClient="a.txt", VersionData=text(b"1"))
    ((document,),) = rows(send, "SELECT Id FROM ContentDocument")
    second = insert(
        send, "ContentVersion", PathOnClient="b.pdf", VersionData=text(b"22"), ContentDocumentId=document
    )
    assert rows(send, "SELECT Id, IsLatest, VersionNumber FROM ContentVersion ORDER BY Id") == [
        (first, False, "1"),
        (second, True, "2"),
    ]
    soql = "SELECT Title, FileExtension, LatestPublishedVersionId FROM ContentDocument"
    assert rows(send, soql) == [("b", "pdf", second)]
    send("update", "ContentVersion", {"Id": second, "Title": "Better"})
    assert rows(send, soql)[0][0] == "Better"
    assert send("update", "ContentVersion", {"Id": second, "VersionData": text(b"3")})[0].code == (
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    )
    send("delete", "ContentDocument", {"Id": document})
    assert rows(send, "SELECT Id FROM ContentVersion") == []
    assert org.truth.count("ContentVersion", Change.DELETED) == 2


@pytest.mark.parametrize("api", APIS)
def test_what_a_file_needs(org: Org, api: str) -> None:
    send = Sender(org, api)
    said = send("insert", "ContentVersion", {"Title": "x"})[0]
    assert (said.code, said.fields) == ("REQUIRED_FIELD_MISSING", ("VersionData", "PathOnClient"))
    assert insert(send, "ContentVersion", Title="x", ContentUrl="https://example.com")
    account = insert(send, "Account", Name="a")
    said = send("insert", "Attachment", {"ParentId": account, "Name": "a.txt", "Body": "not base64!"})[0]
    assert said.code == "INVALID_BASE64"
    made = insert(send, "Attachment", ParentId=account, Name="a.txt", Body=text(DATA))
    assert rows(Sender(org, "rest"), "SELECT Id, BodyLength FROM Attachment") == [(made, len(DATA))]


def test_documents_are_not_made_by_hand(send: Sender) -> None:
    said = send("insert", "ContentDocument", {"Title": "x"})[0]
    assert said.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


def test_links_are_queried_by_file_or_record(send: Sender) -> None:
    account = insert(send, "Account", Name="a")
    insert(send, "ContentVersion", PathOnClient="a", VersionData=text(b"1"), FirstPublishLocationId=account)
    refused = send.ask("GET", "/query?q=SELECT Id FROM ContentDocumentLink").json()[0]
    assert refused["errorCode"] == "MALFORMED_QUERY"
    assert refused["message"].startswith("Implementation restriction: ContentDocumentLink requires a filter")
    assert len(rows(send, f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId IN ('{account}')")) == 1
    ((links,),) = rows(send, "SELECT (SELECT Id FROM ContentDocumentLinks) FROM Account")
    assert links["totalSize"] == 1


@pytest.mark.parametrize("spooled", ["memory", "buffer", "file"])
def test_bytes_come_in_a_part_of_their_own(org: Org, send: Sender, spooled: str) -> None:
    makers: dict[str, Callable[[], Any]] = {
        "memory": lambda: None,
        "buffer": io.BytesIO,
        "file": tempfile.TemporaryFile,
    }
    stream = makers[spooled]()
    values = {"PathOnClient": "big.bin"}
    done = multipart(
        send,
        "POST",
        "/sobjects/ContentVersion",
        ("entity_content", values),
        {"VersionData": DATA},
        stream,
    )
    assert done.status == 201, done.read()
    version = done.json()["id"]
    assert send.ask("GET", f"/sobjects/ContentVersion/{version}/VersionData").read() == DATA
    shown = send.ask("GET", f"/sobjects/ContentVersion/{version}").json()
    assert shown["VersionData"] == f"/services/data/v60.0/sobjects/ContentVersion/{version}/VersionData"
    if stream is not None:
        stream.close()
    assert org.dml.blobs.size == len(DATA)


def test_a_document_s_body_can_be_changed(send: Sender) -> None:
    folder = insert(send, "Folder", Name="f", AccessType="Public", Type="Document")
    values = {"Name": "d", "FolderId": folder}
    made = multipart(send, "POST", "/sobjects/Document", ("entity_document", values), {"Body": b"one"}).json()
    path = f"/sobjects/Document/{made['id']}"
    assert multipart(send, "PATCH", path, ("entity_document", {"Name": "e"}), {"Body": DATA}).status == 204
    assert send.ask("GET", path + "/Body").read() == DATA
    assert send.ask("GET", path).json()["BodyLength"] == len(DATA)


def test_collections_name_the_part_of_each_record(send: Sender) -> None:
    folder = insert(send, "Folder", Name="f", AccessType="Public", Type="Document")
    records = [
        {
            "attributes": {"type": "Document", "binaryPartName": f"part{n}", "binaryPartNameAlias": "Body"},
            "Name": str(n),
            "FolderId": folder,
        }
        for n in range(2)
    ]
    files = {"part1": b"second", "part0": b"first"}
    done = multipart(send, "POST", "/composite/sobjects", ("collection", {"records": records}), files).json()
    bodies = [send.ask("GET", f"/sobjects/Document/{each['id']}/Body").read() for each in done]
    assert bodies == [b"first", b"second"]


@pytest.mark.parametrize(
    ("files", "body"),
    [({"Nope": b"x"}, None), ({"Name": b"x"}, None), ({}, b"--B-1\r\nContent-Type: text/plain\r\n\r\nx")],
)
def test_bad_parts_are_refused(send: Sender, files: Mapping[str, bytes], body: bytes | None) -> None:
    if body is None:
        done = multipart(send, "POST", "/sobjects/Document", ("entity_document", {"Name": "d"}), files)
    else:
        headers = Headers(
            {"Authorization": f"Bearer {send.token}", "Content-Type": "multipart/form-data; boundary=B-1"}
        )
        path = "/services/data/v60.0/sobjects/Document"
        done = send.org.handle(Request("POST", path, {}, headers, body))
    assert (done.status, done.json()[0]["errorCode"]) == (400, "INVALID_MULTIPART_REQUEST")


@pytest.mark.parametrize("api", APIS)
def test_files_need_room(clock: VirtualClock, api: str) -> None:
    org = Org(load_schema(), OrgSettings(file_storage_mb=1), clock)
    send = Sender(org, api)
    half = text(bytes(98_000)) if api.startswith("bulk") else text(bytes(600_000))
    made = [
        send("insert", "ContentVersion", {"PathOnClient": "a", "VersionData": half})[0].code
        for _ in range(11 if api.startswith("bulk") else 2)
    ]
    assert made == [""] * (len(made) - 1) + ["STORAGE_LIMIT_EXCEEDED"]
    limits = Sender(org, "rest").ask("GET", "/limits").json()
    assert limits["FileStorageMB"] == {"Max": 1, "Remaining": 0}
    assert send("insert", "Account", {"Name": "a"})[0].id


def test_bytes_have_no_place_in_bulk_queries_and_filters(send: Sender) -> None:
    body = {"operation": "query", "query": "SELECT VersionData FROM ContentVersion"}
    assert send.ask("POST", "/jobs/query", body).json()[0]["errorCode"] == "FUNCTIONALITY_NOT_ENABLED"
    where = send.ask("GET", "/query?q=SELECT Id FROM Attachment WHERE Body != null").json()[0]
    assert where["errorCode"] == "INVALID_FIELD"
    fields = {
        each["name"]: each for each in send.ask("GET", "/sobjects/Attachment/describe").json()["fields"]
    }
    assert (fields["Body"]["type"], fields["Body"]["soapType"]) == ("base64", "xsd:base64Binary")
    assert not any(fields["Body"][flag] for flag in ("filterable", "sortable", "groupable", "aggregatable"))
    assert send.ask("GET", "/sobjects/Attachment/00P000000000001AAA/Body").status == 404
