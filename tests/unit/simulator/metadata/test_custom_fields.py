"""Custom fields and objects deployed into an org that is running, and what is there of them afterwards."""

from dataclasses import replace
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from tests.unit.simulator.conftest import Caller
from tests.unit.simulator.metadata.metadata_client import NAMESPACE, Soap, package, text

KEY = "<fullName>Migration_Key__c</fullName><externalId>true</externalId><label>Migration Key</label><length>64</length><type>Text</type><unique>true</unique>"
LISTED = {"CustomField": ["Account.Migration_Key__c"]}


def an_object(*parts: str) -> str:
    return f'<CustomObject xmlns="{NAMESPACE}">{"".join(parts)}</CustomObject>'


def field(inside: str) -> str:
    return f"<fields>{inside}</fields>"


@pytest.fixture
def soap(org: Org) -> Soap:
    return Soap(org, org.issue_token())


def test_a_key_is_deployed_and_records_are_upserted_by_it(soap: Soap, call: Any) -> None:
    old = call.create("Account", Name="Old")
    assert call("GET", "/query", query={"q": "SELECT Migration_Key__c FROM Account"}).status == 400
    done = soap.deploy(package({"objects/Account.object": an_object(field(KEY))}, LISTED))
    assert (text(done, "status"), text(done, "fullName"), text(done, "created")) == (
        "Succeeded",
        "Account.Migration_Key__c",
        "true",
    )
    described = call("GET", "/sobjects/Account/describe").json()["fields"][-1]
    assert (described["name"], described["externalId"], described["unique"]) == (
        "Migration_Key__c",
        True,
        True,
    )
    made = call("PATCH", "/sobjects/Account/Migration_Key__c/k-1", {"Name": "New"})
    assert (made.status, made.json()["created"]) == (201, True)
    assert call("PATCH", f"/sobjects/Account/{old}", {"Migration_Key__c": "k-2"}).status == 204
    rows = call(
        "GET", "/query", query={"q": "SELECT Name FROM Account WHERE Migration_Key__c = 'K-2'"}
    ).json()
    assert [row["Name"] for row in rows["records"]] == ["Old"]
    soql = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinitionId = 'Account' AND QualifiedApiName = 'Migration_Key__c'"
    assert call("GET", "/query", query={"q": soql}).json()["totalSize"] == 1
    again = soap.deploy(package({"objects/Account.object": an_object(field(KEY))}, LISTED))
    assert (text(again, "created"), text(again, "changed")) == ("false", "false")


def test_definitions_follow_a_change(soap: Soap, call: Any) -> None:
    soql = "SELECT count() FROM FieldDefinition WHERE EntityDefinitionId = 'Account'"
    before = call("GET", "/query", query={"q": soql}).json()["totalSize"]
    soap.deploy(package({"objects/Account.object": an_object(field(KEY))}, LISTED))
    assert call("GET", "/query", query={"q": soql}).json()["totalSize"] == before + 1


def test_an_object_with_its_fields(soap: Soap, call: Any) -> None:
    label = "<label>Crate</label><pluralLabel>Crates</pluralLabel><nameField><type>Text</type></nameField>"
    weight = "<fullName>Kilos__c</fullName><precision>8</precision><scale>2</scale><type>Number</type>"
    of = "<fullName>Account__c</fullName><referenceTo>Account</referenceTo><relationshipName>Crates</relationshipName><type>Lookup</type>"
    data = package(
        {"objects/Crate__c.object": an_object(label, field(weight), field(of))},
        {"CustomObject": ["Crate__c"]},
    )
    assert text(soap.deploy(data), "numberComponentsDeployed") == "3"
    account = call.create("Account", Name="A")
    call.create("Crate__c", Kilos__c=1.5, Account__c=account)
    rows = call("GET", "/query", query={"q": "SELECT (SELECT Kilos__c FROM Crates__r) FROM Account"}).json()
    assert rows["records"][0]["Crates__r"]["records"][0]["Kilos__c"] == 1.5
    files, _ = soap.retrieve({"CustomObject": ["Crate__c"]})
    assert "<label>Crate</label>" in files["objects/Crate__c.object"]
    assert "<fullName>Kilos__c</fullName>" in files["objects/Crate__c.object"]


