"""sObject Collections: up to 200 records in one call, answered in the order of the request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from migrator.simulator.http import ApiError, Response, answer
from migrator.simulator.ids import is_id
from migrator.simulator.locks.requests import delete, execute, transact
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Api, Operation
from migrator.simulator.records.dml import MAX_ROWS
from migrator.simulator.records.results import HeaderFault, RowError, RowResult
from migrator.simulator.records.rollback import ROLLED_BACK
from migrator.simulator.rest.bodies import read_collection
from migrator.simulator.rest.duplicates import errors_json
from migrator.simulator.rest.rowjson import (
    cells_of,
    record_json,
    rows_of,
    selected_fields,
)
from migrator.simulator.rest.rows import sobject_of
from migrator.simulator.router import Call, Route
from migrator.simulator.savepoint import Savepoint
from migrator.simulator.schema.model import SObject

MAX_CHUNKS = 10  # runs of records of one sObject
MAX_RETRIEVED = 2_000
SINCE, UPSERT_SINCE = 42, 46  # API versions
NO_ATTRIBUTES = RowError(
    "JSON_PARSER_ERROR",
    "Nested object for polymorphic foreign key must have an attributes field before any other fields.",
)
# setup objects, which no call changes together with others; Apex guide, "sObjects That Cannot Be Used Together in DML"
SETUP = frozenset(
    {
        "FieldPermissions",
        "Group",
        "GroupMember",
        "ObjectPermissions",
        "PermissionSet",
        "PermissionSetAssignment",
        "QueueSobject",
        "SetupEntityAccess",
        "User",
        "UserRole",
    }
)


@dataclass(frozen=True, slots=True)
class _Body:
    all_or_none: bool
    records: Sequence[Mapping[str, Any]]


def _body(org: OrgState, call: Call) -> _Body:
    loaded = read_collection(org, call)
    if not isinstance(loaded, dict) or not isinstance(loaded.get("records", []), list):
        raise ApiError(
            400,
            "JSON_PARSER_ERROR",
            "Unexpected value where a collection of records was due at [line:1, column:1]",
        )
    records = loaded.get("records", [])
    if not records:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required")
    if len(records) > MAX_ROWS:
        text = f"record limit reached. cannot submit more than {MAX_ROWS} records into this call"
        raise ApiError(400, "EXCEEDED_ID_LIMIT", text)
    return _Body(bool(loaded.get("allOrNone", False)), records)


def _type_of(record: Mapping[str, Any]) -> str:
    attributes = record.get("attributes")
    return str(attributes.get("type", "")) if isinstance(attributes, Mapping) else ""


def _runs(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for name, run in groupby(records, key=_type_of):
        yield name, list(run)


def _create(org: OrgState, call: Call) -> Response:
    return answer([_result(org, call, each) for each in _save(org, call, Operation.INSERT)])


def _update(org: OrgState, call: Call) -> Response:
    return answer([_result(org, call, each) for each in _save(org, call, Operation.UPDATE)])


def _upsert(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    key = sobject.field(call.params["field"])
    if key is None or not (key.external_id or key.id_lookup):
        text = f"Provided external ID field does not exist or is not accessible: {call.params['field']}"
        raise ApiError(404, "NOT_FOUND", text, code_first=True)
    results = _save(org, call, Operation.UPSERT, key=key.name, only=sobject)
    return answer([{**_result(org, call, each), "created": each.created} for each in results])


def _save(
    org: OrgState, call: Call, operation: Operation, *, key: str | None = None, only: SObject | None = None
) -> list[RowResult]:
    body = _body(org, call)
    runs = list(_runs(body.records))
    if len(runs) > MAX_CHUNKS:
        text = f"Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange the data to reduce chunking."
        raise ApiError(400, "LIMIT_EXCEEDED", text)

    def save(savepoint: Savepoint) -> list[RowResult]:
        results: list[RowResult] = []
        first = runs[0][0]
        for name, records in runs:
            if (name in SETUP) is not (first in SETUP):
                results += [_refused(_mixed(name, first))] * len(records)
            else:
                results += _run(org, call, operation, key, name, records, only)
        if body.all_or_none and any(not each.success for each in results):
            savepoint.rollback()
            return [RowResult(None, False, False, each.errors or (ROLLED_BACK,)) for each in results]
        return results

    return transact(org, save)


def _run(
    org: OrgState,
    call: Call,
    operation: Operation,
    key: str | None,
    name: str,
    records: Sequence[Mapping[str, Any]],
    only: SObject | None,
) -> list[RowResult]:
    """Save consecutive records of one sObject: one transaction."""
    schema = org.view(call.user_id).schema
    if only is not None and not name:
        return [_refused(NO_ATTRIBUTES)] * len(records)
    sobject = schema.sobject(name)
    if sobject is None or (only is not None and sobject is not only):
        fault = RowError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return [_refused(fault)] * len(records)
    found = [cells_of(schema, sobject, record) for record in records]
    cells = [each for each in found if not isinstance(each, RowError)]
    if not cells:
        return [_refused(each) for each in found if isinstance(each, RowError)]
    columns, rows = rows_of(cells)
    if key is not None and key not in columns and key != "Id":
        columns, rows = [*columns, key], [[*row, ""] for row in rows]
    try:
        compiled = org.dml.compile(
            sobject, columns, operation, external_id=key, api=Api.REST, user=call.user_id
        )
    except HeaderFault as fault:
        raise ApiError(400, "INVALID_FIELD", fault.text) from fault
    done = iter(execute(org, compiled, rows, call.context))
    return [_refused(each) if isinstance(each, RowError) else next(done) for each in found]


def _mixed(name: str, first: str) -> RowError:
    text = (
        "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa):"
        f" {name}, original object: {first}"
    )
    return RowError("MIXED_DML_OPERATION", text)


def _refused(fault: RowError) -> RowResult:
    return RowResult(None, False, False, (fault,))


def _result(org: OrgState, call: Call, result: RowResult) -> dict[str, Any]:
    """One row of the answer; failed rows have no id."""
    if result.success:
        return {"id": result.id, "success": True, "errors": []}
    return {"success": False, "errors": errors_json(org, call, result.errors)}


def _delete(org: OrgState, call: Call) -> Response:
    listed = [each.strip() for each in call.request.query.get("ids", "").split(",") if each.strip()]
    if not listed:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required")
    if len(listed) > MAX_ROWS:
        text = f"record limit reached. cannot submit more than {MAX_ROWS} records into this call"
        raise ApiError(400, "EXCEEDED_ID_LIMIT", text)
    whole = call.request.query.get("allOrNone") == "true"
    results = delete(org, listed, call.context, all_or_none=whole)
    return answer([_result(org, call, each) for each in results])


def _retrieve(org: OrgState, call: Call) -> Response:
    query = call.request.query
    return _retrieved(org, call, query.get("ids", "").split(","), query.get("fields", "").split(","))


def _retrieve_posted(org: OrgState, call: Call) -> Response:
    loaded = call.request.json()
    if not isinstance(loaded, dict):
        raise ApiError(
            400, "JSON_PARSER_ERROR", "Unexpected START_ARRAY where an object was due at [line:1, column:1]"
        )
    return _retrieved(org, call, loaded.get("ids", []), loaded.get("fields", []))


def _retrieved(org: OrgState, call: Call, record_ids: Sequence[str], names: Sequence[str]) -> Response:
    sobject = sobject_of(org, call)
    if len(record_ids) > MAX_RETRIEVED:
        raise ApiError(
            400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MAX_RETRIEVED} records"
        )
    table = org.store.table(sobject.name)
    fields = selected_fields(sobject, names)
    records: list[dict[str, Any] | None] = []
    for record_id in record_ids:
        if not is_id(record_id) or record_id[:3] != sobject.prefix:
            raise ApiError(400, "MALFORMED_ID", f"malformed id {record_id}")
        seq = table.seq_of(record_id)
        records.append(record_json(table, seq, fields, call.version) if seq and table.exists(seq) else None)
    return answer(records)


def routes() -> list[Route]:
    """The collections resources."""
    base = "/services/data/v{version}/composite/sobjects"
    return [
        Route("POST", base, _create, since=SINCE),
        Route("PATCH", base, _update, since=SINCE),
        Route("DELETE", base, _delete, since=SINCE),
        Route("PATCH", base + "/{sobject}/{field}", _upsert, since=UPSERT_SINCE),
        Route("GET", base + "/{sobject}", _retrieve, since=SINCE),
        Route("POST", base + "/{sobject}", _retrieve_posted, since=SINCE),
    ]
