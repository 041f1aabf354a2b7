"""Performing one action: the only place where a decision becomes a request or a data-plane call.

**Invariant:** performs exactly what was asked, once; whether to do it again is `decide`'s question. Nothing here writes the ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

from migrator.data import Engine, PageBroken, ResultsMismatch, check_source_file
from migrator.data.jobs import Prepared
from migrator.errors import ExitCode, MigratorError, PlanInvalid, has_errors
from migrator.executor import jobs
from migrator.executor.actions import (
    AbandonUpload,
    AttemptAction,
    AttemptSettled,
    CheckOutcomes,
    CloseGate,
    CloseUpload,
    CompareTarget,
    ConfirmClose,
    CreateJob,
    CutAgain,
    FetchPage,
    FileFrozen,
    FreezeFile,
    GateAction,
    GaveUp,
    Harvest,
    JobTold,
    OpenGate,
    OutcomesChecked,
    PageStored,
    PairRecords,
    PartlyTold,
    Poll,
    PrepareAgain,
    PrepareStep,
    ReadGate,
    Reconcile,
    Reconciled,
    RecordsPaired,
    Reply,
    RequestLost,
    ResultsBroken,
    SendRows,
    StepAction,
    StepPrepared,
    TargetCompared,
    Upload,
    UploadTaken,
)
from migrator.executor.allowance import Allowance
from migrator.executor.extra import extra_records
from migrator.executor.gates import gate_of
from migrator.executor.gatework import close_gate, open_gate, read_gate
from migrator.executor.query import changes_soql
from migrator.executor.reconcile import look_up, reconcile_job
from migrator.executor.rest import send_slice
from migrator.executor.run import Run
from migrator.executor.serial import perform_serial
from migrator.model.run import Attempt, AttemptKind, AttemptState, FileRef
from migrator.model.schedule import (
    ExtractStep,
    GateStep,
    LinkStep,
    LoadStep,
    MatchStep,
    Side,
    TakeBack,
    VerifyStep,
)
from migrator.model.wire import JobInfo, JobState, Sent
from migrator.review import SchemaWatch
from migrator.salesforce import Org, RequestFailed

ResultKind = Literal["successful", "failed", "unprocessed"]
#: rows of one page of a query result: small enough to hold, large enough that few requests are needed
PAGE_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Tools:
    """What actions are performed with."""

    source: Org | None
    target: Org
    engine: Engine
    #: where relative source files are looked for
    plan_folder: Path
    watch: SchemaWatch
    allowance: Allowance


def perform(tools: Tools, run: Run, action: StepAction | AttemptAction) -> Reply:
    """Do it, and say what came of it."""
    try:
        reply = _perform(tools, run, action)
        return replace(reply, skew=tools.target.skew) if isinstance(reply, AttemptSettled) else reply
    except RequestFailed as failed:
        # Salesforce's code says more where it refused; elsewhere it is missing or beside the point
        code = failed.error_code if failed.code == "request-refused" else failed.code
        return RequestLost(failed.sent, failed.status or 0, code, str(failed), failed.diagnostic.hint)
    except (PageBroken, ResultsMismatch) as broken:
        return ResultsBroken(str(broken))
    except MigratorError as failed:
        found = failed.diagnostic
        return GaveUp(found.code, found.what, found.hint, ExitCode(failed.exit_code))


def _perform(tools: Tools, run: Run, action: StepAction | AttemptAction) -> Reply:
    if isinstance(action, StepAction):
        return _perform_step(tools, run, action)
    return _perform_attempt(tools, run, action, run.live[action.attempt])


def _perform_step(tools: Tools, run: Run, action: StepAction) -> Reply:
    engine = tools.engine
    step = run.schedule.step(action.step)
    match action, step:
        case FreezeFile(), ExtractStep():
            return _freeze(tools, step, len(run.steps[step.id].files))
        case PairRecords(), MatchStep():
            return RecordsPaired(engine.match(jobs.match(run, step)))
        case PrepareStep(), LoadStep(undoes=TakeBack() as back):
            return StepPrepared(engine.prepare_undo(jobs.undo(run, step, back)))
        case PrepareStep(), LoadStep():
            return _prepared(tools, step, lambda: engine.prepare_load(jobs.load(run, step)))
        case PrepareStep(), LinkStep():
            return _prepared(tools, step, lambda: engine.prepare_link(jobs.link(run, step)))
        case CutAgain(), LoadStep() | LinkStep():
            return StepPrepared(engine.cut_again(jobs.again(run, step, _quarantined(engine, run, step.id))))
        case PrepareAgain(), LoadStep() | LinkStep():
            return StepPrepared(
                engine.prepare_again(jobs.anew(run, step, _quarantined(engine, run, step.id)))
            )
        case CheckOutcomes(), LoadStep() | LinkStep():
            return OutcomesChecked(engine.repeated_ids(run.outcome_files(step.id)))
        case CompareTarget(), VerifyStep():
            extra = extra_records(tools.target, run, step)
            return TargetCompared(engine.compare(jobs.compare(run, step)), extra)
        case _:
            raise TypeError(f"{type(action).__name__} does not fit {type(step).__name__}")


def _prepared(tools: Tools, step: LoadStep | LinkStep, prepare: Callable[[], Prepared]) -> Reply:
    """The step's rows, once the org is seen to be what the plan was checked against."""
    notes = tools.watch.check(step)
    prepared = prepare()
    return StepPrepared(replace(prepared, notes=(*prepared.notes, *notes)))


