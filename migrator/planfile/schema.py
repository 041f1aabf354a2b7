"""A document against a JSON Schema: every finding as a sentence with a place.

**Invariant:** one finding a place. What is wrong is cut out of the value that goes on, so that later checks see only
what is right and can add theirs in the same run.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from migrator.model.plan import DocumentPath
from migrator.planfile.document import Document
from migrator.planfile.sentences import Finding, findings
from migrator.planfile.validator import PlanValidator
from migrator.resources import resource

Schema = Mapping[str, Any]


@cache
def plan_schema() -> dict[str, Any]:
    """The schema of the plan language."""
    return read_schema("plan.schema.json")


@cache
def plan_checker() -> Schema:
    """The schema of the plan language, inlined."""
    checker: Schema = inlined(plan_schema())
    return checker


def read_schema(name: str) -> dict[str, Any]:
    """A schema that is shipped with the product."""
    schema: dict[str, Any] = json.loads(resource("schemas", name).read_text(encoding="utf-8"))
    return schema


def inlined(schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """The schema with each `$ref` to its own `$defs` replaced by what it names: that checks several times faster."""
    if isinstance(schema, list):
        return [inlined(each, definitions) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    merged: dict[str, Any] = {}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        merged.update(inlined(definitions[reference.removeprefix("#/$defs/")], definitions))
    merged.update(
        {key: inlined(each, definitions) for key, each in schema.items() if key not in {"$ref", "$defs"}}
    )
    return merged


def check(document: Document, schema: Schema) -> Any:
    """The document's value without what is wrong in it; the findings go to the document's diagnostics.

    The schema is an inlined one.
    """
    value = _copy(document.value)
    _cut(value, document.broken)
    empty = set(_empty(document))
    for path in sorted(empty, key=_order):
        document.refuse(
            "empty-value",
            f"{_last(path)} has no value",
            hint="give one, or remove the key",
            where=document.key_place(path),
        )
    unusable = document.broken | empty
    _cut(value, empty)
    errors = PlanValidator(schema).iter_errors(value)
    found = [one for each in errors for one in findings(each, document) if not _about(one, unusable)]
    told: set[DocumentPath] = set()
    for one in sorted(found, key=lambda each: (_order(each.path), each.code != "wrong-type", each.code)):
        if one.path in told:
            continue
        told.add(one.path)
        document.refuse(one.code, one.what, hint=one.hint, where=one.where)
    _cut(value, {one.path for one in found if one.cut})
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _empty(document: Document) -> Iterator[DocumentPath]:
    """`key:` with nothing behind it, which says less than `key: null`. A variable may be left empty."""
    for path, typed in document.typed.items():
        if typed == "" and path and path[0] != "variables":
            yield path


def _about(finding: Finding, unusable: set[DocumentPath]) -> bool:
    return any(finding.path[: len(path)] == path for path in unusable)


def _last(path: DocumentPath) -> str:
    name = path[-1]
    return f"'{name}'" if isinstance(name, str) else f"item {name + 1}"


def _order(path: DocumentPath) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in path)


def _cut(value: Any, paths: set[DocumentPath]) -> None:
    """Remove the values at these paths, last items of lists first so that positions hold.

    An entry of a list is replaced by None, which the parser of the plan passes over: paths keep their meaning.
    """
    for path in sorted(paths, key=_order, reverse=True):
        holder = value
        for part in path[:-1]:
            holder = _child(holder, part)
        if not path:
            continue
        if isinstance(holder, dict) and isinstance(path[-1], str):
            holder.pop(path[-1], None)
        elif isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder):
            holder[path[-1]] = None


def _child(holder: Any, part: str | int) -> Any:
    if isinstance(holder, dict):
        return holder.get(str(part))
    if isinstance(holder, list) and isinstance(part, int) and part < len(holder):
        return holder[part]
    return None
