"""Records by way of others: what a relationship of a record leads to, and what was changed or deleted in a span of time."""

from datetime import UTC, datetime
from typing import Any

from migrator.simulator.http import ApiError, Response, answer, not_found
from migrator.simulator.ids import is_id
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.store import Table
from migrator.simulator.records.values import seconds
from migrator.simulator.rest.rowjson import record_json, selected_fields
from migrator.simulator.router import Call, Route
from migrator.simulator.schema.model import Schema, SObject

SPAN = 30 * 86_400.0  # seconds; what was deleted or changed earlier cannot be asked for


def follow(org: OrgState, call: Call, sobject: SObject, record_id: str, relationship: str) -> Response | None:
    """The parent or the children that a record's relationship leads to; None when the path means something else."""
    table = org.store.table(sobject.name)
    seq = table.seq_of(record_id) if is_id(record_id) else 0
    if not seq:
        return None
    if not table.exists(seq):
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", fields=[])
    schema = org.view(call.user_id).schema
    field = sobject.relationship(relationship)
    if field is not None:
        return _parent(org, call, schema, table.cell(seq, field.name))
    child = schema.child(sobject.name, relationship)
    if child is None:
        raise not_found()
    children = org.store.table(child.sobject.name)
    found = [each for each in children.find(child.field.name, table.id_of(seq)) if children.exists(each)]
    fields = selected_fields(child.sobject, call.request.query.get("fields"))
    records = [record_json(children, each, fields, call.version) for each in found]
    return answer({"totalSize": len(records), "done": True, "records": records})


def _parent(org: OrgState, call: Call, schema: Schema, parent_id: str) -> Response:
    table = org.store.table_of_id(parent_id) if parent_id else None
    sobject = schema.sobject(table.sobject.name) if table else None
    seq = table.seq_of(parent_id) if table else 0
    if table is None or sobject is None or not table.exists(seq):
        raise not_found()
    fields = selected_fields(sobject, call.request.query.get("fields"))
    return answer(record_json(table, seq, fields, call.version))


# --- what changed in a span of time --------------------------------------------------------------------------------


def _span(org: OrgState, call: Call) -> tuple[float, float]:
    moments = []
    for name in ("start", "end"):
        text = call.request.query.get(name, "").replace(" ", "+")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as fault:
            raise ApiError(400, "INVALID_FIELD", f"{name}: {text} is no valid date and time") from fault
        moments.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    start, end = moments
    if start < org.now() - SPAN:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
    if end - start < 60:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute after startDate")
    return start, end


def _table(org: OrgState, call: Call) -> Table:
    sobject = org.view(call.user_id).schema.sobject(call.params["sobject"])
    if sobject is None:
        raise not_found()
    return org.store.table(sobject.name)


def _stamp(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}.000+0000"


def _changed(table: Table, start: float, end: float, *, deleted: bool) -> list[tuple[int, float]]:
    found = []
    for seq in table.scan(include_deleted=True):
        if (seq in table.deleted) is deleted:
            moment = seconds(table.cell(seq, "SystemModstamp"))
            if start <= moment < end:
                found.append((seq, moment))
    return found


def _updated(org: OrgState, call: Call) -> Response:
    table, (start, end) = _table(org, call), _span(org, call)
    found = [table.id_of(seq) for seq, _ in _changed(table, start, end, deleted=False)]
    return answer({"ids": found, "latestDateCovered": _stamp(min(end, org.now()))})


def _deleted(org: OrgState, call: Call) -> Response:
    table, (start, end) = _table(org, call), _span(org, call)
    found: list[dict[str, Any]] = [
        {"deletedDate": _stamp(moment), "id": table.id_of(seq)}
        for seq, moment in _changed(table, start, end, deleted=True)
    ]
    return answer(
        {
            "deletedRecords": found,
            "earliestDateAvailable": _stamp(org.now() - SPAN),
            "latestDateCovered": _stamp(min(end, org.now())),
        }
    )


def routes() -> list[Route]:
    """The resources about spans of time; relationships are asked for where keys are."""
    base = "/services/data/v{version}/sobjects/{sobject}"
    return [Route("GET", base + "/updated", _updated), Route("GET", base + "/deleted", _deleted)]
