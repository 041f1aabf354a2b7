"""The jobs of Bulk API v1 and the work on their batches.

Batches begin when they are posted, closed or not. Those of a parallel job go side by side; those of all serial jobs of the
org go one at a time, next to the parallel ones.

**Invariant:** a batch's result holds an answer for exactly the rows that were processed, in the order of the request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from migrator.simulator.bulk.classic import ClassicJobs
from migrator.simulator.bulk.csvdialect import CsvFault
from migrator.simulator.bulk.faults import JobFaults
from migrator.simulator.bulk.slots import Slots, Turn
from migrator.simulator.bulk.transaction import (
    CHUNK_ROWS,
    KEPT_FOR,
    MAX_LOCK_FAILURES,
    OPEN_FOR,
    SWEEP,
    TOO_MANY_LOCKS,
    fits,
    run_rows,
)
from migrator.simulator.bulk.v1.content import RESULTS, BatchFault, read_request
from migrator.simulator.bulk.v1.job import Batch, BatchState, Concurrency, Job, JobSpec, JobState, list_form
from migrator.simulator.bulk.v1.query import QueryQueue
from migrator.simulator.bulk.v1.zipped import Archive
from migrator.simulator.faults.model import JobFaultKind
from migrator.simulator.locks.misses import misses
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Compiled, Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import ChunkResult, HeaderFault, RowError

MAX_RETRIES = 10  # of a batch that meets locks; Bulk API guide, "Batch Retry Header"
MAX_SECONDS = 600.0  # of a batch in one go; Bulk API guide, "Limits"
TOO_LONG = f"Timeout : Retried more than {MAX_RETRIES} times"
_SERIAL = "serial"  # the lane of all serial jobs
_ABORTED = "InvalidJobState : The job was aborted"


class Work:
    """The jobs of one org; `org.part(Work)`."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self.jobs: dict[str, Job] = {}
        self._swept = 0.0
        self._slots = org.part(Slots)
        self._slots.feeders.append(self._sweep)
        self._queries = org.part(QueryQueue)
        self._classic = org.part(ClassicJobs)
        self._classic.listed = lambda: [list_form(job) for job in self.jobs.values()]

    def create(self, spec: JobSpec, version: str, user_id: str, now: float) -> Job:
        """A new job, open for batches."""
        job = Job(self.org.new_id("750"), spec, version, user_id, now, now)
        self.jobs[job.id] = job
        if spec.chunking is not None:
            self._classic.chunked.add(job.id)
        return job

    def submit(self, job: Job, request: bytes, request_type: str, now: float) -> Batch:
        """A new batch; it begins by itself."""
        batch = job.add(self.org.new_id("751"), request, request_type, now)
        if job.spec.is_query:
            self._queries.add(job, batch)
        elif job.spec.concurrency is Concurrency.SERIAL:
            self._slots.enqueue(_Run(self, job, batch), now, lane=_SERIAL, width=1)
        else:
            self._slots.enqueue(_Run(self, job, batch), now, lane=job.id)
        return batch

    def abort(self, job: Job, now: float) -> None:
        """End a job where it is; what is done stays done."""
        job.enter(JobState.ABORTED, now)
        self._slots.drop(job.id, now)
        for batch in job.batches.values():
            if not batch.state.terminal:
                state = BatchState.FAILED if batch.done else BatchState.NOT_PROCESSED
                batch.enter(state, now, _ABORTED)

    def _sweep(self, now: float) -> bool:
        """Close jobs that were open too long, forget those that are old."""
        if now - self._swept < SWEEP:
            return False
        self._swept = now
        for job in list(self.jobs.values()):
            if now - job.created >= KEPT_FOR:
                self._slots.drop(job.id, now)
                del self.jobs[job.id]
            elif job.state is JobState.OPEN and now - job.created >= OPEN_FOR:
                job.enter(JobState.CLOSED, now)
        return False


