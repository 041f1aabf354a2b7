"""The life of an attempt that sends rows: an ingest job state by state, or a series of REST requests.

**Invariant:** rows are planned again only from an attempt that was aborted before it was closed and processed nothing, or as
rows that Salesforce returned as unprocessed or with a fault that may pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from migrator.errors import ExitCode
from migrator.executor.actions import AttemptSettled, JobTold, PartlyTold, ResultsBroken
from migrator.executor.budget import CANARY, MAX_LOST_JOBS, allowance_spent, lost_jobs
from migrator.executor.change import Change, added, finished
from migrator.executor.concurrency import after, kept, window_of
from migrator.executor.learned import note, with_locks
from migrator.executor.polling import waited
from migrator.executor.reconcile import unknown
from migrator.executor.rounds import ceiling, limited_note, with_limited
from migrator.executor.run import Run, Stop
from migrator.executor.spent import waiting_for_allowance
from migrator.model.run import Attempt, AttemptKind, AttemptState, Outcome, StepRow
from migrator.model.schedule import LinkStep, LoadStep, strong
from migrator.model.wire import JobState

#: job faults that the next job would meet again: the plan or the org must change first (Bulk API guide, "Errors")
HOPELESS = frozenset({"InvalidBatch", "ClientInputError", "InvalidJob", "FeatureNotEnabled", "InvalidUser"})
#: a finished job whose counters still move is asked again after this many seconds
RECOUNT_DELAY = 5.0
#: the same for a job that has processed every row: only how many of them failed could still move
FULL_RECOUNT_DELAY = 0.25
#: row faults of an upsert that finds several records (SOAP API guide, "StatusCode"; over REST, status 300)
SEVERAL_FOUND = frozenset({"DUPLICATE_EXTERNAL_ID", "MULTIPLE_CHOICES"})
#: in `StepRow.counts`
WRITTEN_UNTIL = "written.until"


def created(run: Run, attempt: Attempt, reply: JobTold, now: float) -> Change:
    """The job exists and is open; its id is known from now on."""
    job = reply.job
    known = replace(
        attempt,
        state=AttemptState.CREATED,
        job_id=job.id,
        job_state=job.state.value,
        created_at=job.created,
    )
    due = None if attempt.slice >= 0 else now + run.policy.poll_delay(0)
    return Change(run).attempt(known, "job-created", job=job.id).free(attempt.id, due=due)


def uploaded(run: Run, attempt: Attempt) -> Change:
    """The org has the whole slice; nothing is processed before the job is closed."""
    return Change(run).attempt(replace(attempt, state=AttemptState.UPLOADED), "uploaded").free(attempt.id)


def abandoned(run: Run, attempt: Attempt, reply: JobTold, now: float) -> Change:
    """The doubtful upload's job: aborted and untouched (its slice is queued again), or not what we believe."""
    job = reply.job
    change = Change(run).free(attempt.id)
    if reply.gone or (job.state is JobState.ABORTED and not job.processed):
        ended = replace(
            attempt, state=AttemptState.ABANDONED, job_state=job.state.value, ended_at=job.modified
        )
        change = change.attempt(ended, "abandoned", job=attempt.job_id).requeue(ended)
        if attempt.try_no >= run.policy.max_tries:
            hint = "look at the network between here and the org, then resume"
            what = f"{attempt.step}: slice {attempt.slice} could not be uploaded in {attempt.try_no} tries"
            return change.stopped(Stop("upload-keeps-failing", what, hint, ExitCode.PAUSED))
        return change
    if job.state is JobState.OPEN:
        return change.free(attempt.id, due=now + run.policy.poll_delay(1))
    # never closed by us, yet the org works on it or has: what it did is told by its results alone
    return change.attempt(
        replace(attempt, state=AttemptState.CLOSED), "closed-by-somebody", job=attempt.job_id
    )


