"""What a schema file says about an sObject beside its fields: record types, validation rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from migrator.simulator.schema.model import Field, FieldType, RecordType, ValidationRule

_RECORD_TYPE = {"name", "label", "default", "active", "picklists", "person"}
PICKLISTS = frozenset({FieldType.PICKLIST, FieldType.MULTIPICKLIST})


def record_types(listed: Sequence[Mapping[str, Any]], fields: Mapping[str, Field]) -> tuple[RecordType, ...]:
    """The record types of an sObject; a ValueError says what cannot be."""
    made = tuple(_record_type(each, fields) for each in listed)
    if sum(each.default for each in made) > 1:
        raise ValueError("more than one default record type")
    if any(each.default and not each.active for each in made):
        raise ValueError("the default record type is not active")
    return made


def _record_type(given: Mapping[str, Any], fields: Mapping[str, Field]) -> RecordType:
    _only(given, _RECORD_TYPE, "a record type")
    name = str(given["name"])
    picklists: dict[str, frozenset[str]] = {}
    for field_name, values in (given.get("picklists") or {}).items():
        field = fields.get(field_name)
        if field is None or field.type not in PICKLISTS:
            raise ValueError(f"record type {name}: {field_name} is no picklist")
        picklists[field_name] = frozenset(map(str, values))
        unknown = picklists[field_name] - set(field.values)
        if field.restricted and unknown:
            raise ValueError(f"record type {name}: {field_name} has no value {min(unknown)}")
    return RecordType(
        name,
        str(given.get("label", name)),
        bool(given.get("default", False)),
        bool(given.get("active", True)),
        picklists,
        bool(given.get("person", False)),
    )


def validation_rule(
    name: str, formula: str, message: str, field: str = "", *, active: bool = True
) -> ValidationRule:
    """A validation rule; `check_formulas` says whether its formula can be."""
    if not formula.strip() or not message.strip():
        raise ValueError(f"validation rule {name}: needs a formula and a message")
    return ValidationRule(name, formula, message, field, active)


def validation_rules(listed: Sequence[Mapping[str, Any]]) -> tuple[ValidationRule, ...]:
    """The validation rules of an sObject."""
    for each in listed:
        _only(each, {"name", "formula", "message", "field", "active"}, "a validation rule")
    return tuple(
        validation_rule(
            str(each["name"]),
            str(each["formula"]),
            str(each["message"]),
            str(each.get("field") or ""),
            active=bool(each.get("active", True)),
        )
        for each in listed
    )


def check_dependencies(fields: Mapping[str, Field]) -> None:
    """Every dependent picklist has a controlling field that can be one, with the values that it names."""
    for field in fields.values():
        if field.controller is None:
            continue
        controller = fields.get(field.controller)
        if field.type not in PICKLISTS:
            raise ValueError(f"{field.name}: only picklists depend on another field")
        if controller is None or controller.type not in {FieldType.PICKLIST, FieldType.BOOLEAN}:
            raise ValueError(f"{field.name}: {field.controller} is no picklist and no checkbox")
        known = {"true", "false"} if controller.type is FieldType.BOOLEAN else set(controller.values)
        for choice in field.choices:
            unknown = set(choice.valid_for) - known
            if unknown:
                raise ValueError(f"{field.name}: {field.controller} has no value {min(unknown)}")


def _only(given: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = set(given) - known
    if unknown:
        raise ValueError(f"unknown key of {what}: {min(unknown)}")
