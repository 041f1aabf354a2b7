"""The tiny org as Bulk API v1 shows it: a batch works from the moment it is posted, and results are told by place."""

from dataclasses import replace

from migrator.executor.actions import (
    AttemptAction,
    AttemptSettled,
    CloseUpload,
    ConfirmClose,
    FenceBatch,
    Harvest,
    JobTold,
    Poll,
    Reply,
    RequestLost,
    ResultsBroken,
    StepAction,
    Upload,
    UploadTaken,
)
from migrator.executor.run import Run
from migrator.model.run import Attempt
from migrator.model.schedule import Lane
from migrator.model.wire import JobInfo, JobState, Sent
from tests.protocol.world import Job, World


class SerialWorld(World):
    """Jobs of which `content` is the only batch, and `closed` says that no batch can arrive any more."""

    lane = Lane.BULK1_SERIAL
    endings = 4

    def perform(self, run: Run, action: StepAction | AttemptAction) -> Reply:
        """Do what the action asks, disturbed as the script chooses."""
        match action:
            case Upload() | CloseUpload() | ConfirmClose() | FenceBatch() | Poll() | Harvest():
                attempt = run.live[action.attempt]
                answer = self.looked_up(run, action)
                if answer is not None:
                    return answer
            case _:
                return super().perform(run, action)
        if self.late and self.script.choose(2) == 0:
            self.late.pop(0)()
        match action:
            case Upload():
                return self._disturbed(lambda: self._post(run, attempt), late=True)
            case CloseUpload():
                return self._disturbed(lambda: self._close(attempt.job_id), late=True)
            case ConfirmClose():
                return self._disturbed(lambda: self._ensure_closed(attempt.job_id), late=True)
            case FenceBatch():
                return self._disturbed(lambda: self._fence(run, attempt), late=False)
            case Poll():
                return self._disturbed(lambda: self._poll_batch(attempt.job_id), late=False)
            case _:
                return self._harvest_batch(attempt)

    def _post(self, run: Run, attempt: Attempt) -> Reply:
        job = self.jobs[attempt.job_id]
        if job.closed:
            return RequestLost(Sent.YES, 400, "InvalidJobState", "not open")
        rows = self.files[run.slices[(attempt.step, attempt.slice)].file.path]
        # a second batch would be another one: the org does not know that it is the same
        job.content = (*(job.content or ()), *rows)
        if self.script.choose(2) == 0:
            self._work(job)
        return UploadTaken()

    def _close(self, name: str) -> Reply:
        job = self.jobs[name]
        if job.closed:
            return RequestLost(Sent.YES, 400, "InvalidJobState", "not open")
        job.closed = True
        return JobTold(JobInfo(name, JobState.UPLOAD_COMPLETE))

    def _ensure_closed(self, name: str) -> Reply:
        self.jobs[name].closed = True
        return JobTold(JobInfo(name, JobState.UPLOAD_COMPLETE))

    def _fence(self, run: Run, attempt: Attempt) -> Reply:
        self._ensure_closed(attempt.job_id)
        content = self.jobs[attempt.job_id].content
        told = JobInfo(attempt.job_id, JobState.UPLOAD_COMPLETE)
        if content is None:
            return JobTold(replace(told, state=JobState.ABORTED, processed=0))
        if content != self.files[run.slices[(attempt.step, attempt.slice)].file.path]:
            return ResultsBroken("not what was sent")
        return JobTold(told)

    def _poll_batch(self, name: str) -> Reply:
        job = self.jobs[name]
        if job.content is None:
            return ResultsBroken("no batch")
        if not job.state.terminal:
            self._work(job)
        return self._told(name)

    def _harvest_batch(self, attempt: Attempt) -> Reply:
        reply = self._harvest(attempt, told=False)
        job: Job = self.jobs[attempt.job_id]
        if isinstance(reply, AttemptSettled) and len(job.content or ()) != attempt.rows:
            return ResultsBroken("not what was sent")
        return reply
