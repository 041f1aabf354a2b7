"""The resources of Bulk API 2.0 query: make, watch, abort, list and delete query jobs, and page through their results."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from migrator.simulator.bulk.csvdialect import DELIMITERS, LINE_ENDINGS, write_rows
from migrator.simulator.bulk.v2.create import choice, invalid_value, refusal
from migrator.simulator.bulk.v2.ingest import CSV_TYPE, page_of_jobs
from migrator.simulator.bulk.v2.job import JobState
from migrator.simulator.bulk.v2.query_job import QueryJob, QuerySpec, QueryWork
from migrator.simulator.http import ApiError, Headers, Response, answer, not_found
from migrator.simulator.ids import to_18
from migrator.simulator.limits import Limits
from migrator.simulator.orgstate import OrgState
from migrator.simulator.query.definitions import NAMES as DEFINITIONS
from migrator.simulator.query.faults import QueryFault
from migrator.simulator.query.select import bulk_rows, check_bulk, parse_query
from migrator.simulator.router import Call, Route

SINCE, PAGES_SINCE = 47, 58  # API versions
RESULT_PAGES = 5  # pages named by one answer of resultPages
_JOBS = "/services/data/v{version}/jobs/query"
_JOB = _JOBS + "/{id}"
_TERMINATED = "Error encountered when deleting the job because the job is not terminated"


def routes() -> list[Route]:
    """The routes of query jobs."""
    return [
        Route("POST", _JOBS, create, since=SINCE),
        Route("GET", _JOBS, list_jobs, since=SINCE),
        Route("GET", _JOB, show, since=SINCE),
        Route("PATCH", _JOB, change, since=SINCE),
        Route("DELETE", _JOB, delete, since=SINCE),
        Route("GET", _JOB + "/results", results, since=SINCE),
        Route("GET", _JOB + "/resultPages", result_pages, since=PAGES_SINCE),
        Route("GET", _JOB + "/resultpages", result_pages, since=PAGES_SINCE),
    ]


def create(org: OrgState, call: Call) -> Response:
    """Make a job; it begins by itself."""
    asked = call.request.json()
    if not isinstance(asked, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
    spec = _spec(org, asked, call.now, call.user_id)
    limits = org.part(Limits)
    if not limits.query_storage.left(call.now):
        text = f"Max bulk v2 query result size stored ({org.settings.query_storage_mb * 1_024}) kb per 24 hrs"
        raise refusal("EXCEEDED_QUOTA", f"{text} has been exceeded")
    if not limits.query_jobs.take(call.now):
        text = f"Max bulk v2 query jobs ({limits.query_jobs.limit}) per 24 hrs has been reached"
        raise refusal("EXCEEDED_QUOTA", text)
    job = org.part(QueryWork).create(spec, call.version, call.user_id, call.now)
    return answer(job.create_form(), pretty=True)


def _spec(org: OrgState, asked: Mapping[str, Any], now: float, user_id: str) -> QuerySpec:
    operation = choice(asked, "operation", ["query", "queryAll"])
    choice(asked, "contentType", ["CSV"], "CSV")
    delimiter = choice(asked, "columnDelimiter", DELIMITERS, "COMMA")
    line_ending = choice(asked, "lineEnding", LINE_ENDINGS, "LF")
    text = asked.get("query") or ""
    if not isinstance(text, str) or not text.strip():
        raise invalid_value("", "query")
    try:
        query = parse_query(text)
        check_bulk(query, org.sobject(query.sobject))
        bulk_rows(org.store, query, now, include_deleted=False, schema=org.view(user_id).schema)
    except QueryFault as fault:
        raise refusal(fault.code, fault.text(text)) from None
    if query.sobject.lower() in DEFINITIONS:
        raise refusal("INVALIDENTITY", f"Entity '{query.sobject}' is not supported by the Bulk API.")
    sobject = org.sobject(query.sobject)
    return QuerySpec(
        operation, text, query, sobject.name if sobject else query.sobject, delimiter, line_ending
    )


def show(org: OrgState, call: Call) -> Response:
    """The job."""
    return answer(_job(org, call).info_form(), pretty=True)


def change(org: OrgState, call: Call) -> Response:
    """Abort a job."""
    job = _job(org, call)
    asked = call.request.json()
    wanted = asked.get("state") if isinstance(asked, dict) else None
    if wanted != JobState.ABORTED:
        raise invalid_value("" if wanted is None else wanted, "state")
    if job.state.terminal:
        word = "Completed" if job.state is JobState.JOB_COMPLETE else job.state.value
        raise refusal("INVALIDJOBSTATE", f"Aborting already {word} Job not allowed")
    job.enter(JobState.ABORTED, call.now)
    return answer(job.short_form(), pretty=True)


def delete(org: OrgState, call: Call) -> Response:
    """Forget a job that ended."""
    job = _job(org, call)
    if not job.state.terminal:
        raise refusal("API_ERROR", _TERMINATED)
    del org.part(QueryWork).jobs[job.id]
    return Response(204)


def list_jobs(org: OrgState, call: Call) -> Response:
    """Jobs, a thousand at a time."""
    query = call.request.query
    jobs = list(org.part(QueryWork).jobs.values())
    if query.get("isPkChunkingEnabled", "").lower() == "true" or query.get("jobType", "V2Query") != "V2Query":
        jobs = []
    return answer(page_of_jobs(call, [job.list_form() for job in jobs], "jobs/query"), pretty=True)


# --- results -----------------------------------------------------------------------------------------------------


def results(org: OrgState, call: Call) -> Response:
    """A page of the result; every page has the header row."""
    job = _complete(org, call)
    query = call.request.query
    start = _start(query.get("locator", ""), job)
    size = _size(query.get("maxRecords", ""), org.settings.bulk_page)
    stop = min(job.rows, start + size)
    headers = {
        "Content-Type": CSV_TYPE,
        "Sforce-NumberOfRecords": str(stop - start),
        "Sforce-Locator": locator(stop) if stop < job.rows else "null",
    }

    def body() -> Iterator[bytes]:
        yield write_rows([job.columns], job.spec.dialect).encode()
        yield from job.page(start, stop)

    return Response(200, Headers(headers), body())


def result_pages(org: OrgState, call: Call) -> Response:
    """The addresses of the next pages, to be fetched side by side."""
    job = _complete(org, call)
    size = org.settings.bulk_page
    start = _start(call.request.query.get("locator", ""), job)
    base = f"{call.base}/jobs/query/{job.id}"
    starts = [start + size * place for place in range(RESULT_PAGES)]
    shown = [
        {"resultUrl": f"{base}/results?locator={locator(each)}"} for each in starts if each < max(job.rows, 1)
    ]
    after = start + size * RESULT_PAGES
    done = after >= job.rows
    following = None if done else f"{base}/resultpages?locator={locator(after)}"
    return answer({"resultPages": shown, "nextRecordsUrl": following, "done": done}, pretty=True)


def locator(row: int) -> str:
    """The opaque name of a place in a result."""
    return base64.b64encode(str(row).encode()).decode().rstrip("=")


def _start(text: str, job: QueryJob) -> int:
    if not text:
        return 0
    try:
        row = int(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (ValueError, binascii.Error):
        row = -1
    if not 0 <= row <= job.rows:
        raise refusal("INVALID_QUERY_LOCATOR", f"invalid query locator: {text}")
    return row


def _size(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or not int(text):
        raise invalid_value(text, "maxRecords")
    return int(text)


def _complete(org: OrgState, call: Call) -> QueryJob:
    job = _job(org, call)
    if job.version != call.version:
        text = f"The job was created in API version {job.version} and cannot be read in {call.version}"
        raise ApiError(409, "API_VERSION_CONFLICT", text, code_first=True)
    if job.state is not JobState.JOB_COMPLETE:
        raise refusal("INVALIDJOBSTATE", f"Results of a job in state {job.state} are not available")
    return job


def _job(org: OrgState, call: Call) -> QueryJob:
    found = org.part(QueryWork).jobs.get(to_18(call.params["id"]))
    if found is None:
        raise not_found()
    return found
