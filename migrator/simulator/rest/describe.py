"""Describe: an org's sObjects and fields as the REST API prints them, every key in its place."""

import base64
from collections.abc import Sequence
from typing import Any

from migrator.simulator.records.compile import AUDIT_FIELDS
from migrator.simulator.schema.model import (
    COMPOUNDS,
    NUMBERS,
    TEXTS,
    Child,
    Choice,
    Field,
    FieldType,
    OnDelete,
    Schema,
    SObject,
)

MASTER_RECORD_TYPE = "012000000000000AAA"

_SOAP = {
    FieldType.ID: "tns:ID",
    FieldType.REFERENCE: "tns:ID",
    FieldType.BOOLEAN: "xsd:boolean",
    FieldType.INT: "xsd:int",
    FieldType.DOUBLE: "xsd:double",
    FieldType.CURRENCY: "xsd:double",
    FieldType.PERCENT: "xsd:double",
    FieldType.DATE: "xsd:date",
    FieldType.DATETIME: "xsd:dateTime",
    FieldType.TIME: "xsd:time",
    FieldType.ADDRESS: "urn:address",
    FieldType.LOCATION: "urn:location",
    FieldType.BASE64: "xsd:base64Binary",
    FieldType.ANY: "xsd:anyType",
}
_NOT_GROUPABLE = (
    NUMBERS | COMPOUNDS | {FieldType.DATETIME, FieldType.TIME, FieldType.MULTIPICKLIST, FieldType.COMBOBOX}
)
_ID_LIKE = frozenset({FieldType.ID, FieldType.REFERENCE})
_CHOICES = frozenset({FieldType.PICKLIST, FieldType.MULTIPICKLIST})
_NOT_PREFILTERED = frozenset({"User", "Group", "Calendar", "RecordType", "Organization"})


# what no field of ours is or has
_NEVER: dict[str, Any] = {
    "aiPredictionField": False,
    "calculatedFormula": None,
    "defaultValueFormula": None,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False,
    "highScaleNumber": False,
    "inlineHelpText": None,
    "mask": None,
    "maskType": None,
    "referenceTargetField": None,
    "writeRequiresMasterRead": False,
}


def describe_field(sobject: SObject, field: Field, *, audit_fields: bool = False) -> dict[str, Any]:
    """One field with its 57 keys in alphabetical order, as the platform has them."""
    kind = field.type
    texts = kind in TEXTS or kind in _CHOICES
    long_text = not field.filterable and kind is FieldType.TEXTAREA
    searched = (
        kind is FieldType.REFERENCE
        and field.relationship
        and field.nillable
        and not _NOT_PREFILTERED.intersection(field.reference_to)
    )
    auditable = audit_fields and field.name.lower() in AUDIT_FIELDS
    found = {
        **_NEVER,
        "aggregatable": kind not in COMPOUNDS | {FieldType.BOOLEAN, FieldType.MULTIPICKLIST}
        and not long_text,
        "autoNumber": bool(field.auto_number),
        "byteLength": 18 if kind in _ID_LIKE else field.length * 3 if texts else 0,
        "calculated": field.calculated,
        "cascadeDelete": field.relationship_order is not None,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound,
        "controllerName": field.controller,
        "createable": field.createable or auditable,
        "custom": field.custom,
        "defaultValue": field.default == "true" if kind is FieldType.BOOLEAN else field.default,
        "defaultedOnCreate": field.defaulted,
        "dependentPicklist": field.controller is not None,
        "digits": field.digits,
        "encrypted": kind is FieldType.ENCRYPTED,
        "externalId": field.external_id,
        "extraTypeInfo": field.extra_type,
        "filterable": field.filterable,
        "groupable": kind not in _NOT_GROUPABLE and not long_text and not field.auto_number,
        "htmlFormatted": field.extra_type == "richtextarea",
        "idLookup": field.id_lookup,
        "label": field.label,
        "length": field.length,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": field.polymorphic,
        "nillable": field.nillable,
        "permissionable": field.permissionable,
        "picklistValues": _values(sobject, field),
        "polymorphicForeignKey": field.polymorphic,
        "precision": field.precision,
        "queryByDistance": kind in COMPOUNDS,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship,
        "relationshipOrder": field.relationship_order,
        "restrictedDelete": field.custom and field.on_delete is OnDelete.RESTRICT,
        "restrictedPicklist": field.restricted,
        "scale": field.scale,
        "searchPrefilterable": bool(searched) and field.name != "MasterRecordId",
        "soapType": _SOAP.get(kind, "xsd:string"),
        "sortable": field.filterable and kind not in COMPOUNDS | {FieldType.MULTIPICKLIST},
        "type": str(kind),
        "unique": field.unique,
        "updateable": field.updateable,
    }
    return dict(sorted(found.items()))


def _values(sobject: SObject, field: Field) -> list[dict[str, Any]]:
    if field.type not in _CHOICES and field.type is not FieldType.COMBOBOX:
        return []
    controlling = _controlling_values(sobject, field)
    return [
        {
            "active": each.active,
            "defaultValue": each.value == field.default,
            "label": each.label,
            "validFor": None if controlling is None else _valid_for(each, controlling),
            "value": each.value,
        }
        for each in field.choices or [Choice(value, value) for value in field.values]
    ]


def _controlling_values(sobject: SObject, field: Field) -> list[str] | None:
    """The values of the controlling field, in the order that the bits of `validFor` count."""
    controller = sobject.field(field.controller) if field.controller else None
    if controller is None:
        return None
    if controller.type is FieldType.BOOLEAN:
        return ["false", "true"]
    return [each.value for each in controller.choices] or list(controller.values)


def _valid_for(choice: Choice, controlling: Sequence[str]) -> str:
    """A bit for each value of the controlling field, the first one the highest of the first byte, in base 64."""
    bits = bytearray((len(controlling) + 7) // 8)
    for place, value in enumerate(controlling):
        if value in choice.valid_for:
            bits[place // 8] |= 128 >> place % 8
    return base64.b64encode(bytes(bits)).decode()


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
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": sobject.createable,
        "custom": sobject.custom,
        "customSetting": False,
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
        "undeletable": sobject.deletable,
        "updateable": sobject.updateable,
        "urls": _urls(sobject, base),
    }


def describe_global(schema: Schema, base: str) -> dict[str, Any]:
    """All sObjects, briefly."""
    listed = [describe_brief(sobject, base) for sobject in schema.sobjects]
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
    brief = describe_brief(sobject, base)
    urls = {
        **brief["urls"],
        "uiDetailTemplate": f"{host}/{{ID}}",
        "uiEditTemplate": f"{host}/{{ID}}/e",
        "uiNewRecord": f"{host}/{sobject.prefix}/e",
    }
    plural = sobject.plural.lower()
    children = sorted(schema.children(sobject.name), key=lambda each: (each.sobject.name, each.field.name))
    full = {
        **brief,
        "actionOverrides": [],
        "childRelationships": [_child(each) for each in children],
        "compactLayoutable": sobject.layoutable,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(sobject, each, audit_fields=audit_fields) for each in sobject.fields],
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
