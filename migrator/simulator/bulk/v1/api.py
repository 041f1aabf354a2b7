"""The resources of Bulk API v1: make, watch, close or abort jobs, post batches, fetch their requests and results."""

from collections.abc import Iterator

from migrator.simulator.bulk.check import JobRefused, check_owner
from migrator.simulator.bulk.spool import spool_of
from migrator.simulator.bulk.transaction import NO_DATA
from migrator.simulator.bulk.v1.answers import (
    batch_answer,
    job_answer,
    list_answer,
    refused,
    result_list_answer,
)
from migrator.simulator.bulk.v1.content import RESULTS
from migrator.simulator.bulk.v1.create import read_info, read_spec
from migrator.simulator.bulk.v1.job import Batch, BatchState, Job, JobState
from migrator.simulator.bulk.v1.work import Work
from migrator.simulator.http import Headers, Response
from migrator.simulator.ids import to_18
from migrator.simulator.limits import Limits
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route

MAX_BATCH = 10_000_000  # bytes of one batch; "Limits"
_JOBS = "/services/async/{version}/job"
_JOB = _JOBS + "/{id}"
_BATCH = _JOB + "/batch/{batch}"


def routes() -> list[Route]:
    """The routes of jobs and batches."""
    return [
        Route("POST", _JOBS, create),
        Route("GET", _JOB, show),
        Route("POST", _JOB, change),
        Route("POST", _JOB + "/batch", submit),
        Route("GET", _JOB + "/batch", list_batches),
        Route("GET", _BATCH, show_batch),
        Route("GET", _BATCH + "/request", request_of),
        Route("GET", _BATCH + "/result", result),
        Route("GET", _BATCH + "/result/{result}", query_result),
    ]


def create(org: OrgState, call: Call) -> Response:
    """Make a job."""
    spec = read_spec(org, call.request, call.user_id)
    job = org.part(Work).create(spec, call.version, call.user_id, call.now)
    return job_answer(call.request, job, status=201)


def show(org: OrgState, call: Call) -> Response:
    """The job with its counters."""
    return job_answer(call.request, _job(org, call))


def change(org: OrgState, call: Call) -> Response:
    """Close a job: it takes no more batches. Or abort it."""
    job = _own_job(org, call)
    wanted = read_info(call.request).get("state", "")
    unfinished = any(not batch.state.terminal for batch in job.batches.values())
    if wanted == JobState.CLOSED:
        if job.state is not JobState.OPEN:
            raise refused("InvalidJobState", f"Closing already {job.state} Job not allowed")
        job.enter(JobState.CLOSED, call.now)
    elif wanted == JobState.ABORTED:
        if job.state is JobState.ABORTED or (job.state is JobState.CLOSED and not unfinished):
            word = "Completed" if job.state is JobState.CLOSED else job.state.value
            raise refused("InvalidJobState", f"Aborting already {word} Job not allowed")
        org.part(Work).abort(job, call.now)
    else:
        raise refused("InvalidJobState", f"Invalid job state: {wanted}")
    return job_answer(call.request, job)


# --- batches -----------------------------------------------------------------------------------------------------


def submit(org: OrgState, call: Call) -> Response:
    """Take a batch unseen; one for a job that takes none counts against the allocation as well."""
    job = _own_job(org, call)
    if not org.part(Limits).batches.take(call.now):
        raise refused("ExceededQuota", "ApiBatchItems Limit exceeded.")
    if job.state is not JobState.OPEN:
        raise refused("InvalidJobState", "Failed to create batch, since the Job is not Open")
    data = spool_of(call.request.body, call.request.stream)
    if data.size > MAX_BATCH:
        raise refused("ClientInputError", f"Failed to read request. Exceeded max size limit of {MAX_BATCH}")
    if not data.size:
        raise refused("ClientInputError", NO_DATA)
    kind = call.request.headers.get("Content-Type", "text/csv")
    batch = org.part(Work).submit(job, data.read(0, data.size), kind, call.now)
    return batch_answer(call.request, job, batch, status=201)


def list_batches(org: OrgState, call: Call) -> Response:
    """All batches of a job."""
    return list_answer(call.request, _job(org, call))


def show_batch(org: OrgState, call: Call) -> Response:
    """A batch with its counters."""
    job, batch = _batch(org, call)
    return batch_answer(call.request, job, batch)


def request_of(org: OrgState, call: Call) -> Response:
    """What was posted, byte for byte."""
    _, batch = _batch(org, call)
    return Response(200, Headers({"Content-Type": batch.request_type}), batch.request.stream())


def result(org: OrgState, call: Call) -> Response:
    """What became of the rows, in the order of the request; or the ids of a query's results."""
    job, batch = _ended(org, call)
    if job.spec.is_query:
        return result_list_answer(call.request, job, batch)
    form = RESULTS[job.spec.content]

    def body() -> Iterator[bytes]:
        yield form.head
        yield from batch.result.stream()
        yield form.tail

    return Response(200, Headers({"Content-Type": form.type}), body())


def query_result(org: OrgState, call: Call) -> Response:
    """One result of a query."""
    job, batch = _ended(org, call)
    if to_18(call.params["result"]) not in batch.results:
        raise refused("InvalidBatch", f"Unable to find result: {call.params['result']}")
    return Response(200, Headers({"Content-Type": RESULTS[job.spec.content].type}), batch.result.stream())


# --- by id -------------------------------------------------------------------------------------------------------


def _own_job(org: OrgState, call: Call) -> Job:
    """The job in the path, if the user may change it."""
    job = _job(org, call)
    try:
        check_owner(org, job.created_by, call.user_id)
    except JobRefused as refusal:
        raise refused(refusal.code, refusal.text) from None
    return job


def _job(org: OrgState, call: Call) -> Job:
    found = org.part(Work).jobs.get(to_18(call.params["id"]))
    if found is None:
        raise refused("InvalidJob", f"Unable to find job for id: {call.params['id']}")
    return found


def _batch(org: OrgState, call: Call) -> tuple[Job, Batch]:
    job = _job(org, call)
    found = job.batches.get(to_18(call.params["batch"]))
    if found is None:
        raise refused("InvalidBatch", f"Unable to find batch for id: {call.params['batch']}")
    return job, found


def _ended(org: OrgState, call: Call) -> tuple[Job, Batch]:
    job, batch = _batch(org, call)
    if not batch.state.terminal:
        raise refused("InvalidBatch", "Batch not completed")
    if batch.state is not BatchState.COMPLETED and not batch.done:
        raise refused("InvalidBatch", batch.message or "Records not processed")
    return job, batch
