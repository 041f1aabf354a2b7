"""The life of a query job: polled to its end, then its pages in order, each in the run folder before the next is asked for."""

from dataclasses import replace
from datetime import UTC, datetime

from migrator.errors import ExitCode
from migrator.executor.actions import JobTold, PageStored, ResultsBroken
from migrator.executor.change import Change
from migrator.executor.polling import waited
from migrator.executor.run import Run, Stop
from migrator.model.run import Attempt, AttemptState, Facts, Page, StepPhase
from migrator.model.schedule import ExtractStep, LinkStep, LoadStep, VerifyStep
from migrator.model.wire import JobState
from migrator.soql import queries

#: seconds before the run's begin from which changes are looked for: a change may be visible some time after its stamp
OVERLAP = 300.0
#: how many query jobs one step may need
MAX_QUERIES = 5


def changes_soql(step: ExtractStep, run: Run, skew: float | None) -> str:
    """The query for what changed since the run began, by the source's clock (`skew`: how many seconds it is ahead)."""
    since = datetime.fromtimestamp(run.row.started + (skew or 0.0) - OVERLAP, UTC)
    changed = f"SystemModstamp >= {since:%Y-%m-%dT%H:%M:%SZ}"
    where = f"({step.where}) AND {changed}" if step.where else changed
    return queries.select(step.sobject, step.columns, where)


def polled(run: Run, attempt: Attempt, reply: JobTold, now: float) -> Change:
    """How the query job stands. One that failed or vanished is replaced: reading twice does no harm."""
    job = reply.job
    if reply.gone or job.state in {JobState.FAILED, JobState.ABORTED}:
        return replaced(run, attempt, job.error or "the query job is gone")
    told = replace(attempt, job_state=job.state.value, processed=job.processed, rows=job.processed or 0)
    if not job.state.terminal:
        return waited(run, attempt, told, now, now + run.policy.poll_delay(run.tries.get(attempt.id, 0)))
    ended = replace(told, state=AttemptState.TERMINAL)
    return Change(run).attempt(ended, "query-ended", rows=ended.rows).free(attempt.id)


def page_came(run: Run, attempt: Attempt, reply: PageStored | ResultsBroken, now: float) -> Change:
    """A page, or what was to be one."""
    if isinstance(reply, ResultsBroken):
        return _page_broken(run, attempt, reply, now)
    return _page_stored(run, attempt, reply, now)


def _page_stored(run: Run, attempt: Attempt, reply: PageStored, now: float) -> Change:
    """One page more; after the last one the rows must be as many as the org counted."""
    pages = run.pages.get(attempt.id, ())
    if reply.locator and reply.locator in {page.locator for page in pages}:
        return replaced(run, attempt, "the org gave the same page locator twice")
    page = Page(attempt.id, attempt.step, len(pages), reply.file, reply.locator)
    run = replace(run, pages={**run.pages, attempt.id: (*pages, page)})
    facts: Facts = {
        "attempt": attempt.id,
        "page": page.seq,
        "rows": page.file.rows,
        "sha256": page.file.sha256,
    }
    change = Change(run, (page,), (("page-stored", facts),)).free(attempt.id)
    if reply.locator:
        return change
    rows = sum(one.file.rows for one in run.pages[attempt.id])
    if attempt.processed is not None and rows != attempt.processed:
        return replaced(run, attempt, f"{rows} rows arrived of {attempt.processed} that the org counted")
    ended = replace(attempt, state=AttemptState.HARVESTED, rows=rows)
    change = change.attempt(ended, "query-read", rows=rows)
    row = run.steps[attempt.step]
    step = run.schedule.step(attempt.step)
    if isinstance(step, LoadStep | LinkStep):
        return change  # a lookup of unknown rows
    if isinstance(step, VerifyStep):
        return change.step(replace(row, total=rows))
    return change.step(replace(row, phase=StepPhase.DONE, total=rows, finished=now), "step-done", total=rows)


def _page_broken(run: Run, attempt: Attempt, reply: ResultsBroken, now: float) -> Change:
    """A page that does not parse to the told number of rows is fetched again; a page is a pure function of its locator."""
    tries = run.tries.get(attempt.id, 0) + 1
    if tries <= run.policy.max_refetch:
        return Change(run).free(attempt.id, due=now + run.policy.lost_delay(tries), tries=tries)
    return replaced(run, attempt, reply.reason)


def replaced(run: Run, attempt: Attempt, why: str) -> Change:
    """The query is given up and asked anew, a few times."""
    ended = replace(attempt, state=AttemptState.ABANDONED, note=why)
    change = Change(run).attempt(ended, "query-given-up", why=why).free(attempt.id)
    if attempt.try_no < MAX_QUERIES:
        return change
    what = f"{attempt.step}: {attempt.try_no} query jobs in a row failed: {why}"
    return change.stopped(Stop("query-keeps-failing", what, "resume to try again", ExitCode.PAUSED))
