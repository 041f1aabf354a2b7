"""From the run's state to the data plane's jobs: which files, columns and id maps an operation needs.

**Invariant:** pure; names files that the ledger vouches for and none besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from migrator.data import folder_name, prepared_anew
from migrator.data.jobs import (
    CompareJob,
    IdMap,
    LinkJob,
    LoadJob,
    LockSigns,
    MatchJob,
    Pages,
    Reply,
    RestJob,
    RetryJob,
    SentColumn,
    SettleJob,
    SqlColumn,
    SqlLookup,
    WholeJob,
)
from migrator.data.later import AgainJob, UndoJob
from migrator.executor.learned import learned, lock_keys, planned_keys
from migrator.executor.rounds import rung
from migrator.executor.run import Run
from migrator.model.plan import Operation
from migrator.model.run import Attempt, FileRef, Outcome, Slice
from migrator.model.schedule import (
    ColumnSpec,
    ExtractStep,
    LinkStep,
    LoadStep,
    LookupSpec,
    MatchStep,
    Step,
    TakeBack,
    VerifyStep,
)
from migrator.salesforce import LIMIT_TEXTS, LOCK_FAULTS, LOCK_TEXTS, RETRYABLE_FAULTS, RowReply
from migrator.transforms import compile_column, compile_match

#: the code of a row that the org did not look at
UNPROCESSED = "UNPROCESSED"
LOCK_SIGNS = LockSigns(LOCK_FAULTS, LOCK_TEXTS)
#: the prefixes of files that hold outcomes, and of those that hold the rows of a round
OUTCOMES = "outcomes/"
ROWS = "rows/"
#: in `StepRow.counts`: the rows that wait are to be prepared anew; and the round before which that began
ANEW = "anew"
ROUND_BASE = "round.base"


def folder(kind: str, step: str) -> str:
    """The folder of the run in which a step keeps its files of that kind."""
    return f"{kind}/{folder_name(step)}"


def sending(step: Step) -> LoadStep | LinkStep:
    """The step as one that sends rows. Raises TypeError for another."""
    if not isinstance(step, LoadStep | LinkStep):
        raise TypeError(f"{step.id} sends nothing")
    return step


def pages(run: Run, extract: str) -> Pages:
    """What an extract read."""
    step = run.schedule.step(extract)
    if not isinstance(step, ExtractStep):
        raise TypeError(f"{extract} is no extract")
    return Pages(run.extract_files(extract), delimiter=step.delimiter)


def match(run: Run, step: MatchStep) -> MatchJob:
    """Pair the records of a reference object."""
    return MatchJob(
        step=step.id,
        source=pages(run, step.source_extract),
        target=pages(run, step.target_extract),
        key=step.key,
        source_sql=tuple(compile_match(step.match)),
        on=step.match.on,
        nth=len(run.steps[step.id].files),
    )


def load(run: Run, step: LoadStep) -> LoadJob:
    """Make the slices of a load."""
    return LoadJob(
        step=step.id,
        pages=pages(run, step.source_extract),
        key=step.key,
        operation=step.operation,
        columns=tuple(_column(run, one) for one in step.columns),
        lookups=tuple(_lookup(run, one) for one in step.lookups),
        external_id=step.external_id if step.operation is Operation.UPSERT else None,
        external_id_case_sensitive=step.external_id_case_sensitive,
        follow=step.follow,
        group_by=step.group_by,
        locks=lock_keys(step, step.lane, several=True),
        max_slice_rows=step.max_slice_rows,
        max_slice_bytes=step.max_slice_bytes,
        canary_rows=step.canary.rows,
        clear_nulls=step.clear_nulls,
        changes=pages(run, step.changes) if step.changes else None,
        frozen=step.frozen,
    )


def undo(run: Run, step: LoadStep, back: TakeBack) -> UndoJob:
    """Make the slices of a step that takes another run back."""
    children = [sending(run.schedule.step(one)) for one in back.children]
    return UndoJob(
        step=step.id,
        pages=pages(run, step.source_extract),
        current=pages(run, back.current),
        users=back.users,
        not_after=back.not_after,
        children=tuple(
            (pages(run, one.source_extract), run.outcome_files(one.id))
            for one in children
            if isinstance(one, LoadStep)
        ),
        fields=()
        if step.operation.deletes
        else tuple(one.rule.target for one in step.columns if one.rule.target != "Id"),
        changed_too=back.changed_too,
        max_slice_rows=step.max_slice_rows,
        max_slice_bytes=step.max_slice_bytes,
    )


def link(run: Run, step: LinkStep) -> LinkJob:
    """Make the slices of a link step."""
    loaded = run.schedule.step(step.load_step)
    if not isinstance(loaded, LoadStep):
        raise TypeError(f"{step.load_step} is no load")
    return LinkJob(
        step=step.id,
        pages=pages(run, loaded.source_extract),
        key=loaded.key,
        loaded=IdMap(run.outcome_files(loaded.id)),
        lookups=tuple(_lookup(run, one) for one in step.lookups),
        max_slice_rows=step.max_slice_rows,
        max_slice_bytes=step.max_slice_bytes,
        changes=pages(run, loaded.changes) if loaded.changes else None,
    )


def quarantine(run: Run, attempt: Attempt) -> WholeJob:
    """Give every row of a quarantined slice that outcome."""
    slice_ = run.slices[(attempt.step, attempt.slice)]
    return WholeJob(
        step=attempt.step,
        slice=attempt.slice,
        attempt=attempt.id,
        rows=rows_file(run, attempt.step, slice_.round),
        outcome=Outcome.QUARANTINED,
        code="QUARANTINED",
    )


def again(run: Run, step: LoadStep | LinkStep, quarantined: tuple[FileRef, ...]) -> RetryJob:
    """Cut the waiting rows of a step once more; `quarantined` are the outcomes of slices whose fate is unknown."""
    row = run.steps[step.id]
    how = rung(run, step, row.rounds + 1)
    return RetryJob(
        step=step.id,
        round=row.rounds + 1,
        rows=rows_files(run, step.id),
        # a row that was sent before may have got its outcome when it was prepared anew
        settled=(*run.outcome_files(step.id), *quarantined),
        locks=lock_keys(step, how.lane, learned(step, row.counts)),
        max_slice_rows=how.max_rows,
        max_slice_bytes=how.max_bytes,
        first_no=max((no for name, no in run.slices if name == step.id), default=0) + 1,
    )


def anew(run: Run, step: LoadStep | LinkStep, quarantined: tuple[FileRef, ...]) -> AgainJob:
    """Prepare the waiting rows of a step anew, from what its extract says now."""
    number = run.steps[step.id].rounds + 1
    how = rung(run, step, number)
    fresh = replace(
        _fresh(run, step),
        max_slice_rows=how.max_rows,
        max_slice_bytes=how.max_bytes,
        first_no=max((no for name, no in run.slices if name == step.id), default=0) + 1,
    )
    settled = (*run.outcome_files(step.id), *quarantined)
    return AgainJob(fresh, number, settled, rows_files(run, step.id))


def _fresh(run: Run, step: LoadStep | LinkStep) -> LoadJob | LinkJob | UndoJob:
    match step:
        case LoadStep(undoes=TakeBack() as back):
            return undo(run, step, back)
        case LoadStep():
            return load(run, step)
        case LinkStep():
            return link(run, step)


def settle(run: Run, attempt: Attempt, results: Mapping[str, FileRef]) -> SettleJob:
    """Match a job's results with what was uploaded."""
    step = sending(run.schedule.step(attempt.step))
    slice_ = run.slices[(attempt.step, attempt.slice)]
    return SettleJob(
        step=step.id,
        slice=attempt.slice,
        attempt=attempt.id,
        sent=slice_.file.rows,
        rows=rows_file(run, step.id, slice_.round),
        columns=sent_columns(step),
        operation=operation(step),
        successful=results["successful"],
        failed_results=results["failed"],
        unprocessed=results["unprocessed"],
        processed=attempt.processed,
        failed=attempt.failed,
        external_id=_match_key(step),
        key_prefix=step.key_prefix,
        retryable=RETRYABLE_FAULTS,
        locks=LOCK_SIGNS,
        lock_fields=planned_keys(step),
        limits=LIMIT_TEXTS,
        first_round=_round(run, slice_) == 1,
        last_round=_round(run, slice_) >= run.policy.max_rounds,
        doubted=_sent_before(run, step),
    )


