"""What became of a run's slices, without its ledger: by the org's own jobs, and by answers that are in the run folder.

A job's results repeat every row that it was given, so its slice is known by its rows; the log of the old ledger only says where to look first.

**Invariant:** an answer counts when it accounts for every row of the slice, as it always has to; nothing is sent but the abort of open jobs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from migrator.clock import Clock
from migrator.data import Engine, ResultsMismatch
from migrator.data.jobs import Settled
from migrator.errors import ExitCode, MigratorError
from migrator.executor import jobs
from migrator.executor.jobs import folder
from migrator.executor.run import Run
from migrator.executor.salvage import highest_attempt, sending_steps
from migrator.model.ids import to_18
from migrator.model.run import Attempt, AttemptKind, AttemptState, FileRef
from migrator.model.wire import JobInfo, JobState
from migrator.salesforce import Org, RequestFailed
from migrator.state import Wreck, known_jobs

Key = tuple[str, int]
Kind = Literal["successful", "failed", "unprocessed"]
#: clocks may differ by so much, see `preflight`
CLOCKS = 180.0
#: how long the end of the org's own jobs is waited for, and how often it is asked
PATIENCE, ASK_EVERY = 600.0, 5.0
_KINDS: tuple[Kind, ...] = ("successful", "failed", "unprocessed")
#: answers that will not be another one
_REFUSED = frozenset({400, 403, 404, 405, 415})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a slice: its attempt as it ended, and the outcomes of its rows."""

    attempt: Attempt
    settled: Settled


