"""An org's schema from describe JSON, as a real org printed it: what it said is kept whole, to be said again.

Taken are the answers of `/sobjects/{name}/describe`, of `/sobjects`, and of `sf sobject describe --json`: a file each, or several
in one document (a list, a mapping by name, or `{"sobjects": […]}`).

**Invariant:** a field behaves as its describe says; keys that the simulator does not model are told as they were.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from migrator.simulator.formula import FormulaFault
from migrator.simulator.schema.fieldline import parse_fields
from migrator.simulator.schema.formulas import compile_field
from migrator.simulator.schema.model import Choice, Field, FieldType, OnDelete, RecordType, SObject

NO_PREFIX = "000"  # of sObjects whose records have no ids of their own
_AUDIT = frozenset({"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"})
_KINDS = {each.value: each for each in FieldType}
_LIKE = {"long": FieldType.INT, "complexvalue": FieldType.TEXTAREA, "json": FieldType.TEXTAREA}
_SIZES = ("length", "precision", "scale", "digits")
Described = Mapping[str, Any]


def is_describe(value: object) -> bool:
    """Whether a JSON value describes one sObject in full."""
    return isinstance(value, Mapping) and isinstance(value.get("fields"), list) and "name" in value


def is_global(value: object) -> bool:
    """Whether a JSON value is the list of an org's sObjects."""
    listed = value.get("sobjects") if isinstance(value, Mapping) else None
    return isinstance(listed, list) and not any(is_describe(each) for each in listed)


def describes_in(value: object) -> Iterator[Described]:
    """Every describe in a document: one, several, or those of a command's answer."""
    if is_describe(value):
        yield value  # type: ignore[misc] # a mapping, as was just looked at
    elif isinstance(value, Mapping):
        for key in ("result", "sobjects"):
            if key in value:
                yield from describes_in(value[key])
                return
        for each in value.values():
            if is_describe(each):
                yield each
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            if is_describe(each):
                yield each


def make_sobjects(
    described: Mapping[str, Described], listed: Sequence[Described], standard: Mapping[str, SObject]
) -> dict[str, SObject]:
    """The sObjects of an org: the described ones, those that are only listed, and the standard ones besides."""
    downwards = _child_relationships(described.values())
    briefs = {str(each["name"]): each for each in listed}
    made: dict[str, SObject] = dict(standard)
    for name, brief in briefs.items():
        if name not in described and name not in made:
            made[name] = _bare(brief)
    for name, body in described.items():
        made[name] = _sobject(body, standard.get(name), downwards)
    if not briefs:
        return made
    places = {name: place for place, name in enumerate(briefs)}
    unlisted = {name: len(briefs) for name in described}  # after the others
    return {
        name: replace(each, place=places.get(name, unlisted.get(name, -1)), brief=briefs.get(name))
        for name, each in made.items()
    }


def _child_relationships(bodies: Any) -> dict[tuple[str, str], Described]:
    """What parents say of the references to them, by child and field."""
    return {
        (str(each.get("childSObject")), str(each.get("field"))): each
        for body in bodies
        for each in body.get("childRelationships") or ()
    }


def _flags(body: Described) -> dict[str, Any]:
    return {
        "createable": bool(body.get("createable")),
        "updateable": bool(body.get("updateable")),
        "deletable": bool(body.get("deletable")),
        "queryable": bool(body.get("queryable")),
        "feed_enabled": bool(body.get("feedEnabled")),
        "mergeable": bool(body.get("mergeable")),
        "layoutable": bool(body.get("layoutable")),
    }


def _names(body: Described) -> dict[str, Any]:
    name = str(body["name"])
    label = str(body.get("label") or name)
    return {
        "name": name,
        "label": label,
        "plural": str(body.get("labelPlural") or label),
        "prefix": str(body.get("keyPrefix") or NO_PREFIX),
    }


def _bare(brief: Described) -> SObject:
    """An sObject of which only the list tells: it has an id and no fields besides."""
    return SObject(**_names(brief), **_flags(brief), fields=tuple(parse_fields("*head")))


def _sobject(
    body: Described,
    held: SObject | None,
    downwards: Mapping[tuple[str, str], Described],
) -> SObject:
    name = str(body["name"])
    controlling = {str(each["name"]): each for each in body["fields"]}
    fields = tuple(
        _field(
            each,
            held.field(str(each["name"])) if held else None,
            downwards.get((name, str(each["name"]))),
            controlling,
        )
        for each in body["fields"]
    )
    person = "IsPersonAccount" in controlling
    return SObject(
        **_names(body),
        **_flags(body),
        fields=fields,
        record_types=tuple(_record_types(body, person=person)),
        custom_setting=bool(body.get("customSetting")) and "SetupOwnerId" in controlling,
        described=body,
    )


def with_formulas(objects: Mapping[str, SObject]) -> tuple[dict[str, SObject], list[str]]:
    """The sObjects with the formulas that describes tell and that can be computed here, and the fields whose cannot."""
    made = dict(objects)
    not_computed: list[str] = []
    for sobject in objects.values():
        fields: list[Field] = []
        for field in sobject.fields:
            told = (field.described or {}).get("calculatedFormula")
            wanted = field if not told or not field.name.endswith("__c") else _computed(field, str(told))
            if wanted is not field:
                try:
                    compile_field(objects, sobject, wanted)
                except FormulaFault:
                    not_computed.append(f"{sobject.name}.{field.name}")
                    wanted = field
            fields.append(wanted)
        if any(one is not other for one, other in zip(fields, sobject.fields, strict=True)):
            made[sobject.name] = replace(sobject, fields=tuple(fields))
    return made, not_computed


