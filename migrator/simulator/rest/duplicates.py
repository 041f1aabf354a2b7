"""What a duplicate rule found, as the REST API shows it.

The key of a request for one record is `duplicateResut`, without the l: that is how the platform spells it.
"""

from typing import Any

from migrator.simulator.orgstate import OrgState
from migrator.simulator.query.as_json import attributes
from migrator.simulator.records.results import Duplicate, Match, RowError
from migrator.simulator.rest.rowjson import record_json
from migrator.simulator.router import Call


def duplicate_result(org: OrgState, call: Call, found: Duplicate) -> dict[str, Any]:
    """The rule, and what its matching rules found; whole records where the client asked for their details."""
    return {
        "allowSave": found.allow_save,
        "duplicateRule": found.rule,
        "duplicateRuleEntityType": found.sobject,
        "errorMessage": found.message,
        "matchResults": [_match(org, call, each) for each in found.matches],
    }


def _match(org: OrgState, call: Call, match: Match) -> dict[str, Any]:
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": _record(org, call, match.sobject, each),
        }
        for each in match.ids
    ]
    return {
        "entityType": match.sobject,
        "errors": [],
        "matchEngine": match.engine,
        "matchRecords": records,
        "rule": match.rule,
        "size": len(records),
        "success": True,
    }


def _record(org: OrgState, call: Call, sobject: str, record_id: str) -> dict[str, Any]:
    seen = org.view(call.user_id).schema.sobject(sobject)
    table = org.store.table(sobject)
    if seen is None or not call.duplicate_rule("includeRecordDetails"):
        return {"attributes": attributes(sobject, record_id, call.version), "Id": record_id}
    return record_json(table, table.seq_of(record_id), seen.fields, call.version)


def error_json(org: OrgState, call: Call, error: RowError) -> dict[str, Any]:
    """An error of a request for one record."""
    if error.duplicate is not None:
        result = duplicate_result(org, call, error.duplicate)
        return {"duplicateResut": result, "errorCode": error.status_code, "message": error.message}
    return {"message": error.message, "errorCode": error.status_code, "fields": list(error.fields)}


def errors_json(org: OrgState, call: Call, errors: tuple[RowError, ...]) -> list[dict[str, Any]]:
    """The errors of a record of a collection or tree."""
    made: list[dict[str, Any]] = []
    for each in errors:
        shown: dict[str, Any] = {
            "statusCode": each.status_code,
            "message": each.message,
            "fields": list(each.fields),
        }
        if each.duplicate is not None:
            shown["duplicateResult"] = duplicate_result(org, call, each.duplicate)
        made.append(shown)
    return made
