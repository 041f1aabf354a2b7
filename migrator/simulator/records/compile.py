"""Headers compiled once per job or request: which cell goes to which field, how it is checked, what a row must have.

**Invariant:** what is wrong with a *header* is a `HeaderFault` here; what is wrong with a *row* is found in `dml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from migrator.simulator.records.results import HeaderFault, RowError
from migrator.simulator.records.values import Checker, make_checker, xsd_type
from migrator.simulator.schema.audit import auditable
from migrator.simulator.schema.model import Field, FieldType, Schema, SObject


class Operation(StrEnum):
    """What is done to the rows, by Salesforce's words."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"


class Api(StrEnum):
    """Which API words the errors."""

    BULK = "bulk"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """A column that is a field of the record."""

    place: int
    field: Field
    check: Checker


@dataclass(frozen=True, slots=True)
class ParentColumn:
    """A column that names the parent by a key of it (`Account.Ext__c`)."""

    place: int
    field: Field  # the reference
    parent: SObject
    key: Field  # of the parent
    check: Checker  # of the key


@dataclass(frozen=True, slots=True)
class Compiled:
    """A header made ready."""

    operation: Operation
    sobject: SObject
    width: int
    null_marker: str | None
    values: tuple[ValueColumn, ...]
    parents: tuple[ParentColumn, ...]
    forbidden_insert: tuple[ValueColumn | ParentColumn, ...]
    forbidden_update: tuple[ValueColumn | ParentColumn, ...]
    id_place: int | None
    key_place: int | None
    key: Field | None  # of an upsert; None when it is by Id
    required: tuple[Field, ...]  # required on insert and among the columns
    absent: tuple[Field, ...]  # required on insert and not among them
    unique: tuple[Field, ...]  # among the columns
    trusted: bool = False  # seed data: no rules
    refused_insert: RowError | None = None  # every row that would make a record
    refused_update: RowError | None = None  # … change one


@dataclass(slots=True)
class _Draft:
    values: list[ValueColumn]
    parents: list[ParentColumn]
    id_place: int | None = None
    key_place: int | None = None


def compile_columns(
    schema: Schema,
    sobject: SObject,
    columns: Sequence[str],
    operation: Operation,
    *,
    external_id: str | None = None,
    null_marker: str | None = None,
    api: Api = Api.BULK,
    audit_fields: bool = False,
    trusted: bool = False,
) -> Compiled:
    """Compile a header; raises `HeaderFault` for a column that cannot be. A trusted one may give any field or none."""
    key = upsert_key(sobject, external_id) if operation is Operation.UPSERT else None
    draft = _Draft([], [])
    for place, column in enumerate(columns):
        _place(draft, schema, sobject, column, place, key, api)
    if operation is Operation.UPSERT and key is not None and draft.key_place is None:
        raise HeaderFault(f"Field name not found : {key.name}", column=key.name)
    given = {found.field.name for found in draft.values} | {found.field.name for found in draft.parents}
    demanded = [] if trusted else [found for found in sobject.fields if found.required]
    audited = audit_fields and operation is Operation.INSERT
    if trusted:  # what is computed is not taken from seed data
        draft.values[:] = [found for found in draft.values if not found.field.calculated]
    columns_given: list[ValueColumn | ParentColumn] = [*draft.values, *draft.parents]
    return Compiled(
        operation=operation,
        sobject=sobject,
        width=len(columns),
        null_marker=null_marker,
        values=tuple(draft.values),
        parents=tuple(draft.parents),
        forbidden_insert=tuple(
            found
            for found in columns_given
            if not (trusted or found.field.createable or (audited and auditable(sobject, found.field)))
        ),
        forbidden_update=tuple(
            found
            for found in columns_given
            if not (trusted or found.field.updateable or found.place == draft.key_place)
        ),
        id_place=draft.id_place,
        key_place=draft.key_place,
        key=key,
        required=tuple(found for found in demanded if found.name in given),
        absent=tuple(found for found in demanded if found.name not in given),
        unique=tuple(found for found in sobject.fields if found.unique and found.name in given),
        trusted=trusted,
        refused_insert=None if trusted or sobject.createable else _refused(sobject, "inserted"),
        refused_update=None if trusted or sobject.updateable else _refused(sobject, "updated"),
    )


