"""A CustomField of metadata source as the compact mapping of a schema file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.simulator.xmltree import Numbered, local

Given = dict[str, Any]
ValueSets = Mapping[str, list[Given]]  # global value sets by name

# type in metadata → type in a schema file
TYPES = {
    "AutoNumber": "auto_number",
    "Checkbox": "checkbox",
    "Currency": "currency",
    "Date": "date",
    "DateTime": "datetime",
    "Email": "email",
    "EncryptedText": "encrypted_text",
    "Hierarchy": "lookup",
    "Html": "rich_text",
    "LongTextArea": "long_text",
    "Lookup": "lookup",
    "MasterDetail": "master_detail",
    "MultiselectPicklist": "multipicklist",
    "Number": "number",
    "Percent": "percent",
    "Phone": "phone",
    "Picklist": "picklist",
    "Summary": "summary",
    "Text": "text",
    "TextArea": "text_area",
    "Time": "time",
    "Url": "url",
}
_ON_DELETE = {"SetNull": "clear", "Restrict": "restrict", "Cascade": "cascade"}
_LITERAL = re.compile(r'"[^"]*"|\'[^\']*\'|-?\d+(?:\.\d+)?|true|false', re.IGNORECASE)


class Unreadable(ValueError):  # noqa: N818 - what the element is
    """An element that cannot be taken over; the line is where it is."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


@dataclass(slots=True)
class Sink:
    """Where a reader says what it left out."""

    tell: Callable[[int, str], None]
    value_sets: ValueSets = field(default_factory=dict)


def child(element: Numbered, name: str) -> Numbered | None:
    """The first child of that name."""
    return next((each for each in element if local(each) == name), None)  # type: ignore[return-value] # all are numbered


def children(element: Numbered, name: str) -> list[Numbered]:
    """All children of that name."""
    return [each for each in element if local(each) == name]  # type: ignore[misc] # all are numbered


def text(element: Numbered, name: str) -> str:
    """The text of the first child of that name."""
    found = child(element, name)
    return (found.text or "").strip() if found is not None else ""


def flag(element: Numbered, name: str) -> bool:
    """Whether that child says true."""
    return text(element, name).lower() == "true"


def number(element: Numbered, name: str) -> int | None:
    """The number in that child, None when there is none."""
    found = text(element, name)
    if not found:
        return None
    if not found.isdecimal():
        raise Unreadable(element.line, f"{name} is no number: {found}")
    return int(found)


def read_field(element: Numbered, name: str, sink: Sink) -> Given:
    """The field; raises `Unreadable`."""
    kind = text(element, "type")
    if child(element, "formula") is not None:
        return _formula(element, name, kind)
    if kind not in TYPES:
        raise Unreadable(element.line, f"{name}: a field of type {kind or '(none)'} cannot be imitated")
    given: Given = {"type": TYPES[kind]}
    for ours, theirs in (("length", "length"), ("precision", "precision"), ("scale", "scale")):
        size = number(element, theirs)
        if size is not None:
            given[ours] = size
    flags = ("unique", "caseSensitive", "externalId", "required", "reparentableMasterDetail")
    names = ("unique", "case_sensitive", "external_id", "required", "reparentable")
    given |= {ours: True for ours, theirs in zip(names, flags, strict=True) if flag(element, theirs)}
    if text(element, "label"):
        given["label"] = text(element, "label")
    match given["type"]:
        case "lookup" | "master_detail":
            given |= _reference(element, name, master=given["type"] == "master_detail")
        case "picklist" | "multipicklist":
            given |= _picklist(element, name, sink)
        case "auto_number":
            given["format"] = text(element, "displayFormat") or "{0}"
        case "summary":
            given |= _summary(element)
            return given
    default = text(element, "defaultValue")
    if default:
        given |= _default(element, name, default, sink)
    return given