def fenced(run: Run, attempt: Attempt, reply: JobTold, now: float) -> Change:
    """The doubtful batch of a closed serial job: it never arrived, or it is what was sent and is followed to its end."""
    change = Change(run).free(attempt.id)
    if reply.gone:
        why = "its job is gone: whether its batch arrived cannot be told"
        return doubted(change, attempt, why, now)
    if reply.job.state in {JobState.OPEN, JobState.ABORTED}:
        return abandoned(run, attempt, reply, now)
    return change.attempt(replace(attempt, state=AttemptState.CLOSED), "batch-found", job=attempt.job_id)


def closed(run: Run, attempt: Attempt, reply: JobTold, now: float) -> Change:
    """The close arrived (or somebody ended the job): whatever happened, the results will tell."""
    change = Change(run).free(attempt.id, due=now + run.policy.poll_delay(0, _expected(run, attempt)))
    if reply.gone:
        why = "its job is gone: what happened to its rows cannot be told"
        return doubted(change, attempt, why, now)
    if reply.job.state is JobState.OPEN:
        return change
    known = replace(attempt, state=AttemptState.CLOSED, job_state=reply.job.state.value)
    return change.attempt(known, "closed", job=attempt.job_id)


def _expected(run: Run, attempt: Attempt) -> float:
    """How long the job will probably take, by what the step's rows took lately; 0: not known."""
    return window_of(run.steps[attempt.step].counts).seconds(attempt.rows)


def polled(run: Run, attempt: Attempt, reply: JobTold, now: float) -> Change:
    """How the job stands: wait on, or its end with counters that have come to rest."""
    job = reply.job
    if reply.gone:
        why = "its job is gone: what happened to its rows cannot be told"
        return doubted(Change(run).free(attempt.id), attempt, why, now)
    told = replace(
        attempt,
        job_state=job.state.value,
        processed=job.processed,
        failed=job.failed,
        note=job.error,
        processing_ms=job.processing_ms,
        retries=job.retries,
    )
    polls = run.tries.get(attempt.id, 0)
    if not job.state.terminal:
        due = now + run.policy.poll_delay(polls + 1, _expected(run, attempt))
        return waited(run, attempt, told, now, due)
    full = job.state is JobState.JOB_COMPLETE and job.processed == attempt.rows
    twice = (attempt.job_state, attempt.processed, attempt.failed) == (
        told.job_state,
        told.processed,
        told.failed,
    )
    if not twice:
        waiting = replace(run, live={**run.live, attempt.id: told})
        due = now + (FULL_RECOUNT_DELAY if full else RECOUNT_DELAY)
        return Change(waiting).free(attempt.id, due=due, tries=polls + 1)
    ended = replace(told, state=AttemptState.TERMINAL, ended_at=job.modified)
    facts = {
        "job": attempt.job_id,
        "state": job.state.value,
        "processed": job.processed,
        "failed": job.failed,
    }
    return Change(run).attempt(ended, "job-ended", **facts).free(attempt.id)