def _refused(sobject: SObject, done: str) -> RowError:
    """The error of an sObject that cannot be written, by anybody or by this user."""
    return RowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be {done}: {sobject.label}")


def upsert_key(sobject: SObject, external_id: str | None) -> Field | None:
    """The field an upsert matches on; None when it is the record id."""
    if external_id is None or external_id.lower() == "id":
        return None
    found = sobject.field(external_id)
    if found is None or not (found.external_id or found.id_lookup):
        raise HeaderFault(
            f"Field name provided, {external_id} does not match an External ID for {sobject.name}"
        )
    return found


def _place(
    draft: _Draft, schema: Schema, sobject: SObject, column: str, place: int, key: Field | None, api: Api
) -> None:
    if "." in column or ":" in column:
        draft.parents.append(_parent_column(schema, sobject, column, place, api))
        return
    field = sobject.field(column)
    if field is None or field.type in {FieldType.ADDRESS, FieldType.LOCATION}:
        raise HeaderFault(f"Field name not found : {column}", column=column)
    if any(found.field is field for found in draft.values) or (
        field.type is FieldType.ID and draft.id_place is not None
    ):
        raise HeaderFault(f"Duplicate field name : {column}", column=column)
    if field.type is FieldType.ID:
        draft.id_place = place
        return
    if key is field:
        draft.key_place = place
    draft.values.append(ValueColumn(place, field, make_checker(field, _Wording(field, place, api))))


def _parent_column(schema: Schema, sobject: SObject, column: str, place: int, api: Api) -> ParentColumn:
    prefix, colon, path = column.rpartition(":")
    if prefix.count(":") or "." not in path or path.count(".") > 1:
        known = prefix and "." in prefix
        fault = (
            "Unable to find relationship: " + prefix.split(".")[0]
            if known
            else f"Field name not found : {column}"
        )
        raise HeaderFault(fault, column=column)
    relationship, _, key_name = path.partition(".")
    field = sobject.relationship(relationship)
    if field is None:
        raise HeaderFault(f"Unable to find relationship: {relationship}", column=column)
    if colon and not field.polymorphic:
        fault = f"type is not needed for non polymorphic foreign key references: {relationship}"
        raise HeaderFault(fault, column=column)
    if field.polymorphic and not colon:
        raise HeaderFault(
            f"type is required for polymorphic foreign key references: {relationship}", column=column
        )
    names = {name.lower(): name for name in field.reference_to}
    target = names.get(prefix.lower()) if colon else field.reference_to[0]
    parent = schema.sobject(target) if target else None
    if parent is None:
        raise HeaderFault(f"Unable to find object: {prefix or field.reference_to[0]}", column=column)
    parent_key = parent.field(key_name)
    if parent_key is None or not (parent_key.external_id or parent_key.id_lookup):
        raise HeaderFault(f"Field name not found : {column}", column=column)
    return ParentColumn(
        place, field, parent, parent_key, make_checker(parent_key, _Wording(parent_key, place, api))
    )


class _Wording:
    """The error of text that is not of the field's type, as the Bulk or the REST API words it."""

    __slots__ = ("api", "field", "place")

    def __init__(self, field: Field, place: int, api: Api) -> None:
        self.field = field
        self.place = place
        self.api = api

    def __call__(self, cell: str) -> RowError:
        if self.api is Api.BULK:
            reason = f"'{cell}' is not a valid value for the type {xsd_type(self.field)}"
            text = f"Failed to deserialize field at col {self.place}. Due to, {reason}"
            return RowError("INVALID_FIELD", text, (self.field.name,))
        kind = xsd_type(self.field).removeprefix("xsd:").lower()
        text = (
            f"Cannot deserialize instance of {kind} from VALUE_STRING value {cell} or request may be missing a"
            " required field at [line:1, column:1]"
        )
        return RowError("JSON_PARSER_ERROR", text)