def _quarantined(engine: Engine, run: Run, step: str) -> tuple[FileRef, ...]:
    """Outcome files of the step's quarantined slices, so that rows which waited before are never cut again."""
    return tuple(
        engine.settle_whole(jobs.quarantine(run, one)).outcomes
        for one in run.settled.get(step, ())
        if one.state is AttemptState.QUARANTINED and one.outcomes is None
    )


def _perform_attempt(tools: Tools, run: Run, action: AttemptAction, attempt: Attempt) -> Reply:
    if isinstance(action, GateAction):
        return _gate(tools.target, run, action, attempt)
    if isinstance(action, Reconcile):
        settled, sides = tools.engine.reconcile(reconcile_job(run, attempt))
        return Reconciled(settled, sides)
    if attempt.kind is AttemptKind.BULK1_SERIAL:
        return perform_serial(tools.target, tools.engine, run, action, attempt)
    return _perform_job(tools, run, action, attempt)


def _perform_job(tools: Tools, run: Run, action: AttemptAction, attempt: Attempt) -> Reply:
    target = tools.target
    match action:
        case CreateJob():
            return _create(tools, run, attempt)
        case Upload():
            slice_ = run.slices[(attempt.step, attempt.slice)]
            target.upload(attempt.job_id, tools.engine.workspace.verify(slice_.file))
            return UploadTaken()
        case CloseUpload():
            return _close(tools, attempt)
        case ConfirmClose():
            told = _told(target, attempt)
            return _close_again(tools, attempt) if told.job.state is JobState.OPEN else told
        case AbandonUpload():
            return _abandon(target, attempt)
        case Poll():
            query = attempt.kind is AttemptKind.QUERY
            return _query_told(_org(tools, run, attempt), attempt) if query else _told(target, attempt)
        case Harvest():
            return _harvest(tools, run, attempt, told=action.told)
        case FetchPage():
            return _fetch(tools, run, attempt, action)
        case SendRows():
            return send_slice(tools.target, tools.engine, run, attempt)
        case _:
            raise TypeError(f"{type(action).__name__} does not fit {attempt.kind.value}")


def _gate(target: Org, run: Run, action: GateAction, attempt: Attempt) -> Reply:
    gate = gate_of(run, attempt)
    match action:
        case ReadGate():
            return read_gate(target, gate)
        case OpenGate():
            return open_gate(target, gate)
        case CloseGate():
            return close_gate(target, gate, attempt)


def _close(tools: Tools, attempt: Attempt) -> Reply:
    if not tools.allowance.take(attempt.rows):
        what = f"{tools.target.alias}: nine tenths of the daily allowance of Bulk API batches are spent"
        return RequestLost(Sent.NO, 0, "request-limit-exceeded", what)
    return JobTold(tools.target.close_upload(attempt.job_id))


def _close_again(tools: Tools, attempt: Attempt) -> Reply:
    try:
        return _close(tools, attempt)
    except RequestFailed as failed:
        if failed.status != 400:
            raise
    # it is open and will never be closed, e.g. because something delivered the upload twice: its end tells that nothing was done
    return _abandon(tools.target, attempt)


