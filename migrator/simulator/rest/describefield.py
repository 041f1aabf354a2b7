"""Describe of one field, every key in its place."""

import base64
from collections.abc import Sequence
from typing import Any

from migrator.simulator.schema.audit import auditable
from migrator.simulator.schema.model import (
    COMPOUNDS,
    NUMBERS,
    TEXTS,
    Choice,
    Field,
    FieldType,
    OnDelete,
    SObject,
)

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
    NUMBERS
    | COMPOUNDS
    | {
        FieldType.BASE64,
        FieldType.COMBOBOX,
        FieldType.DATETIME,
        FieldType.MULTIPICKLIST,
        FieldType.TIME,
    }
)
_ID_LIKE = frozenset({FieldType.ID, FieldType.REFERENCE})
_PICKLISTS = frozenset({FieldType.PICKLIST, FieldType.MULTIPICKLIST})
_NOT_PREFILTERED = frozenset({"User", "Group", "Calendar", "RecordType", "Organization"})


_NOT_SEARCHED = frozenset({"MasterRecordId", "PersonIndividualId"})

# what no field of ours is or has
_NEVER: dict[str, Any] = {
    "aiPredictionField": False,
    "defaultValueFormula": None,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "filteredLookupInfo": None,
    "highScaleNumber": False,
    "inlineHelpText": None,
    "mask": None,
    "maskType": None,
    "referenceTargetField": None,
    "writeRequiresMasterRead": False,
}

_BY_USER = ("createable", "updateable")


def describe_field(sobject: SObject, field: Field, *, audit_fields: bool = False) -> dict[str, Any]:
    """One field: as a real org said it, but for what the user's permissions make of it, or as it follows from the schema."""
    made = _described(sobject, field, audit_fields=audit_fields)
    told = field.described
    return made if told is None else {**told, **{key: made[key] for key in _BY_USER if key in told}}


def _described(sobject: SObject, field: Field, *, audit_fields: bool) -> dict[str, Any]:
    """One field with its 57 keys in alphabetical order, as the platform has them."""
    kind = field.type
    texts = kind in TEXTS or kind in _PICKLISTS
    long_text = not field.filterable and kind is FieldType.TEXTAREA
    searched = (
        kind is FieldType.REFERENCE
        and field.relationship
        and field.nillable
        and not _NOT_PREFILTERED.intersection(field.reference_to)
    )
    found = {
        **_NEVER,
        **_choices(sobject, field),
        **_computed(field),
        **_reference(field),
        "aggregatable": kind not in COMPOUNDS | {FieldType.BASE64, FieldType.BOOLEAN, FieldType.MULTIPICKLIST}
        and not long_text,
        "autoNumber": bool(field.auto_number),
        "byteLength": 18 if kind in _ID_LIKE else field.length * 3 if texts else 0,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound,
        "createable": field.createable or (audit_fields and auditable(sobject, field)),
        "custom": field.custom,
        "defaultValue": field.default == "true" if kind is FieldType.BOOLEAN else field.default,
        "defaultedOnCreate": field.defaulted,
        "digits": field.digits,
        "encrypted": kind is FieldType.ENCRYPTED,
        "externalId": field.external_id,
        "extraTypeInfo": field.extra_type,
        "filterable": field.filterable,
        "groupable": field.formula is None
        and kind not in _NOT_GROUPABLE
        and not long_text
        and not field.auto_number,
        "htmlFormatted": field.extra_type == "richtextarea",
        "idLookup": field.id_lookup,
        "label": field.label,
        "length": field.length,
        "name": field.name,
        "nameField": field.name_field,
        "nillable": field.nillable,
        "permissionable": field.permissionable,
        "precision": field.precision,
        "queryByDistance": kind in COMPOUNDS,
        "scale": field.scale,
        "searchPrefilterable": bool(searched) and field.name not in _NOT_SEARCHED,
        "soapType": _SOAP.get(kind, "xsd:string"),
        "sortable": field.filterable and kind not in COMPOUNDS | {FieldType.MULTIPICKLIST},
        "type": str(kind),
        "unique": field.unique,
        "updateable": field.updateable,
    }
    return dict(sorted(found.items()))


def _reference(field: Field) -> dict[str, Any]:
    return {
        "cascadeDelete": field.relationship_order is not None,
        "namePointing": field.polymorphic,
        "polymorphicForeignKey": field.polymorphic,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship,
        "relationshipOrder": field.relationship_order,
        "restrictedDelete": field.custom and field.on_delete is OnDelete.RESTRICT,
    }


def _computed(field: Field) -> dict[str, Any]:
    return {
        "calculated": field.calculated,
        "calculatedFormula": field.formula,
        "formulaTreatNullNumberAsZero": field.blanks_as_zero,
    }


def _choices(sobject: SObject, field: Field) -> dict[str, Any]:
    return {
        "controllerName": field.controller,
        "dependentPicklist": field.controller is not None,
        "picklistValues": _values(sobject, field),
        "restrictedPicklist": field.restricted,
    }


def _values(sobject: SObject, field: Field) -> list[dict[str, Any]]:
    if field.type not in _PICKLISTS and field.type is not FieldType.COMBOBOX:
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