def test_checking_and_rolling_back_leave_the_schema(org: Org, soap: Soap) -> None:
    bad = "<fullName>Bad__c</fullName><type>Location</type>"
    data = package(
        {"objects/Account.object": an_object(field(KEY), field(bad))}, {"CustomObject": ["Account"]}
    )
    held = org.schema
    assert text(soap.deploy(data, rollbackOnError=True), "status") == "Failed"
    soap.deploy(package({"objects/Account.object": an_object(field(KEY))}, LISTED), checkOnly=True)
    assert org.schema is held
    assert "Migration_Key__c" not in org.store.table("Account").sobject._by_name
    assert text(soap.deploy(data), "status") == "SucceededPartial"
    account = org.schema.sobject("Account")
    assert account
    assert account.field("Migration_Key__c")


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("<fullName>A__c</fullName><type>MasterDetail</type><referenceTo>Account</referenceTo>", "to a running org"),
        ("<fullName>A__c</fullName><type>Text</type><length>9</length><formula>B</formula>", "to a running org"),
        ("<fullName>A__c</fullName><type>Lookup</type><referenceTo>Nope__c</referenceTo>", "does not resolve"),
        ("<fullName>Name</fullName><type>Text</type><length>9</length>", "cannot change the standard field"),
        ("<fullName>Legacy_Id__c</fullName><type>Date</type>", "Cannot change the type"),
    ],
)  # fmt: skip
def test_fields_that_cannot_come(soap: Soap, inside: str, told: str) -> None:
    data = package({"objects/Account.object": an_object(field(inside))}, {"CustomObject": ["Account"]})
    done = soap.deploy(data)
    assert told in text(done, "problem")


def test_single_fields_are_created_and_read(soap: Soap) -> None:
    full = KEY.replace("<fullName>Migration", "<fullName>Account.Migration")
    made = soap(f'<createMetadata><metadata xsi:type="m:CustomField">{full}</metadata></createMetadata>')
    assert text(made, "success") == "true"
    again = soap(f'<createMetadata><metadata xsi:type="m:CustomField">{full}</metadata></createMetadata>')
    assert text(again, "statusCode") == "DUPLICATE_DEVELOPER_NAME"
    upserted = soap(f'<upsertMetadata><metadata xsi:type="CustomField">{full}</metadata></upsertMetadata>')
    assert (text(upserted, "created"), text(upserted, "success")) == ("false", "true")
    read = soap(
        "<readMetadata><type>CustomField</type><fullNames>Account.Migration_Key__c</fullNames></readMetadata>"
    )
    assert (text(read, "length"), text(read, "type"), text(read, "externalId")) == ("64", "Text", "true")
    listed = soap("<listMetadata><queries><type>CustomField</type></queries></listMetadata>").read().decode()
    assert "<fullName>Account.Migration_Key__c</fullName>" in listed


def test_only_whoever_may_customize_the_application(clock: VirtualClock) -> None:
    schema: dict[str, Any] = {
        "profiles": {"Mover": {"permissions": ["ApiEnabled", "ModifyMetadata"], "objects": {"*": "all"}}},
        "users": {"mover@simulator.example": {"profile": "Mover"}},
    }
    org = Org(load_schema(schema), replace(OrgSettings()), clock)
    soap = Soap(org, org.issue_token("mover@simulator.example"))
    data = package({"objects/Account.object": an_object(field(KEY))}, LISTED)
    assert "Customize Application" in text(soap.deploy(data), "problem")
    # and a field that an administrator deploys is not there for others before a permission says so
    assert text(Soap(org, org.issue_token()).deploy(data), "status") == "Succeeded"
    mover = Caller(org, soap.token)
    assert mover("GET", "/query", query={"q": "SELECT Migration_Key__c FROM Account"}).status == 400
