"""What an org looks like: sObjects and fields as a describe call tells them.

**Invariant:** nothing here asks an org; a schema is made from describe JSON or from a committed snapshot alike.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SNAPSHOT_VERSION = 1


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field, with the describe facts that planning needs (names as in describe, in snake case)."""

    name: str
    label: str = ""
    type: str = "string"
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted_on_create: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    calculated: bool = False
    auto_number: bool = False
    custom: bool = False
    restricted_picklist: bool = False
    restricted_delete: bool = False
    cascade_delete: bool = False
    relationship_order: int | None = None
    relationship_name: str | None = None
    compound_field_name: str | None = None
    reference_to: tuple[str, ...] = ()
    picklist_values: tuple[str, ...] = ()

    @property
    def required_on_insert(self) -> bool:
        """Whether an insert without it is refused."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def master_detail(self) -> bool:
        """Whether it is a master-detail relationship (describe tells by `relationshipOrder`)."""
        return self.relationship_order is not None

    @property
    def polymorphic(self) -> bool:
        """Whether several sObjects can be looked up, *in this org*."""
        return len(self.reference_to) > 1

    @property
    def numeric(self) -> bool:
        """Whether values compare as numbers: Salesforce reformats them on the way back."""
        return self.type in {"double", "currency", "percent", "int", "long"}


@dataclass(frozen=True, slots=True)
class SObjectSchema:
    """One sObject."""

    name: str
    label: str = ""
    key_prefix: str = ""
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True
    custom: bool = False
    fields: Mapping[str, FieldSchema] = field(default_factory=dict)
    record_types: tuple[str, ...] = ()

    def field_named(self, name: str) -> FieldSchema | None:
        """The field of that API name, without regard to case as in Salesforce."""
        found = self.fields.get(name)
        if found is not None:
            return found
        lower = name.casefold()
        return next((one for one in self.fields.values() if one.name.casefold() == lower), None)


@dataclass(frozen=True, slots=True)
class OrgSchema:
    """The part of an org's schema that a plan needs."""

    organization_id: str = ""
    production: bool = False
    api_version: str = ""
    sobjects: Mapping[str, SObjectSchema] = field(default_factory=dict)
    #: every sObject name in the org (from describe global), for near-name suggestions; may be empty
    names: tuple[str, ...] = ()

    def sobject(self, name: str) -> SObjectSchema | None:
        """The sObject of that API name, without regard to case."""
        found = self.sobjects.get(name)
        if found is not None:
            return found
        lower = name.casefold()
        return next((one for one in self.sobjects.values() if one.name.casefold() == lower), None)


def sobject_from_describe(body: Mapping[str, Any]) -> SObjectSchema:
    """The schema in the body of `GET /sobjects/{name}/describe`."""
    fields = {one["name"]: _field_from_describe(one) for one in body.get("fields", ())}
    return SObjectSchema(
        name=body["name"],
        label=body.get("label") or "",
        key_prefix=body.get("keyPrefix") or "",
        createable=bool(body.get("createable", True)),
        updateable=bool(body.get("updateable", True)),
        deletable=bool(body.get("deletable", True)),
        queryable=bool(body.get("queryable", True)),
        custom=bool(body.get("custom", False)),
        fields=fields,
        record_types=tuple(
            sorted(
                one["developerName"]
                for one in body.get("recordTypeInfos", ())
                if one.get("developerName") and not one.get("master") and one.get("active", True)
            )
        ),
    )


def _field_from_describe(body: Mapping[str, Any]) -> FieldSchema:
    values = tuple(one["value"] for one in body.get("picklistValues") or () if one.get("active", True))
    return FieldSchema(
        name=body["name"],
        label=body.get("label") or "",
        type=body["type"],
        length=int(body.get("length") or 0),
        precision=int(body.get("precision") or 0),
        scale=int(body.get("scale") or 0),
        nillable=bool(body.get("nillable")),
        createable=bool(body.get("createable")),
        updateable=bool(body.get("updateable")),
        defaulted_on_create=bool(body.get("defaultedOnCreate")),
        external_id=bool(body.get("externalId")),
        unique=bool(body.get("unique")),
        case_sensitive=bool(body.get("caseSensitive")),
        id_lookup=bool(body.get("idLookup")),
        calculated=bool(body.get("calculated")),
        auto_number=bool(body.get("autoNumber")),
        custom=bool(body.get("custom")),
        restricted_picklist=bool(body.get("restrictedPicklist")),
        restricted_delete=bool(body.get("restrictedDelete")),
        cascade_delete=bool(body.get("cascadeDelete")),
        relationship_order=body.get("relationshipOrder"),
        relationship_name=body.get("relationshipName"),
        compound_field_name=body.get("compoundFieldName"),
        reference_to=tuple(body.get("referenceTo") or ()),
        picklist_values=values,
    )


def to_snapshot(schema: OrgSchema) -> dict[str, Any]:
    """The schema as plain JSON values, git-stable: fields sorted, facts at their default left out."""
    default = asdict(FieldSchema(name=""))
    return {
        "snapshot": SNAPSHOT_VERSION,
        "organization_id": schema.organization_id,
        "production": schema.production,
        "api_version": schema.api_version,
        "sobjects": {
            name: {
                **{key: value for key, value in asdict(one).items() if key not in {"fields", "name"}},
                "record_types": list(one.record_types),
                "fields": {
                    each.name: _trimmed(each, default)
                    for each in sorted(one.fields.values(), key=lambda each: each.name)
                },
            }
            for name, one in sorted(schema.sobjects.items())
        },
        "names": sorted(schema.names),
    }


def _trimmed(one: FieldSchema, default: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(one).items()
        if key != "name" and value != default[key]
    }


def from_snapshot(body: Mapping[str, Any]) -> OrgSchema:
    """The schema in a snapshot made by `to_snapshot`."""
    sobjects = {
        name: SObjectSchema(
            name=name,
            **{key: value for key, value in one.items() if key not in {"fields", "record_types"}},
            fields={key: _field_from_snapshot(key, value) for key, value in one["fields"].items()},
            record_types=tuple(one.get("record_types", ())),
        )
        for name, one in body["sobjects"].items()
    }
    return OrgSchema(
        organization_id=body.get("organization_id", ""),
        production=bool(body.get("production", False)),
        api_version=body.get("api_version", ""),
        sobjects=sobjects,
        names=tuple(body.get("names", ())),
    )


def _field_from_snapshot(name: str, body: Mapping[str, Any]) -> FieldSchema:
    facts: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in body.items()
    }
    return FieldSchema(name=name, **facts)
