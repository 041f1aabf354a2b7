"""The work behind ingest jobs: internal batches of 10,000 rows, several at a time, in transactions of 200 rows.

Batches of all jobs share the org's parallel slots and interleave, so results come in no order of the input.

**Invariant:** what a transaction did is in the job's counters and result files before anything else happens.
"""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from migrator.simulator.agenda import Agenda
from migrator.simulator.bulk.csvdialect import CsvFault, Layout, lay_out, read_batch, write_rows
from migrator.simulator.bulk.faults import JobFaults
from migrator.simulator.bulk.slots import Slots, Turn
from migrator.simulator.bulk.spool import Spool
from migrator.simulator.bulk.transaction import (
    BATCH_ROWS,
    CHUNK_ROWS,
    KEPT_FOR,
    MAX_LOCK_FAILURES,
    NO_DATA,
    OPEN_FOR,
    SWEEP,
    TOO_MANY_LOCKS,
    fits,
    run_rows,
)
from migrator.simulator.bulk.v2.job import Batch, IngestJob, JobSpec, JobState
from migrator.simulator.faults.model import JobFaultKind
from migrator.simulator.limits import Limits
from migrator.simulator.locks.misses import misses
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Compiled
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import ChunkResult, HeaderFault, RowError
from migrator.simulator.records.values import java_double
from migrator.simulator.schema.model import NUMBERS

MAX_RETRIES = 20  # of a batch, before the job fails; current guide (older ones: 10)
MAX_SECONDS = 300.0  # of a batch in one go; Bulk API 2.0 guide, "Limits"
TOO_LONG = f"Timeout : Retried more than {MAX_RETRIES} times"
OVER_RECORDS = "ExceededQuota : Records Limit exceeded."  # the text is a guess, the code is the guide's
OVER_ALLOCATION = "ExceededQuota : ApiBatchItems Limit exceeded."
_ORDERS = 8  # orders of result rows within a transaction
_BOOLEAN = {True: "true", False: "false"}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all batches of a job share."""

    upload: Spool
    layout: Layout
    compiled: Compiled
    numeric: tuple[int, ...]  # columns printed as doubles


class IngestWork:
    """The ingest jobs of one org and the work on them; `org.part(IngestWork)`."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self.jobs: dict[str, IngestJob] = {}
        self._waiting: deque[IngestJob] = deque()  # UploadComplete, not looked at yet
        self._made = 0
        self._swept = 0.0
        self._slots = org.part(Slots)
        self._slots.feeders.append(self._feed)
        org.unfinished.append(lambda: bool(self._waiting))

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
        held = self.org.part(JobFaults).held(job.spec.sobject)
        job.held_until = now + held if held else 0.0
        if held:
            self.org.part(Agenda).at(job.held_until, lambda _: 0)  # a clock that jumps comes to it
        self._waiting.append(job)

    def stop(self, job: IngestJob, state: JobState, now: float, error: str = "") -> None:
        """End a job where it is; what is done stays done."""
        job.enter(state, now, error)
        self._slots.drop(job.id, now)
        if job in self._waiting:
            self._waiting.remove(job)

    # --- in the background -------------------------------------------------------------------------------------

    def _feed(self, now: float) -> bool:
        """Cut the jobs that wait into batches, one job at a time when rows take no time; whether there was one."""
        self._sweep(now)
        ready = [job for job in self._waiting if job.held_until <= now]
        for job in ready:
            self._waiting.remove(job)
            self._prepare(job, max(job.modified, job.held_until) if self._slots.timed else now)
            if not self._slots.timed:
                break
        return bool(ready)

    def _sweep(self, now: float) -> None:
        """End jobs that were open too long, forget those that ended long ago."""
        if now - self._swept < SWEEP:
            return
        self._swept = now
        for job in list(self.jobs.values()):
            if job.state is JobState.OPEN and now - job.created >= OPEN_FOR:
                self.stop(job, JobState.ABORTED, now)
            elif job.state.terminal and now - job.ended >= KEPT_FOR:
                del self.jobs[job.id]

    def _prepare(self, job: IngestJob, now: float) -> None:
        job.enter(JobState.IN_PROGRESS, now)
        try:
            plan = self._plan(job)
        except CsvFault as fault:
            self.stop(job, JobState.FAILED, now, fault.text)
            return
        except HeaderFault as fault:
            self.stop(job, JobState.FAILED, now, f"InvalidBatch : {fault.text}")
            return
        rejected = self.org.part(JobFaults).rejected(job.spec.sobject)
        if rejected is not None:
            self.stop(job, JobState.FAILED, now, rejected.message)
            return
        job.batches = [Batch(number, span.rows) for number, span in enumerate(plan.layout.spans)]
        if not job.batches:
            self.stop(job, JobState.JOB_COMPLETE, now)
            return
        queue = list(job.batches)
        if self.org.settings.shuffle_results:
            random.Random(f"{self.org.settings.seed}:{job.number}").shuffle(queue)  # noqa: S311 - deterministic on purpose
        for batch in queue:
            self._slots.enqueue(_Running(self, job, batch, plan), now, lane=job.id)

    def _plan(self, job: IngestJob) -> _Plan:
        if job.upload is None or not job.upload.size:
            raise CsvFault(f"ClientInputError : {NO_DATA}")
        layout = job.layout = lay_out(job.upload.file(), job.spec.dialect, BATCH_ROWS)
        if not layout.header:
            raise CsvFault(f"ClientInputError : {NO_DATA}")
        spec = job.spec
        sobject = self.org.sobject(spec.sobject)
        if sobject is None:
            raise HeaderFault(f"Unable to find object: {spec.sobject}")
        compiled = self.org.dml.compile(
            sobject,
            layout.header,
            spec.operation,
            external_id=spec.external_id,
            null_marker="#N/A",
            user=job.created_by,
        )
        numeric = tuple(column.place for column in compiled.values if column.field.type in NUMBERS)
        return _Plan(job.upload, layout, compiled, numeric)


