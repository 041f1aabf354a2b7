"""Published captures of Bulk API v1 in XML, replayed byte for byte where a checkout has them beside it."""

import re
from pathlib import Path

import pytest

from migrator.simulator import Org
from tests.unit.simulator.bulk.bulk1_client import CSV, Bulk1

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings" / "bulk1"
KEY = "<externalIdFieldName>Legacy_Id__c</externalIdFieldName>"


def shape(template: str) -> re.Pattern[str]:
    """A pattern of the capture with its places open; its version is blotted out."""
    pieces = re.split(r"\{[^}]*\}", template.replace("vxx.0", "{version}"))
    return re.compile(r"[^<]*".join(map(re.escape, pieces)))


@pytest.mark.parametrize(
    "name", ["jobInfo_insert_xml", "jobInfo_upsert_xml", "batchInfo_xml", "batchInfoList_xml"]
)
def test_the_bytes_of_a_capture(org: Org, name: str) -> None:
    path = RECORDINGS / f"{name}.tpl"
    if not path.exists():
        return  # a checkout without the captures
    bulk1 = Bulk1(org)
    upsert = "upsert" in name
    job = bulk1.create("upsert" if upsert else "insert", "Account", more=f"{KEY * upsert}{CSV}")
    batch = bulk1.post(job, "Name,Legacy_Id__c\nA,1\n")
    addresses = {"batchInfo_xml": f"/{job}/batch/{batch}", "batchInfoList_xml": f"/{job}/batch"}
    shown = bulk1("GET", addresses.get(name, f"/{job}")).read().decode()
    assert shape(path.read_text(encoding="utf-8")).fullmatch(shown), shown


def test_a_job_without_batches_lists_none(org: Org) -> None:
    bulk1 = Bulk1(org)
    shown = bulk1("GET", f"/{bulk1.create(more=CSV)}/batch").read().decode()
    namespace = "http://www.force.com/2009/06/asyncapi/dataload"
    assert shown == f'<?xml version="1.0" encoding="UTF-8"?><batchInfoList\n   xmlns="{namespace}" />'
