"""What a run of the same plan would do now: read, matched, prepared and judged like a run, and never sent.

The reading is a run of its own in the run folder's `tmp`, with the same extracts and matches and nothing that writes; what it finds is counted
in the ledger of the run that is verified. It may be killed at any instant: the next one begins anew.

**Invariant:** nothing is sent to any org; a step that would create a record says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from migrator.clock import Clock
from migrator.data import Engine, Workspace
from migrator.data.jobs import Pages, Prepared
from migrator.data.later import Survey, SurveyJob, SurveyKey
from migrator.errors import ExitCode, MigratorError
from migrator.executor import jobs
from migrator.executor.change import Change
from migrator.executor.run import Goal, Policy, Run, from_ledger, with_step
from migrator.model.plan import Operation
from migrator.model.run import RunStatus, StepPhase, StepRow
from migrator.model.schedule import ExtractStep, LinkStep, LoadStep, MatchStep, Schedule, Side, VerifyStep
from migrator.model.schedule_text import dump_schedule
from migrator.model.summary import SECOND_RUN, Again
from migrator.model.throttle import NO_THROTTLE
from migrator.review import SchemaWatch
from migrator.soql import queries
from migrator.state import open_ledger, read_ledger

#: the folder of the reading, in the run folder
PLACE = "tmp/second-run"


def begin_reading(run: Run, folder: Path, watch: SchemaWatch, clock: Clock, *, user: str) -> None:
    """Make the run that reads what a second run would read, as the user who verifies.

    Raises MigratorError `nothing-to-repeat` for a run that takes back another.
    """
    if any(isinstance(one, LoadStep) and one.undoes for one in run.schedule.steps):
        raise MigratorError(
            "nothing-to-repeat",
            f"run {run.row.run_id} takes back another one, which is done once",
            hint="verify it without --twice",
            exit_code=ExitCode.USAGE,
        )
    schedule = reading_schedule(run.schedule, watch)
    row = replace(
        run.row,
        schedule_json=dump_schedule(schedule),
        target_user_id=user,
        status=RunStatus.RUNNING,
        finished=None,
    )
    with open_ledger(folder, clock, create=row):
        pass


def reading_schedule(schedule: Schedule, watch: SchemaWatch) -> Schedule:
    """The extracts and matches of the schedule, and a read of the target for each load that needs one and that nothing verifies."""
    loads = [one for one in schedule.steps if isinstance(one, LoadStep)]
    matches = [one for one in schedule.steps if isinstance(one, MatchStep)]
    sources: list[LoadStep | MatchStep] = [*loads, *matches]
    read = {one.source_extract for one in sources} | {one.target_extract for one in matches}
    kept = [one for one in schedule.steps if isinstance(one, MatchStep) or one.id in read]
    more = [
        _target_extract(one, _links(schedule, one))
        for one in loads
        if _verified_by(schedule, one) is None and (_keys(one, watch) or _links(schedule, one))
    ]
    names = {one.id for one in kept}
    edges = tuple(one for one in schedule.edges if one.before in names and one.after in names)
    return replace(schedule, steps=(*kept, *more), edges=edges, forecasts=(), throttle=NO_THROTTLE)


def _links(schedule: Schedule, load: LoadStep) -> list[LinkStep]:
    return [one for one in schedule.steps if isinstance(one, LinkStep) and one.load_step == load.id]


def _verified_by(schedule: Schedule, load: LoadStep) -> VerifyStep | None:
    found = (one for one in schedule.steps if isinstance(one, VerifyStep) and one.load_step == load.id)
    return next(found, None)


def _target_extract(load: LoadStep, links: Sequence[LinkStep]) -> ExtractStep:
    steps: list[LoadStep | LinkStep] = [load, *links]
    sent = {one.name for each in steps for one in jobs.sent_columns(each)}
    columns = ("Id", *sorted(sent - {"Id"}))
    return ExtractStep(
        id=_now(load),
        object_name=load.object_name,
        sobject=load.sobject,
        side=Side.TARGET,
        columns=columns,
        soql=queries.select(load.sobject, columns),
    )


def _now(load: LoadStep) -> str:
    return f"extract.{load.object_name}.now"


def _keys(step: LoadStep | LinkStep, watch: SchemaWatch) -> tuple[SurveyKey, ...]:
    """The fields by which the org would find a row's record, or refuse a second one."""
    if isinstance(step, LinkStep) or step.operation.by_id:
        return (SurveyKey("Id"),)
    if step.operation is Operation.UPSERT:
        return (SurveyKey(step.external_id or "Id", step.external_id_case_sensitive),)
    unique = watch.unique(step.sobject)
    return tuple(SurveyKey(one.name) for one in jobs.sent_columns(step) if one.name in unique)