@dataclass(slots=True)
class _Running:
    """A batch on its way through a slot."""

    work: IngestWork
    job: IngestJob
    batch: Batch
    plan: _Plan
    locked: int = 0  # rows refused for locks since it has its slot
    rows: Iterator[list[str]] = field(default_factory=lambda: iter(()))
    next: list[list[str]] = field(default_factory=list)  # rows of the transaction that has begun
    fault: CsvFault | None = None  # of reading them
    began: float = 0.0  # when it got its slot

    @property
    def job_id(self) -> str:
        return self.job.id

    @property
    def sobject(self) -> str:
        return self.plan.compiled.sobject.name

    @property
    def next_rows(self) -> int:
        return min(CHUNK_ROWS, self.batch.rows - self.batch.done)

    def begin(self, now: float) -> bool:
        """Take the slot, unless the org's allocation is used up: then the job fails."""
        job, batch = self.job, self.batch
        refused = "" if batch.started else self._refused(now)
        if refused:
            job.over_allocation = refused == OVER_ALLOCATION
            self.work.stop(job, JobState.FAILED, now, refused)
            return False
        batch.started = True
        self.locked = 0
        span = self.plan.layout.spans[batch.number]
        rows = read_batch(self.plan.upload.read(span.start, span.end - span.start), job.spec.dialect)
        self.rows = islice(rows, batch.done, None)
        self.began = now
        return True

    def _refused(self, now: float) -> str:
        """Why the batch may not begin: the org's allocations for 24 hours."""
        limits = self.work.org.part(Limits)
        if limits.records.left(now) < self.batch.rows:
            return OVER_RECORDS
        if not limits.batches.take(now):
            return OVER_ALLOCATION
        limits.records.add(now, self.batch.rows)
        return ""

    def locks(self, locks: Locks) -> Sequence[str]:
        """What the next transaction has to hold."""
        try:
            self.next = list(islice(self.rows, CHUNK_ROWS))
        except CsvFault as fault:
            self.fault = fault  # to be told at the end of the transaction
        return locks.keys.of(self.plan.compiled, self.next) if fits(self.plan.compiled, self.next) else ()

    def step(self, since: float, now: float, missed: RowError | None) -> Turn:
        """One transaction."""
        job, batch, org = self.job, self.batch, self.work.org
        try:
            if self.fault is not None:
                raise self.fault
            rows = self.next or list(islice(self.rows, CHUNK_ROWS))
            context = Context(job.created_by, now, job.id, assignment=job.spec.assignment_rule or "")
            result = run_rows(org, self.plan.compiled, rows, context, processed=job.processed, missed=missed)
        except CsvFault as fault:
            self.work.stop(job, JobState.FAILED, now, fault.text)
            return Turn.DONE
        self.next = []
        self._record(rows, result)
        job.modified = max(job.modified, now)
        job.milliseconds += round((now - since) * 1000)
        self.locked += misses(result)
        if self._struck(now):
            return Turn.DONE
        if batch.done < batch.rows:
            return self._on(now)
        if job.processed == job.rows:
            self.work.stop(job, JobState.JOB_COMPLETE, now)
        return Turn.DONE

    def _on(self, now: float) -> Turn:
        """The next transaction, unless the batch met too many locks or takes too long: then it waits again."""
        if self.locked > MAX_LOCK_FAILURES:
            return self._back(now, TOO_MANY_LOCKS.format(self.locked))
        return self._back(now, TOO_LONG) if now - self.began > MAX_SECONDS else Turn.AGAIN

    def _back(self, now: float, why: str) -> Turn:
        """The remainder of the batch goes back into the queue, unless that happened too often."""
        self.job.retries += 1
        self.batch.retries += 1
        if self.batch.retries > MAX_RETRIES:
            self.work.stop(self.job, JobState.FAILED, now, why)
            return Turn.DONE
        return Turn.BACK

    def _struck(self, now: float) -> bool:
        """Whether a fault set up for such a job ends it here."""
        job = self.job
        fault = self.work.org.part(JobFaults).ending(job.spec.sobject, job.processed)
        if fault is None or job.state.terminal:
            return job.state.terminal
        if fault.kind is JobFaultKind.LOSE:
            job.over_allocation = True
            self.work.stop(job, JobState.FAILED, now, OVER_ALLOCATION)
        elif fault.kind is JobFaultKind.FAIL:
            self.work.stop(job, JobState.FAILED, now, fault.message)
        else:
            self.work.stop(job, JobState.ABORTED, now)
        return True

    # --- results -----------------------------------------------------------------------------------------------

    def _record(self, rows: Sequence[Sequence[str]], result: ChunkResult) -> None:
        job, batch = self.job, self.batch
        form = job.spec.dialect
        cells = _normalised(rows, self.plan.numeric)
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
            job.bad.append(write_rows(self._mixed(bad), form).encode())
        job.good.append(write_rows(self._mixed(good), form).encode())
        batch.done += len(rows)
        job.processed += len(rows)
        job.failed += len(failed)

    def _mixed(self, lines: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        settings, batch = self.work.org.settings, self.batch
        if not settings.shuffle_results:
            return lines
        variant = (settings.seed + self.job.number + batch.number + batch.done // CHUNK_ROWS) % _ORDERS
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
