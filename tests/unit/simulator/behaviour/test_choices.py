"""Record types, restricted and dependent picklists, as every API holds records to them."""

import base64
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.schema.files import SchemaInvalid
from tests.unit.simulator.apis import APIS, Said, Sender

SCHEMA: dict[str, Any] = {
    "objects": {
        "Account": {
            "record_types": [{"name": "Firm", "default": True}],
            "fields": {"Tier__c": {"type": "picklist", "values": ["Gold"]}},
        },
        "Trip__c": {
            "record_types": [
                {
                    "name": "Air",
                    "label": "By air",
                    "default": True,
                    "picklists": {"Class__c": ["First", "Economy"]},
                },
                {"name": "Rail", "picklists": {"Class__c": ["First", "Second"], "Extras__c": ["Meal"]}},
                {"name": "Road", "active": False},
            ],
            "fields": {
                "Class__c": {
                    "type": "picklist",
                    "values": ["First", "Second", "Economy", {"value": "Third", "active": False}],
                    "restricted": True,
                },
                "Extras__c": {"type": "multipicklist", "values": ["Meal", "Bed"], "restricted": True},
                "Country__c": {"type": "picklist", "values": ["CH", "DE"], "restricted": True},
                "Abroad__c": {"type": "checkbox"},
                "City__c": {
                    "type": "picklist",
                    "restricted": True,
                    "controlled_by": "Country__c",
                    "values": [
                        {"value": "Bern", "label": "Berne", "valid_for": ["CH"]},
                        {"value": "Ulm", "valid_for": ["DE"]},
                        {"value": "Konstanz", "valid_for": ["CH", "DE"]},
                    ],
                },
                "Papers__c": {
                    "type": "multipicklist",
                    "restricted": True,
                    "controlled_by": "Abroad__c",
                    "values": [
                        {"value": "Visa", "valid_for": ["true"]},
                        {"value": "Card", "valid_for": ["true", "false"]},
                    ],
                },
            },
        },
    }
}


@pytest.fixture
def org() -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), VirtualClock())


def record_type(org: Org, name: str) -> str:
    table = org.store.table("RecordType")
    return table.id_of(table.find("DeveloperName", name)[0])


def bad(label: str, value: str, field: str) -> Said:
    text = f"{label}: bad value for restricted picklist field: {value}"
    return Said("", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, (field,))


@pytest.mark.parametrize("api", APIS)
def test_a_record_type_must_be_an_active_one_of_the_sobject(org: Org, api: str) -> None:
    send = Sender(org, api)
    firm, road, rail = (record_type(org, name) for name in ("Firm", "Road", "Rail"))
    nobody = firm[:10] + "zzzzz"
    said = send("insert", "Trip__c", *({"RecordTypeId": each} for each in (rail, firm, road, nobody)))
    refused = [
        Said(
            "",
            "INVALID_CROSS_REFERENCE_KEY",
            f"Record Type ID: this ID value isn't valid for the user: {each}",
            ("RecordTypeId",),
        )
        for each in (firm, road, nobody)
    ]
    assert said[1:] == refused
    assert send("update", "Trip__c", {"Id": said[0].id, "RecordTypeId": firm}) == refused[:1]
    assert org.store.table("Trip__c").cell(1, "RecordTypeId") == rail


@pytest.mark.parametrize("api", APIS)
def test_the_default_record_type_and_the_values_of_a_record_type(org: Org, api: str) -> None:
    send = Sender(org, api)
    rail = record_type(org, "Rail")
    said = send(
        "insert",
        "Trip__c",
        {"Class__c": "economy"},
        {"Class__c": "Second"},
        {"Class__c": "Second", "RecordTypeId": rail},
        {"Class__c": "Economy", "RecordTypeId": rail},
        {"Class__c": "Third"},
        {"Extras__c": "bed;MEAL"},
        {"Extras__c": "Meal;Bed", "RecordTypeId": rail},
    )
    assert said[1] == bad("Class", "Second", "Class__c")
    assert said[3:5] == [bad("Class", "Economy", "Class__c"), bad("Class", "Third", "Class__c")]
    assert said[6] == bad("Extras", "Bed", "Extras__c")
    table = org.store.table("Trip__c")
    kept = [
        (table.cell(seq, "RecordTypeId") == rail, table.cell(seq, "Class__c"), table.cell(seq, "Extras__c"))
        for seq in table.scan()
    ]
    assert kept == [(False, "Economy", ""), (True, "Second", ""), (False, "", "Meal;Bed")]
    # a value that was given before stands, whatever becomes of the record type
    assert send("update", "Trip__c", {"Id": said[0].id, "RecordTypeId": rail})[0].code == ""
    assert send("update", "Trip__c", {"Id": said[0].id, "Class__c": "Economy"}) == [
        bad("Class", "Economy", "Class__c")
    ]


