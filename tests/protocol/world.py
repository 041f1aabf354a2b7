"""A tiny org and a tiny ledger for exploring the real `decide`, `intend` and `settle` through every order of faults.

The org knows jobs and counts how often each row was created; it is the judge. The ledger keeps exactly what was committed.
A `Script` makes each choice; the explorer runs all scripts within a budget of faults.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from migrator.data.jobs import CutSlice, Prepared, Settled
from migrator.executor.actions import (
    AbandonUpload,
    AttemptAction,
    AttemptSettled,
    CheckOutcomes,
    CloseUpload,
    ConfirmClose,
    CreateJob,
    CutAgain,
    Harvest,
    JobTold,
    OutcomesChecked,
    PageStored,
    PartlyTold,
    Poll,
    Reconcile,
    Reconciled,
    Reply,
    RequestLost,
    ResultsBroken,
    StepAction,
    StepPrepared,
    Upload,
    UploadTaken,
)
from migrator.executor.run import Run
from migrator.model.run import Attempt, AttemptKind, FileRef, LedgerRow, Outcome, Page, RunRow, Slice, StepRow
from migrator.model.schedule import Lane
from migrator.model.wire import JobInfo, JobState, Sent


class Script:
    """Answers every question of an execution, first from a prefix, then with 0; remembers what it was asked."""

    def __init__(self, prefix: tuple[int, ...], faults: int) -> None:
        self.prefix = prefix
        self.asked: list[tuple[int, int]] = []
        self.left = faults

    def choose(self, options: int) -> int:
        """One of `options`; 0 is the undisturbed one and costs nothing, any other costs a fault."""
        if self.left <= 0 or options < 2:
            return 0
        place = len(self.asked)
        picked = self.prefix[place] if place < len(self.prefix) else 0
        self.asked.append((picked, options))
        self.left -= picked > 0
        return picked


@dataclass
class Job:
    """An ingest job of the tiny org."""

    state: JobState = JobState.OPEN
    content: tuple[str, ...] | None = None
    closed: bool = False  # of Bulk API v1, where this is not a state of the work
    done: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    spoiled: bool = False  # it has two contents: the org will never close it
    withheld: bool = False  # its results cannot be had
    failed: tuple[str, ...] = ()  # of the refused ones, those that will never be taken
    recorded: tuple[str, ...] | None = None  # the only rows that have a result, where not all have one


@dataclass
class World:
    """The org, the files and the faults of one execution."""

    lane: ClassVar[Lane] = Lane.BULK2
    #: how many ways there are for a job to end
    endings: ClassVar[int] = 9

    script: Script
    jobs: dict[str, Job] = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    late: list[Callable[[], None]] = field(default_factory=list)

    def ref(self, path: str, rows: tuple[str, ...]) -> FileRef:
        """A file of the run folder that holds those rows."""
        self.files[path] = rows
        return FileRef(path, "", len(rows), len(rows))

    def perform(self, run: Run, action: StepAction | AttemptAction) -> Reply:
        """Do what the action asks, disturbed as the script chooses."""
        answer = self.looked_up(run, action)
        if answer is not None:
            return answer
        if self.late and self.script.choose(2) == 0:
            self.late.pop(0)()
        match action:
            case CutAgain():
                return self._cut_again(run, action.step)
            case CheckOutcomes():
                return OutcomesChecked(0)
            case CreateJob():
                return self._disturbed(self._create, late=False)
            case Upload():
                return self._disturbed(lambda: self._upload(run, run.live[action.attempt]), late=True)
            case CloseUpload():
                return self._disturbed(lambda: self._close(run.live[action.attempt].job_id), late=True)
            case ConfirmClose():
                return self._disturbed(lambda: self._confirm(run.live[action.attempt].job_id), late=True)
            case AbandonUpload():
                return self._disturbed(lambda: self._abort(run.live[action.attempt].job_id), late=False)
            case Poll():
                return self._disturbed(lambda: self._poll(run.live[action.attempt].job_id), late=False)
            case Harvest():
                return self._harvest(run.live[action.attempt], told=action.told)
            case _:
                raise AssertionError(action)

    def looked_up(self, run: Run, action: StepAction | AttemptAction) -> Reply | None:
        """Lookups of unknown rows: all of them are there, each once, or nobody can tell. None: the action is no part of one."""
        attempt = run.live.get(getattr(action, "attempt", 0))
        if attempt is None or (attempt.kind is not AttemptKind.QUERY and not isinstance(action, Reconcile)):
            return None
        match action:
            case Reconcile():
                rows = self.files[run.slices[(attempt.step, attempt.slice)].file.path]
                told = self.files[attempt.outcomes.path] if attempt.outcomes else ()
                there = all(self.created[row] == 1 for row in rows if row not in told)
                outcome = Outcome.CREATED if there else Outcome.QUARANTINED
                nothing = self.ref(f"outcomes/{attempt.slice}-{attempt.id}", ())
                tallies = Counter({outcome: len(rows) - len(told)}) + Counter({Outcome.CREATED: len(told)})
                return Reconciled(Settled(nothing, tallies))
            case CreateJob():
                return JobTold(JobInfo(f"lookup-{attempt.id}", JobState.OPEN))
            case Poll():
                return JobTold(JobInfo(attempt.job_id, JobState.JOB_COMPLETE, processed=0))
            case _:
                return PageStored(self.ref(f"extract/{attempt.id}", ()), "")

    def _disturbed(self, effect: Callable[[], Reply], *, late: bool) -> Reply:
        """The effect with its answer; or lost before it, lost after it, or (for writes) delivered some time later."""
        picked = self.script.choose(4 if late else 3)
        if picked == 0:
            return effect()
        if picked == 2:
            effect()
        if picked == 3:
            self.late.append(lambda: _ignore(effect()))
        return RequestLost(Sent.MAYBE, 0, "no-answer", "the connection broke")

    def _create(self) -> Reply:
        name = f"750{len(self.jobs):012d}AAA"
        self.jobs[name] = Job()
        return JobTold(JobInfo(name, JobState.OPEN))

    def _upload(self, run: Run, attempt: Attempt) -> Reply:
        job = self.jobs[attempt.job_id]
        if job.state is not JobState.OPEN or job.content is not None:
            return RequestLost(Sent.YES, 400, "INVALIDJOBSTATE", "not open, or a second upload")
        job.content = self.files[run.slices[(attempt.step, attempt.slice)].file.path]
        job.spoiled = self.script.choose(2) == 1  # something on the way delivered it twice
        return UploadTaken()

    def _close(self, name: str) -> Reply:
        job = self.jobs[name]
        if job.state is not JobState.OPEN or job.spoiled:
            return RequestLost(Sent.YES, 400, "INVALIDJOBSTATE", "not open")
        job.state = JobState.UPLOAD_COMPLETE
        if self.script.choose(2) == 0:
            self._work(job)
        return self._told(name)

    def _confirm(self, name: str) -> Reply:
        job = self.jobs[name]
        if job.state is not JobState.OPEN:
            return self._told(name)
        # open, and not to be closed: aborted, as `work` does it
        return self._abort(name) if job.spoiled else self._close(name)

    def _abort(self, name: str) -> Reply:
        job = self.jobs[name]
        if job.state is JobState.OPEN:
            job.state = JobState.ABORTED
        return self._told(name)

    def _poll(self, name: str) -> Reply:
        job = self.jobs[name]
        if job.state is JobState.UPLOAD_COMPLETE:
            self._work(job)
        return self._told(name)

    def _work(self, job: Job) -> None:
        """The org processes the job: wholly, with a row refused for now, ended half-way by a fault or an admin, or before it began; of some that
        ended badly the results cannot be had, or those of a row are not recorded, which was done (7) or not (8)."""
        rows = job.content or ()
        picked = self.script.choose(self.endings)
        ends = {
            2: JobState.FAILED,
            3: JobState.ABORTED,
            4: JobState.FAILED,
            5: JobState.ABORTED,
            6: JobState.FAILED,
            7: JobState.FAILED,
            8: JobState.FAILED,
        }
        job.state = ends.get(picked, JobState.JOB_COMPLETE)
        job.withheld = picked in {4, 5, 6}
        job.recorded = rows[:1] if picked in {7, 8} and len(rows) > 1 else None
        taken = rows[:1] if picked in {2, 3, 6, 8} else () if picked in {4, 5} else rows
        job.refused = taken[:1] if picked == 1 else ()
        job.done = tuple(row for row in taken if row not in job.refused)
        self.created.update(job.done)

    def _told(self, name: str) -> Reply:
        job = self.jobs[name]
        known = job.state.terminal
        processed = len(job.done) + len(job.refused) if known else None
        return JobTold(JobInfo(name, job.state, processed, len(job.refused) if known else None))

    def _harvest(self, attempt: Attempt, *, told: bool) -> Reply:
        picked = self.script.choose(3)
        if picked == 1:
            return RequestLost(Sent.MAYBE, 0, "no-answer", "the connection broke")
        if picked == 2:
            return ResultsBroken("cut short")
        job = self.jobs[attempt.job_id]
        if job.withheld or (job.state is JobState.ABORTED and job.spoiled):
            return RequestLost(Sent.YES, 404, "NOT_FOUND", "it has no results")
        if job.recorded is not None:
            if not told:
                return ResultsBroken("a row has no result")
            file = self.ref(f"outcomes/{attempt.slice}-{attempt.id}-told", job.recorded)
            self.ref(f"outcomes/{attempt.slice}-{attempt.id}-missing", (job.content or ())[1:])
            return PartlyTold(Settled(file, {Outcome.CREATED: len(job.recorded)}, missing=1))
        waiting = tuple(row for row in job.content or () if row not in {*job.done, *job.failed})
        found = {Outcome.CREATED: len(job.done), Outcome.FAILED: len(job.failed)}
        path = f"outcomes/{attempt.slice}-{attempt.id}"
        return AttemptSettled(
            Settled(
                outcomes=self.ref(path, waiting),
                tallies={outcome: count for outcome, count in found.items() if count},
                waiting=len(waiting),
            )
        )

    def _cut_again(self, run: Run, step: str) -> Reply:
        row = run.steps[step]
        sent = (one for one in run.settled[step] if one.slice >= 0)
        last = [one for one in sent if run.slices[(step, one.slice)].round == row.rounds]
        rows = tuple(each for one in last if one.outcomes for each in self.files[one.outcomes.path])
        no = max(number for _, number in run.slices) + 1
        cut = CutSlice(no=no, file=self.ref(f"slices/{no}", rows), group="")
        return StepPrepared(Prepared(self.ref(f"rows/{no}", rows), None, len(rows), (cut,)))


def _ignore(_: object) -> None:
    """A late answer that nobody hears."""


@dataclass
class TinyLedger:
    """Keeps exactly what was committed."""

    run: RunRow
    steps: dict[str, StepRow] = field(default_factory=dict)
    slices: dict[tuple[str, int], Slice] = field(default_factory=dict)
    attempts: dict[int, Attempt] = field(default_factory=dict)
    pages: dict[tuple[int, int], Page] = field(default_factory=dict)

    def commit(self, rows: tuple[LedgerRow, ...]) -> None:
        """All rows or none; each in the place of the one with its key."""
        for row in rows:
            match row:
                case RunRow():
                    self.run = row
                case StepRow():
                    self.steps[row.step] = row
                case Slice():
                    self.slices[(row.step, row.no)] = row
                case Attempt():
                    self.attempts[row.id] = row
                case Page():
                    self.pages[(row.attempt, row.seq)] = row
