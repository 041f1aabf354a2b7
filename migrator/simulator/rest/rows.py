"""sObject resources: describe, and one record at a time by id or by external id."""

from typing import Any

from migrator.simulator.http import ApiError, Headers, Response, answer, dump, not_found
from migrator.simulator.ids import is_id
from migrator.simulator.locks.requests import execute
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Api, Operation
from migrator.simulator.records.results import HeaderFault, RowError, RowResult
from migrator.simulator.records.store import Table
from migrator.simulator.records.values import BLANKS, seconds
from migrator.simulator.rest.bodies import content, read_record
from migrator.simulator.rest.conditional import conditional, guard, tag_of
from migrator.simulator.rest.describe import describe_brief, describe_global, describe_sobject
from migrator.simulator.rest.duplicates import error_json
from migrator.simulator.rest.related import follow
from migrator.simulator.rest.rowjson import Cells, cells_of, record_json, rows_of, selected_fields
from migrator.simulator.router import Call, Route
from migrator.simulator.schema.model import Field, SObject

_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})
TAGGED = "Account"  # the one sObject whose records have entity tags
CREATED_SINCE = 46  # from this API version on an upsert says whether it created


def sobject_of(org: OrgState, call: Call) -> SObject:
    """The sObject in a path as the user sees it, or the platform's 404."""
    found = org.view(call.user_id).schema.sobject(call.params["sobject"])
    if found is None:
        raise not_found()
    return found


def _global(org: OrgState, call: Call) -> Response:
    return conditional(
        call.request, describe_global(org.view(call.user_id).schema, call.base), org.schema_modified
    )


