"""One field in one line: the compact text in which the standard objects are kept.

    Name string(255) name required in=Name
    ParentId reference to=Account as=Parent children=ChildAccounts

First the name, then the type with its length (or precision and scale), then words; `_` stands for a blank in values.
`*head`, `*owner` and `*audit` stand for the system fields that nearly every sObject has.
"""

import re
from typing import Any

from migrator.simulator.schema.model import COMPOUNDS, NUMBERS, Field, FieldType, OnDelete
from migrator.simulator.schema.people import USER_PERMISSIONS

_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# The user permissions, as Profile and PermissionSet have them
_PERMISSIONS = tuple(f"Permissions{name} boolean system" for name in USER_PERMISSIONS)
MACROS: dict[str, tuple[str, ...]] = {
    "*head": ("Id id", "IsDeleted boolean ro system label=Deleted default=false"),
    "*owner": ("OwnerId reference to=User as=Owner required defaulted system",),
    "*queue": ("OwnerId reference to=Group|User as=Owner required defaulted system",),
    "*audit": (
        "CreatedDate datetime ro defaulted required system",
        "CreatedById reference to=User as=CreatedBy ro defaulted required system",
        "LastModifiedDate datetime ro defaulted required system",
        "LastModifiedById reference to=User as=LastModifiedBy ro defaulted required system",
        "SystemModstamp datetime ro defaulted required system",
    ),
    "*viewed": (
        "LastViewedDate datetime ro system",
        "LastReferencedDate datetime ro system",
    ),
    "*permissions": _PERMISSIONS,
}
# what a word says about the field
_WORDS: dict[str, dict[str, Any]] = {
    "required": {"nillable": False},
    "ro": {"createable": False, "updateable": False},
    "create-only": {"updateable": False},
    "update-only": {"createable": False},
    "defaulted": {"defaulted": True},
    "idlookup": {"id_lookup": True},
    "external": {"external_id": True, "id_lookup": True},
    "unique": {"unique": True},
    "case-sensitive": {"case_sensitive": True},
    "name": {"name_field": True},
    "system": {"permissionable": False},
    "restricted": {"restricted": True},
    "cascade": {"on_delete": OnDelete.CASCADE},
    "restrict": {"on_delete": OnDelete.RESTRICT},
    "calculated": {"calculated": True},
    "unfilterable": {"filterable": False},
}
_KEYS = {
    "as": "relationship",
    "children": "children",
    "in": "compound",
    "default": "default",
    "label": "label",
    "auto": "auto_number",
    "extra": "extra_type",
}
# the length that describe gives where a line gives none
_LENGTHS = {
    FieldType.ID: 18,
    FieldType.REFERENCE: 18,
    FieldType.PICKLIST: 255,
    FieldType.MULTIPICKLIST: 4099,
    FieldType.EMAIL: 80,
    FieldType.PHONE: 40,
    FieldType.URL: 255,
    FieldType.STRING: 255,
    FieldType.TEXTAREA: 255,
    FieldType.COMBOBOX: 255,
    FieldType.ENCRYPTED: 175,
}


def label_of(name: str) -> str:
    """The label that a field of this name has unless somebody gave another: `AccountId` → `Account ID`."""
    words = _CAMEL.sub(" ", name.removesuffix("__c").replace("_", " "))
    return re.sub(r"\bId$", "ID", words)


def parse_field(line: str, values: tuple[str, ...] = ()) -> Field:
    """The field of one line."""
    name, kind, *words = line.split()
    found = _TYPE.fullmatch(kind)
    if not found:
        raise ValueError(f"not a field type: {kind}")
    field_type = FieldType(found[1])
    made: dict[str, Any] = {"name": name, "type": field_type, "label": label_of(name), "values": values}
    made.update(_sizes(field_type, int(found[2] or 0), int(found[3] or 0)))
    if field_type is FieldType.ID:
        made |= {"createable": False, "updateable": False, "nillable": False, "defaulted": True}
        made |= {"id_lookup": True, "permissionable": False}
    elif field_type in COMPOUNDS:
        made |= {"createable": False, "updateable": False}
    elif field_type is FieldType.BASE64:
        made |= {"filterable": False}
    elif field_type is FieldType.BOOLEAN:
        made |= {"nillable": False, "defaulted": True, "default": "false"}
    for word in words:
        _apply(made, word)
    if made.get("default") and field_type is not FieldType.BOOLEAN:
        made["defaulted"] = True
    return Field(**made)


def _sizes(field_type: FieldType, first: int, second: int) -> dict[str, int]:
    if field_type in NUMBERS:
        return {"precision": first or 18, "scale": second}
    if field_type is FieldType.INT:
        return {"digits": first or 8}
    return {"length": first or _LENGTHS.get(field_type, 0)}


def _apply(made: dict[str, Any], word: str) -> None:
    key, equals, value = word.partition("=")
    if not equals:
        made.update(_WORDS[word])
    elif key == "to":
        made["reference_to"] = tuple(value.split("|"))
    elif key == "md":
        made |= {
            "relationship_order": int(value),
            "on_delete": OnDelete.CASCADE,
            "nillable": False,
            "updateable": False,
        }
        made["permissionable"] = False
    else:
        made[_KEYS[key]] = value.replace("_", " ") if key in {"label", "default"} else value


def parse_fields(text: str, values: dict[str, list[str]] | None = None) -> list[Field]:
    """The fields of a block of lines, macros expanded; `values` are picklist values by field."""
    made: list[Field] = []
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            continue
        for each in MACROS.get(stripped, (stripped,)):
            name = each.split(" ", 1)[0]
            made.append(parse_field(each, tuple((values or {}).get(name, ()))))
    return made
