"""Salesforce's JSON forms → frozen values. Pure; no transport here.

**Invariant:** a form that is not as documented raises `Malformed`, never `KeyError`; what a later release adds is ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from migrator.model.ids import is_record_id, to_18
from migrator.model.wire import JobInfo, JobState, Limit, Limits, RowFault


class Malformed(ValueError):  # noqa: N818 - says what the answer is
    """An answer whose form is not the documented one; the text names the part, never a value."""


@dataclass(frozen=True, slots=True)
class RowReply:
    """Salesforce's answer to one record of a collections request. `created`: None when it does not say."""

    id: str
    success: bool
    created: bool | None = None
    faults: tuple[RowFault, ...] = ()


def as_object(body: Any, part: str) -> Mapping[str, Any]:
    """`body` as a JSON object."""
    if not isinstance(body, Mapping):
        raise Malformed(f"{part} is not a JSON object")
    return body


def as_list(body: Any, part: str) -> Sequence[Any]:
    """`body` as a JSON array."""
    if not isinstance(body, list):
        raise Malformed(f"{part} is not a JSON array")
    return body


def _text(body: Mapping[str, Any], key: str, part: str) -> str:
    found = body.get(key)
    if not isinstance(found, str):
        raise Malformed(f"{part} has no text {key!r}")
    return found


def _whole(body: Mapping[str, Any], key: str) -> int | None:
    found = body.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise Malformed(f"{key!r} is not a count")
    return found


def parse_time(text: str) -> float:
    """Epoch seconds of `2024-09-09T19:25:27.000+0000`, also with `Z` or a colon in the offset."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as fault:
        raise Malformed("a time is not in ISO form") from fault


def _time(body: Mapping[str, Any], key: str) -> float | None:
    found = body.get(key)
    return parse_time(found) if isinstance(found, str) else None


def parse_job_state(text: str) -> JobState:
    """The job state; one that a later release adds is UNKNOWN."""
    try:
        return JobState(text)
    except ValueError:
        return JobState.UNKNOWN


def parse_job_info(body: Any) -> JobInfo:
    """An ingest or query job, in the long form or the short one."""
    job = as_object(body, "job info")
    return JobInfo(
        id=_record_id(_text(job, "id", "job info")),
        state=parse_job_state(_text(job, "state", "job info")),
        processed=_whole(job, "numberRecordsProcessed"),
        failed=_whole(job, "numberRecordsFailed"),
        error=str(job.get("errorMessage") or ""),
        created=_time(job, "createdDate"),
        modified=_time(job, "systemModstamp"),
        object=str(job.get("object") or ""),
        operation=str(job.get("operation") or ""),
        retries=_whole(job, "retries") or 0,
        processing_ms=_whole(job, "totalProcessingTime") or 0,
        created_by=str(job.get("createdById") or ""),
    )


def _record_id(text: str) -> str:
    if not is_record_id(text):
        raise Malformed("an id is not a record id")
    return to_18(text)


def parse_row_replies(body: Any, count: int) -> tuple[RowReply, ...]:
    """The answers of a collections request, in the order of its records; there must be `count` of them."""
    rows = as_list(body, "collections answer")
    if len(rows) != count:
        raise Malformed(f"{count} records were sent and {len(rows)} answered")
    return tuple(_row_reply(as_object(one, "collections row")) for one in rows)


def _row_reply(row: Mapping[str, Any]) -> RowReply:
    success, created = row.get("success"), row.get("created")
    if not isinstance(success, bool):
        raise Malformed("a collections row does not say whether it succeeded")
    found = row.get("id")
    if success and not isinstance(found, str):
        raise Malformed("a successful collections row has no id")
    return RowReply(
        id=_record_id(found) if isinstance(found, str) and found else "",
        success=success,
        created=created if isinstance(created, bool) else None,
        faults=tuple(_row_fault(as_object(one, "row fault")) for one in row.get("errors") or ()),
    )


def _row_fault(body: Mapping[str, Any]) -> RowFault:
    # collections rows say `statusCode`, single-row errors `errorCode`
    return RowFault(
        code=str(body.get("statusCode") or body.get("errorCode") or "UNKNOWN"),
        message=str(body.get("message") or ""),
        fields=tuple(str(one) for one in body.get("fields") or ()),
    )


def parse_error(body: Any) -> tuple[str, str]:
    """Salesforce's error code and message of an error answer: an array of errors, or OAuth's object; else empty."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, Mapping):
        return "", ""
    code = first.get("errorCode") or first.get("error") or first.get("exceptionCode") or ""
    message = first.get("message") or first.get("error_description") or first.get("exceptionMessage") or ""
    return str(code), str(message)


def parse_limits(body: Any) -> Limits:
    """The entries of `GET /limits` that have a maximum and a rest."""
    return {
        name: Limit(name, entry["Max"], entry["Remaining"])
        for name, entry in sorted(as_object(body, "limits").items())
        if isinstance(entry, Mapping)
        and isinstance(entry.get("Max"), int)
        and isinstance(entry.get("Remaining"), int)
    }


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list that continues at a URL of the org."""

    total: int | None
    records: tuple[Mapping[str, Any], ...]
    next_url: str


def parse_list_page(body: Any) -> ListPage:
    """One page of `query` or of a job list."""
    page = as_object(body, "list page")
    done, following = page.get("done"), page.get("nextRecordsUrl")
    if not isinstance(done, bool):
        raise Malformed("a list page does not say whether it is the last")
    if not done and not isinstance(following, str):
        raise Malformed("a list page is not the last and names no next one")
    records = as_list(page.get("records"), "the records of a list page")
    return ListPage(
        total=_whole(page, "totalSize"),
        records=tuple(as_object(one, "record") for one in records),
        next_url="" if done else str(following),
    )


def parse_names(body: Any) -> tuple[str, ...]:
    """The sObject names of describe global, sorted."""
    found = as_list(as_object(body, "describe global").get("sobjects"), "the sObjects of describe global")
    return tuple(sorted(_text(as_object(one, "sObject"), "name", "sObject") for one in found))