def harvested(run: Run, attempt: Attempt, reply: AttemptSettled, now: float, chance: float) -> Change:
    """Every row of the attempt has an outcome or waits for the next round, in one commit with the attempt itself."""
    found = reply.settled
    if allowance_spent(attempt) and untouched(attempt):
        return sent_anew(Change(run).free(attempt.id), attempt, now)
    ended = replace(
        attempt,
        state=AttemptState.HARVESTED,
        outcomes=found.outcomes,
        tallies=found.tallies,
        waiting=found.waiting,
        faults=found.faults,
        locked=found.locked,
    )
    row = run.steps[attempt.step]
    row = replace(
        row,
        tallies=added(row.tallies, found.tallies),
        waiting=row.waiting + found.waiting,
        counts=_written_until(_with_window(run, row, ended), now + (reply.skew or 0.0)),
    )
    step = run.schedule.step(attempt.step)
    if found.lock_keys and isinstance(step, LoadStep | LinkStep):
        told = with_locks(row.counts, found.lock_keys)
        row = replace(row, counts=told, notes=(*row.notes, *note(step, row.counts, told)))
    told = with_limited(row.counts, run.slices[(attempt.step, attempt.slice)].round, found.limited)
    row = replace(row, counts=told, notes=(*row.notes, *limited_note(row.counts, told)))
    if isinstance(step, LoadStep):
        row = replace(row, notes=tuple(dict.fromkeys((*row.notes, *_ambiguous(step, found.faults)))))
    facts = {"waiting": found.waiting, **{outcome.value: count for outcome, count in found.tallies.items()}}
    change = Change(run).attempt(ended, "harvested", **facts).step(row).free(attempt.id)
    if _hopeless(attempt):
        return change.stopped(_job_refused(attempt))
    change = waiting_for_allowance(change, attempt, now)
    lost = lost_jobs(change.run.settled[attempt.step])
    if attempt.job_state in lost[:1] and len(lost) >= MAX_LOST_JOBS:
        change = change.stopped(_jobs_keep_failing(attempt, lost))
    if row.waiting:
        due = now + run.policy.next_round_delay(row.rounds, chance)
        due = max(due, change.run.due.get(attempt.step, due))
        change = replace(change, run=replace(change.run, due={**change.run.due, attempt.step: due}))
    return finished(change, attempt.step, now)


def _ambiguous(step: LoadStep, faults: Mapping[str, int]) -> tuple[str, ...]:
    """A word on a key that turns out not to tell which record a row means."""
    if step.external_id is None or not SEVERAL_FOUND & faults.keys():
        return ()
    told = " or ".join(sorted(SEVERAL_FOUND & faults.keys()))
    what = f"{step.external_id} is not unique in the target: rows that several records have the value of fail with {told}"
    return (f"{what}; merge those records, mark the field Unique, then `migrator retry`",)


def _with_window(run: Run, row: StepRow, ended: Attempt) -> dict[str, int]:
    """The step's counts with how many slices may be under way from now on."""
    step = run.schedule.step(row.step)
    if not isinstance(step, LoadStep | LinkStep):
        return dict(row.counts)
    # a canary is enough where slices lock nothing in common: by their keys, or because nothing is locked
    apart = isinstance(step, LoadStep) and (not step.lock_keys or bool(strong(step.lock_keys)))
    window = after(
        window_of(row.counts),
        ended,
        ceiling=ceiling(step, run.policy),
        next_attempt=run.next_attempt,
        opens=apart and row.counts.get(CANARY) == ended.slice,
    )
    return kept(row.counts, window)


def _hopeless(attempt: Attempt) -> bool:
    return attempt.job_state == JobState.FAILED.value and _code(attempt.note) in HOPELESS


def _job_refused(attempt: Attempt) -> Stop:
    what = f"{attempt.step}: the org refused job {attempt.job_id}: {attempt.note}"
    hint = "mend the plan or the org, then resume; the rows it did not take wait"
    return Stop("job-refused", what, hint, ExitCode.REFUSED)


def _written_until(counts: Mapping[str, int], at: float) -> dict[str, int]:
    """When the org had last written for the step, in whole seconds of its own clock: what is changed later was not changed by the run."""
    return {**counts, WRITTEN_UNTIL: max(counts.get(WRITTEN_UNTIL, 0), int(at) + 1)}


def _code(note: str) -> str:
    """The error code of a job's message: `InvalidBatch : Field name not found : X`."""
    return note.partition(":")[0].strip()


