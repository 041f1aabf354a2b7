"""Performing actions of the `bulk1-serial` lane: a Bulk API v1 job with one batch, followed to its results.

A batch is processed as soon as it is posted, so after a doubtful post the job is closed first (then nothing can arrive any
more), and what it holds is looked at. Results have no other name for a row than its place in the batch; they count only
where the batch that the org has is row for row the slice that was sent.

**Invariant:** like `work`, performs what was asked, once, and concludes nothing from a missing answer.
"""

from dataclasses import replace

from migrator.data import Engine
from migrator.executor import jobs
from migrator.executor.actions import (
    AttemptAction,
    AttemptSettled,
    CloseUpload,
    ConfirmClose,
    CreateJob,
    FenceBatch,
    Harvest,
    JobTold,
    Poll,
    Reply,
    ResultsBroken,
    Upload,
    UploadTaken,
)
from migrator.executor.run import Run
from migrator.model.run import Attempt, FileRef
from migrator.model.wire import JobInfo, JobState, RowFault
from migrator.salesforce import Bulk1, Org, RequestFailed, RowReply

#: what an answer that nobody gave is called, so that its row waits for the next round
NOT_PROCESSED = RowReply(id="", success=False, faults=(RowFault(jobs.UNPROCESSED),))


def perform_serial(org: Org, engine: Engine, run: Run, action: AttemptAction, attempt: Attempt) -> Reply:
    """Do it, and say what came of it. Raises RequestFailed."""
    bulk1 = org.bulk1
    match action:
        case CreateJob():
            step = jobs.sending(run.schedule.step(attempt.step))
            operation, external_id = jobs.operation(step).wire, jobs.external_id(step)
            rule = step.headers.assignment_rule
            return JobTold(bulk1.create(step.sobject, operation, external_id, assignment_rule=rule))
        case Upload():
            bulk1.add_batch(attempt.job_id, engine.workspace.verify(_slice(run, attempt)))
            return UploadTaken()
        case CloseUpload():
            return JobTold(bulk1.close(attempt.job_id))
        case ConfirmClose():
            return _closed(bulk1, attempt)
        case FenceBatch():
            return _fenced(bulk1, engine, run, attempt)
        case Poll():
            return _told(bulk1, attempt)
        case Harvest():
            return _harvest(bulk1, engine, run, attempt)
        case _:
            raise TypeError(f"{type(action).__name__} does not fit a serial job")


def _slice(run: Run, attempt: Attempt) -> FileRef:
    return run.slices[(attempt.step, attempt.slice)].file


def _closed(bulk1: Bulk1, attempt: Attempt) -> JobTold:
    """The job, closed now if it was open."""
    try:
        job = bulk1.job(attempt.job_id)
    except RequestFailed as failed:
        return _gone(attempt, failed)
    return JobTold(bulk1.close(attempt.job_id) if job.state is JobState.OPEN else job)


def _gone(attempt: Attempt, failed: RequestFailed) -> JobTold:
    if failed.status != 404 and failed.error_code != "InvalidJob":
        raise failed
    return JobTold(JobInfo(attempt.job_id, JobState.UNKNOWN), gone=True)


def _fenced(bulk1: Bulk1, engine: Engine, run: Run, attempt: Attempt) -> Reply:
    """What a doubtful post left: nothing (told as an aborted job that processed nothing), or the slice."""
    job = _closed(bulk1, attempt)
    if job.gone or job.job.state is JobState.OPEN:
        return job
    batches = bulk1.batches(attempt.job_id)
    if not batches:
        return JobTold(replace(job.job, state=JobState.ABORTED, processed=0))
    if len(batches) > 1:
        return ResultsBroken(f"its job has {len(batches)} batches, and one was sent")
    if not bulk1.same_request(attempt.job_id, batches[0].id, engine.workspace.verify(_slice(run, attempt))):
        return ResultsBroken("the batch that its job has is not what was sent")
    return JobTold(replace(job.job, state=JobState.UPLOAD_COMPLETE))


def _told(bulk1: Bulk1, attempt: Attempt) -> Reply:
    """The batch, told like a job."""
    try:
        batches = bulk1.batches(attempt.job_id)
    except RequestFailed as failed:
        return _gone(attempt, failed)
    if len(batches) != 1:
        return ResultsBroken(f"its job has {len(batches)} batches, and one was sent")
    return JobTold(replace(batches[0], id=attempt.job_id))


def _harvest(bulk1: Bulk1, engine: Engine, run: Run, attempt: Attempt) -> Reply:
    batches = bulk1.batches(attempt.job_id)
    if len(batches) != 1:
        return ResultsBroken(f"its job has {len(batches)} batches, and one was sent")
    batch = batches[0]
    if not bulk1.same_request(attempt.job_id, batch.id, engine.workspace.verify(_slice(run, attempt))):
        return ResultsBroken("the batch that its job has is not what was sent")
    answers = () if _untouched(batch) else bulk1.results(attempt.job_id, batch.id, attempt.rows)
    failed = sum(not one.success for one in answers)
    if (len(answers), failed) != (batch.processed or 0, batch.failed or 0):
        return ResultsBroken(
            f"the batch counts {batch.processed} rows, {batch.failed} failed; its result has {len(answers)}, {failed} failed"
        )
    answers += (NOT_PROCESSED,) * (attempt.rows - len(answers))
    kept = engine.write_replies(attempt.step, attempt.slice, attempt.id, jobs.replies(answers))
    return AttemptSettled(engine.settle_rest(jobs.settle_rest(run, attempt, kept)))


def _untouched(batch: JobInfo) -> bool:
    """Whether the batch ended before any row of it was looked at; then it may have no result to fetch."""
    return batch.state is not JobState.JOB_COMPLETE and not batch.processed