def _sent_before(run: Run, step: LoadStep | LinkStep) -> tuple[FileRef, ...]:
    """The outcomes of attempts of a delete some of whose rows were sent once more."""
    if not operation(step).deletes:
        return ()
    return tuple(one.outcomes for one in run.settled.get(step.id, ()) if one.outcomes and one.waiting)


def settle_rest(run: Run, attempt: Attempt, replies: FileRef) -> RestJob:
    """The outcomes of a slice that was sent over REST."""
    step = sending(run.schedule.step(attempt.step))
    slice_ = run.slices[(attempt.step, attempt.slice)]
    return RestJob(
        step=step.id,
        slice=attempt.slice,
        attempt=attempt.id,
        rows=rows_file(run, step.id, slice_.round),
        operation=operation(step),
        replies=replies,
        key_prefix=step.key_prefix,
        retryable=RETRYABLE_FAULTS | {UNPROCESSED},
        locks=LOCK_SIGNS,
        lock_fields=planned_keys(step),
        limits=LIMIT_TEXTS,
        columns=sent_columns(step),
        first_round=_round(run, slice_) == 1,
        last_round=_round(run, slice_) >= run.policy.max_rounds,
        doubted=_sent_before(run, step),
    )


def external_id(step: LoadStep | LinkStep) -> str | None:
    """The external id that an upsert matches on."""
    return step.external_id if isinstance(step, LoadStep) else None


