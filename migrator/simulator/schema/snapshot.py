"""An org's schema from the snapshot file that plans are checked against offline: JSON with `"snapshot": 1`.

It holds what planning needs and no more; labels of plurals, child relationships and default values come from the standard
objects, where there are such.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from migrator.simulator.schema.custom import custom_prefix
from migrator.simulator.schema.model import Field, FieldType, OnDelete, RecordType, SObject

VERSION = 1
_FLAGS = ("createable", "updateable", "deletable", "queryable")
_KINDS = {each.value: each for each in FieldType}


def is_snapshot(value: object) -> bool:
    """Whether a JSON value is such a snapshot."""
    return isinstance(value, Mapping) and value.get("snapshot") == VERSION


def snapshot_sobjects(body: Mapping[str, Any], standard: Mapping[str, SObject]) -> dict[str, SObject]:
    """The sObjects of a snapshot, and the standard ones besides."""
    made = dict(standard)
    for place, (name, one) in enumerate(sorted(body["sobjects"].items())):
        held = standard.get(name)
        fields = {each.name: each for each in held.fields} if held else {}
        told = {key: _field(key, facts, fields.get(key)) for key, facts in one["fields"].items()}
        label = one.get("label") or name
        flags: dict[str, Any] = {key: bool(one.get(key, True)) for key in _FLAGS}
        made[name] = SObject(
            name=name,
            label=label,
            plural=held.plural if held else f"{label}s",
            prefix=one.get("key_prefix") or custom_prefix(place),
            fields=_ordered(told),
            record_types=tuple(RecordType(each, each) for each in one.get("record_types", ())),
            **flags,
        )
    return made


def _ordered(fields: Mapping[str, Field]) -> tuple[Field, ...]:
    """The id first, as everywhere."""
    return tuple(sorted(fields.values(), key=lambda each: (each.type is not FieldType.ID, each.name)))


def _field(name: str, facts: Mapping[str, Any], held: Field | None) -> Field:
    field_type = _KINDS.get(facts.get("type", "string"), FieldType.STRING)
    on_delete = OnDelete.RESTRICT if facts.get("restricted_delete") else OnDelete.CLEAR
    if facts.get("cascade_delete"):
        on_delete = OnDelete.CASCADE
    elif held is not None and on_delete is OnDelete.CLEAR:
        on_delete = held.on_delete
    told: dict[str, Any] = {
        "label": facts.get("label") or name,
        **{key: int(facts.get(key, 0)) for key in ("length", "precision", "scale")},
        **{key: bool(facts.get(key, True)) for key in ("nillable", "createable", "updateable")},
        **{
            key: bool(facts.get(key, False))
            for key in ("external_id", "unique", "case_sensitive", "id_lookup", "calculated")
        },
        "defaulted": bool(facts.get("defaulted_on_create", False)),
        "restricted": bool(facts.get("restricted_picklist", False)),
        "relationship_order": facts.get("relationship_order"),
        "relationship": facts.get("relationship_name"),
        "compound": facts.get("compound_field_name"),
        "reference_to": tuple(facts.get("reference_to", ())),
        "values": tuple(facts.get("picklist_values", ())),
        "choices": (),
        "on_delete": on_delete,
        "auto_number": ((held.auto_number if held else "") or "{0}") if facts.get("auto_number") else "",
    }
    if held is not None and held.type is field_type:
        return replace(held, **told)
    default = "false" if field_type is FieldType.BOOLEAN else None
    return Field(
        name=name,
        type=field_type,
        name_field=name == "Name",
        default=default,
        filterable=not (field_type is FieldType.TEXTAREA and told["length"] > 255),
        **told,
    )
