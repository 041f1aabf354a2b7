"""The resources of Bulk API 2.0 ingest: make, fill, close or abort, watch, list and delete jobs, and fetch their results."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from migrator.simulator.bulk.check import JobRefused, check_owner
from migrator.simulator.bulk.classic import ClassicJobs
from migrator.simulator.bulk.csvdialect import CsvFault, lay_out, read_batch, write_header, write_rows
from migrator.simulator.bulk.spool import spool_of
from migrator.simulator.bulk.transaction import BATCH_ROWS
from migrator.simulator.bulk.v2.create import invalid_value, read_creation, read_spec, refusal, worded
from migrator.simulator.bulk.v2.job import IngestJob, JobState
from migrator.simulator.bulk.v2.query_job import QueryWork
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.simulator.http import ApiError, Headers, Response, answer, not_found
from migrator.simulator.ids import to_18
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route

MAX_BASE64 = 150_000_000  # bytes of an upload once it is in base64; "Limits"
LIST_PAGE = 1_000
SINCE = 41  # API version
CSV_TYPE = "text/csv; charset=UTF-8"
_JOBS = "/services/data/v{version}/jobs/ingest"
_JOB = _JOBS + "/{id}"
_TERMINATED = "Error encountered when deleting the job because the job is not terminated"
_WORDS = {
    JobState.JOB_COMPLETE: "Completed",
    JobState.ABORTED: "Aborted",
    JobState.FAILED: "Failed",
    JobState.UPLOAD_COMPLETE: "Closed",
    JobState.IN_PROGRESS: "Closed",
}


def routes() -> list[Route]:
    """The routes of ingest jobs."""
    return [
        Route("POST", _JOBS, create, since=SINCE),
        Route("GET", _JOBS, list_jobs, since=SINCE),
        Route("GET", _JOB, show, since=SINCE),
        Route("PATCH", _JOB, change, since=SINCE),
        Route("DELETE", _JOB, delete, since=SINCE),
        Route("PUT", _JOB + "/batches", upload, since=SINCE),
        Route("GET", _JOB + "/successfulResults", successful, since=SINCE),
        Route("GET", _JOB + "/failedResults", failed, since=SINCE),
        Route("GET", _JOB + "/unprocessedrecords", unprocessed, since=SINCE),
        Route("GET", _JOB + "/unprocessedRecords", unprocessed, since=SINCE),
    ]


def create(org: OrgState, call: Call) -> Response:
    """Make a job; with its data in one multipart request, close it as well."""
    asked = read_creation(call.request)
    spec = read_spec(org, asked.asked, call.user_id)
    work = org.part(IngestWork)
    job = work.create(spec, call.version, call.user_id, call.now)
    if asked.content is not None:
        job.upload = spool_of(asked.content)
        work.close(job, call.now)
    return _show(job.create_form())


def upload(org: OrgState, call: Call) -> Response:
    """Take the data of a job: once, and unseen."""
    job = _own_job(org, call)
    if job.upload is not None and job.state is JobState.OPEN:
        if call.request.raced:
            job.contents += 1
            return Response(201)
        raise _multiple_contents(job)
    if job.state is not JobState.OPEN:
        raise refusal("INVALIDJOBSTATE", f"Uploading data to a job in state {job.state} not allowed")
    data = spool_of(call.request.body, call.request.stream)
    if (data.size + 2) // 3 * 4 > MAX_BASE64:
        raise refusal(
            "BULK_API_ERROR", f"Exceeded max size of {MAX_BASE64} bytes for the job's data in base64"
        )
    job.upload = data
    return Response(201)


def _multiple_contents(job: IngestJob) -> ApiError:
    advice = "make sure you only do 'PUT' once on a given Job."
    start = f"Found multipe contents for job: <{job.id[:15]}>, please 'Close' / 'Abort' / 'Delete' the current Job"
    return refusal("BULK_API_ERROR", f"{start} then create a new Job and {advice}")


def change(org: OrgState, call: Call) -> Response:
    """Close or abort a job."""
    job = _own_job(org, call)
    asked = call.request.json()
    wanted = asked.get("state") if isinstance(asked, dict) else None
    work = org.part(IngestWork)
    if wanted == JobState.ABORTED:
        if job.state.terminal:
            raise refusal("INVALIDJOBSTATE", f"Aborting already {_WORDS[job.state]} Job not allowed")
        work.stop(job, JobState.ABORTED, call.now)
    elif wanted == JobState.UPLOAD_COMPLETE:
        if job.state is not JobState.OPEN:
            raise refusal("INVALIDJOBSTATE", f"Closing already {_WORDS[job.state]} Job not allowed")
        if job.contents > 1:
            raise _multiple_contents(job)
        work.close(job, call.now)
    else:
        raise invalid_value("" if wanted is None else wanted, "state")
    return _show(job.short_form())


def show(org: OrgState, call: Call) -> Response:
    """The job with its counters."""
    return _show(_job(org, call).info_form())


def delete(org: OrgState, call: Call) -> Response:
    """Forget a job that is not being processed."""
    job = _own_job(org, call)
    if job.state in {JobState.OPEN, JobState.IN_PROGRESS}:
        raise refusal("API_ERROR", _TERMINATED)
    work = org.part(IngestWork)
    if not job.state.terminal:
        work.stop(job, JobState.ABORTED, call.now)
    del work.jobs[job.id]
    return Response(204)


def list_jobs(org: OrgState, call: Call) -> Response:
    """Jobs, a thousand at a time: those of Bulk API v1 as well, unless one kind is asked for."""
    query = call.request.query
    kind = query.get("jobType", "")
    listed: list[dict[str, Any]] = []
    if kind in {"", "V2Ingest"}:
        listed += [job.list_form() for job in org.part(IngestWork).jobs.values()]
    if kind in {"", "Classic"}:
        listed += org.part(ClassicJobs).listed()
    if query.get("isPkChunkingEnabled", "").lower() == "true":
        chunked = org.part(ClassicJobs).chunked
        listed = [each for each in listed if each["id"] in chunked]
    return _show(page_of_jobs(call, listed, "jobs/ingest"))


def page_of_jobs(call: Call, listed: list[dict[str, Any]], resource: str) -> dict[str, Any]:
    """One page of a list of jobs."""
    start = _list_start(call.request.query.get("queryLocator", ""))
    stop = start + LIST_PAGE
    done = stop >= len(listed)
    following = None if done else f"{call.base}/{resource}?queryLocator=01g000000000000AAA-{stop}"
    return {"done": done, "records": listed[start:stop], "nextRecordsUrl": following}


def _list_start(locator: str) -> int:
    place = locator.rpartition("-")[2]
    if not locator:
        return 0
    if not place.isdecimal():
        raise refusal("INVALID_QUERY_LOCATOR", f"invalid query locator: {locator}")
    return int(place)


# --- results -----------------------------------------------------------------------------------------------------


def successful(org: OrgState, call: Call) -> Response:
    """The rows that were done."""
    job = _ended(org, call)
    return _csv(job, ["sf__Id", "sf__Created"], job.good.shuffled(_seed(org, job)))


def failed(org: OrgState, call: Call) -> Response:
    """The rows that were refused, with the reason; a query job has none, and the header is quoted."""
    query = org.part(QueryWork).jobs.get(to_18(call.params["id"]))
    if query is not None and query.state is JobState.JOB_COMPLETE:
        header = write_rows([("sf__Id", "sf__Error", *query.columns)], query.spec.dialect)
        return Response(200, Headers({"Content-Type": CSV_TYPE}), header.encode())
    job = _ended(org, call)
    return _csv(job, ["sf__Id", "sf__Error"], job.bad.shuffled(_seed(org, job)))


def unprocessed(org: OrgState, call: Call) -> Response:
    """The rows that nothing was done with."""
    job = _ended(org, call)
    if job.layout is None and job.upload is not None and job.state is not JobState.JOB_COMPLETE:
        return Response(200, Headers({"Content-Type": CSV_TYPE}), job.upload.stream())
    return _csv(job, [], _unprocessed_rows(job))


def _unprocessed_rows(job: IngestJob) -> Iterator[bytes]:
    if job.layout is None or job.upload is None:
        return
    done = {batch.number: batch.done for batch in job.batches}
    started = {batch.number for batch in job.batches if batch.started}
    for number, span in enumerate(job.layout.spans):
        if done.get(number, 0) >= span.rows or (job.over_allocation and number not in started):
            continue
        rows = read_batch(job.upload.read(span.start, span.end - span.start), job.spec.dialect)
        yield write_rows(islice(rows, done.get(number, 0), None), job.spec.dialect).encode()


def _csv(job: IngestJob, added: list[str], parts: Iterator[bytes]) -> Response:
    original = job.layout.header if job.layout else ()
    header = write_header(added, original, job.spec.dialect).encode() if added or original else b""

    def body() -> Iterator[bytes]:
        yield header
        yield from parts

    return Response(200, Headers({"Content-Type": CSV_TYPE}), body())


def _seed(org: OrgState, job: IngestJob) -> str:
    return f"{org.settings.seed}:{job.number}" if org.settings.shuffle_results else ""


# --- jobs by id --------------------------------------------------------------------------------------------------


def _own_job(org: OrgState, call: Call) -> IngestJob:
    """The job in the path, if the user may change it."""
    job = _job(org, call)
    try:
        check_owner(org, job.created_by, call.user_id)
    except JobRefused as refused:
        raise worded(refused) from None
    return job


def _job(org: OrgState, call: Call) -> IngestJob:
    found = org.part(IngestWork).jobs.get(to_18(call.params["id"]))
    if found is None:
        raise not_found()
    return found


def _ended(org: OrgState, call: Call) -> IngestJob:
    job = _job(org, call)
    if not job.state.terminal:
        raise refusal("INVALIDJOBSTATE", f"Results of a job in state {job.state} are not available")
    if job.layout is None and job.upload is not None and job.upload.size:
        with suppress(CsvFault):  # then there is no header to show
            job.layout = lay_out(
                job.upload.file(), job.spec.dialect, BATCH_ROWS
            )  # it ended before anybody looked
    return job


def _show(value: dict[str, Any]) -> Response:
    return answer(value, pretty=True)