def _org(tools: Tools, run: Run, attempt: Attempt) -> Org:
    step = run.schedule.step(attempt.step)
    if isinstance(step, ExtractStep) and step.side is Side.SOURCE:
        if tools.source is None:
            raise TypeError(f"{step.id} reads an org, and the plan reads files")
        return tools.source
    return tools.target


def _create(tools: Tools, run: Run, attempt: Attempt) -> Reply:
    step = run.schedule.step(attempt.step)
    if attempt.kind is AttemptKind.QUERY and isinstance(step, LoadStep | LinkStep):
        return JobTold(tools.target.create_query(look_up(run, attempt).soql))
    match step:
        case ExtractStep(since_start=True):
            tools.watch.check(step)
            org = _org(tools, run, attempt)
            return JobTold(org.create_query(changes_soql(step, run, org.skew), deleted_too=True))
        case ExtractStep() | VerifyStep():
            tools.watch.check(step)
            return JobTold(_org(tools, run, attempt).create_query(step.soql))
        case LoadStep():
            rule = step.headers.assignment_rule
            return JobTold(
                tools.target.create_ingest(
                    step.sobject, step.operation.wire, step.external_id, assignment_rule=rule
                )
            )
        case LinkStep():
            return JobTold(tools.target.create_ingest(step.sobject, "update", None))
        case MatchStep() | GateStep():
            raise TypeError(f"{step.id} has no jobs")
        case _:
            assert_never(step)


def _told(org: Org, attempt: Attempt) -> JobTold:
    try:
        return JobTold(org.job(attempt.job_id))
    except RequestFailed as failed:
        return _gone(attempt, failed)


def _query_told(org: Org, attempt: Attempt) -> JobTold:
    try:
        return JobTold(org.query_job(attempt.job_id))
    except RequestFailed as failed:
        return _gone(attempt, failed)


def _gone(attempt: Attempt, failed: RequestFailed) -> JobTold:
    if failed.status != 404:
        raise failed
    return JobTold(JobInfo(attempt.job_id, JobState.UNKNOWN), gone=True)


def _abandon(org: Org, attempt: Attempt) -> JobTold:
    told = _told(org, attempt)
    if told.gone or told.job.state is not JobState.OPEN:
        return told
    org.abort(attempt.job_id)
    # asked again: what counts is the state the org reports, not that the request was answered
    return _told(org, attempt)


def _fetch(tools: Tools, run: Run, attempt: Attempt, action: FetchPage) -> Reply:
    step = run.schedule.step(attempt.step)
    columns = step.columns if isinstance(step, ExtractStep | VerifyStep) else look_up(run, attempt).columns
    org = _org(tools, run, attempt)
    with org.page(attempt.job_id, action.locator, PAGE_ROWS) as page:
        if page.rows is None:
            return ResultsBroken("the org does not say how many records the page has")
        path = f"{jobs.folder('extract', step.id)}/{attempt.id}-{action.seq:05d}.csv"
        file = tools.engine.workspace.publish(path, page, rows=page.rows)
        tools.engine.check_page(file, columns, page.rows)
        return PageStored(file, page.locator)


def _harvest(tools: Tools, run: Run, attempt: Attempt, *, told: bool) -> Reply:
    successful = _result(tools, attempt, "successful")
    failed = _result(tools, attempt, "failed")
    unprocessed = _result(tools, attempt, "unprocessed")
    files = {"successful": successful, "failed": failed, "unprocessed": unprocessed}
    job = jobs.settle(run, attempt, files)
    try:
        return AttemptSettled(tools.engine.settle(job))
    except ResultsMismatch:
        if not told:
            raise
    return PartlyTold(tools.engine.settle_told(job))


def _result(tools: Tools, attempt: Attempt, kind: ResultKind) -> FileRef:
    path = f"{jobs.folder('results', attempt.step)}/{attempt.slice:05d}-{attempt.id}-{kind}.csv"
    with tools.target.results(attempt.job_id, kind) as download:
        return tools.engine.workspace.publish(path, download, rows=0)


def _freeze(tools: Tools, step: ExtractStep, nth: int) -> Reply:
    path = tools.plan_folder / step.file
    source = check_source_file(path, delimiter=step.delimiter, encoding=step.encoding)
    if has_errors(source.diagnostics):
        raise PlanInvalid(source.diagnostics)
    return FileFrozen(
        tools.engine.freeze_source_file(
            step.id, source, path, delimiter=step.delimiter, encoding=step.encoding, nth=nth
        )
    )