def survey(first: Run, folder: Path, reading: Path, watch: SchemaWatch, *, memory_mb: int) -> Change:
    """Judge every row that a second run would send; the counts are for the ledger of the run that it repeats.

    `reading`: the folder of the run that `begin_reading` made, driven to its end.
    """
    again = from_ledger(read_ledger(reading), first.schedule, Goal.LOAD, Policy())
    here, there = Workspace(folder), Workspace(reading)
    engine = Engine(there, memory_limit_mb=memory_mb)
    change = Change(first)
    try:
        for step in first.schedule.steps:
            if isinstance(step, LoadStep | LinkStep):
                prepared = _prepare(engine, again, step)
                found = engine.survey(
                    _job(first, again, step, prepared, watch),
                    first=here,
                    pages_in=_where(first, step, here, there),
                )
                again = with_step(again, _row(step, prepared, found))
                change = _counted(change, step, prepared, found)
    finally:
        engine.close()
    return change


def _prepare(engine: Engine, again: Run, step: LoadStep | LinkStep) -> Prepared:
    if isinstance(step, LinkStep):
        return engine.prepare_link(jobs.link(again, step))
    # one slice: nothing of it travels
    job = replace(jobs.load(again, step), locks=None, group_by=None, canary_rows=0, max_slice_rows=0)
    return engine.prepare_load(job)


def _load_of(schedule: Schedule, step: LoadStep | LinkStep) -> LoadStep:
    load = schedule.step(step.load_step) if isinstance(step, LinkStep) else step
    if not isinstance(load, LoadStep):
        raise TypeError(f"{step.id} fills fields of no load")
    return load


def _where(first: Run, step: LoadStep | LinkStep, here: Workspace, there: Workspace) -> Workspace:
    return there if _verified_by(first.schedule, _load_of(first.schedule, step)) is None else here


def _readback(first: Run, again: Run, load: LoadStep) -> Pages:
    """The target as it is now: what verification has just read, or what was read for this."""
    verify = _verified_by(first.schedule, load)
    if verify is not None:
        return Pages(first.extract_files(verify.id))
    attempts = again.settled.get(_now(load), ())
    return Pages(tuple(page.file for one in attempts[-1:] for page in again.pages.get(one.id, ())))


def _job(
    first: Run, again: Run, step: LoadStep | LinkStep, prepared: Prepared, watch: SchemaWatch
) -> SurveyJob:
    return SurveyJob(
        step=step.id,
        rows=prepared.rows,
        operation=jobs.operation(step),
        columns=jobs.sent_columns(step),
        keys=_keys(step, watch),
        key_prefix=step.key_prefix,
        readback=_readback(first, again, _load_of(first.schedule, step)),
        first=first.outcome_files(step.id),
    )


def _row(step: LoadStep | LinkStep, prepared: Prepared, found: Survey) -> StepRow:
    """The step as the steps after it see it: as if its rows had been sent."""
    files = (found.outcomes, *((prepared.outcomes,) if prepared.outcomes else ()))
    return StepRow(step.id, StepPhase.DONE, total=prepared.total, files=files)


def _counted(change: Change, step: LoadStep | LinkStep, prepared: Prepared, found: Survey) -> Change:
    counts: Mapping[Again, int] = {**found.counts, Again.UNSENT: prepared.total - prepared.rows.rows}
    told = {SECOND_RUN + one.value: counts.get(one, 0) for one in Again}
    row = forgotten(change.run.steps[step.id])
    files = (*row.files, *((found.created,) if found.created else ()))
    row = replace(row, counts={**row.counts, **told}, files=files)
    return change.step(row, "second-run", **{one.value: counts.get(one, 0) for one in Again})


def forgotten(row: StepRow) -> StepRow:
    """The row without what was found about a second run before: it says nothing about the target as it is now."""
    counts = {key: count for key, count in row.counts.items() if not key.startswith(SECOND_RUN)}
    files = tuple(one for one in row.files if not one.path.startswith("compare/"))
    return row if len(counts) == len(row.counts) else replace(row, counts=counts, files=files)
