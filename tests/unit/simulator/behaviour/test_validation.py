"""Validation rules and formula fields, as every API shows them."""

from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.schema.files import SchemaInvalid
from migrator.simulator.schema.objectrules import validation_rule
from tests.unit.simulator.apis import APIS, Said, Sender

SCHEMA: dict[str, Any] = {
    "permission_sets": {"Bypass": {"custom_permissions": ["Bypass_Rules"]}},
    "users": {"integration@simulator.example": {"profile": "System Administrator"}},
    "objects": {
        "Account": {"fields": {"Discount__c": {"type": "percent", "precision": 5, "scale": 2}}},
        "Deal__c": {
            "record_types": [{"name": "Big", "default": True}, {"name": "Small"}],
            "validation_rules": [
                {
                    "name": "Closed_needs_day",
                    "formula": 'AND(ISPICKVAL(Stage__c, "Closed"), ISBLANK(Day__c), NOT($Permission.Bypass_Rules))',
                    "message": "A closed deal has a day.",
                    "field": "Day__c",
                },
                {
                    "name": "No_way_back",
                    "formula": 'ISCHANGED(Stage__c) && ISPICKVAL(PRIORVALUE(Stage__c), "Closed")',
                    "message": "Closed is closed.",
                },
                {
                    "name": "Discount",
                    "formula": "Amount__c * (1 - Account__r.Discount__c) < 10 && NOT(ISBLANK(Amount__c))",
                    "message": "Too cheap.",
                    "field": "Amount__c",
                },
                {
                    "name": "Small_is_small",
                    "formula": '$RecordType.DeveloperName = "Small" && Amount__c > 100',
                    "message": "That is not small.",
                },
                {"name": "Off", "formula": "TRUE", "message": "never", "active": False},
                {
                    "name": "Sum",
                    "formula": "Net__c > 1000",
                    "message": "Too much, ${}.",
                },
                {"name": "Text", "formula": "VALUE(Code__c) = 0", "message": "zero"},
            ],
            "fields": {
                "Account__c": {"type": "lookup", "to": "Account"},
                "Stage__c": {"type": "picklist", "values": ["Open", "Closed"], "default": "Open"},
                "Day__c": {"type": "date"},
                "Amount__c": {"type": "currency", "precision": 12, "scale": 2},
                "Code__c": {"type": "text", "length": 10},
                "Net__c": {
                    "type": "currency",
                    "scale": 2,
                    "formula": "Amount__c * (1 - Account__r.Discount__c)",
                },
                "Label__c": {
                    "type": "text",
                    "formula": 'Account__r.Name & ": " & TEXT(Stage__c) & " " & Code__c',
                },
                "Late__c": {"type": "checkbox", "formula": "Day__c < TODAY()"},
                "Half__c": {
                    "type": "percent",
                    "scale": 1,
                    "formula": "Account__r.Discount__c / 2",
                    "blanks": "blank",
                },
            },
        },
    },
}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def org(clock: VirtualClock) -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), clock)


def refused(message: str, *fields: str) -> Said:
    return Said("", "FIELD_CUSTOM_VALIDATION_EXCEPTION", message, fields)


@pytest.mark.parametrize("api", APIS)
def test_rules_refuse_rows_in_their_own_words(org: Org, api: str) -> None:
    send = Sender(org, api)
    (account,) = send("insert", "Account", {"Name": "a", "Discount__c": "50"})
    said = send(
        "insert",
        "Deal__c",
        {"Stage__c": "Closed"},
        {"Stage__c": "Closed", "Day__c": "2024-01-01"},
        {"Account__c": account.id, "Amount__c": "19"},
        {"Account__c": account.id, "Amount__c": "20"},
        {"Amount__c": "5000"},
        {"Code__c": "x"},
        {"Code__c": "0"},
    )
    assert said[0] == refused("A closed deal has a day.", "Day__c")
    assert [said[1].code, said[3].code] == ["", ""]
    assert said[2] == refused("Too cheap.", "Amount__c")
    assert said[4] == refused("Too much, ${}.")
    assert said[5].message == (
        'The formula in the "Text" validation rule or process automation is invalid.'
        " Incorrect argument type for function."
    )
    assert said[6] == refused("zero")
    assert send("update", "Deal__c", {"Id": said[1].id, "Stage__c": "Open"}) == [refused("Closed is closed.")]
    assert send("update", "Deal__c", {"Id": said[1].id, "Day__c": None}) == [
        refused("A closed deal has a day.", "Day__c")
    ]
    assert send("update", "Deal__c", {"Id": said[1].id, "Code__c": "1"})[0].code == ""
    kinds = org.store.table("RecordType")
    small = kinds.id_of(kinds.find("DeveloperName", "Small")[0])
    assert send("insert", "Deal__c", {"RecordTypeId": small, "Amount__c": "101"}) == [
        refused("That is not small.")
    ]
    table = org.store.table("Deal__c")
    assert org.truth.count("Deal__c") == len(table) == 2


