"""Records as JSON: into cells for the DML engine, and back from the store for reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migrator.simulator.http import ApiError
from migrator.simulator.query.as_json import attributes, json_value
from migrator.simulator.records.compile import Api, Operation, compile_columns
from migrator.simulator.records.results import HeaderFault, RowError
from migrator.simulator.records.store import Table
from migrator.simulator.schema.model import COMPOUNDS, Field, FieldType, Schema, SObject

NESTED_WITHOUT_TYPE = RowError(
    "JSON_PARSER_ERROR",
    "Nested object for polymorphic foreign key must have an attributes field before any other fields.",
)

_PLAIN = frozenset({str, int, float, bool, type(None)})

Cells = dict[str, str | None]  # by column; None sets null


def cells_of(schema: Schema, sobject: SObject, record: Mapping[str, Any]) -> Cells | RowError:
    """The cells of one JSON record whose fields are all there; a parent by external id becomes a relationship column."""
    cells = flat_cells(sobject, record)
    if isinstance(cells, RowError):
        return cells
    for column in cells:
        fault = column_fault(schema, sobject, column)
        if fault:
            return fault
    return cells


def flat_cells(sobject: SObject, record: Mapping[str, Any]) -> Cells | RowError:
    """The cells of one JSON record, whether or not there are such fields."""
    cells: Cells = {}
    for name, value in record.items():
        if name == "attributes":
            continue
        if isinstance(value, Mapping):
            nested = _parent(sobject, name, value)
            if isinstance(nested, RowError):
                return nested
            cells.update(nested)
            continue
        cell = _cell(value)
        if isinstance(cell, RowError):
            return cell
        field = sobject.field(name)
        cells[field.name if field else name] = cell
    return cells


def _cell(value: Any) -> str | RowError | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    return RowError("JSON_PARSER_ERROR", "Unexpected START_ARRAY where a value was due at [line:1, column:1]")


def _parent(sobject: SObject, name: str, value: Mapping[str, Any]) -> Cells | RowError:
    field = sobject.relationship(name)
    if field is None:
        return no_such_column(sobject, name)
    keys = [key for key in value if key != "attributes"]
    kind = ""
    if field.polymorphic:
        if next(iter(value), None) != "attributes":
            return NESTED_WITHOUT_TYPE
        kind = str((value["attributes"] or {}).get("type", ""))
    if len(keys) != 1:
        return RowError("INVALID_FIELD", f"Exactly one external id field is needed to name a parent: {name}")
    cell = _cell(value[keys[0]])
    if isinstance(cell, RowError):
        return cell
    return {f"{kind}:{name}.{keys[0]}" if kind else f"{name}.{keys[0]}": cell}


def no_such_column(sobject: SObject, name: str) -> RowError:
    """The error of a field that is not there."""
    return RowError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")


def column_fault(schema: Schema, sobject: SObject, column: str) -> RowError | None:
    """What is wrong with a name of a JSON record, as REST words it."""
    field = sobject.field(column)
    if field is not None and field.type not in COMPOUNDS:
        return None
    try:
        compile_columns(schema, sobject, [column], Operation.UPDATE, api=Api.REST)
    except HeaderFault as fault:
        if ":" in column or "." in column:
            return RowError("INVALID_FIELD", fault.text)
        return no_such_column(sobject, column)
    return None


def rows_of(records: Sequence[Cells]) -> tuple[list[str], list[list[str | None]]]:
    """Records of different fields as columns and rows; `""` where a record does not have a column."""
    columns = list(dict.fromkeys(column for record in records for column in record))
    return columns, [[record.get(column, "") for column in columns] for record in records]


def columns_of(
    sobject: SObject, records: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[Sequence[str | None]]] | None:
    """As `rows_of` the cells of each, column by column and fast; None unless all records have the same plain fields."""
    keys = records[0].keys() if records else ()
    if any(record.keys() != keys for record in records):
        return None
    names: list[str] = []
    columns: list[list[str | None]] = []
    for key in keys:
        if key == "attributes":
            continue
        values = [record[key] for record in records]
        if not _PLAIN.issuperset(map(type, values)):
            return None
        field = sobject.field(key)
        names.append(field.name if field else key)
        columns.append([value or None if type(value) is str else _plain(value) for value in values])
    return (names, list(zip(*columns, strict=True))) if names else None


def _plain(value: Any) -> str | None:
    cell = _cell(value)
    return None if isinstance(cell, RowError) else cell


def record_json(table: Table, seq: int, fields: Iterable[Field], version: str) -> dict[str, Any]:
    """A record as REST prints it, compound fields included."""
    held = table.get(seq)
    found: dict[str, Any] = {"attributes": attributes(table.sobject.name, table.id_of(seq), version)}
    for field in fields:
        if field.type in COMPOUNDS:
            found[field.name] = _compound(table.sobject, field, held)
        elif field.type is FieldType.BASE64:
            url = attributes(table.sobject.name, table.id_of(seq), version)["url"]
            found[field.name] = f"{url}/{field.name}" if field.name in held else None
        else:
            found[field.name] = json_value(field, held.get(field.name, ""))
    return found


def _compound(sobject: SObject, whole: Field, held: Mapping[str, str]) -> dict[str, Any] | None:
    parts: dict[str, Any] = {}
    for field in sobject.fields:
        if field.compound == whole.name:
            name = field.name.removeprefix(whole.name.removesuffix("Address"))
            parts[name[:1].lower() + name[1:]] = json_value(field, held.get(field.name, ""))
    return dict(sorted(parts.items())) if any(value is not None for value in parts.values()) else None


def selected_fields(sobject: SObject, names: str | Sequence[str] | None) -> list[Field]:
    """The fields asked for by name, or all."""
    if not names:
        return list(sobject.fields)
    listed = names.split(",") if isinstance(names, str) else names
    found: list[Field] = []
    for name in listed:
        field = sobject.field(name.strip())
        if field is None:
            raise ApiError(400, "INVALID_FIELD", no_such_column(sobject, name.strip()).message)
        found.append(field)
    return found
