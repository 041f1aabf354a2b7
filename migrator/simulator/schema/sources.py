"""Where an org's schema comes from: a compact YAML file, describe JSON, metadata source, or a snapshot; found out by looking."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from migrator.simulator.schema.described import (
    Described,
    audit_fields_in,
    describes_in,
    is_global,
    make_sobjects,
    with_formulas,
)
from migrator.simulator.schema.features import with_custom_targets
from migrator.simulator.schema.files import SchemaInvalid, load_schema, standard_objects
from migrator.simulator.schema.model import Schema, make_schema
from migrator.simulator.schema.notes import Note
from migrator.simulator.schema.sfdx import is_source
from migrator.simulator.schema.sfdxfit import Source
from migrator.simulator.schema.snapshot import is_snapshot, snapshot_sobjects


class SchemaKind(StrEnum):
    """What a schema is given as."""

    YAML = "yaml"
    DESCRIBE = "describe"
    SOURCE = "source"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A schema, and what of its source is not in it."""

    schema: Schema
    kind: SchemaKind
    notes: tuple[Note, ...] = ()


def load_schema_from(path: Path, kind: SchemaKind | None = None) -> Loaded:
    """The schema at a path, its kind stated or found out; raises `SchemaInvalid`, naming the file, and `OSError`."""
    kind = kind or _kind_of(path)
    match kind:
        case SchemaKind.YAML:
            return Loaded(_from_yaml(path), kind)
        case SchemaKind.SOURCE:
            return _from_source(path)
        case SchemaKind.SNAPSHOT:
            body = _json(path)
            if not is_snapshot(body):
                raise SchemaInvalid(f'{path}: no snapshot: it has no "snapshot": 1')
            with _in_form(path, "a snapshot"):
                sobjects = with_custom_targets(snapshot_sobjects(body, standard_objects()))
            organization = {"id": body["organization_id"]} if body.get("organization_id") else {}
            organization["sandbox"] = str(not body.get("production", False)).lower()
            return Loaded(make_schema(sobjects.values(), organization), kind)
        case SchemaKind.DESCRIBE:
            return _from_describes(path)


def _from_yaml(path: Path) -> Schema:
    try:
        return load_schema(path)
    except SchemaInvalid as fault:
        raise SchemaInvalid(str(fault) if str(path) in str(fault) else f"{path}: {fault}") from fault


@contextmanager
def _in_form(path: Path, what: str) -> Iterator[None]:
    """JSON of others, which may have anything anywhere."""
    try:
        yield
    except SchemaInvalid:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise SchemaInvalid(f"{path}: not in the form of {what}: {type(fault).__name__}: {fault}") from fault


def _kind_of(path: Path) -> SchemaKind:
    if path.is_dir():
        if is_source(path):
            return SchemaKind.SOURCE
        if any(path.glob("*.json")):
            return SchemaKind.DESCRIBE
        raise SchemaInvalid(f"{path}: neither metadata source (objects/…) nor describe JSON (*.json)")
    if path.suffix.lower() == ".json":
        body = _json(path)
        if is_snapshot(body):
            return SchemaKind.SNAPSHOT
        if isinstance(body, dict) and "objects" in body:
            return SchemaKind.YAML
        return SchemaKind.DESCRIBE
    return SchemaKind.YAML


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as fault:
        raise SchemaInvalid(f"{path}: not UTF-8") from fault
    except ValueError as fault:
        line = getattr(fault, "lineno", 0)
        raise SchemaInvalid(f"{path}:{line}: not JSON: {getattr(fault, 'msg', fault)}") from fault
    except RecursionError as fault:
        raise SchemaInvalid(f"{path}: nested too deeply") from fault


def _from_describes(path: Path) -> Loaded:
    described: dict[str, Described] = {}
    listed: list[Described] = []
    notes: list[Note] = []
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        body = _json(file)
        if is_global(body):
            listed = list(body["sobjects"])
            continue
        found = list(describes_in(body))
        if not found:
            notes.append(Note(str(file), 0, "no describe of an sObject; the file is ignored"))
        for each in found:
            _check(file, each)
            described[str(each["name"])] = each
    if not described:
        raise SchemaInvalid(f"{path}: no describe of an sObject")
    bare = sorted({str(each["name"]) for each in listed} - set(described) - set(standard_objects()))
    if bare:
        text = f"{len(bare):,} sObjects are listed and not described, {bare[0]} for one; they have no fields here"
        notes.append(Note(str(path), 0, text))
    with _in_form(path, "a describe"):
        sobjects = with_custom_targets(make_sobjects(described, listed, standard_objects()))
        sobjects, not_computed = with_formulas(sobjects)
    why = "the formula is not computed; the field is always empty"
    notes += [Note(str(path), 0, f"{name}: {why}") for name in not_computed]
    settings = {"audit_fields": True} if audit_fields_in(described) else {}
    return Loaded(make_schema(sobjects.values(), settings=settings), SchemaKind.DESCRIBE, tuple(notes))


def _check(file: Path, body: Described) -> None:
    names = [each.get("name") if isinstance(each, dict) else None for each in body["fields"]]
    if not all(isinstance(each, str) for each in names):
        raise SchemaInvalid(f"{file}: {body['name']}: a field without a name")
    needed = {"Organization": "Name", "User": "Username"}.get(str(body["name"]), "Id")
    if needed not in names:
        raise SchemaInvalid(f"{file}: {body['name']}: the describe has no field {needed}")


def _from_source(path: Path) -> Loaded:
    source = Source(path, standard_objects())
    if not source.objects:
        raise SchemaInvalid(f"{path}: no objects that can be imitated")
    schema = source.schema()
    return Loaded(schema, SchemaKind.SOURCE, tuple(sorted(source.notes)))