def _computed(field: Field, formula: str) -> Field:
    as_zero = bool((field.described or {}).get("formulaTreatNullNumberAsZero"))
    return replace(field, formula=formula, blanks_as_zero=as_zero)


def _record_types(body: Described, *, person: bool) -> Iterator[RecordType]:
    for each in body.get("recordTypeInfos") or ():
        if each.get("master") or not each.get("developerName"):
            continue
        name = str(each["developerName"])
        yield RecordType(
            name,
            str(each.get("name") or name),
            bool(each.get("defaultRecordTypeMapping")),
            bool(each.get("active", True)),
            person=person and name == "PersonAccount",
            id=str(each.get("recordTypeId") or ""),
        )


def _field(
    body: Described, held: Field | None, downward: Described | None, siblings: Mapping[str, Described]
) -> Field:
    name, kind = str(body["name"]), str(body.get("type") or "string")
    field_type = _KINDS.get(kind) or _LIKE.get(kind, FieldType.STRING)
    referring = field_type is FieldType.REFERENCE
    sizes: dict[str, Any] = {each: int(body.get(each) or 0) for each in _SIZES}
    return Field(
        name=name,
        type=field_type,
        label=str(body.get("label") or name),
        **sizes,
        # that audit fields can be created is a permission of the user who asked, not a fact of the field
        createable=bool(body.get("createable")) and name not in _AUDIT,
        updateable=bool(body.get("updateable")),
        nillable=bool(body.get("nillable")),
        defaulted=bool(body.get("defaultedOnCreate")),
        unique=bool(body.get("unique")),
        case_sensitive=bool(body.get("caseSensitive")),
        external_id=bool(body.get("externalId")),
        id_lookup=bool(body.get("idLookup")),
        auto_number=((held.auto_number if held else "") or "{0}") if body.get("autoNumber") else "",
        name_field=bool(body.get("nameField")),
        calculated=bool(body.get("calculated")),
        permissionable=bool(body.get("permissionable", True)),
        reference_to=tuple(map(str, body.get("referenceTo") or ())),
        relationship=body.get("relationshipName"),
        children=_down(held, downward) if referring else None,
        on_delete=_on_delete(body, held, downward) if referring else OnDelete.CLEAR,
        relationship_order=body.get("relationshipOrder"),
        **_choices(body, siblings),
        restricted=bool(body.get("restrictedPicklist")),
        default=_default(body.get("defaultValue")),
        compound=body.get("compoundFieldName"),
        extra_type=body.get("extraTypeInfo"),
        filterable=bool(body.get("filterable", True)),
        described=body,
    )


def _down(held: Field | None, downward: Described | None) -> str | None:
    if downward is not None:
        name = downward.get("relationshipName")
        return str(name) if name else None
    return held.children if held else None


def _on_delete(body: Described, held: Field | None, downward: Described | None) -> OnDelete:
    told = downward or body
    if told.get("cascadeDelete"):
        return OnDelete.CASCADE
    if told.get("restrictedDelete") or body.get("restrictedDelete"):
        return OnDelete.RESTRICT
    return held.on_delete if held and downward is None else OnDelete.CLEAR


def _default(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(body: Described, siblings: Mapping[str, Described]) -> dict[str, Any]:
    listed = body.get("picklistValues") or ()
    controller = body.get("controllerName") or None
    controlling = _controlling(siblings.get(str(controller))) if controller else []
    choices = tuple(
        Choice(
            str(each.get("value") or ""),
            str(each.get("label") or each.get("value") or ""),
            bool(each.get("active", True)),
            _valid_for(each.get("validFor"), controlling),
        )
        for each in listed
    )
    return {
        "values": tuple(each.value for each in choices if each.active),
        "choices": choices,
        "controller": str(controller) if controller and controlling else None,
    }


def _controlling(body: Described | None) -> list[str]:
    if body is None:
        return []
    if body.get("type") == "boolean":
        return ["false", "true"]
    return [str(each.get("value") or "") for each in body.get("picklistValues") or ()]


def _valid_for(bits: object, controlling: Sequence[str]) -> tuple[str, ...]:
    """The controlling values whose bit is set, the highest bit of the first byte being the first value's."""
    if not isinstance(bits, str) or not controlling:
        return ()
    try:
        raw = base64.b64decode(bits)
    except binascii.Error:
        return ()
    return tuple(
        value
        for place, value in enumerate(controlling)
        if place // 8 < len(raw) and raw[place // 8] & 128 >> place % 8
    )


def audit_fields_in(described: Mapping[str, Described]) -> bool:
    """Whether the user who asked may set audit fields: then describes say so of `CreatedDate`."""
    return any(
        each.get("name") == "CreatedDate" and each.get("createable")
        for body in described.values()
        for each in body["fields"]
    )