def _jobs_keep_failing(attempt: Attempt, lost: Sequence[str]) -> Stop:
    """Why a run stops whose jobs end badly one after the other; somebody who aborts them wants it to pause."""
    aborted = all(one == JobState.ABORTED.value for one in lost[:MAX_LOST_JOBS])
    what = f"{attempt.step}: {len(lost)} jobs in a row ended as {' and '.join(sorted(set(lost)))}"
    why = f": {attempt.note}" if attempt.note else ""
    hint = "look at the Bulk Data Load Jobs page of the org, then resume; the rows that were not done wait"
    return Stop("jobs-keep-failing", what + why, hint, ExitCode.PAUSED if aborted else ExitCode.BUDGET)


def broken(run: Run, attempt: Attempt, reply: ResultsBroken, now: float) -> Change:
    """Results that do not add up are fetched again; when they never do, the rows' fate is unknown."""
    tries = run.tries.get(attempt.id, 0) + 1
    if tries <= run.policy.max_refetch:
        return Change(run).free(attempt.id, due=now + run.policy.lost_delay(tries), tries=tries)
    change = Change(run).free(attempt.id)
    if untouched(attempt):
        return sent_anew(change, attempt, now)
    why = f"its results do not add up: {reply.reason}"
    return doubted(change, attempt, why, now)


def partly_told(run: Run, attempt: Attempt, reply: PartlyTold, now: float) -> Change:
    """Rows that have a result keep what it says; the others are looked up, and one commit will settle all of them."""
    why = f"the org has recorded no result of {reply.settled.missing:,} of its {attempt.rows:,} rows"
    known = replace(attempt, outcomes=reply.settled.outcomes)
    return waiting_for_allowance(unknown(Change(run).free(attempt.id), known, why), attempt, now)


def untouched(attempt: Attempt) -> bool:
    """Whether the org says, twice and finally, that the attempt's job ended without having processed a single row.

    Asked only where its results cannot be had: results say more. Terminal counters are exact (an assumption, as for an aborted upload).
    """
    ended = attempt.job_state in {JobState.FAILED.value, JobState.ABORTED.value}
    return attempt.kind is AttemptKind.BULK2 and ended and attempt.processed == 0


def sent_anew(change: Change, attempt: Attempt, now: float) -> Change:
    """The slice of an untouched job travels in another one, a little later; not for ever."""
    ended = replace(attempt, state=AttemptState.ABANDONED)
    change = change.attempt(ended, "ended-untouched", job=attempt.job_id, state=attempt.job_state).requeue(
        ended
    )
    if _hopeless(attempt):
        return change.stopped(_job_refused(attempt))
    if allowance_spent(attempt):
        return waiting_for_allowance(change, attempt, now)
    if attempt.try_no >= MAX_LOST_JOBS:
        return change.stopped(_jobs_keep_failing(attempt, [attempt.job_state] * attempt.try_no))
    due = now + change.run.policy.next_round_delay(attempt.try_no, 0.0)
    return replace(change, run=replace(change.run, due={**change.run.due, attempt.step: due}))


def doubted(change: Change, attempt: Attempt, why: str, now: float) -> Change:
    """What a job did to its rows is looked up in the target; for answers over REST there is no job to be sure of."""
    if attempt.kind in {AttemptKind.BULK2, AttemptKind.BULK1_SERIAL}:
        return unknown(change, attempt, why)
    return quarantined(change, attempt, why, now)


def quarantined(change: Change, attempt: Attempt, why: str, now: float) -> Change:
    """Rows whose fate cannot be told are never sent again on a guess. The step's budget says what stops for them.

    They have their outcome, so a run that goes on goes on with all others.
    """
    tallies = {Outcome.QUARANTINED: attempt.rows}
    ended = replace(attempt, state=AttemptState.QUARANTINED, note=why, tallies=tallies)
    row = change.run.steps[attempt.step]
    change = change.attempt(ended, "quarantined", job=attempt.job_id, rows=attempt.rows)
    note = f"{attempt.rows} rows of job {attempt.job_id} are quarantined: {why}"
    change = change.step(replace(row, tallies=added(row.tallies, tallies), notes=(*row.notes, note)))
    return finished(change, attempt.step, now)
