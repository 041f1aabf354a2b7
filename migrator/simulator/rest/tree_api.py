"""sObject Tree: new records with their children in one request, all of them or none."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrator.simulator.http import ApiError, Response, answer
from migrator.simulator.locks.requests import execute, transact
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Api, Operation
from migrator.simulator.records.results import HeaderFault, RowError
from migrator.simulator.rest.duplicates import errors_json
from migrator.simulator.rest.rowjson import Cells, cells_of, rows_of
from migrator.simulator.rest.rows import sobject_of
from migrator.simulator.router import Call, Route
from migrator.simulator.savepoint import Savepoint
from migrator.simulator.schema.model import Schema, SObject

MAX_RECORDS, MAX_KINDS, MAX_LEVELS = 200, 5, 5  # REST API guide, "sObject Tree"


@dataclass(slots=True)
class _Leaf:
    """A record of the tree."""

    sobject: SObject
    reference: str
    values: Mapping[str, Any]  # without children
    level: int
    parent: "_Leaf | None" = None
    link: str = ""  # the field that names the parent
    id: str = ""
    errors: tuple[RowError, ...] = field(default=())


def routes() -> list[Route]:
    """The tree resource."""
    return [Route("POST", "/services/data/v{version}/composite/tree/{sobject}", _create)]


def _create(org: OrgState, call: Call) -> Response:
    body = call.request.json()
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not records:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required")
    leaves = list(_leaves(org.view(call.user_id).schema, sobject_of(org, call), records, None, ""))
    leaves.sort(key=lambda leaf: leaf.level)  # results are level by level, as the platform's are
    _check(leaves)

    def insert(savepoint: Savepoint) -> list[_Leaf]:
        bad = _insert_all(org, call, leaves)
        if bad:
            savepoint.rollback()
        return bad

    bad = transact(org, insert)
    if bad:
        results = [
            {"referenceId": leaf.reference, "errors": errors_json(org, call, leaf.errors)} for leaf in bad
        ]
        return answer({"hasErrors": True, "results": results}, status=400)
    made = [{"referenceId": leaf.reference, "id": leaf.id} for leaf in leaves]
    return answer({"hasErrors": False, "results": made}, status=201)


def _insert_all(org: OrgState, call: Call, leaves: Sequence[_Leaf]) -> list[_Leaf]:
    """Insert level by level, up to the first with records that are refused: those."""
    for level in range(1, MAX_LEVELS + 1):
        _insert(org, call, [leaf for leaf in leaves if leaf.level == level])
        bad = [leaf for leaf in leaves if leaf.errors]
        if bad:
            return bad
    return []


def _leaves(
    schema: Schema, sobject: SObject, records: Sequence[Any], parent: _Leaf | None, link: str
) -> Iterator[_Leaf]:
    level = parent.level + 1 if parent else 1
    for record in records:
        if not isinstance(record, dict):
            raise ApiError(
                400, "JSON_PARSER_ERROR", "Unexpected value where a record was due at [line:1, column:1]"
            )
        attributes = record.get("attributes") or {}
        kind = schema.sobject(str(attributes.get("type", "")))
        if kind is not sobject:
            text = f"The type of a record must be {sobject.name}"
            raise ApiError(400, "INVALID_INPUT", text)
        children = {name: value for name, value in record.items() if _are_records(value)}
        own = {name: value for name, value in record.items() if name not in children}
        leaf = _Leaf(sobject, str(attributes.get("referenceId", "")), own, level, parent, link)
        yield leaf
        for name, value in children.items():
            child = schema.child(sobject.name, name)
            if child is None:
                raise ApiError(
                    400, "INVALID_FIELD", f"No such relation '{name}' on sobject of type {sobject.name}"
                )
            yield from _leaves(schema, child.sobject, value["records"], leaf, child.field.name)


def _are_records(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("records"), list)


def _check(leaves: Sequence[_Leaf]) -> None:
    """The limits, and a reference of its own for every record."""
    if len(leaves) > MAX_RECORDS:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The number of records exceeds the limit of {MAX_RECORDS}")
    if len({leaf.sobject.name for leaf in leaves}) > MAX_KINDS:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The number of sObject types exceeds the limit of {MAX_KINDS}")
    if max(leaf.level for leaf in leaves) > MAX_LEVELS:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The depth of the tree exceeds the limit of {MAX_LEVELS}")
    names = [leaf.reference for leaf in leaves]
    if any(not re.fullmatch(r"[A-Za-z0-9]\S*", name) for name in names):
        raise ApiError(400, "INVALID_INPUT", "Include a reference ID for each record in the request.")
    if len(set(names)) < len(names):
        raise ApiError(400, "INVALID_INPUT", "Each reference ID in the request must be unique.")


def _insert(org: OrgState, call: Call, leaves: Sequence[_Leaf]) -> None:
    """One level of the tree, one transaction for each sObject."""
    schema = org.view(call.user_id).schema
    for sobject in dict.fromkeys(leaf.sobject.name for leaf in leaves):
        group = [leaf for leaf in leaves if leaf.sobject.name == sobject]
        good: list[tuple[_Leaf, Cells]] = []
        for leaf in group:
            cells = cells_of(schema, leaf.sobject, leaf.values)
            if isinstance(cells, RowError):
                leaf.errors = (cells,)
            else:
                good.append((leaf, {**cells, leaf.link: leaf.parent.id} if leaf.parent else cells))
        if good:
            _save(org, call, good)


def _save(org: OrgState, call: Call, good: Sequence[tuple[_Leaf, Cells]]) -> None:
    columns, rows = rows_of([cells for _, cells in good])
    try:
        compiled = org.dml.compile(
            good[0][0].sobject, columns, Operation.INSERT, api=Api.REST, user=call.user_id
        )
    except HeaderFault as fault:
        raise ApiError(400, "INVALID_FIELD", fault.text) from fault
    results = execute(org, compiled, rows, call.context)
    for (leaf, _), result in zip(good, results, strict=True):
        leaf.id, leaf.errors = result.id or "", result.errors
