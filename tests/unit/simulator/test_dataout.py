"""Data out, and in again: what an org has becomes files of which another org gets the same."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, export_csv_folder, load_csv_folder, load_schema
from migrator.simulator.http import Headers, Request
from tests.unit.simulator.conftest import SCHEMA, Caller

ALL: dict[str, Any] = {
    **SCHEMA,
    "person_accounts": True,
    "queues": {"Support": {"objects": ["Case"]}},
}


@pytest.fixture
def full(clock: VirtualClock) -> Org:
    """An org with records that look each other up, ahead too, and some that come by themselves."""
    org = Org(load_schema(ALL), OrgSettings(audit_fields=True), clock)
    call = Caller(org, org.issue_token())
    child = call.create("Account", Name='Child, "quoted"\nand broken', CreatedDate="2020-01-02T03:04:05.000Z")
    parent = call.create("Account", Name="Ärger & Söhne", AnnualRevenue=91226003.5)
    assert call("PATCH", f"/sobjects/Account/{child}", {"ParentId": parent}).status == 204
    contact = call.create("Contact", LastName="Last", AccountId=parent)
    person = next(
        each
        for each in rows_of(call, "SELECT Id, DeveloperName FROM RecordType")
        if "Person" in each["DeveloperName"]
    )
    call.create("Account", LastName="Person", RecordTypeId=person["Id"])
    queue = rows_of(call, "SELECT Id FROM Group WHERE DeveloperName = 'Support'")[0]
    call.create("Case", Subject="Queued", OwnerId=queue["Id"], ContactId=contact)
    campaign = call.create("Campaign", Name="Fair")
    call.create("CampaignMember", CampaignId=campaign, ContactId=contact)
    airport = call.create("Airport__c", Code__c="ZRH")
    gate = call.create("Gate__c", Airport__c=airport)
    call.create("Gate__c", Airport__c=airport, Spare__c=gate)
    gone = call.create("Account", Name="Gone")
    assert call("DELETE", f"/sobjects/Account/{gone}").status == 204
    return org


def rows_of(call: Caller, soql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call("GET", "/query", query={"q": soql}).json()["records"]
    return found


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_another_org_gets_the_same_records(full: Org, clock: VirtualClock, tmp_path: Path) -> None:
    counts = export_csv_folder(full, tmp_path / "out")
    assert counts == {"Account": 3, "Contact": 1} | {
        name: count for name, count in counts.items() if name not in {"Account", "Contact"}
    }
    assert {row["Name"] for row in read(tmp_path / "out" / "Account.csv")} > {"Ärger & Söhne"}
    other = Org(load_schema(ALL), OrgSettings(organization_id="00D000000000002EAA"), clock)
    load_csv_folder(other, tmp_path / "out")
    again = export_csv_folder(other, tmp_path / "again")
    assert again == counts
    for name in sorted(set(counts) - {"RecordType", "Profile", "Group", "User", "Pricebook2"}):
        one, two = read(tmp_path / "out" / f"{name}.csv"), read(tmp_path / "again" / f"{name}.csv")
        assert len(one) == len(two)
        assert [without_ids(row) for row in one] == [without_ids(row) for row in two]
    call = Caller(other, other.issue_token())
    soql = "SELECT Name, Parent.Name, CreatedDate FROM Account WHERE ParentId != null"
    (row,) = rows_of(call, soql)
    assert (row["Parent"]["Name"], row["CreatedDate"]) == ("Ärger & Söhne", "2020-01-02T03:04:05.000+0000")
    (case,) = rows_of(call, "SELECT Owner.Name, Contact.LastName FROM Case")
    assert (case["Owner"]["Name"], case["Contact"]["LastName"]) == ("Support", "Last")


def without_ids(row: dict[str, str]) -> dict[str, str]:
    """The row without what is another in another org."""
    return {name: cell for name, cell in row.items() if name != "Id" and not name.endswith(("Id", "__c"))}


def test_what_an_org_has_by_itself_is_no_data(tmp_path: Path) -> None:
    counts = export_csv_folder(Org(load_schema()), tmp_path)
    assert set(counts) <= {"Group", "Pricebook2", "Profile", "RecordType", "User", "UserRole"}


def test_the_same_files_over_http(full: Org, tmp_path: Path) -> None:
    call = Caller(full, full.issue_token())
    before = full.requests
    headers = Headers({"Authorization": f"Bearer {call.token}"})
    done = full.handle(Request("GET", "/simulator/export.zip", {}, headers))
    export_csv_folder(full, tmp_path)
    with zipfile.ZipFile(io.BytesIO(done.read())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            each.name: each.read_bytes() for each in tmp_path.iterdir()
        }
    truth = full.handle(Request("GET", "/simulator/truth.jsonl", {}, headers)).read().decode().splitlines()
    assert json.loads(truth[0])["sobject"] == "Account"
    assert full.requests == before
    assert full.handle(Request("GET", "/simulator/export.zip", {}, Headers())).status == 401


def test_rows_that_are_there_already_are_met_by_all_of_their_keys(
    tmp_path: Path, clock: VirtualClock
) -> None:
    schema = {"objects": {name: {"record_types": [{"name": "Big"}]} for name in ("Account", "Case")}}
    org = Org(load_schema(schema), OrgSettings(), clock)
    (tmp_path / "RecordType.csv").write_text("Id,DeveloperName,SobjectType\nx,Big,Case\ny,Big,Account\n")
    (tmp_path / "Case.csv").write_text("Subject,RecordTypeId\nOne,x\n")
    assert load_csv_folder(org, tmp_path) == {"RecordType": 0, "Case": 1}
    (row,) = rows_of(Caller(org, org.issue_token()), "SELECT RecordType.SobjectType FROM Case")
    assert row["RecordType"]["SobjectType"] == "Case"