def replies(answers: Sequence[RowReply]) -> list[Reply]:
    """What the org said to the rows of a slice, in their order, as the data plane keeps it."""
    return [
        Reply(
            position=position,
            id=answer.id,
            success=answer.success,
            created=bool(answer.created),
            code=answer.faults[0].code if answer.faults else "",
            message=answer.faults[0].message if answer.faults else "",
            fields=",".join(answer.faults[0].fields) if answer.faults else "",
        )
        for position, answer in enumerate(answers)
    ]


def compare(run: Run, step: VerifyStep) -> CompareJob:
    """Compare what was read back with what was sent."""
    loaded = sending(run.schedule.step(step.load_step))
    links = [sending(run.schedule.step(one)) for one in step.link_steps]
    columns = {one.name: one for each in (loaded, *links) for one in sent_columns(each)}
    return CompareJob(
        step=step.id,
        sent=rows_files(run, loaded.id),
        outcomes=run.outcome_files(loaded.id),
        readback=Pages(run.extract_files(step.id)),
        columns=tuple(one for name, one in columns.items() if name != "Id"),
        links=tuple(rows_files(run, one.id) for one in links),
        link_outcomes=tuple(file for one in links for file in run.outcome_files(one.id)),
        sample=step.sample,
        orphans=step.counts,
        key=external_id(loaded) if operation(loaded) is Operation.UPSERT else None,
        key_case_sensitive=isinstance(loaded, LoadStep) and loaded.external_id_case_sensitive,
    )


def rows_file(run: Run, step: str, round_: int) -> FileRef:
    """The rows that were cut in a round of a step."""
    cut = [one for one in run.steps[step].files if one.path.startswith(ROWS)]
    return cut[round_ - 1]


def rows_files(run: Run, step: str) -> tuple[FileRef, ...]:
    """The rows files of a step that say what was sent, the oldest first: those between were cut from them."""
    cut = [one for one in run.steps[step].files if one.path.startswith(ROWS)]
    return (*cut[:1], *(one for one in cut[1:] if prepared_anew(one)))


def _round(run: Run, slice_: Slice) -> int:
    """The round of a slice since its rows were prepared anew, from 1."""
    return slice_.round - run.steps[slice_.step].counts.get(ROUND_BASE, 0)


def sent_columns(step: LoadStep | LinkStep) -> tuple[SentColumn, ...]:
    """The columns of the step's slices."""
    lookups = tuple(SentColumn(one.rule.target, "reference") for one in step.lookups)
    if isinstance(step, LinkStep):
        return (SentColumn("Id", "id"), *lookups)
    key = _folded_key(step)
    return (
        tuple(
            SentColumn(one.rule.target, one.type, one.numeric, one.rule.target == key) for one in step.columns
        )
        + lookups
    )


def _folded_key(step: LoadStep) -> str | None:
    """The field by which an upsert finds records whatever the case of its letters."""
    return (
        step.external_id
        if step.operation is Operation.UPSERT and not step.external_id_case_sensitive
        else None
    )


def operation(step: LoadStep | LinkStep) -> Operation:
    """What is done with the rows."""
    return step.operation if isinstance(step, LoadStep) else Operation.UPDATE


def _match_key(step: LoadStep | LinkStep) -> str | None:
    if isinstance(step, LinkStep):
        return "Id"
    return step.external_id if step.operation is Operation.UPSERT else None


def _column(run: Run, spec: ColumnSpec) -> SqlColumn:
    # the same for every run of the plan against the org, so that a repeated load masks alike; another org masks otherwise
    compiled = compile_column(spec, salt=f"{run.row.plan_name}:{run.row.target_org_id}")
    return SqlColumn(
        target=compiled.target,
        value_sql=compiled.value_sql,
        fault_sql=compiled.fault_sql,
        type=spec.type,
        numeric=spec.numeric,
        reads=compiled.reads,
    )


def _lookup(run: Run, spec: LookupSpec) -> SqlLookup:
    return SqlLookup(
        target=spec.rule.target,
        source_column=spec.rule.source or spec.rule.target,
        id_maps=tuple(_id_map(run, name) for name in spec.via),
        when_missing=spec.when_missing,
        default=spec.rule.default,
        required=spec.required,
        keys_repeat=any(isinstance(one, ExtractStep) and bool(one.file) for one in run.schedule.steps),
    )


def _id_map(run: Run, object_name: str) -> IdMap:
    for step in run.schedule.steps:
        if step.object_name != object_name:
            continue
        if isinstance(step, LoadStep):
            return IdMap(run.outcome_files(step.id))
        if isinstance(step, MatchStep):
            return IdMap(run.steps[step.id].files[-1:])
    raise KeyError(object_name)
