"""Custom objects and fields from the compact YAML of a schema file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from migrator.simulator.ids import ALPHABET
from migrator.simulator.schema.fieldline import label_of, parse_fields
from migrator.simulator.schema.model import Choice, Field, FieldType, OnDelete, SObject
from migrator.simulator.schema.summaries import read_summary

# type in the file → field type, default length
_TYPES: dict[str, tuple[FieldType, int]] = {
    "text": (FieldType.STRING, 255),
    "text_area": (FieldType.TEXTAREA, 255),
    "long_text": (FieldType.TEXTAREA, 32_768),
    "rich_text": (FieldType.TEXTAREA, 32_768),
    "encrypted_text": (FieldType.ENCRYPTED, 175),
    "number": (FieldType.DOUBLE, 0),
    "currency": (FieldType.CURRENCY, 0),
    "percent": (FieldType.PERCENT, 0),
    "checkbox": (FieldType.BOOLEAN, 0),
    "date": (FieldType.DATE, 0),
    "datetime": (FieldType.DATETIME, 0),
    "time": (FieldType.TIME, 0),
    "email": (FieldType.EMAIL, 80),
    "phone": (FieldType.PHONE, 40),
    "url": (FieldType.URL, 255),
    "picklist": (FieldType.PICKLIST, 255),
    "multipicklist": (FieldType.MULTIPICKLIST, 4099),
    "lookup": (FieldType.REFERENCE, 18),
    "master_detail": (FieldType.REFERENCE, 18),
    "auto_number": (FieldType.STRING, 30),
    "summary": (FieldType.DOUBLE, 0),
}
_KEYS = {
    "type",
    "label",
    "length",
    "precision",
    "scale",
    "unique",
    "case_sensitive",
    "external_id",
    "required",
    "to",
    "on_delete",
    "relationship",
    "children",
    "values",
    "restricted",
    "controlled_by",
    "default",
    "format",
    "start",
    "reparentable",
    "of",
    "operation",
    "field",
    "filters",
    "formula",
    "blanks",
}
_FORMULAS = frozenset({"text", "number", "currency", "percent", "checkbox", "date", "datetime", "time"})
FORMULA_LENGTH = 1_300  # characters of a text that a formula makes
LONG_TEXT = 256  # from this length on a text area cannot be filtered or sorted by


# of a hierarchy custom setting: whom a record is for, one record each; such records have no owner (Object Reference,
# "Custom Settings")
_SETUP_OWNER = (
    "SetupOwnerId reference to=Organization|Profile|User as=SetupOwner required unique create-only system\n"
)


def custom_prefix(place: int) -> str:
    """The key prefix of the n-th custom object: a00, a01, … a0z, a10 …"""
    high, low = divmod(place, 62)
    return f"a{ALPHABET[high]}{ALPHABET[low]}"


def custom_object(name: str, described: Mapping[str, Any], place: int) -> SObject:
    """The sObject with its system fields and its name, without its custom fields."""
    label = described.get("label") or label_of(name)
    name_field = described.get("name_field") or {}
    setting = _custom_setting(described)
    head = "*head\n" + (_SETUP_OWNER if setting else "" if described.get("detail") else "*queue\n")
    if name_field.get("type") == "auto_number":
        line = f"Name string(80) ro required defaulted idlookup name system auto={name_field.get('format', '{00000}')}"
    else:
        line = "Name string(80) defaulted idlookup name system"
    fields = parse_fields(f"{head}{line}\n*audit\n*viewed")
    return SObject(
        name=name,
        label=label,
        plural=described.get("plural") or f"{label}s",
        prefix=described.get("prefix") or custom_prefix(place),
        fields=tuple(fields),
        layoutable=not setting,
        custom_setting=setting,
    )


def _custom_setting(described: Mapping[str, Any]) -> bool:
    kind = described.get("custom_setting")
    if kind not in {None, "hierarchy"}:
        raise ValueError(f"custom_setting: {kind}; the only kind there is is hierarchy")
    return kind is not None


def custom_field(sobject: SObject, others: Sequence[Field], name: str, given: Mapping[str, Any]) -> Field:
    """A custom field beside the `others` that the sObject has already."""
    if not name.endswith("__c"):
        raise ValueError(f"{name}: a custom field ends in __c")
    unknown = set(given) - _KEYS
    if unknown:
        raise ValueError(f"{name}: unknown key {min(unknown)}")
    kind = given.get("type", "text")
    if kind not in _TYPES:
        raise ValueError(f"{name}: unknown type {kind}; known are {', '.join(_TYPES)}")
    field_type, length = _TYPES[kind]
    made: dict[str, Any] = {
        "name": name,
        "type": field_type,
        "label": given.get("label") or label_of(name),
        "length": int(given.get("length", length)),
        "unique": bool(given.get("unique", False)),
        "case_sensitive": bool(given.get("case_sensitive", False)),
        "external_id": bool(given.get("external_id", False)),
        "id_lookup": bool(given.get("external_id", False)),
        "nillable": not given.get("required", False),
        "permissionable": not given.get("required", False),
        "default": None if given.get("default") is None else _text(given["default"]),
        **_choices(given.get("values", ())),
        "controller": given.get("controlled_by"),
        "restricted": bool(given.get("restricted", False)),
    }
    made["defaulted"] = made["default"] is not None
    match kind:
        case "number" | "currency" | "percent":
            made |= {
                "length": 0,
                "precision": int(given.get("precision", 18)),
                "scale": int(given.get("scale", 0)),
            }
        case "checkbox":
            made |= {"nillable": False, "defaulted": True, "default": made["default"] or "false"}
        case "auto_number":
            made |= {"auto_start": int(given.get("start", 1))}
            made |= {"auto_number": given.get("format", "{00000}"), "createable": False, "updateable": False}
            made |= {"nillable": False, "defaulted": True}
        case "lookup" | "master_detail":
            made |= _reference(sobject, others, name, given, master=kind == "master_detail")
        case "summary":
            made |= {"summary": read_summary(given), "calculated": True}
            made |= {"createable": False, "updateable": False, "nillable": True}
        case "long_text" | "rich_text":
            made |= {
                "filterable": False,
                "extra_type": "richtextarea" if kind == "rich_text" else "plaintextarea",
            }
        case "text_area":
            made |= {"extra_type": "plaintextarea"}
    if given.get("formula"):
        made |= _formula(kind, name, given)
    return Field(**made)


def _formula(kind: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A field that is computed when it is read."""
    blanks = given.get("blanks", "zero")
    if kind not in _FORMULAS or blanks not in {"zero", "blank"}:
        raise ValueError(f"{name}: a formula makes {', '.join(sorted(_FORMULAS))}; blanks is zero or blank")
    made = {
        # where a formula is known to be there and no more, the field is always empty
        "formula": None if given["formula"] is True else str(given["formula"]),
        "blanks_as_zero": blanks == "zero",
        "calculated": True,
        "createable": False,
        "updateable": False,
        "nillable": kind != "checkbox",
        "defaulted": kind == "checkbox",
        "default": None,
        "permissionable": True,
        "unique": False,
    }
    return made | ({"length": FORMULA_LENGTH} if kind == "text" else {})


