"""Cells of a query as JSON: values by type, and records with their parents nested."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import UTC, datetime
from typing import Any

from migrator.simulator.schema.model import NUMBERS, Field, FieldType, Schema

Row = Sequence[str]


def json_value(field: Field, cell: str) -> Any:
    """The value of a cell as REST prints it; null for an empty one."""
    if not cell:
        return None
    kind = field.type
    if kind is FieldType.BOOLEAN:
        return cell == "true"
    if kind is FieldType.INT:
        return int(cell)
    if kind in NUMBERS:
        return float(cell)
    if kind is FieldType.DATETIME:
        return cell[:-1] + "+0000" if cell.endswith("Z") else cell
    return cell


def epoch_value(field: Field, cell: str) -> Any:
    """The value of a cell as JSON results of Bulk API v1 print it: moments in milliseconds since 1970."""
    if cell and field.type in {FieldType.DATE, FieldType.DATETIME}:
        return int(datetime.fromisoformat(cell).replace(tzinfo=UTC).timestamp() * 1000)
    return json_value(field, cell)


def text_value(field: Field, cell: str) -> Any:
    """The value of a cell as it is kept, which is how XML prints it."""
    del field
    return cell or None


def attributes(sobject: str, record_id: str, version: str, *, kind: str | None = None) -> dict[str, str]:
    """The `attributes` of a record; `kind` where the type shown is not the sObject's."""
    return {"type": kind or sobject, "url": f"/services/data/v{version}/sobjects/{sobject}/{record_id}"}


Value = Callable[[Field, str], Any]


@dataclass(slots=True)
class Node:
    """A record, or a parent inside of one: where its id is in the row, and what is printed, in order."""

    schema: Schema
    sobject: str  # "Name" where the id decides
    id_place: int
    fields: dict[str, tuple[Field, int]] = attribute(default_factory=dict)
    parents: "dict[str, Node]" = attribute(default_factory=dict)
    groups: dict[str, tuple[tuple[str, Field, int], ...]] = attribute(default_factory=dict)  # compound fields
    order: list[str] = attribute(default_factory=list)
    value: Value = json_value

    def record(self, row: Row, version: str) -> dict[str, Any] | None:
        """The record of a row; None when there is no such parent."""
        record_id = row[self.id_place]
        if not record_id:
            return None
        found: dict[str, Any] = {"attributes": self._attributes(record_id, version)}
        for name in self.order:
            if name in self.fields:
                field, place = self.fields[name]
                found[name] = self.value(field, row[place])
                if field.type is FieldType.BASE64 and row[place]:
                    found[name] = f"{found['attributes']['url']}/{field.name}"  # where the bytes are
            elif name in self.parents:
                found[name] = self.parents[name].record(row, version)
            elif name in self.groups:
                held = {key: self.value(field, row[place]) for key, field, place in self.groups[name]}
                found[name] = held if any(value is not None for value in held.values()) else None
        return found

    def _attributes(self, record_id: str, version: str) -> dict[str, str]:
        if self.sobject != "Name":
            return attributes(self.sobject, record_id, version)
        actual = self.schema.by_prefix(record_id[:3])
        return attributes(actual.name if actual else "Name", record_id, version, kind="Name")

    def add(self, name: str, field: Field, place: int) -> None:
        """Print a field."""
        self.order.append(name)
        self.fields[name] = (field, place)

    def add_group(self, name: str, parts: Sequence[tuple[str, Field, int]]) -> None:
        """Print a compound field."""
        self.order.append(name)
        self.groups[name] = tuple(parts)

    def parent(self, name: str, sobject: str, id_place: Callable[[], int]) -> "Node":
        """The node of a parent, made when it is first named."""
        found = self.parents.get(name)
        if found is None:
            found = self.parents[name] = Node(self.schema, sobject, id_place(), value=self.value)
            self.order.append(name)
        return found