def _basic(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    return answer({"objectDescribe": describe_brief(sobject, call.base), "recentItems": []})


def _describe(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    view = org.view(call.user_id)
    types = org.store.table("RecordType")
    listed = {
        types.cell(seq, "DeveloperName"): types.id_of(seq) for seq in types.find("SobjectType", sobject.name)
    }
    body = describe_sobject(
        view.schema,
        sobject,
        call.base,
        call.request.base_url,
        listed,
        audit_fields=view.may("CreateAuditFields"),
    )
    return conditional(call.request, body, org.schema_modified)


# --- by id -------------------------------------------------------------------------------------------------------


def _seq(table: Table, record_id: str) -> int:
    """The number of the record in a path, or the platform's error."""
    seq = table.seq_of(record_id) if is_id(record_id) else 0
    if not seq:
        raise not_found()
    if not table.exists(seq):
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", fields=[])
    return seq


def _check_form(sobject: SObject, record_id: str) -> None:
    """Refuse what cannot be an id of the sObject, as writes do."""
    if len(record_id) in {15, 18} and record_id.isalnum() and not is_id(record_id):
        text = f"{sobject.label} ID: id value of incorrect type: {record_id}"
        raise ApiError(400, "MALFORMED_ID", text, fields=["Id"], fields_first=True)


def _get(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    table = org.store.table(sobject.name)
    return _read(call, sobject, table, _seq(table, call.params["id"]))


def _read(call: Call, sobject: SObject, table: Table, seq: int) -> Response:
    fields = selected_fields(sobject, call.request.query.get("fields"))
    body = record_json(table, seq, fields, call.version)
    stamp = table.cell(seq, "SystemModstamp")
    return conditional(call.request, body, seconds(stamp), tag=_tag(call, sobject, table, seq))


def _tag(call: Call, sobject: SObject, table: Table, seq: int) -> str:
    """The entity tag of a record, which is that of all its fields."""
    if sobject.name != TAGGED:
        return ""
    return tag_of(record_json(table, seq, sobject.fields, call.version))


def refuse(org: OrgState, call: Call, errors: tuple[RowError, ...], *, status: int = 400) -> ApiError:
    """A row's errors as the answer to a request for that one row."""
    first = errors[0]
    gone = first.status_code in _GONE and status == 404
    listed = [error_json(org, call, each) for each in errors]
    return ApiError(404 if gone else 400, first.status_code, first.message, listed=listed)


def _run(
    org: OrgState, call: Call, sobject: SObject, operation: Operation, cells: Cells, key: str | None = None
) -> RowResult:
    columns, rows = rows_of([cells])
    try:
        compiled = org.dml.compile(
            sobject, columns, operation, external_id=key, api=Api.REST, user=call.user_id
        )
    except HeaderFault as fault:
        raise ApiError(400, "INVALID_FIELD", fault.text) from fault
    return execute(org, compiled, rows, call.context)[0]


def _cells(org: OrgState, call: Call, sobject: SObject) -> Cells:
    found = cells_of(org.view(call.user_id).schema, sobject, read_record(org, call, sobject))
    if isinstance(found, RowError):
        fields = None if found.status_code == "INVALID_FIELD" else found.fields
        raise ApiError(400, found.status_code, found.message, fields=fields)
    return found


def _create(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    if not sobject.createable:
        raise ApiError(
            400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {sobject.label}"
        )
    result = _run(org, call, sobject, Operation.INSERT, _cells(org, call, sobject))
    if not result.success:
        raise refuse(org, call, result.errors)
    headers = {"Location": f"{call.base}/sobjects/{sobject.name}/{result.id}"}
    return answer({"id": result.id, "success": True, "errors": []}, status=201, headers=headers)


def _update(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    table = org.store.table(sobject.name)
    _check_form(sobject, call.params["id"])
    seq = _seq(table, call.params["id"])
    guard(call.request, seconds(table.cell(seq, "SystemModstamp")), _tag(call, sobject, table, seq))
    record_id = table.id_of(seq)
    cells = _cells(org, call, sobject)
    if "Id" in cells:
        raise ApiError(
            400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.", fields=["Id"]
        )
    result = _run(org, call, sobject, Operation.UPDATE, {"Id": record_id, **cells})
    if not result.success:
        raise refuse(org, call, result.errors)
    return Response(204, Headers())


def _delete(org: OrgState, call: Call) -> Response:
    sobject = sobject_of(org, call)
    return _remove(org, call, sobject, call.params["id"])


def _remove(org: OrgState, call: Call, sobject: SObject, record_id: str) -> Response:
    _seq(org.store.table(sobject.name), record_id)
    result = _run(org, call, sobject, Operation.DELETE, {"Id": record_id})
    if not result.success:
        raise refuse(org, call, result.errors, status=404)
    return Response(204, Headers())


# --- by external id ----------------------------------------------------------------------------------------------


def _key_field(org: OrgState, call: Call) -> tuple[SObject, Table, Field]:
    sobject = sobject_of(org, call)
    name = call.params["field"]
    field = sobject.field(name)
    if field is None or not (field.external_id or field.id_lookup):
        text = f"Provided external ID field does not exist or is not accessible: {name}"
        raise ApiError(404, "NOT_FOUND", text, code_first=True)
    return sobject, org.store.table(sobject.name), field


def _matches(call: Call, table: Table, field: Field) -> list[int]:
    """The records with the key in the path; several are the platform's 300 with their addresses."""
    return table.find(field.name, call.params["value"].strip(BLANKS))


def _several(call: Call, table: Table, found: list[int]) -> Response:
    listed = [f"{call.base}/sobjects/{table.sobject.name}/{record_id}" for record_id in table.ids_of(found)]
    return Response(300, Headers({"Content-Type": "application/json;charset=UTF-8"}), dump(listed))


def _get_by_key(org: OrgState, call: Call) -> Response:
    file = content(org, call)
    if file is not None:
        return file
    followed = follow(org, call, sobject_of(org, call), call.params["field"], call.params["value"])
    if followed is not None:
        return followed
    sobject, table, field = _key_field(org, call)
    found = _matches(call, table, field)
    if len(found) > 1:
        return _several(call, table, found)
    if not found:
        raise not_found()
    return _read(call, sobject, table, found[0])


def _delete_by_key(org: OrgState, call: Call) -> Response:
    sobject, table, field = _key_field(org, call)
    found = _matches(call, table, field)
    if len(found) > 1:
        return _several(call, table, found)
    if not found:
        raise not_found()
    return _remove(org, call, sobject, table.id_of(found[0]))


def _upsert(org: OrgState, call: Call) -> Response:
    sobject, table, field = _key_field(org, call)
    found = _matches(call, table, field)
    if len(found) > 1:
        return _several(call, table, found)
    if not found and call.request.query.get("updateOnly") == "true":
        raise not_found()
    cells = _cells(org, call, sobject)
    if "Id" in cells:
        raise ApiError(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    result = _run(
        org, call, sobject, Operation.UPSERT, {**cells, field.name: call.params["value"]}, field.name
    )
    if not result.success:
        raise refuse(org, call, result.errors)
    body: dict[str, Any] = {"id": result.id, "success": True, "errors": []}
    headers = {"Location": f"{call.base}/sobjects/{table.sobject.name}/{result.id}"}
    if call.api < CREATED_SINCE and not result.created:
        return Response(204, Headers())
    if call.api >= CREATED_SINCE:
        body["created"] = result.created
    return answer(body, status=201 if result.created else 200, headers=headers)


def routes() -> list[Route]:
    """The sObject resources."""
    base = "/services/data/v{version}/sobjects"
    row = base + "/{sobject}/{id}"
    by_key = base + "/{sobject}/{field}/{value}"
    return [
        Route("GET", base, _global),
        Route("GET", base + "/{sobject}", _basic),
        Route("POST", base + "/{sobject}", _create),
        Route("GET", base + "/{sobject}/describe", _describe),
        Route("GET", row, _get),
        Route("PATCH", row, _update),
        Route("DELETE", row, _delete),
        Route("GET", by_key, _get_by_key),
        Route("PATCH", by_key, _upsert),
        Route("DELETE", by_key, _delete_by_key),
    ]