def test_all_rules_that_are_broken_speak(org: Org) -> None:
    send = Sender(org, "rest")
    (account,) = send("insert", "Account", {"Name": "a", "Discount__c": 90})
    record = {"Stage__c": "Closed", "Amount__c": 1, "Account__c": account.id}
    done = send.ask("POST", "/sobjects/Deal__c", record)
    code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert (done.status, done.json()) == (
        400,
        [
            {"message": "A closed deal has a day.", "errorCode": code, "fields": ["Day__c"]},
            {"message": "Too cheap.", "errorCode": code, "fields": ["Amount__c"]},
        ],
    )
    body = {"records": [{"attributes": {"type": "Deal__c"}, **record}]}
    errors = send.ask("POST", "/composite/sobjects", body).json()[0]["errors"]
    assert [each["message"] for each in errors] == ["A closed deal has a day.", "Too cheap."]


@pytest.mark.parametrize("api", APIS)
def test_a_custom_permission_goes_around_a_rule(org: Org, api: str) -> None:
    send = Sender(org, api)
    assert send("insert", "Deal__c", {"Stage__c": "Closed"})[0].code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    sets = org.store.table("PermissionSet")
    bypass = sets.id_of(sets.find("Name", "Bypass")[0])
    (done,) = Sender(org, "rest")(
        "insert", "PermissionSetAssignment", {"PermissionSetId": bypass, "AssigneeId": org.user_id}
    )
    assert done.code == ""
    assert send("insert", "Deal__c", {"Stage__c": "Closed"})[0].code == ""


def test_formula_fields_are_computed_when_they_are_read(org: Org, clock: VirtualClock) -> None:
    send = Sender(org, "rest")
    (account,) = send("insert", "Account", {"Name": "a", "Discount__c": 25})
    made = [
        each.id
        for each in send(
            "insert",
            "Deal__c",
            {"Account__c": account.id, "Amount__c": 100, "Code__c": "7"},
            {"Amount__c": 30, "Day__c": "2001-01-01"},
        )
    ]

    def read(record_id: str) -> Any:
        found = send.ask("GET", f"/sobjects/Deal__c/{record_id}").json()
        return [found[name] for name in ("Net__c", "Label__c", "Late__c", "Half__c")]

    assert read(made[0]) == [75.0, "a: Open 7", False, 12.5]
    assert read(made[1]) == [30.0, ": Open ", True, None]
    send("update", "Account", {"Id": account.id, "Name": "b", "Discount__c": 50})
    assert read(made[0]) == [50.0, "b: Open 7", False, 25.0]
    query = "/query?q=SELECT Id, Net__c FROM Deal__c WHERE Label__c = 'b: Open 7' AND Net__c > 49"
    assert [each["Id"] for each in send.ask("GET", query).json()["records"]] == [made[0]]
    send("update", "Account", {"Id": account.id, "Name": "c"})
    assert send.ask("GET", query).json()["records"] == []
    readonly = send("insert", "Deal__c", {"Net__c": 1})[0]
    assert (readonly.code, readonly.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ("Net__c",))


def test_describe_of_formula_fields(org: Org) -> None:
    found = Sender(org, "rest").ask("GET", "/sobjects/Deal__c/describe").json()
    fields = {each["name"]: each for each in found["fields"]}
    label, net, late = fields["Label__c"], fields["Net__c"], fields["Late__c"]
    assert (label["calculated"], label["length"], label["createable"], label["groupable"]) == (
        True,
        1300,
        False,
        False,
    )
    assert net["calculatedFormula"] == "Amount__c * (1 - Account__r.Discount__c)"
    assert (net["formulaTreatNullNumberAsZero"], fields["Half__c"]["formulaTreatNullNumberAsZero"]) == (
        True,
        False,
    )
    assert (late["nillable"], late["defaultedOnCreate"]) == (False, True)


def test_a_rule_can_be_made_of_its_parts() -> None:
    rule = validation_rule("R", "TRUE", "no", "Name", active=False)
    assert (rule.name, rule.formula, rule.message, rule.field, rule.active) == (
        "R",
        "TRUE",
        "no",
        "Name",
        False,
    )


@pytest.mark.parametrize(
    ("described", "text"),
    [
        (
            {"validation_rules": [{"name": "R", "formula": "Nope__c = 1", "message": "m"}]},
            "rule R: Field Nope__c",
        ),
        ({"validation_rules": [{"name": "R", "formula": "1", "message": "m"}]}, "incompatible with expected"),
        (
            {"validation_rules": [{"name": "R", "formula": "TRUE", "message": " "}]},
            "needs a formula and a message",
        ),
        (
            {"validation_rules": [{"name": "R", "formula": "TRUE", "message": "m", "field": "No__c"}]},
            "no field No__c",
        ),
        (
            {
                "fields": {
                    "A__c": {"type": "number", "formula": "B__c"},
                    "B__c": {"type": "number", "formula": "A__c"},
                }
            },
            "refers to itself",
        ),
        ({"fields": {"A__c": {"type": "text", "formula": "$User.Id"}}}, "for validation rules here"),
        ({"fields": {"A__c": {"type": "picklist", "formula": "Name"}}}, "a formula makes"),
    ],
)
def test_a_schema_that_cannot_be(described: dict[str, Any], text: str) -> None:
    with pytest.raises(SchemaInvalid, match=text.replace("$", r"\$")):
        load_schema({"objects": {"Deal__c": described}})
