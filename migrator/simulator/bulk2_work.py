"""The work behind ingest jobs: internal batches of 10,000 rows, several at a time, in transactions of 200 rows.

Batches of all jobs share the org's parallel slots; each step runs the transaction that is due first, so batches interleave
and results come in no order of the input.

**Invariant:** what a transaction did is in the job's counters and result files before anything else happens.
"""

import heapq
import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from migrator.simulator.bulk2_job import Batch, IngestJob, JobSpec, JobState
from migrator.simulator.bulk_faults import JobFaultKind, JobFaults
from migrator.simulator.bulk_limits import DAY, BulkLimits
from migrator.simulator.bulk_spool import Spool
from migrator.simulator.compile import Compiled
from migrator.simulator.context import Context
from migrator.simulator.csvdialect import CsvFault, Layout, lay_out, read_batch, unparsable, write_rows
from migrator.simulator.orgstate import OrgState
from migrator.simulator.results import ChunkResult, HeaderFault
from migrator.simulator.schema import NUMBERS
from migrator.simulator.values import java_double

BATCH_ROWS = 10_000  # "Bulk API 2.0 ingest": a batch for every 10,000 records
CHUNK_ROWS = 200  # rows of one transaction
MAX_LOCK_FAILURES = 100  # more than so many in a batch send its remainder back to the queue
MAX_RETRIES = 20  # of a batch, before the job fails; current guide (older ones: 10)
OPEN_FOR = DAY  # an open job ends after 24 h
KEPT_FOR = 7 * DAY  # jobs and results are kept for 7 days
STEP_ROWS = 4_000  # rows of one look at the work, when rows take no time
_ORDERS = 8  # orders of result rows within a transaction
_TOO_MANY_LOCKS = "TooManyLockFailure : Too many lock failure 200 Trying again later."
_NO_DATA = "ClientInputError : Unable to find any data to create batch"
_RAGGED = "The number of values in a row does not match the number of columns in the header"
_BOOLEAN = {True: "true", False: "false"}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all batches of a job share."""

    upload: Spool
    layout: Layout
    compiled: Compiled
    numeric: tuple[int, ...]  # columns printed as doubles


@dataclass(slots=True)
class _Running:
    """A batch that has a slot."""

    job: IngestJob
    batch: Batch
    plan: _Plan
    rows: Iterator[list[str]]
    locked: int = 0

    @property
    def next_rows(self) -> int:
        return min(CHUNK_ROWS, self.batch.rows - self.batch.done)


class IngestWork:
    """The ingest jobs of one org and the work on them; `org.part(IngestWork)`."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self.jobs: dict[str, IngestJob] = {}
        self._waiting: deque[IngestJob] = deque()  # UploadComplete, not looked at yet
        self._queues: dict[str, deque[Batch]] = {}  # batches without a slot, by job
        self._plans: dict[str, _Plan] = {}
        self._running: list[
            tuple[float, int, _Running]
        ] = []  # a heap by the time the next transaction is done
        self._active: Counter[str] = Counter()
        self._freed = 0.0  # when a slot was last given back
        self._turn = 0
        self._made = 0
        self._swept = 0.0
        org.background.append(self)

    # --- from the API ------------------------------------------------------------------------------------------

    def create(self, spec: JobSpec, version: str, user_id: str, now: float) -> IngestJob:
        """A new job, open for its data."""
        self._made += 1
        job = IngestJob(self.org.new_id("750"), spec, version, user_id, now, now, self._made)
        self.jobs[job.id] = job
        return job

    def close(self, job: IngestJob, now: float) -> None:
        """The upload is complete: process it."""
        job.enter(JobState.UPLOAD_COMPLETE, now)
        self._waiting.append(job)

    def stop(self, job: IngestJob, state: JobState, now: float, error: str = "") -> None:
        """End a job where it is; what is done stays done."""
        job.enter(state, now, error)
        self._queues.pop(job.id, None)
        self._plans.pop(job.id, None)
        if self._active.pop(job.id, 0):
            self._freed = now
            self._running = [entry for entry in self._running if entry[2].job is not job]
            heapq.heapify(self._running)
        if job in self._waiting:
            self._waiting.remove(job)

    # --- in the background -------------------------------------------------------------------------------------

    def advance(self, now: float) -> bool:
        """Do a small step of what is due; whether there is more to do at once."""
        self._sweep(now)
        timed = self.org.settings.row_seconds > 0  # then the clock limits the work, not the step
        while self._waiting:
            job = self._waiting.popleft()
            self._prepare(job, job.modified if timed else now)
            if not timed:
                return True
        rows = 0
        while timed or rows < STEP_ROWS:
            self._fill_slots()
            if not self._running or self._running[0][0] > now:
                return False
            due, _, running = heapq.heappop(self._running)
            rows += running.next_rows
            self._step(running, due)
        return bool(self._running or self._queues)

    def _sweep(self, now: float) -> None:
        """Once a minute: end jobs that were open too long, forget those that ended long ago."""
        if now - self._swept < 60:
            return
        self._swept = now
        for job in list(self.jobs.values()):
            if job.state is JobState.OPEN and now - job.created >= OPEN_FOR:
                self.stop(job, JobState.ABORTED, now)
            elif job.state.terminal and now - job.ended >= KEPT_FOR:
                del self.jobs[job.id]

    def _prepare(self, job: IngestJob, now: float) -> None:
        job.enter(JobState.IN_PROGRESS, now)
        job.began = now
        try:
            plan = self._plan(job)
        except CsvFault as fault:
            self.stop(job, JobState.FAILED, now, fault.text)
            return
        except HeaderFault as fault:
            self.stop(job, JobState.FAILED, now, f"InvalidBatch : {fault.text}")
            return
        job.batches = [Batch(number, span.rows) for number, span in enumerate(plan.layout.spans)]
        if not job.batches:
            self.stop(job, JobState.JOB_COMPLETE, now)
            return
        queue = list(job.batches)
        if self.org.settings.shuffle_results:
            random.Random(f"{self.org.settings.seed}:{job.number}").shuffle(queue)  # noqa: S311 - deterministic on purpose
        self._plans[job.id] = plan
        self._queues[job.id] = deque(queue)

    def _plan(self, job: IngestJob) -> _Plan:
        if job.upload is None or not job.upload.size:
            raise CsvFault(_NO_DATA)
        layout = job.layout = lay_out(job.upload.file, job.spec.dialect, BATCH_ROWS)
        if not layout.header:
            raise CsvFault(_NO_DATA)
        spec = job.spec
        sobject = self.org.sobject(spec.sobject)
        if sobject is None:
            raise HeaderFault(f"Unable to find object: {spec.sobject}")
        compiled = self.org.dml.compile(
            sobject, layout.header, spec.operation, external_id=spec.external_id, null_marker="#N/A"
        )
        numeric = tuple(column.place for column in compiled.values if column.field.type in NUMBERS)
        return _Plan(job.upload, layout, compiled, numeric)

    def _fill_slots(self) -> None:
        while self._queues and len(self._running) < self.org.settings.batch_parallelism:
            job_id = min(self._queues, key=lambda each: (self._active[each], self.jobs[each].number))
            job = self.jobs[job_id]
            batch = self._queues[job_id].popleft()
            if not self._queues[job_id]:
                del self._queues[job_id]
            start = max(self._freed, job.began)
            if not batch.started and not self._allowed(batch, start):
                job.over_allocation = True
                self.stop(job, JobState.FAILED, start, "ExceededQuota : ApiBatchItems Limit exceeded.")
                continue
            self._start(job, batch, start)

    def _allowed(self, batch: Batch, now: float) -> bool:
        limits = self.org.part(BulkLimits)
        return limits.records.take(now, batch.rows) and limits.batches.take(now)

    def _start(self, job: IngestJob, batch: Batch, now: float) -> None:
        batch.started = True
        plan = self._plans[job.id]
        span = plan.layout.spans[batch.number]
        rows = read_batch(plan.upload.read(span.start, span.end - span.start), job.spec.dialect)
        running = _Running(job, batch, plan, islice(rows, batch.done, None))
        self._active[job.id] += 1
        self._push(running, now)

    def _push(self, running: _Running, now: float) -> None:
        self._turn += 1
        due = now + running.next_rows * self.org.settings.row_seconds
        heapq.heappush(self._running, (due, self._turn, running))

    def _step(self, running: _Running, now: float) -> None:
        """One transaction of a batch."""
        job, batch = running.job, running.batch
        try:
            rows = list(islice(running.rows, CHUNK_ROWS))
            if rows and set(map(len, rows)) != {running.plan.compiled.width}:
                raise unparsable(_RAGGED)
        except CsvFault as fault:
            self.stop(job, JobState.FAILED, now, fault.text)
            return
        result = self._execute(running, rows, now)
        self._record(running, rows, result)
        job.modified = max(job.modified, now)
        job.milliseconds += round(len(rows) * self.org.settings.row_seconds * 1000)
        running.locked += sum(
            errors[0].status_code == "UNABLE_TO_LOCK_ROW" for errors in result.errors.values()
        )
        if self._struck(job, now):
            return
        if batch.done < batch.rows and running.locked > MAX_LOCK_FAILURES:
            self._requeue(running, now)
        elif batch.done < batch.rows:
            self._push(running, now)
        else:
            self._release(job, now)
            if job.id not in self._queues and not self._active[job.id]:
                self.stop(job, JobState.JOB_COMPLETE, now)

    def _execute(self, running: _Running, rows: list[list[str]], now: float) -> ChunkResult:
        job, compiled = running.job, running.plan.compiled
        place = compiled.id_place
        ids = [row[place] if place is not None else "" for row in rows]
        locked = self.org.part(JobFaults).locked(job.spec.sobject, job.processed, ids)
        return locked or self.org.dml.execute(compiled, rows, Context(job.created_by, now, job.id))

    def _release(self, job: IngestJob, now: float) -> None:
        self._active[job.id] -= 1
        self._freed = now

    def _requeue(self, running: _Running, now: float) -> None:
        """Too many locks: the remainder of the batch goes back into the queue."""
        job, batch = running.job, running.batch
        self._release(job, now)
        job.retries += 1
        batch.retries += 1
        if batch.retries > MAX_RETRIES:
            self.stop(job, JobState.FAILED, now, _TOO_MANY_LOCKS)
            return
        self._queues.setdefault(job.id, deque()).append(batch)

    def _struck(self, job: IngestJob, now: float) -> bool:
        """Whether a fault set up for such a job ends it here."""
        fault = self.org.part(JobFaults).ending(job.spec.sobject, job.processed)
        if fault is None:
            return False
        state = JobState.FAILED if fault.kind is JobFaultKind.FAIL else JobState.ABORTED
        self.stop(job, state, now, fault.message if state is JobState.FAILED else "")
        return True

    # --- results -----------------------------------------------------------------------------------------------

    def _record(self, running: _Running, rows: Sequence[Sequence[str]], result: ChunkResult) -> None:
        job, batch = running.job, running.batch
        form = job.spec.dialect
        cells = _normalised(rows, running.plan.numeric)
        created = [_BOOLEAN[flag] for flag in result.created]
        failed = result.errors
        if not failed:
            good = list(zip(result.ids, created, *cells, strict=True))
        else:
            lines = list(zip(result.ids, created, *cells, strict=True))
            good = [line for place, line in enumerate(lines) if place not in failed]
            bad = [
                (lines[place][0], ";".join(error.bulk() for error in errors), *lines[place][2:])
                for place, errors in sorted(failed.items())
            ]
            job.bad.append(write_rows(self._mixed(bad, job, batch), form).encode())
        job.good.append(write_rows(self._mixed(good, job, batch), form).encode())
        batch.done += len(rows)
        job.processed += len(rows)
        job.failed += len(failed)

    def _mixed(self, lines: list[tuple[str, ...]], job: IngestJob, batch: Batch) -> list[tuple[str, ...]]:
        if not self.org.settings.shuffle_results:
            return lines
        variant = (self.org.settings.seed + job.number + batch.number + batch.done // CHUNK_ROWS) % _ORDERS
        return [lines[place] for place in _order(len(lines), variant)]


@lru_cache(maxsize=256 * _ORDERS)
def _order(size: int, variant: int) -> tuple[int, ...]:
    """One of a few fixed orders of so many rows: making a new one for every transaction would cost more than the rest."""
    places = list(range(size))
    random.Random(f"{size}:{variant}").shuffle(places)  # noqa: S311 - deterministic on purpose
    return tuple(places)


def _normalised(rows: Sequence[Sequence[str]], numeric: Sequence[int]) -> list[Sequence[str]]:
    """The columns of the rows, numbers printed as the platform prints doubles."""
    columns: list[Sequence[str]] = list(zip(*rows, strict=True))
    for place in numeric:
        try:
            columns[place] = list(map(java_double, columns[place]))
        except ValueError:
            columns[place] = [_number(cell) for cell in columns[place]]
    return columns


def _number(cell: str) -> str:
    try:
        return java_double(cell)
    except ValueError:
        return cell
