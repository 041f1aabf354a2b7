"""Metadata source as a schema: an SFDX project or any folder of it, in source form or in the form of the Metadata API.

Source form has a folder an object with a file a field (`objects/Account/fields/Key__c.field-meta.xml`), the Metadata API's a
file an object (`objects/Account.object`). What cannot be read or imitated becomes a note with its place; the rest is
read. The result is the mapping of a compact schema file.

**Invariant:** only files below the given folder are read, and XML is read with its dangerous parts refused.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from migrator.simulator.schema.notes import Note
from migrator.simulator.schema.sfdxduplicates import is_active, matching_rules, read_duplicate_rule
from migrator.simulator.schema.sfdxfield import (
    Given,
    Sink,
    Unreadable,
    child,
    children,
    flag,
    read_field,
    text,
)
from migrator.simulator.schema.sfdxvalues import STANDARD_FIELDS, global_values, standard_values
from migrator.simulator.xmltree import NotXml, Numbered, read_numbered

MAX_FILE = 32 << 20  # bytes of one file; the platform takes no bigger ones
_SKIPPED = frozenset({"node_modules", "__pycache__"})
_OTHER_KINDS = ("__mdt", "__e", "__x", "__b", "__kav")  # objects that hold no records of ours
_ACTIVITIES = ("Task", "Event")  # custom fields of Activity are theirs


class SourceReader:
    """Reads one tree."""

    def __init__(self, root: Path, standard: Mapping[str, object]) -> None:
        self._root = root
        self._standard = standard  # the standard objects that there are
        self.notes: list[Note] = []
        self._value_sets: dict[str, list[Given]] = {}
        self._matching: dict[tuple[str, str], Numbered] = {}
        self._objects: dict[str, dict[str, Any]] = {}
        self._person_accounts = False
        self._path = ""
        self.places: dict[tuple[str, str], tuple[str, int]] = {}  # of fields and rules, by sObject and name

    def read(self) -> dict[str, Any]:
        """The mapping of a compact schema file."""
        files = list(self._files())
        for path in files:  # what others name comes first
            if path.match("globalValueSets/*.globalValueSet*"):
                root = self._parsed(path)
                if root is not None:
                    self._value_sets[_stem(path)] = global_values(root)
            elif path.match("matchingRules/*.matchingRule*"):
                root = self._parsed(path)
                if root is not None:
                    self._matching |= matching_rules(_stem(path), root)
        for path in files:
            self._take(path)
        self._drop_what_refers_to_nothing()
        made: dict[str, Any] = {"objects": self._objects}
        return made | ({"person_accounts": True} if self._person_accounts else {})

    def _files(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._root):
            folders[:] = sorted(each for each in folders if each not in _SKIPPED and not each.startswith("."))
            for name in sorted(names):
                if name.endswith(
                    (
                        ".xml",
                        ".object",
                        ".globalValueSet",
                        ".standardValueSet",
                        ".duplicateRule",
                        ".matchingRule",
                    )
                ):
                    yield Path(folder, name)

    def _parsed(self, path: Path) -> Numbered | None:
        self._path = str(path)
        try:
            if path.stat().st_size > MAX_FILE:
                self._tell(0, f"is bigger than {MAX_FILE} bytes")
                return None
            return read_numbered(path.read_bytes())
        except (NotXml, OSError) as fault:
            self._tell(0, f"cannot be read: {fault}")
            return None

    def _tell(self, line: int, what: str) -> None:
        self.notes.append(Note(self._path, line, what))

    def _take(self, path: Path) -> None:
        name = _stem(path)
        if path.match("objects/*/*.object-meta.xml") or path.match("objects/*.object"):
            self._object(path, name)
        elif path.match("objects/*/fields/*.field-meta.xml"):
            self._part(path, self._field)
        elif path.match("objects/*/recordTypes/*.recordType-meta.xml"):
            self._part(path, self._record_type)
        elif path.match("objects/*/validationRules/*.validationRule-meta.xml"):
            self._part(path, self._validation_rule)
        elif path.match("standardValueSets/*.standardValueSet*"):
            root = self._parsed(path)
            if root is not None:
                self._standard_values(root, name)
        elif path.match("duplicateRules/*.duplicateRule*"):
            root = self._parsed(path)
            if root is not None and is_active(root):
                self._duplicate_rule(root, name, path.name.split(".")[1])

    # --- objects

    def _of(self, name: str) -> list[dict[str, Any]]:
        """The objects that something said of `name` is about; none for those that cannot be imitated."""
        if name == "Activity":
            return [described for each in _ACTIVITIES for described in self._of(each)]
        if name == "PersonAccount":
            self._person_accounts = True
            return self._of("Account")
        if name not in self._standard and not name.endswith("__c"):
            return []
        return [self._objects.setdefault(name, {"fields": {}})]

    def _object(self, path: Path, name: str) -> None:
        root = self._parsed(path)
        if root is None:
            return
        if name.endswith(_OTHER_KINDS) or text(root, "customSettingsType") == "List":
            self._tell(0, f"{name} is ignored: it is no object with records of its own")
            return
        if not self._of(name):
            self._tell(0, f"{name} is ignored: the simulator has no such standard object")
            return
        for described in self._of(name):
            if name.endswith("__c"):
                self._describe(described, root)
            for each in children(root, "fields"):
                self._field(each, text(each, "fullName"), described)
            for each in children(root, "recordTypes"):
                self._record_type(each, text(each, "fullName"), described, person=name == "PersonAccount")
            for each in children(root, "validationRules"):
                self._validation_rule(each, text(each, "fullName"), described)

    def _describe(self, described: dict[str, Any], root: Numbered) -> None:
        if text(root, "label"):
            described["label"] = text(root, "label")
        if text(root, "pluralLabel"):
            described["plural"] = text(root, "pluralLabel")
        if text(root, "customSettingsType") == "Hierarchy":
            described["custom_setting"] = "hierarchy"
        name_field = child(root, "nameField")
        if name_field is not None and text(name_field, "type") == "AutoNumber":
            described["name_field"] = {
                "type": "auto_number",
                "format": text(name_field, "displayFormat") or "{0}",
            }

    def _part(self, path: Path, take: Any) -> None:
        """A file of one field, record type or rule in the folder of its object."""
        name = path.parent.parent.name
        root = self._parsed(path)
        if root is None or name.endswith(_OTHER_KINDS):
            return
        found = self._of(name)
        if not found:
            self._tell(0, f"{name} is ignored: the simulator has no such standard object")
        for described in found:
            if take == self._record_type:
                self._record_type(root, _stem(path), described, person=name == "PersonAccount")
            else:
                take(root, text(root, "fullName") or _stem(path), described)

    # --- parts of objects

    def _field(self, element: Numbered, name: str, described: dict[str, Any]) -> None:
        if not name.endswith("__c"):
            return  # source repeats standard fields without saying what they are
        try:
            described["fields"][name] = read_field(element, name, Sink(self._tell, self._value_sets))
            described.setdefault("_lines", {})[name] = (self._path, element.line)
        except Unreadable as fault:
            self._tell(fault.line, f"{fault.text}; the field is ignored")

    def _record_type(
        self, element: Numbered, name: str, described: dict[str, Any], *, person: bool = False
    ) -> None:
        made: Given = {"name": name, "label": text(element, "label") or name}
        if text(element, "active").lower() == "false":
            made["active"] = False
        if person:
            made["person"] = True
        picklists: dict[str, list[str]] = {}
        for each in children(element, "picklistValues"):
            allowed = [unquote(text(value, "fullName")) for value in children(each, "values")]
            picklists[text(each, "picklist")] = allowed
        if picklists:
            made["picklists"] = picklists
        described.setdefault("record_types", []).append(made)

    def _validation_rule(self, element: Numbered, name: str, described: dict[str, Any]) -> None:
        if not flag(element, "active"):
            return
        rule = {
            "name": name,
            "formula": text(element, "errorConditionFormula"),
            "message": text(element, "errorMessage"),
            "field": text(element, "errorDisplayField"),
        }
        described.setdefault("validation_rules", []).append(rule)
        described.setdefault("_lines", {})[name] = (self._path, element.line)

    def _duplicate_rule(self, root: Numbered, sobject: str, name: str) -> None:
        try:
            rule = read_duplicate_rule(name, root, self._matching, self._tell)
        except Unreadable as fault:
            self._tell(fault.line, f"{fault.text}; the duplicate rule {name} is ignored")
            return
        found = self._of(sobject)
        if not found:
            self._tell(0, f"{sobject} is ignored: the simulator has no such standard object")
        for described in found:
            described.setdefault("duplicate_rules", []).append(rule)
            described.setdefault("_lines", {})[name] = (self._path, root.line)

    def _standard_values(self, root: Numbered, name: str) -> None:
        fields = STANDARD_FIELDS.get(name)
        if fields is None:
            self._tell(0, f"the standard value set {name} is ignored: no field here has it")
            return
        given = standard_values(root)
        for each in fields:
            sobject, _, field = each.partition(".")
            if sobject in self._standard:
                for described in self._of(sobject):
                    described["fields"][field] = given

    # --- what does not fit together

    def _drop_what_refers_to_nothing(self) -> None:
        known = set(self._standard) | set(self._objects)
        for name, described in self._objects.items():
            lines = described.pop("_lines", {})
            self.places.update(((name, each), place) for each, place in lines.items())
            fields = described["fields"]
            for field in sorted(fields):
                self._path, line = lines.get(field, (str(self._root), 0))
                missing = _missing(fields[field], known, fields)
                if missing:
                    self._tell(
                        line, f"{name}.{field} is ignored: it refers to {missing}, which is not in the source"
                    )
                    del fields[field]
            for each in described.get("record_types", ()):
                self._check_picklists(name, each, fields)

    def _check_picklists(self, name: str, record_type: Given, fields: Mapping[str, Given]) -> None:
        picklists = record_type.get("picklists", {})
        for field in sorted(picklists):
            if field not in fields:
                picklists.pop(field)  # of a standard field, whose values are its own
                continue
            values = {each["value"] for each in fields[field].get("values", ())}
            strange = [each for each in picklists[field] if each not in values]
            if strange:
                self._path = str(self._root)
                self._tell(0, f"{name}, record type {record_type['name']}: {field} has no value {strange[0]}")
            picklists[field] = [each for each in picklists[field] if each in values]


def _missing(field: Given, known: set[str], fields: Mapping[str, Given]) -> str:
    """What a field refers to that is not there."""
    if "to" in field and field["to"] not in known:
        return str(field["to"])
    if "of" in field and str(field["of"]).partition(".")[0] not in known:
        return str(field["of"])
    controller = field.get("controlled_by")
    if controller and controller.endswith("__c") and controller not in fields:
        return str(controller)
    return ""


def _stem(path: Path) -> str:
    """`Key__c` of `Key__c.field-meta.xml`, `Account` of `Account.object`."""
    return path.name.partition(".")[0]


def is_source(folder: Path) -> bool:
    """Whether a folder is metadata source: it says so, or has folders of objects or value sets."""
    if (folder / "sfdx-project.json").is_file() or (folder / "package.xml").is_file():
        return True
    for _, folders, _ in os.walk(folder):
        folders[:] = [each for each in folders if each not in _SKIPPED and not each.startswith(".")]
        if {"objects", "globalValueSets", "standardValueSets"}.intersection(folders):
            return True
    return folder.name == "objects"
