"""Bulk API v1 with files: zips of records and of what they refer to."""

import io
import json
import zipfile
from collections.abc import Mapping

import pytest

from migrator.simulator import Org
from tests.unit.simulator.bulk.bulk1_client import Bulk1, element

PICTURE = bytes(range(256)) * 10


def packed(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def post(bulk1: Bulk1, job: str, data: bytes, kind: str) -> str:
    done = bulk1("POST", f"/{job}/batch", data, {"Content-Type": kind})
    assert done.status == 201, done.read()
    return str(done.json()["id"]) if "json" in done.headers["Content-Type"] else element(done, "id")


def create(bulk1: Bulk1, kind: str = "CSV") -> str:
    return bulk1.create("insert", "Attachment", more=f"<contentType>ZIP_{kind}</contentType>")


def account(org: Org) -> str:
    return org.store.table("Account").id_of(org.store.table("Account").insert({"Name": "a"}))


def bodies(org: Org) -> list[bytes]:
    table = org.store.table("Attachment")
    return [b"".join(org.dml.blobs.read(table.cell(seq, "Body"))) for seq in table.scan()]


@pytest.mark.parametrize("kind", ["CSV", "XML", "JSON"])
def test_files_stand_beside_their_records(org: Org, bulk1: Bulk1, kind: str) -> None:
    parent = account(org)
    records = [("one.gif", "#one.gif"), ("two.gif", "#deep/two.gif")]
    requests = {
        "CSV": "Name,ParentId,Body\n" + "".join(f"{name},{parent},{path}\n" for name, path in records),
        "XML": '<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
        + "".join(
            f"<sObject><Name>{name}</Name><ParentId>{parent}</ParentId><Body>{path}</Body></sObject>"
            for name, path in records
        )
        + "</sObjects>",
        "JSON": json.dumps([{"Name": name, "ParentId": parent, "Body": path} for name, path in records]),
    }
    files = {"request.txt": requests[kind].encode(), "one.gif": PICTURE, "deep/two.gif": b"2"}
    job = create(bulk1, kind)
    shown = bulk1("GET", f"/{job}")
    assert element(shown, "contentType") == f"ZIP_{kind}"
    batch = post(bulk1, job, packed(files), f"zip/{kind.lower()}")
    assert element(bulk1.wait(job, batch), "state") == "Completed"
    assert bulk1.result(job, batch).count("true") == 4
    assert bodies(org) == [PICTURE, b"2"]
    table = org.store.table("Attachment")
    assert table.cell(1, "BodyLength") == str(len(PICTURE))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Name\nx\n", "Failed to read the zip file"),
        (packed({"a.gif": b"1"}), "Unable to find request.txt"),
        (packed({"request.txt": b"Name,ParentId,Body\na,b,#nope.gif\n"}), "Unable to find the file nope.gif"),
        (packed({"request.txt": b"Name\n"} | {f"{n}": b"" for n in range(1_000)}), "more than 1000 files"),
        (packed({"request.txt": b"Name\n", "big": bytes(20_000_001)}), "more than 20000000 bytes"),
    ],
)
def test_zips_that_cannot_be_read_fail_their_batch(bulk1: Bulk1, data: bytes, message: str) -> None:
    job = create(bulk1)
    batch = post(bulk1, job, data, "zip/csv")
    shown = bulk1.wait(job, batch)
    assert element(shown, "state") == "Failed"
    assert message in element(shown, "stateMessage")


def test_queries_have_no_files(bulk1: Bulk1) -> None:
    body = (
        '<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload"><operation>query</operation>'
        "<object>Account</object><contentType>ZIP_CSV</contentType></jobInfo>"
    )
    done = bulk1("POST", "", body)
    assert (done.status, element(done, "exceptionCode")) == (400, "InvalidJob")
