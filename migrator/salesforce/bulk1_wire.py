"""Bulk API v1's XML and CSV forms ↔ frozen values. Pure; no transport here.

**Invariant:** a form that is not as documented raises `Malformed`; documents with a DTD or entities are refused unread.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from migrator.model.ids import is_record_id, to_18
from migrator.model.wire import JobInfo, JobState, RowFault
from migrator.salesforce.wire import Malformed, RowReply, parse_time
from migrator.salesforce.xmlread import Element, local, root_of, texts

#: Bulk API guide, "Quick Start: Bulk API"
NAMESPACE: Final = "http://www.force.com/2009/06/asyncapi/dataload"
#: Bulk API guide, "Handle Failed Records in Batches": in the order of the request
RESULT_HEADER: Final = ("Id", "Success", "Created", "Error")

#: a batch that is closed is not processed yet, so a closed job is one whose upload is complete
_JOB_STATES: Final[Mapping[str, JobState]] = {
    "Open": JobState.OPEN,
    "Closed": JobState.UPLOAD_COMPLETE,
    "Aborted": JobState.ABORTED,
    "Failed": JobState.FAILED,
}
#: Bulk API guide, "Batch State"; its own sample writes the last one with a blank
_BATCH_STATES: Final[Mapping[str, JobState]] = {
    "Queued": JobState.UPLOAD_COMPLETE,
    "InProgress": JobState.IN_PROGRESS,
    "Completed": JobState.JOB_COMPLETE,
    "Failed": JobState.FAILED,
    "NotProcessed": JobState.ABORTED,
    "Not Processed": JobState.ABORTED,
}
#: `CODE:message:field1,field2 --`, or `CODE:message:--`; the message may hold colons and line ends
_FAULT: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*):(.*):([^:]*)--\s*", re.DOTALL)


def job_form(sobject: str, operation: str, external_id: str | None, assignment_rule: str = "") -> bytes:
    """A job to create: serial, CSV. The order of the elements matters to Salesforce."""
    parts = [("operation", operation), ("object", sobject)]
    if external_id:
        parts.append(("externalIdFieldName", external_id))
    parts.append(("concurrencyMode", "Serial"))
    if assignment_rule:
        parts.append(("assignmentRuleId", assignment_rule))
    return _form([*parts, ("contentType", "CSV")])


def state_form(state: str) -> bytes:
    """A change of a job's state: `Closed` or `Aborted`."""
    return _form([("state", state)])


def _form(parts: Sequence[tuple[str, str]]) -> bytes:
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts)
    return f'<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="{NAMESPACE}">{inner}</jobInfo>'.encode()


def parse_error(content: bytes) -> tuple[str, str]:
    """Exception code and message of an error answer; empty where it is none."""
    try:
        root = _root(content, "error")
    except Malformed:
        return "", ""
    told = texts(root)
    return told.get("exceptionCode", ""), told.get("exceptionMessage", "")


def parse_job(content: bytes) -> JobInfo:
    """A job; its counters count its batches' rows."""
    return _info(texts(_root(content, "jobInfo")), _JOB_STATES)


def parse_batch(content: bytes) -> JobInfo:
    """A batch, told like a job: its state is what the job is to whoever waits for its only batch."""
    return _info(texts(_root(content, "batchInfo")), _BATCH_STATES)


def parse_batches(content: bytes) -> tuple[JobInfo, ...]:
    """All batches of a job."""
    root = _root(content, "batchInfoList")
    return tuple(_info(texts(child), _BATCH_STATES) for child in root)


def parse_results(content: bytes, rows: int) -> tuple[RowReply, ...]:
    """What was said to each row, in the order of the request; to the first of `rows` only, when the batch ended early."""
    reader = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
    try:
        header = next(reader, [])
        found = list(reader)
    except csv.Error as fault:
        raise Malformed("the batch's result is cut or no CSV") from fault
    if tuple(header) != RESULT_HEADER:
        raise Malformed("the batch's result has another header")
    if len(found) > rows:
        raise Malformed(f"the batch's result has {len(found)} rows for {rows}")
    return tuple(_reply(cells) for cells in found)


def _reply(cells: Sequence[str]) -> RowReply:
    if len(cells) != len(RESULT_HEADER):
        raise Malformed("a row of the batch's result has too few or too many cells")
    record_id, success, created, error = cells
    if success.lower() != "true":
        return RowReply(id=record_id, success=False, faults=(_fault(error),))
    if not is_record_id(record_id):
        raise Malformed("a row succeeded with something that is no id")
    return RowReply(id=to_18(record_id), success=True, created=created.lower() == "true")


def _fault(error: str) -> RowFault:
    told = _FAULT.fullmatch(error)
    if told is None:
        return RowFault("UNKNOWN", error)
    fields = tuple(name.strip() for name in told.group(3).split(",") if name.strip())
    return RowFault(told.group(1), told.group(2), fields)


def _root(content: bytes, name: str) -> Element:
    root = root_of(content)
    if root is None or local(root) != name:
        raise Malformed(f"it is not the {name} that was expected")
    return root


def _info(told: Mapping[str, str], states: Mapping[str, JobState]) -> JobInfo:
    record_id = told.get("id", "")
    if not is_record_id(record_id):
        raise Malformed("a job or batch has no id")
    return JobInfo(
        id=to_18(record_id),
        state=states.get(told.get("state", ""), JobState.UNKNOWN),
        processed=_whole(told, "numberRecordsProcessed"),
        failed=_whole(told, "numberRecordsFailed"),
        error=told.get("stateMessage", ""),
        object=told.get("object", ""),
        operation=told.get("operation", ""),
        created=_time(told, "createdDate"),
        modified=_time(told, "systemModstamp"),
        processing_ms=_whole(told, "totalProcessingTime") or 0,
    )


def _time(told: Mapping[str, str], name: str) -> float | None:
    return parse_time(told[name]) if told.get(name) else None


def _whole(told: Mapping[str, str], name: str) -> int | None:
    found = told.get(name)
    if not found:
        return None
    if not (found.isascii() and found.isdigit()):
        raise Malformed(f"{name!r} is not a count")
    return int(found)
