"""What `columns=true` says about a query: its columns as they nest in the records, parents and child records included."""

from collections.abc import Iterable, Sequence
from typing import Any

from migrator.simulator.query.columns import Column
from migrator.simulator.schema.model import NUMBERS, TEXTS, FieldType

Metadata = dict[str, Any]
Labelled = tuple[tuple[str, ...], Metadata]  # where the column is, and what is said about it


def of_column(name: str, column: Column, *, aggregate: bool = False) -> Metadata:
    """A column that is a field or a function of fields."""
    field = column.field
    return {
        **_joined(name, (), aggregate=aggregate),
        "booleanType": field.type is FieldType.BOOLEAN,
        "custom": field.custom,
        "insertable": field.createable,
        "numberType": field.type in NUMBERS or field.type is FieldType.INT,
        "textType": field.type in TEXTS,
        "updatable": field.updateable,
    }


def of_children(name: str, inner: Iterable[Labelled]) -> Metadata:
    """The child records of a subquery."""
    return _joined(name, nested(inner), aggregate=True)


def of_parent(name: str) -> Metadata:
    """A parent that is shown as a whole."""
    return _joined(name, (), aggregate=False)


def nested(columns: Iterable[Labelled]) -> tuple[Metadata, ...]:
    """The columns of parents under a column of their parent."""
    made: dict[str, Metadata] = {}
    groups: dict[str, list[Labelled]] = {}
    for label, metadata in columns:
        name = label[0]
        if len(label) == 1:
            made[name] = metadata
            continue
        made.setdefault(name, of_parent(name))
        groups.setdefault(name, []).append((label[1:], metadata))
    for name, inner in groups.items():
        made[name]["joinColumns"] = list(nested(inner))
    return tuple(made.values())


def _joined(name: str, inner: Sequence[Metadata], *, aggregate: bool) -> Metadata:
    return {
        "aggregate": aggregate,
        "apexType": None,
        "booleanType": False,
        "columnName": name,
        "custom": False,
        "displayName": name,
        "foreignKeyName": None,
        "insertable": False,
        "joinColumns": list(inner),
        "numberType": False,
        "textType": False,
        "updatable": False,
    }