def changed_field(held: Field, given: Mapping[str, Any]) -> Field:
    """A standard field with what a schema file says otherwise: its label, its values, its default."""
    unknown = set(given) - {"label", "values", "restricted", "default"}
    if unknown:
        raise ValueError(f"{held.name}: {min(unknown)} of a standard field cannot be changed")
    made: dict[str, Any] = {"label": given.get("label") or held.label}
    made["restricted"] = bool(given.get("restricted", held.restricted))
    if "values" in given:
        made |= _choices(given["values"])
        made["default"] = held.default if held.default in made["values"] else None
    if given.get("default") is not None:
        made["default"] = _text(given["default"])
    made["defaulted"] = (
        held.defaulted if held.default is None else made.get("default", held.default) is not None
    )
    return replace(held, **made)


def _choices(listed: Sequence[Any]) -> dict[str, Any]:
    """Picklist values: plain ones, or mappings with `value`, `label`, `active`, `valid_for`."""
    if not any(isinstance(each, Mapping) for each in listed):
        return {"values": tuple(map(_text, listed))}
    made: list[Choice] = []
    for each in listed:
        known = each if isinstance(each, Mapping) else {"value": each}
        unknown = set(known) - {"value", "label", "active", "valid_for"}
        if unknown:
            raise ValueError(f"unknown key of a picklist value: {min(unknown)}")
        value = _text(known["value"])
        made.append(
            Choice(
                value,
                str(known.get("label", value)),
                bool(known.get("active", True)),
                tuple(map(_text, known.get("valid_for", ()))),
            )
        )
    return {"values": tuple(each.value for each in made if each.active), "choices": tuple(made)}


def _reference(
    sobject: SObject, others: Sequence[Field], name: str, given: Mapping[str, Any], *, master: bool
) -> dict[str, Any]:
    targets = given["to"]
    made: dict[str, Any] = {
        "reference_to": (targets,) if isinstance(targets, str) else tuple(targets),
        "relationship": given.get("relationship") or name.removesuffix("__c") + "__r",
        "children": given.get("children") or _children(sobject, others, name, targets),
        "on_delete": OnDelete(given.get("on_delete", "clear")),
    }
    if master:
        masters = sum(1 for found in others if found.relationship_order is not None)
        made |= {"relationship_order": masters, "on_delete": OnDelete.CASCADE, "nillable": False}
        made |= {"updateable": bool(given.get("reparentable", False)), "permissionable": False}
    return made


def _children(sobject: SObject, others: Sequence[Field], name: str, targets: str | Sequence[str]) -> str:
    """The child relationship's name; a second reference to the same parent has the field's name in front."""
    plain = sobject.plural.replace(" ", "_") + "__r"
    listed = {targets} if isinstance(targets, str) else set(targets)
    taken = {found.children for found in others if listed.intersection(found.reference_to)}
    return f"{name.removesuffix('__c')}_{plain}" if plain in taken else plain


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