@pytest.mark.parametrize("api", APIS)
def test_values_of_a_dependent_picklist_must_fit_the_controlling_value(org: Org, api: str) -> None:
    send = Sender(org, api)
    said = send(
        "insert",
        "Trip__c",
        {"Country__c": "CH", "City__c": "Bern"},
        {"Country__c": "DE", "City__c": "Bern"},
        {"City__c": "Konstanz"},
        {"Country__c": "DE", "City__c": "Konstanz"},
        {"Papers__c": "Visa;Card"},
        {"Papers__c": "Card"},
        {"Papers__c": "Card;Visa", "Abroad__c": "true"},
    )
    assert [bool(each.id) for each in said] == [True, False, False, True, False, True, True]
    assert said[1] == bad("City", "Bern", "City__c")
    assert said[4] == bad("Papers", "Visa", "Papers__c")
    assert send("update", "Trip__c", {"Id": said[0].id, "City__c": "Ulm"}) == [bad("City", "Ulm", "City__c")]
    assert send("update", "Trip__c", {"Id": said[0].id, "City__c": "Ulm", "Country__c": "DE"})[0].code == ""


def test_describe_says_which_values_depend_on_what(org: Org) -> None:
    found = Sender(org, "rest").ask("GET", "/sobjects/Trip__c/describe").json()
    city = next(each for each in found["fields"] if each["name"] == "City__c")
    assert (city["dependentPicklist"], city["controllerName"]) == (True, "Country__c")
    bits = {each["value"]: base64.b64decode(each["validFor"]) for each in city["picklistValues"]}
    assert bits == {"Bern": b"\x80", "Ulm": b"\x40", "Konstanz": b"\xc0"}
    assert city["picklistValues"][0]["label"] == "Berne"
    kinds = next(each for each in found["fields"] if each["name"] == "Class__c")
    assert [each["value"] for each in kinds["picklistValues"] if not each["active"]] == ["Third"]
    infos = {each["developerName"]: each for each in found["recordTypeInfos"]}
    assert list(infos) == ["Air", "Rail", "Road", "Master"]
    assert (infos["Air"]["name"], infos["Air"]["defaultRecordTypeMapping"]) == ("By air", True)
    assert (infos["Road"]["active"], infos["Road"]["available"], infos["Master"]["master"]) == (
        False,
        False,
        True,
    )
    assert infos["Rail"]["recordTypeId"] == record_type(org, "Rail")


@pytest.mark.parametrize(
    ("described", "text"),
    [
        (
            {"record_types": [{"name": "A", "default": True}, {"name": "B", "default": True}]},
            "more than one default",
        ),
        ({"record_types": [{"name": "A", "default": True, "active": False}]}, "is not active"),
        ({"record_types": [{"name": "A", "picklists": {"Nope__c": []}}]}, "Nope__c is no picklist"),
        ({"fields": {"A__c": {"type": "picklist", "controlled_by": "Nope__c"}}}, "Nope__c is no picklist"),
        ({"record_types": [{"name": "A", "colour": "red"}]}, "unknown key of a record type: colour"),
    ],
)
def test_a_schema_that_cannot_be(described: dict[str, Any], text: str) -> None:
    with pytest.raises(SchemaInvalid, match=text):
        load_schema({"objects": {"Trip__c": described}})