@dataclass
class Evidence:
    """Looks for what became of each slice of `run`. `apply`: open jobs are aborted, not only told.

    `answers` by slice; `ended`: attempts whose jobs failed before any row; `doubtful`: jobs that match no slice; `open`: jobs that were never closed;
    `gone`: jobs that the old ledger knew and the org does not.
    """

    wreck: Wreck
    run: Run
    target: Org
    #: the orgs that the run reads
    readers: tuple[Org, ...]
    engine: Engine
    clock: Clock
    apply: bool
    answers: dict[Key, Answer] = field(default_factory=dict)
    ended: list[Attempt] = field(default_factory=list)
    doubtful: list[JobInfo] = field(default_factory=list)
    open: list[JobInfo] = field(default_factory=list)
    gone: frozenset[str] = frozenset()
    next_attempt: int = 0
    hints: dict[str, Key] = field(default_factory=dict)

    def gather(self) -> None:
        """Ask the org, and then the files."""
        self.next_attempt = 1 + highest_attempt(self.engine.workspace, self.run, self.wreck.events)
        self.hints = {
            str(one.facts["job"]): (str(one.facts["step"]), int(one.facts["slice"] or 0))
            for one in self.wreck.events
            if one.kind == "job-created" and one.facts.get("slice") is not None
        }
        listed = self._jobs()
        self.gone = frozenset(self._lost_jobs({to_18(one.id) for one in listed}))
        for job in listed:
            self._place(self._at_its_end(job))
        for key in self.run.slices:
            if key not in self.answers:
                self._from_files(key)

    def _jobs(self) -> list[JobInfo]:
        """The org's jobs that may be this run's, the oldest first."""
        others = known_jobs(self.wreck.folder.parent, but=self.wreck.folder)
        written = {one.sobject.casefold() for one in sending_steps(self.run)}
        user, since = to_18(self.run.row.target_user_id), self.run.row.started - CLOCKS
        found = [
            one
            for one in self.target.ingest_jobs()
            if one.id not in others
            and one.object.casefold() in written
            and to_18(one.created_by) == user
            and (one.created or since) >= since
        ]
        return sorted(found, key=lambda one: (one.created or 0.0, one.id))

    def _lost_jobs(self, listed: set[str]) -> Iterator[str]:
        """Jobs that the old ledger knew and the org does not; reads are no matter."""
        for job in sorted({to_18(one) for one in self.wreck.job_ids} - listed):
            hint = self.hints.get(job)
            if hint is not None and hint[1] < 0:
                continue
            try:
                self.target.job(job)
            except RequestFailed as failed:
                if failed.status not in {400, 404}:
                    raise
                if hint is not None or not self._was_a_query(job):
                    yield job

    def _was_a_query(self, job: str) -> bool:
        """Whether an org knows the job as a query, or the log does."""
        for org in self.readers:
            try:
                org.query_job(job)
            except RequestFailed as failed:
                if failed.status not in {400, 404}:
                    raise
            else:
                return True
        return any(
            one.kind == "job-created" and one.facts.get("job") == job and one.facts.get("slice") == -1
            for one in self.wreck.events
        )

    def _at_its_end(self, job: JobInfo) -> JobInfo:
        """The job once nothing can happen to it any more."""
        if job.state is JobState.OPEN:
            self.open.append(job)
            if not self.apply:
                return job
            try:
                self.target.abort(job.id)
            except RequestFailed as failed:
                if failed.status != 400:
                    raise  # 400: it has been closed in the meantime, and is followed to its end
        told = self.target.job(job.id)
        deadline = self.clock.monotonic() + PATIENCE
        while not told.state.terminal:
            if self.clock.monotonic() > deadline or not self.clock.wait(ASK_EVERY):
                raise MigratorError(
                    "jobs-at-work",
                    f"job {job.id} of the run is {told.state.value}; its end has to be known first",
                    hint="call `migrator rescue` again when it is over",
                    exit_code=ExitCode.PAUSED,
                )
            told = self.target.job(job.id)
        return told

    def _place(self, job: JobInfo) -> None:
        """Find the slice that the job had, by its rows."""
        if job.state is JobState.OPEN or (job.state is JobState.ABORTED and job.processed == 0):
            return  # never closed, or ended before any row: its rows are not in the target
        candidates = [key for key in self.candidates(job) if key not in self.answers]
        if job.state is JobState.FAILED and job.processed == 0:
            self._ended_untouched(job, candidates)
            return
        for key in candidates:
            attempt = self._attempt(key, job)
            try:
                files = self._results(attempt, job)
                settled = self.engine.settle(jobs.settle(self.run, attempt, files))
            except ResultsMismatch:
                continue
            except RequestFailed as failed:
                if failed.status not in _REFUSED:
                    raise
                break
            self.answers[key] = Answer(replace(attempt, state=AttemptState.HARVESTED), settled)
            self.next_attempt += 1
            return
        self.doubtful.append(job)

    def candidates(self, job: JobInfo) -> list[Key]:
        hint = self.hints.get(job.id)
        steps = {
            one.id
            for one in sending_steps(self.run)
            if one.sobject.casefold() == job.object.casefold() and jobs.operation(one).wire == job.operation
        }
        keys = [key for key in self.run.slices if key[0] in steps]
        # the log says where to look first, then the count of rows does
        return sorted(keys, key=lambda key: (key != hint, self.run.slices[key].file.rows != job.processed))

    def _attempt(self, key: Key, job: JobInfo) -> Attempt:
        return Attempt(
            self.next_attempt,
            key[0],
            AttemptKind.BULK2,
            AttemptState.TERMINAL,
            slice=key[1],
            job_id=job.id,
            job_state=job.state.value,
            rows=self.run.slices[key].file.rows,
            processed=job.processed,
            failed=job.failed,
            created_at=job.created,
            ended_at=job.modified,
            note=job.error,
        )

    def _results(self, attempt: Attempt, job: JobInfo) -> Mapping[str, FileRef]:
        """The three result sets, fetched once."""
        found: dict[str, FileRef] = {}
        for kind in _KINDS:
            path = f"{folder('results', attempt.step)}/rescued-{job.id}-{kind}.csv"
            known = self.engine.workspace.measured(path, 0)
            if known is None:
                with self.target.results(job.id, kind) as download:
                    known = self.engine.workspace.publish(path, download, rows=0)
            found[kind] = known
        return found

    def _ended_untouched(self, job: JobInfo, candidates: Sequence[Key]) -> None:
        """A job that failed before any row: it is known, and its slice waits."""
        if candidates:
            self.ended.append(replace(self._attempt(candidates[0], job), state=AttemptState.ABANDONED))
            self.next_attempt += 1

    def _from_files(self, key: Key) -> None:
        """The answers that were fetched before, where the org does not have the job any more."""
        step, no = key
        attempt = Attempt(
            self.next_attempt,
            step,
            AttemptKind.BULK2,
            AttemptState.TERMINAL,
            slice=no,
            rows=self.run.slices[key].file.rows,
        )
        for files in self._kept_results(step, no):
            try:
                settled = self.engine.settle(jobs.settle(self.run, attempt, files))
            except ResultsMismatch:
                continue
            self._known(key, replace(attempt, state=AttemptState.HARVESTED), settled)
            return
        replies = [
            one
            for one in self.engine.workspace.names(folder("replies", step))
            if re.match(rf"{no}-\d+\.csv$", one)
        ]
        for name in sorted(replies, key=lambda one: -int(one.split("-")[1].split(".")[0])):
            file = self.engine.workspace.measured(f"{folder('replies', step)}/{name}", 0)
            if file is None:
                continue
            sent = replace(attempt, kind=AttemptKind.REST)
            try:
                settled = self.engine.settle_rest(jobs.settle_rest(self.run, sent, file))
            except ResultsMismatch:
                continue
            self._known(key, replace(sent, state=AttemptState.HARVESTED), settled)
            return

    def _known(self, key: Key, attempt: Attempt, settled: Settled) -> None:
        self.answers[key] = Answer(attempt, settled)
        self.next_attempt += 1

    def _kept_results(self, step: str, no: int) -> Iterator[Mapping[str, FileRef]]:
        place = folder("results", step)
        names = self.engine.workspace.names(place)
        numbers = {int(one.split("-")[1]) for one in names if re.match(rf"{no:05d}-\d+-", one)}
        for number in sorted(numbers, reverse=True):
            files = {
                kind: self.engine.workspace.measured(f"{place}/{no:05d}-{number}-{kind}.csv", 0)
                for kind in _KINDS
            }
            whole: dict[str, FileRef] = {kind: one for kind, one in files.items() if one is not None}
            if len(whole) == len(_KINDS):
                yield whole