@dataclass(slots=True)
class _Run:
    """A batch on its way through a slot."""

    work: Work
    job: Job
    batch: Batch
    locked: int = 0  # rows refused for locks since it has its slot
    compiled: Compiled | None = None
    rows: Sequence[Sequence[str | None]] = field(default_factory=tuple)

    began: float = 0.0  # when it got its slot

    @property
    def job_id(self) -> str:
        return self.job.id

    @property
    def sobject(self) -> str:
        return self.job.spec.sobject

    @property
    def next_rows(self) -> int:
        return min(CHUNK_ROWS, len(self.rows) - self.batch.done)

    def begin(self, now: float) -> bool:
        """Take the slot and read the batch, unless it cannot be read."""
        self.locked = 0
        self.began = now
        self.batch.enter(BatchState.IN_PROGRESS, now)
        if self.compiled is not None:
            return True  # it was here before
        try:
            self._read()
        except BatchFault as fault:
            self.batch.enter(BatchState.FAILED, now, fault.text)
        except HeaderFault as fault:
            self.batch.enter(BatchState.FAILED, now, f"InvalidBatch : {fault.text}")
        else:
            if not self.rows:
                self.batch.enter(BatchState.COMPLETED, now)
        return not self.batch.state.terminal

    def _read(self) -> None:
        spec, org = self.job.spec, self.work.org
        sobject = org.view(self.job.created_by).schema.sobject(spec.sobject)
        if sobject is None:
            raise HeaderFault(f"Unable to find object: {spec.sobject}")
        data = self.batch.request.read()
        archive = Archive(data) if spec.zipped else None
        found = read_request(spec.content, archive.request() if archive else data, sobject)
        if archive:
            found = archive.with_files(found, sobject, org.dml.blobs)
        self.compiled = org.dml.compile(
            sobject,
            found.header,
            Operation(spec.operation),
            external_id=spec.external_id,
            null_marker=found.null_marker,
            user=self.job.created_by,
        )
        self.rows = found.rows

    def _next(self) -> Sequence[Sequence[str | None]]:
        return self.rows[self.batch.done : self.batch.done + CHUNK_ROWS]

    def locks(self, locks: Locks) -> Sequence[str]:
        """What the next transaction has to hold."""
        rows = self._next()
        return locks.keys.of(self.compiled, rows) if self.compiled and fits(self.compiled, rows) else ()

    def step(self, since: float, now: float, missed: RowError | None) -> Turn:
        """One transaction."""
        job, batch, org = self.job, self.batch, self.work.org
        if self.compiled is None:
            return Turn.DONE
        rows = self._next()
        context = Context(job.created_by, now, job.id, assignment=job.spec.assignment_rule or "")
        try:
            result = run_rows(org, self.compiled, rows, context, processed=job.processed, missed=missed)
        except CsvFault as fault:
            batch.enter(BatchState.FAILED, now, fault.text)
            return Turn.DONE
        self._record(result)
        batch.modified = max(batch.modified, now)
        batch.milliseconds += round((now - since) * 1000)
        self.locked += misses(result)
        if self._struck(now):
            return Turn.DONE
        if batch.done < len(self.rows):
            return self._on(now)
        batch.enter(BatchState.COMPLETED, now)
        return Turn.DONE

    def _on(self, now: float) -> Turn:
        """The next transaction, unless the batch met too many locks or takes too long: then it waits again."""
        if self.locked > MAX_LOCK_FAILURES:
            return self._back(now, TOO_MANY_LOCKS.format(self.locked))
        return self._back(now, TOO_LONG) if now - self.began > MAX_SECONDS else Turn.AGAIN

    def _record(self, result: ChunkResult) -> None:
        batch, form = self.batch, RESULTS[self.job.spec.content]
        parts = form.between.join(form.rows(result))
        batch.result.append(form.between + parts if batch.done else parts)
        batch.done += len(result)
        batch.failed += len(result.errors)

    def _back(self, now: float, why: str) -> Turn:
        """The remainder of the batch goes back into the queue, unless that is over."""
        batch = self.batch
        if batch.retries >= MAX_RETRIES or not self.job.spec.batch_retry:
            batch.enter(BatchState.FAILED, now, why)
            return Turn.DONE
        batch.retries += 1
        batch.enter(BatchState.QUEUED, now, why)
        return Turn.BACK

    def _struck(self, now: float) -> bool:
        """Whether a fault set up for such a job ends the batch, or the job, here."""
        job = self.job
        fault = self.work.org.part(JobFaults).ending(job.spec.sobject, job.processed)
        if fault is None or self.batch.state.terminal:
            return self.batch.state.terminal
        if fault.kind is not JobFaultKind.ABORT:
            self.batch.enter(BatchState.FAILED, now, fault.message)
        else:
            self.work.abort(job, now)
        return True