def _formula(element: Numbered, name: str, kind: str) -> Given:
    made: Given = {"type": TYPES.get(kind, "text"), "label": text(element, "label") or name}
    if made["type"] not in {"checkbox", "currency", "date", "datetime", "number", "percent", "time"}:
        made["type"] = "text"
    for each in ("precision", "scale"):
        size = number(element, each)
        if size is not None and made["type"] in {"currency", "number", "percent"}:
            made[each] = size
    made["formula"] = text(element, "formula") or True
    if text(element, "formulaTreatBlanksAs") == "BlankAsBlank":
        made["blanks"] = "blank"
    return made


def _default(element: Numbered, name: str, default: str, sink: Sink) -> Given:
    if not _LITERAL.fullmatch(default):
        found = child(element, "defaultValue")
        sink.tell(found.line if found is not None else 0, f"{name}: the default formula is not computed")
        return {}
    stripped = default[1:-1] if default[0] in "\"'" else default
    return (
        {"default": stripped.lower() == "true"}
        if stripped.lower() in {"true", "false"}
        else {"default": stripped}
    )


def _reference(element: Numbered, name: str, *, master: bool) -> Given:
    target = text(element, "referenceTo") or ("User" if text(element, "type") == "Hierarchy" else "")
    if not target:
        raise Unreadable(element.line, f"{name}: referenceTo is missing")
    made: Given = {"to": target}
    down = text(element, "relationshipName")
    if down:
        made["children"] = f"{down}__r"
    constraint = text(element, "deleteConstraint")
    if constraint and not master:
        made["on_delete"] = _ON_DELETE.get(constraint, "clear")
    return made


def _summary(element: Numbered) -> Given:
    summed = text(element, "summarizedField").rpartition(".")[2]
    filters = [
        {
            "field": text(each, "field").rpartition(".")[2],
            "operation": text(each, "operation"),
            "value": text(each, "value"),
        }
        for each in children(element, "summaryFilterItems")
    ]
    made: Given = {"of": text(element, "summaryForeignKey"), "operation": text(element, "summaryOperation")}
    return made | ({"field": summed} if summed else {}) | ({"filters": filters} if filters else {})


# --- values of picklists -------------------------------------------------------------------------------------------


def _picklist(element: Numbered, name: str, sink: Sink) -> Given:
    held = child(element, "valueSet")
    if held is None:
        old = child(element, "picklist")  # up to API version 37
        return {"values": [] if old is None else read_values(old, "picklistValues")}
    shared = text(held, "valueSetName")
    definition = child(held, "valueSetDefinition")
    if shared:
        values = [dict(each) for each in sink.value_sets.get(shared, [])]
        if shared not in sink.value_sets:
            sink.tell(
                held.line, f"{name}: the global value set {shared} is not in the source; any value is taken"
            )
    else:
        values = read_values(definition, "value") if definition is not None else []
    made: Given = {
        "values": values,
        "restricted": bool(values) and (flag(held, "restricted") or bool(shared)),
    }
    preset = next((each["value"] for each in values if each.pop("preset", False)), None)
    for each in values:
        each.pop("preset", None)
    if preset is not None:
        made["default"] = preset
    controller = text(held, "controllingField")
    if controller:
        made["controlled_by"] = controller
        _apply_settings(held, values)
    return made


def _apply_settings(held: Numbered, values: list[Given]) -> None:
    allowed: dict[str, list[str]] = {}
    for setting in children(held, "valueSettings"):
        controlling = [(each.text or "").strip() for each in children(setting, "controllingFieldValue")]
        allowed[text(setting, "valueName")] = controlling
    for each in values:
        if each["value"] in allowed:
            each["valid_for"] = allowed[each["value"]]


def read_values(element: Numbered, name: str) -> list[Given]:
    """The values of a value set, as mappings with `value`, `label`, `active`, and `preset` for the default."""
    made: list[Given] = []
    for each in children(element, name):
        value = text(each, "fullName")
        if not value:
            continue
        made.append({"value": value, "label": text(each, "label") or value})
        if text(each, "isActive").lower() == "false":
            made[-1]["active"] = False
        if flag(each, "default"):
            made[-1]["preset"] = True
    return made
