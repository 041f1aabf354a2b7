"""Describe: every key in its place, and the facts of standard objects where recordings of real orgs are at hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = [
    "actionOverrides",
    "activateable",
    "associateEntityType",
    "associateParentEntity",
    "childRelationships",
    "compactLayoutable",
    "createable",
    "custom",
    "customSetting",
    "deepCloneable",
    "defaultImplementation",
    "deletable",
    "deprecatedAndHidden",
    "extendedBy",
    "extendsInterfaces",
    "feedEnabled",
    "fields",
    "hasSubtypes",
    "implementedBy",
    "implementsInterfaces",
    "isInterface",
    "isSubtype",
    "keyPrefix",
    "label",
    "labelPlural",
    "layoutable",
    "listviewable",
    "lookupLayoutable",
    "mergeable",
    "mruEnabled",
    "name",
    "namedLayoutInfos",
    "networkScopeFieldName",
    "queryable",
    "recordTypeInfos",
    "replicateable",
    "retrieveable",
    "searchLayoutable",
    "searchable",
    "sobjectDescribeOption",
    "supportedScopes",
    "triggerable",
    "undeletable",
    "updateable",
    "urls",
]
FIELD = [
    "aggregatable",
    "aiPredictionField",
    "autoNumber",
    "byteLength",
    "calculated",
    "calculatedFormula",
    "cascadeDelete",
    "caseSensitive",
    "compoundFieldName",
    "controllerName",
    "createable",
    "custom",
    "defaultValue",
    "defaultValueFormula",
    "defaultedOnCreate",
    "dependentPicklist",
    "deprecatedAndHidden",
    "digits",
    "displayLocationInDecimal",
    "encrypted",
    "externalId",
    "extraTypeInfo",
    "filterable",
    "filteredLookupInfo",
    "formulaTreatNullNumberAsZero",
    "groupable",
    "highScaleNumber",
    "htmlFormatted",
    "idLookup",
    "inlineHelpText",
    "label",
    "length",
    "mask",
    "maskType",
    "name",
    "nameField",
    "namePointing",
    "nillable",
    "permissionable",
    "picklistValues",
    "polymorphicForeignKey",
    "precision",
    "queryByDistance",
    "referenceTargetField",
    "referenceTo",
    "relationshipName",
    "relationshipOrder",
    "restrictedDelete",
    "restrictedPicklist",
    "scale",
    "searchPrefilterable",
    "soapType",
    "sortable",
    "type",
    "unique",
    "updateable",
    "writeRequiresMasterRead",
]

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings" / "describe"
RECORDED = ["Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Case", "Event"]
# what the recorded orgs had set up for themselves, or what our smaller world cannot have
OWN = {"label", "picklistValues", "referenceTo"}
ODD = {
    "Comments",
    "Fiscal",
    "ActivityDate",
    "JigsawCompanyId",
    "JigsawContactId",
}  # fields with sizes or flags of their own


def described(call: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/sobjects/{name}/describe").json()
    return found


def field(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["fields"] if each["name"] == name)


@pytest.mark.parametrize("name", ["Account", "Airport__c", "User", "Task"])
def test_the_keys_and_their_order(call: Any, name: str) -> None:
    found = described(call, name)
    assert list(found) == TOP
    assert all(list(each) == FIELD for each in found["fields"])


def test_what_a_planner_needs_of_references(call: Any) -> None:
    gate = described(call, "Gate__c")
    master = field(gate, "Airport__c")
    assert (master["relationshipOrder"], master["cascadeDelete"], master["nillable"]) == (0, True, False)
    assert (master["updateable"], master["relationshipName"]) == (False, "Airport__r")
    assert "OwnerId" not in {each["name"] for each in gate["fields"]}
    owner = field(described(call, "Case"), "OwnerId")
    assert (owner["referenceTo"], owner["polymorphicForeignKey"], owner["namePointing"]) == (
        ["Group", "User"],
        True,
        True,
    )
    assert field(described(call, "Lease__c"), "Gate__c")["restrictedDelete"] is True
    children = {each["field"]: each for each in described(call, "Airport__c")["childRelationships"]}
    assert children["Airport__c"]["cascadeDelete"] is True


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("Account", {"Name"}),
        ("Contact", {"LastName"}),
        ("Lead", {"LastName", "Company"}),
        ("Opportunity", {"Name", "StageName", "CloseDate"}),
        ("OpportunityContactRole", {"OpportunityId", "ContactId"}),
        ("Case", set()),
        ("Event", set()),
        ("Airport__c", {"Code__c"}),
    ],
)
def test_what_an_insert_needs(call: Any, name: str, required: set[str]) -> None:
    fields = described(call, name)["fields"]
    found = {
        each["name"]
        for each in fields
        if each["createable"] and not each["nillable"] and not each["defaultedOnCreate"]
    }
    assert found == required


def test_describe_global_lists_what_can_be_described(call: Any) -> None:
    done = call("GET", "/sobjects")
    found = done.json()
    assert list(found) == ["encoding", "maxBatchSize", "sobjects"]
    names = [each["name"] for each in found["sobjects"]]
    assert names == sorted(names, key=str.casefold)
    assert {"Account", "Airport__c", "PricebookEntry", "RecordType"} <= set(names)
    prefixes = [each["keyPrefix"] for each in found["sobjects"]]
    assert len(set(prefixes)) == len(prefixes)
    assert (
        call("GET", "/sobjects", headers={"If-Modified-Since": done.headers["Last-Modified"]}).status == 304
    )
    assert call("GET", "/sobjects/Nope/describe").status == 404


def _recorded(name: str) -> dict[str, Any] | None:
    path = RECORDINGS / f"GET_sobjects_{name}_describe.yaml"
    if not path.exists():
        return None
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = json.loads(loaded["response"]["body"]["string"])
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_standard_objects_are_as_recorded(call: Any, name: str) -> None:
    recorded = _recorded(name) or described(call, name)  # without the recordings only the keys are compared
    found = described(call, name)
    assert [key for key in TOP if key in recorded] == list(recorded)
    ours = {each["name"]: each for each in found["fields"]}
    differences = [
        (each["name"], key, each[key], ours[each["name"]][key])
        for each in recorded["fields"]
        if each["name"] in ours and each["name"] not in ODD
        for key in each
        if key not in OWN and each[key] != ours[each["name"]][key]
    ]
    assert differences == []
    children = {(each["childSObject"], each["field"]): each for each in recorded["childRelationships"]}
    for child in found["childRelationships"]:
        other = children.get((child["childSObject"], child["field"]), child)
        assert (child["relationshipName"], child["cascadeDelete"]) == (
            other["relationshipName"],
            other["cascadeDelete"],
        )
