"""What only the SOAP API does to records: undelete, empty the recycle bin, merge."""

from collections.abc import Sequence
from typing import Any

from migrator.simulator import soap
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Api, Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import ChunkResult, HeaderFault, RowError
from migrator.simulator.soap import SoapFault
from migrator.simulator.xmltree import Parsed, is_nil, local

MAX_IDS = 200  # of one call
NAMES = frozenset({"undelete", "emptyRecycleBin", "merge"})


def answer(org: OrgState, user_id: str, operation: soap.Operation) -> dict[str, Any]:
    """The answer to one of the operations named above."""
    context = Context(user_id, org.now(), f"SOAP {operation.name}")
    if operation.name == "merge":
        return {
            "result": [_merge(org, context, each) for each in soap.children(operation.element, "request")]
        }
    ids = [(each.text or "").strip() for each in soap.children(operation.element, "ids")]
    if len(ids) > MAX_IDS:
        raise SoapFault(
            "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MAX_IDS} records"
        )
    run = org.dml.recycle_bin.undelete if operation.name == "undelete" else org.dml.recycle_bin.empty
    return {"result": _results(run(ids, context))}


def _results(done: ChunkResult) -> list[dict[str, Any]]:
    return [
        {**_errors(each.errors), "id": each.id if each.success else None, "success": each.success}
        for each in done
    ]


def _errors(errors: Sequence[RowError]) -> dict[str, Any]:
    if not errors:
        return {}
    shown = [
        {"fields": list(each.fields), "message": each.message, "statusCode": each.status_code}
        for each in errors
    ]
    return {"errors": shown}


def _merge(org: OrgState, context: Context, request: Parsed) -> dict[str, Any]:
    master = soap.child(request, "masterRecord")
    merged = [(each.text or "").strip() for each in soap.children(request, "recordToMergeIds")]
    if master is None:
        raise SoapFault("MISSING_ARGUMENT", "masterRecord not specified")
    master_id = soap.text_of(master, "Id")
    done = org.dml.merge(master_id, merged, context)
    errors = (done.fault,) if done.fault else _change(org, context, master_id, master)
    return {
        **_errors(errors),
        "id": None if errors else master_id,
        "mergedRecordIds": [] if errors else merged,
        "success": not errors,
        "updatedRelatedIds": [] if errors else list(done.moved),
    }


def _change(org: OrgState, context: Context, master_id: str, master: Parsed) -> tuple[RowError, ...]:
    """Save the fields that the master comes with."""
    names: list[str] = ["Id"]
    cells: list[str | None] = [master_id]
    for each in master:
        name = local(each)
        if name == "fieldsToNull":
            names.append((each.text or "").strip())
            cells.append(None)
        elif name not in {"Id", "type"}:
            names.append(name)
            cells.append(None if is_nil(each) else each.text or "")
    if len(names) == 1:
        return ()
    sobject = org.store.table_of_id(master_id)
    if sobject is None:
        return ()
    try:
        compiled = org.dml.compile(sobject.sobject, names, Operation.UPDATE, api=Api.REST, user=context.actor)
    except HeaderFault as fault:
        return (RowError("INVALID_FIELD", fault.text),)
    return org.dml.execute(compiled, [cells], context)[0].errors
