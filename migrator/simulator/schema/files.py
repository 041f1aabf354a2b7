"""An org's schema from files: the standard objects that ship with us, and the custom objects and fields of a YAML file.

    name: Flights
    organization: {id: 00D000000000001EAA, sandbox: true}
    settings: {row_seconds: 0.004, locks: {wait: 5}}
    objects:
      Airport__c:
        label: Airport
        fields:
          Code__c: {type: text, length: 3, unique: true, external_id: true, required: true}
      Account:
        fields:
          Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}

Several files are laid over one another, later ones winning field by field.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from migrator.simulator.schema.custom import changed_field, custom_field, custom_object
from migrator.simulator.schema.duplicaterules import check_duplicate_rules, duplicate_rules
from migrator.simulator.schema.features import read_currencies, with_currencies, with_custom_targets
from migrator.simulator.schema.fieldline import parse_fields
from migrator.simulator.schema.formulas import check_formulas
from migrator.simulator.schema.model import Field, FieldType, Schema, SObject, make_schema
from migrator.simulator.schema.objectrules import check_dependencies, record_types, validation_rules
from migrator.simulator.schema.people import SECTIONS, read_people
from migrator.simulator.schema.personaccounts import with_person_accounts
from migrator.simulator.schema.summaries import with_summaries

STANDARD = Path(__file__).parent / "standard"
OPTIONAL = Path(__file__).parent / "optional"
CURRENCIES = "currencies"
RELATIONS = "contacts_to_multiple_accounts"  # key of a schema file, and the feature
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_KEYS = {
    "name",
    "organization",
    "objects",
    "person_accounts",
    "settings",
    "version",
    RELATIONS,
    CURRENCIES,
} | SECTIONS

Source = Path | str | Mapping[str, Any]


class SchemaInvalid(ValueError):  # noqa: N818 - the schema is invalid; the name says so
    """A schema file says something that cannot be; the text names the object and field."""


@lru_cache(maxsize=1)
def standard_objects() -> Mapping[str, SObject]:
    """The standard objects, by name."""
    return _shipped(*sorted(STANDARD.glob("*.yaml")))


def _shipped(*paths: Path) -> dict[str, SObject]:
    return {name: _standard(name, described) for path in paths for name, described in _read(path).items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 0
        raise SchemaInvalid(f"{path}:{line}: not YAML: {fault.problem or fault.context}") from fault
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as fault:
        raise SchemaInvalid(f"{path}: not YAML in UTF-8: {type(fault).__name__}") from fault
    return dict(section(loaded, str(path)))


def section(value: object, what: str) -> Mapping[str, Any]:
    """A mapping, for which nothing stands too; raises `SchemaInvalid`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SchemaInvalid(f"{what}: a mapping is wanted")
    return value


def _standard(name: str, described: Mapping[str, Any]) -> SObject:
    label = described.get("label", name)
    flags: dict[str, Any] = dict.fromkeys(described.get("without", ()), False)
    flags |= dict.fromkeys(described.get("with", ()), True)
    return SObject(
        name=name,
        label=label,
        plural=described.get("plural", f"{label}s"),
        prefix=described["prefix"],
        fields=tuple(
            _identified(found, label)
            for found in parse_fields(described["fields"], described.get("picklists"))
        ),
        **flags,
    )


def _identified(field: Field, label: str) -> Field:
    """The id of a standard object is labelled after it."""
    return replace(field, label=f"{label} ID") if field.type is FieldType.ID else field


def load_schema(*sources: Source, standard: bool = True) -> Schema:
    """The schema of these YAML files (or mappings), with the standard objects unless told otherwise."""
    objects: dict[str, SObject] = dict(standard_objects()) if standard else {}
    organization: dict[str, str] = {}
    merged: dict[str, dict[str, Any]] = {}
    sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    person_accounts = False
    settings: dict[str, Any] = {}
    currencies: dict[str, Any] = {}
    for source in sources:
        loaded = source if isinstance(source, Mapping) else _read(Path(source))
        unknown = set(loaded) - _KEYS
        if unknown:
            raise SchemaInvalid(f"unknown key in a schema: {min(unknown)}")
        organization |= {
            key: str(value) for key, value in section(loaded.get("organization"), "organization").items()
        }
        person_accounts = bool(loaded.get("person_accounts", person_accounts))
        if loaded.get(RELATIONS):
            objects |= _shipped(OPTIONAL / "relations.yaml")
        currencies |= section(loaded.get(CURRENCIES), CURRENCIES)
        if "name" in loaded:
            organization["name"] = str(loaded["name"])
        settings |= section(loaded.get("settings"), "settings")
        for part, given in sections.items():
            given.update(section(loaded.get(part), part))
        for name, told in section(loaded.get("objects"), "objects").items():
            described = section(told, name)
            held = merged.setdefault(name, {})
            fields = {**held.get("fields", {}), **section(described.get("fields"), f"{name}, fields")}
            held.update(described)
            held["fields"] = fields
    ours = [name for name in merged if name not in objects]
    for name, described in merged.items():
        place = ours.index(name) if name in ours else 0
        objects[name] = _laid_over(objects.get(name), name, described, place)
    objects = with_custom_targets(objects)
    _check_references(objects)
    try:
        objects = with_summaries(objects)
        if person_accounts:
            objects = with_person_accounts(objects)
        held_currencies = read_currencies(currencies)
        if held_currencies:
            objects |= _shipped(OPTIONAL / "currencies.yaml")
            objects = with_currencies(objects, [each.code for each in held_currencies if each.active])
        check_formulas(objects)
        check_duplicate_rules(objects)
        people = read_people(sections)
    except ValueError as fault:
        raise SchemaInvalid(str(fault)) from fault
    return make_schema(objects.values(), organization, people, settings, held_currencies)


def _laid_over(held: SObject | None, name: str, described: Mapping[str, Any], place: int) -> SObject:
    if held is None and not name.endswith("__c"):
        raise SchemaInvalid(
            f"{name}: not a standard object of the simulator, and no custom object (…__c) either"
        )
    try:
        base = held or custom_object(name, described, place)
        fields = {found.name: found for found in base.fields}
        for field_name, given in described["fields"].items():
            section(given, f"{name}.{field_name}")
            standard = base.field(field_name)
            if standard is not None and not standard.custom:
                fields[standard.name] = changed_field(standard, given or {})
                continue
            made = custom_field(base, tuple(fields.values()), field_name, given or {})
            fields[made.name] = made
            if made.relationship_order is not None:
                fields.pop("OwnerId", None)  # the master's owner owns the details
        check_dependencies(fields)
        types = record_types(described.get("record_types") or (), fields)
        rules = validation_rules(described.get("validation_rules") or ())
        duplicates = duplicate_rules(name, described.get("duplicate_rules") or ())
    except (KeyError, ValueError, TypeError) as fault:
        raise SchemaInvalid(f"{name}: {fault}") from fault
    if types and "RecordTypeId" not in fields:
        record_type = "RecordTypeId reference to=RecordType as=RecordType system label=Record_Type_ID"
        fields["RecordTypeId"] = parse_fields(record_type)[0]
    return replace(
        base,
        fields=tuple(fields.values()),
        record_types=types or base.record_types,
        validation_rules=rules,
        duplicate_rules=duplicates,
    )


def _check_references(objects: Mapping[str, SObject]) -> None:
    for found in objects.values():
        for field in found.fields:
            if field.custom and not set(field.reference_to) <= set(objects):
                raise SchemaInvalid(
                    f"{found.name}.{field.name}: no such object: {', '.join(field.reference_to)}"
                )
