"""Describe: an org's sObjects and fields as the REST API prints them, every key in its place."""

from typing import Any

from migrator.simulator.rest.describefield import describe_field
from migrator.simulator.rest.toldagain import told_again
from migrator.simulator.schema.model import Child, Schema, SObject

# references to contacts that are no references to person accounts
_OF_CONTACTS = frozenset(
    {("Contact", "MasterRecordId"), ("Contact", "ReportsToId"), ("Account", "PersonContactId")}
)
MASTER_RECORD_TYPE = "012000000000000AAA"


def _child(child: Child) -> dict[str, Any]:
    return {
        "cascadeDelete": child.cascade,
        "childSObject": child.sobject.name,
        "deprecatedAndHidden": False,
        "field": child.field.name,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": child.field.children,
        "restrictedDelete": child.restrict,
    }


def _children(schema: Schema, sobject: SObject) -> list[dict[str, Any]]:
    """The references to the sObject; a person account has those to its contact too, under names of their own."""
    own = [_child(each) for each in schema.children(sobject.name)]
    if sobject.name != "Account" or sobject.field("IsPersonAccount") is None:
        return own
    listed = [_child(each) for each in schema.children("Contact")]
    for each in listed:
        name = each["relationshipName"]
        if name:
            custom = name.endswith("__r")
            each["relationshipName"] = f"{name.removesuffix('__r')}__pr" if custom else f"Person{name}"
    mine = {(each["childSObject"], each["field"]) for each in own}  # references that take both are there once
    hidden = mine | _OF_CONTACTS
    return own + [each for each in listed if (each["childSObject"], each["field"]) not in hidden]


def _record_types(sobject: SObject, ids: dict[str, str], base: str) -> list[dict[str, Any]]:
    """The record types, the master last; `ids` are those of the others by developer name."""
    preset = any(each.default for each in sobject.record_types)
    listed = [
        (each.developer_name, each.label, each.default, each.active, ids.get(each.developer_name, ""))
        for each in sobject.record_types
    ]
    listed.append(("Master", "Master", not preset, True, MASTER_RECORD_TYPE))
    return [
        {
            "active": active,
            "available": active,
            "defaultRecordTypeMapping": default,
            "developerName": developer_name,
            "master": record_id == MASTER_RECORD_TYPE,
            "name": name,
            "recordTypeId": record_id,
            "urls": {"layout": f"{base}/sobjects/{sobject.name}/describe/layouts/{record_id}"},
        }
        for developer_name, name, default, active, record_id in listed
    ]


def _urls(sobject: SObject, base: str) -> dict[str, str]:
    own = f"{base}/sobjects/{sobject.name}"
    return {
        "compactLayouts": f"{own}/describe/compactLayouts",
        "rowTemplate": f"{own}/{{ID}}",
        "approvalLayouts": f"{own}/describe/approvalLayouts",
        "listviews": f"{own}/listviews",
        "describe": f"{own}/describe",
        "quickActions": f"{own}/quickActions",
        "layouts": f"{own}/describe/layouts",
        "sobject": own,
    }


def describe_brief(sobject: SObject, base: str) -> dict[str, Any]:
    """One sObject as describe global lists it."""
    made = _brief(sobject, base)
    if sobject.brief is not None:
        return told_again(sobject.brief, sobject, base, "")
    if sobject.described is None:
        return made
    again = told_again(sobject.described, sobject, base, "")
    again["urls"] = {key: url for key, url in again.get("urls", {}).items() if url.startswith("/")}
    return {key: again.get(key, made[key]) for key in made}


def _brief(sobject: SObject, base: str) -> dict[str, Any]:
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": sobject.createable,
        "custom": sobject.custom,
        "customSetting": sobject.custom_setting,
        "deepCloneable": False,
        "deletable": sobject.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": sobject.feed_enabled,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.prefix,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "layoutable": sobject.layoutable,
        "mergeable": sobject.mergeable,
        "mruEnabled": sobject.layoutable,
        "name": sobject.name,
        "queryable": sobject.queryable,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": sobject.deletable and sobject.field("IsDeleted") is not None,
        "updateable": sobject.updateable,
        "urls": _urls(sobject, base),
    }


def describe_global(schema: Schema, base: str) -> dict[str, Any]:
    """All sObjects, briefly."""
    shown = sorted((each for each in schema.sobjects if each.place >= 0), key=lambda each: each.place)
    listed = [describe_brief(sobject, base) for sobject in shown]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}


def describe_sobject(
    schema: Schema,
    sobject: SObject,
    base: str,
    host: str,
    record_types: dict[str, str],
    *,
    audit_fields: bool = False,
) -> dict[str, Any]:
    """One sObject in full, with its 45 keys in alphabetical order as the platform has them."""
    fields = [describe_field(sobject, each, audit_fields=audit_fields) for each in sobject.fields]
    if sobject.described is not None:
        return {**told_again(sobject.described, sobject, base, host), "fields": fields}
    brief = {**_brief(sobject, base), **describe_brief(sobject, base)}
    urls = {
        **brief["urls"],
        "uiDetailTemplate": f"{host}/{{ID}}",
        "uiEditTemplate": f"{host}/{{ID}}/e",
        "uiNewRecord": f"{host}/{sobject.prefix}/e",
    }
    plural = sobject.plural.lower()
    children = sorted(_children(schema, sobject), key=lambda each: (each["childSObject"], each["field"]))
    full = {
        **brief,
        "actionOverrides": [],
        "childRelationships": children,
        "compactLayoutable": sobject.layoutable,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": fields,
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(sobject, record_types, base),
        "searchLayoutable": sobject.layoutable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {plural}", "name": "everything"},
            {"label": f"My {plural}", "name": "mine"},
            {"label": f"My team's {plural}", "name": "team"},
        ],
        "urls": urls,
    }
    return {key: full[key] for key in sorted(full)}
