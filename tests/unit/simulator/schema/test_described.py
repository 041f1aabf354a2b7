"""Schemas from describe JSON and from snapshots: what an org printed is printed again, and the fields behave so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from migrator.clock import VirtualClock
from migrator.model.schema import OrgSchema, sobject_from_describe, to_snapshot
from migrator.simulator import Org, OrgSettings, SchemaKind, load_schema, load_schema_from
from migrator.simulator.http import Headers, Request
from migrator.simulator.schema.files import SchemaInvalid
from tests.unit.simulator.conftest import SCHEMA, Caller

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings" / "describe"
RECORDED = [
    "Account",
    "Case",
    "Contact",
    "Custom__c",
    "Event",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
]
GLOBAL = "Global"


def get(org: Org, path: str, version: str = "60.0") -> Any:
    headers = Headers({"Authorization": f"Bearer {org.issue_token()}"})
    return org.handle(Request("GET", f"/services/data/v{version}{path}", {}, headers)).json()


def printed(name: str) -> dict[str, Any]:
    """A recorded describe; without the recordings one that our own org prints."""
    path = RECORDINGS / f"GET_sobjects_{name}_describe.yaml"
    if path.exists():
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        found: dict[str, Any] = json.loads(loaded["response"]["body"]["string"])
        return found
    ours = Org(load_schema({"objects": {"Custom__c": {"fields": {"CustomField__c": {"type": "text"}}}}}))
    return dict(get(ours, "/sobjects" if name == GLOBAL else f"/sobjects/{name}/describe"))


def snapshot(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / f"{name}.json").write_text(json.dumps(printed(name)), encoding="utf-8")
    return folder


def as_printed(found: Any, body: Any) -> str:
    """What our org printed, its host as in what the other one printed."""
    host = re.search(r"https://[^/\"]+", json.dumps(body))
    text = json.dumps(found)
    return text.replace("https://example.my.salesforce.com", host[0]) if host else text


def version_of(body: Any) -> str:
    found = re.search(r"/services/data/v(\d+\.\d)", json.dumps(body))
    return found[1] if found else "60.0"


@pytest.mark.parametrize("name", RECORDED)
def test_a_describe_is_told_again_byte_for_byte(tmp_path: Path, name: str) -> None:
    body = printed(name)
    org = Org(load_schema_from(snapshot(tmp_path, *RECORDED)).schema)
    assert as_printed(get(org, f"/sobjects/{name}/describe", version_of(body)), body) == json.dumps(body)


def test_the_list_of_sobjects_is_told_again(tmp_path: Path) -> None:
    body = printed(GLOBAL)
    listed = [name for name in RECORDED if name in {each["name"] for each in body["sobjects"]}]
    loaded = load_schema_from(snapshot(tmp_path, GLOBAL, *listed))
    assert loaded.kind is SchemaKind.DESCRIBE
    assert get(Org(loaded.schema), "/sobjects", version_of(body)) == body


def test_record_types_keep_the_ids_of_the_org_they_come_from(tmp_path: Path) -> None:
    body = printed("Account")
    body["recordTypeInfos"][0] |= {
        "developerName": "Own",
        "master": False,
        "recordTypeId": "01254000001upcKAAQ",
        "active": True,
    }
    (tmp_path / "Account.json").write_text(json.dumps(body))
    org = Org(load_schema_from(tmp_path / "Account.json").schema)
    call = Caller(org, org.issue_token())
    made = call.create("Account", Name="A", RecordTypeId="01254000001upcK")
    soql = f"SELECT RecordTypeId, RecordType.DeveloperName FROM Account WHERE Id = '{made}'"
    row = call("GET", "/query", query={"q": soql}).json()["records"][0]
    assert (row["RecordTypeId"], row["RecordType"]["DeveloperName"]) == ("01254000001upcKAAQ", "Own")


def test_fields_behave_as_their_describe_says(tmp_path: Path, clock: VirtualClock) -> None:
    ours = Org(load_schema(SCHEMA))
    folder = tmp_path / "org"
    folder.mkdir()
    for name in ("Airport__c", "Gate__c", "Lease__c", "Account", "Contact"):
        (folder / f"{name}.json").write_text(json.dumps(get(ours, f"/sobjects/{name}/describe")))
    org = Org(load_schema_from(folder).schema, OrgSettings(), clock)
    call = Caller(org, org.issue_token())

    def refused(sobject: str, **values: Any) -> str:
        return str(call("POST", f"/sobjects/{sobject}", values).json()[0]["errorCode"])

    airport = call.create("Airport__c", Code__c="ZRH", Kind__c="Hub")
    gate = call.create("Gate__c", Airport__c=airport)
    call.create("Lease__c", Gate__c=gate)
    assert refused("Airport__c", Code__c="zrh") == "DUPLICATE_VALUE"
    assert refused("Airport__c", Kind__c="Hub") == "REQUIRED_FIELD_MISSING"
    assert refused("Airport__c", Code__c="BRN", Kind__c="Space") == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    rows = call("GET", "/query", query={"q": "SELECT Id, (SELECT Id FROM Gates__r) FROM Airport__c"}).json()
    assert rows["records"][0]["Gates__r"]["totalSize"] == 1
    assert call("DELETE", f"/sobjects/Gate__c/{gate}").status == 400  # a lease restricts it


def test_permissions_show_in_a_describe_that_is_told_again(tmp_path: Path) -> None:
    snapshot(tmp_path, "Account")
    body = json.loads((tmp_path / "Account.json").read_text())
    org = Org(load_schema_from(tmp_path).schema, OrgSettings(audit_fields=True))
    created = next(
        each for each in get(org, "/sobjects/Account/describe")["fields"] if each["name"] == "CreatedDate"
    )
    assert created["createable"] is True
    for each in body["fields"]:
        each["createable"] = each["createable"] or each["name"] == "CreatedDate"
    (tmp_path / "Account.json").write_text(json.dumps(body))
    loaded = load_schema_from(tmp_path)
    assert Org(loaded.schema).settings.audit_fields is True  # of the user who took the snapshot


@pytest.mark.parametrize("form", ["one", "list", "mapping", "sobjects", "sf"])
def test_every_form_of_a_document(tmp_path: Path, form: str) -> None:
    one, two = printed("Account"), printed("Contact")
    documents: dict[str, Any] = {
        "one": one,
        "list": [one, two],
        "mapping": {"Account": one, "Contact": two},
        "sobjects": {"sobjects": [one, two]},
        "sf": {"status": 0, "result": one},
    }
    path = tmp_path / "org.json"
    path.write_text(json.dumps(documents[form]))
    loaded = load_schema_from(path)
    account = loaded.schema.sobject("Account")
    assert account
    assert account.described == one


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "org.json:1: not JSON"),
        ('{"a": 1}', "no describe of an sObject"),
        ('{"name": "Account", "fields": [{}]}', "Account: a field without a name"),
        ('{"name": "Account", "fields": [{"name": "Name"}]}', "has no field Id"),
        ('{"name": "Account", "fields": [{"name": "Id", "length": "x"}]}', "not in the form of a describe"),
        ('{"name": "Account", "fields": [{"name": "Id"}], "childRelationships": [1]}', "not in the form"),
        ("[" * 100_000, "org.json"),
    ],
)
def test_documents_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "org.json"
    path.write_text(text)
    with pytest.raises(SchemaInvalid, match=re.escape(told)):
        load_schema_from(path, SchemaKind.DESCRIBE)


def test_a_file_beside_the_describes_is_told(tmp_path: Path) -> None:
    snapshot(tmp_path, "Account")
    (tmp_path / "other.json").write_text("{}")
    (note,) = load_schema_from(tmp_path).notes
    assert str(note) == f"{tmp_path / 'other.json'}: no describe of an sObject; the file is ignored"


def test_what_is_listed_and_not_described_has_no_fields(tmp_path: Path) -> None:
    brief = {"name": "Odd__c", "label": "Odd", "keyPrefix": "a7Z", "createable": True, "queryable": True}
    (tmp_path / "global.json").write_text(
        json.dumps({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [brief]})
    )
    snapshot(tmp_path, "Account")
    loaded = load_schema_from(tmp_path)
    assert "1 sObjects are listed and not described, Odd__c for one" in str(loaded.notes[0])
    org = Org(loaded.schema)
    names = [each["name"] for each in get(org, "/sobjects")["sobjects"]]
    assert names == ["Odd__c", "Account"]  # what is described and not listed comes last
    assert [each["name"] for each in get(org, "/sobjects/Odd__c/describe")["fields"]] == ["Id", "IsDeleted"]


def test_an_org_from_a_snapshot_that_plans_are_checked_against(tmp_path: Path) -> None:
    ours = Org(load_schema(SCHEMA))
    names = ("Account", "Airport__c", "Gate__c")
    told = {name: sobject_from_describe(get(ours, f"/sobjects/{name}/describe")) for name in names}
    path = tmp_path / "target.json"
    path.write_text(json.dumps(to_snapshot(OrgSchema("00D000000000007EAA", sobjects=told))))
    loaded = load_schema_from(path)
    assert (loaded.kind, loaded.schema.organization["id"]) == (SchemaKind.SNAPSHOT, "00D000000000007EAA")
    org = Org(loaded.schema)
    again = {name: sobject_from_describe(get(org, f"/sobjects/{name}/describe")) for name in names}
    assert again == told
    call = Caller(org, org.issue_token())
    airport = call.create("Airport__c", Code__c="ZRH")
    call.create("Gate__c", Airport__c=airport)


def test_formulas_that_a_describe_tells_are_computed(tmp_path: Path, clock: VirtualClock) -> None:
    fields = {
        "Amount__c": {"type": "number", "precision": 9, "scale": 2},
        "Twice__c": {"type": "number", "precision": 9, "scale": 2, "formula": "Amount__c * 2"},
        "Odd__c": {"type": "number", "formula": "Amount__c"},
    }
    ours = Org(load_schema({"objects": {"Deal__c": {"fields": fields}}}))
    body = get(ours, "/sobjects/Deal__c/describe")
    next(each for each in body["fields"] if each["name"] == "Odd__c")["calculatedFormula"] = (
        "GEOLOCATION(1, 2)"
    )
    (tmp_path / "Deal__c.json").write_text(json.dumps(body))
    loaded = load_schema_from(tmp_path)
    assert [str(each) for each in loaded.notes] == [
        f"{tmp_path}: Deal__c.Odd__c: the formula is not computed; the field is always empty"
    ]
    org = Org(loaded.schema, OrgSettings(), clock)
    call = Caller(org, org.issue_token())
    call.create("Deal__c", Amount__c=3)
    (row,) = call("GET", "/query", query={"q": "SELECT Twice__c, Odd__c FROM Deal__c"}).json()["records"]
    assert (row["Twice__c"], row["Odd__c"]) == (6.0, None)
    assert get(org, "/sobjects/Deal__c/describe") == body
