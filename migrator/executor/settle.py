"""What a reply means for the run.

**Invariant:** pure; an attempt and all its rows change in one commit; nothing is concluded from a missing answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from migrator.data.jobs import Comparison, Prepared
from migrator.errors import ExitCode
from migrator.executor import ingest, query
from migrator.executor.actions import (
    AbandonUpload,
    AttemptAction,
    AttemptSettled,
    CloseUpload,
    ConfirmClose,
    CreateJob,
    FenceBatch,
    FetchPage,
    FileFrozen,
    GateFound,
    GateMoved,
    GaveUp,
    Harvest,
    JobTold,
    OutcomesChecked,
    PageStored,
    PartlyTold,
    Poll,
    PrepareAgain,
    PrepareStep,
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
from migrator.executor.budget import CANARY
from migrator.executor.change import Change, added, finished, held, repeated_ids
from migrator.executor.dispatch import figures
from migrator.executor.gates import settle_gate
from migrator.executor.jobs import ANEW
from migrator.executor.lost import lost
from migrator.executor.reconcile import reconciled
from migrator.executor.rounds import ceiling, rung
from migrator.executor.run import Run, Stop, key_of
from migrator.model.lockfigures import lock_counts
from migrator.model.run import AttemptKind, Outcome, Slice, StepPhase, StepRow
from migrator.model.schedule import LinkStep, LoadStep, VerifyStep
from migrator.model.summary import EXTRA


class UnexpectedReply(Exception):  # noqa: N818 - it is the reply that is unexpected
    """An action got a reply of another kind: a bug of ours."""


def settle(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float, chance: float = 1.0
) -> Change:
    """The run after `action` got `reply` at `now`. `chance` (0 to 1) spreads out what is tried again."""
    if isinstance(reply, GaveUp):
        stop = Stop(reply.code, reply.what, reply.hint, reply.exit_code)
        return Change(run).free(key_of(action)).stopped(stop)
    if isinstance(action, StepAction):
        return held(_settle_step(run, action, reply, now), action.step)
    attempt = run.live[action.attempt]
    match reply:
        case Reconciled():
            return held(reconciled(run, attempt, reply, now, chance), attempt.step)
        case RequestLost():
            return held(lost(run, action, reply, now, chance), attempt.step)
        case GateFound() | GateMoved():
            return settle_gate(run, action, reply, now)
        case _:
            return held(_settle_attempt(run, action, reply, now, chance), attempt.step)


def _settle_attempt(run: Run, action: AttemptAction, reply: Reply, now: float, chance: float) -> Change:
    attempt = run.live[action.attempt]
    match action, reply:
        case CreateJob(), JobTold():
            return ingest.created(run, attempt, reply, now)
        case Upload(), UploadTaken():
            return ingest.uploaded(run, attempt)
        case AbandonUpload(), JobTold():
            return ingest.abandoned(run, attempt, reply, now)
        case FenceBatch(), JobTold():
            return ingest.fenced(run, attempt, reply, now)
        case CloseUpload() | ConfirmClose(), JobTold():
            return ingest.closed(run, attempt, reply, now)
        case Poll(), JobTold():
            if attempt.kind is AttemptKind.QUERY:
                return query.polled(run, attempt, reply, now)
            return ingest.polled(run, attempt, reply, now)
        case Harvest() | SendRows(), AttemptSettled():
            return ingest.harvested(run, attempt, reply, now, chance)
        case Harvest(), PartlyTold():
            return ingest.partly_told(run, attempt, reply, now)
        case Harvest() | SendRows() | FenceBatch() | Poll(), ResultsBroken():
            return ingest.broken(run, attempt, reply, now)
        case FetchPage(), PageStored() | ResultsBroken():
            return query.page_came(run, attempt, reply, now)
        case _:
            raise UnexpectedReply(f"{type(action).__name__} got {type(reply).__name__}")


def _settle_step(run: Run, action: StepAction, reply: Reply, now: float) -> Change:
    change = Change(run).free(action.step)
    row = run.steps[action.step]
    match reply:
        case FileFrozen():
            done = replace(
                row, phase=StepPhase.DONE, total=reply.file.rows, files=(*row.files, reply.file), finished=now
            )
            return change.step(done, "step-done", rows=reply.file.rows, sha256=reply.file.sha256)
        case RecordsPaired():
            found = reply.matched
            tallies = {Outcome.UNCHANGED: found.matched, Outcome.SKIPPED: found.total - found.matched}
            done = replace(
                row,
                total=found.total,
                tallies={outcome: count for outcome, count in tallies.items() if count},
                files=(*row.files, found.id_map),
                notes=found.notes,
            )
            return finished(change.step(done), action.step, now)
        case StepPrepared():
            return _prepared(change, action, reply, now)
        case OutcomesChecked():
            if reply.repeated:
                return change.stopped(repeated_ids(action.step, reply.repeated))
            return finished(change, action.step, now, checked=True)
        case TargetCompared():
            step = run.schedule.step(action.step)
            counts = _compared(reply.comparison, counted=isinstance(step, VerifyStep) and step.counts)
            counts |= {EXTRA: reply.extra} if reply.extra else {}
            done = replace(
                row,
                phase=StepPhase.DONE,
                finished=now,
                files=(*row.files, reply.comparison.report),
                counts=counts,
                notes=(*row.notes, *_extra(reply.extra)),
            )
            return change.step(done, "step-done", **counts)
        case _:
            raise UnexpectedReply(f"{type(action).__name__} got {type(reply).__name__}")


def _prepared(change: Change, action: StepAction, reply: StepPrepared, now: float) -> Change:
    prepared = reply.prepared
    run = change.run
    row = run.steps[action.step]
    step = run.schedule.step(action.step)
    if not isinstance(step, LoadStep | LinkStep):
        raise UnexpectedReply(f"{action.step} is not a step that sends")
    lane = rung(run, step, row.rounds + 1).lane
    slices = tuple(
        Slice(row.step, cut.no, row.rounds + 1, cut.file, lane, cut.group, cut.wave)
        for cut in prepared.slices
    )
    row = replace(
        row,
        total=_total(action, row, prepared),
        tallies=added(row.tallies, prepared.tallies),
        waiting=0,
        rounds=row.rounds + 1,
        files=(*row.files, prepared.rows, *((prepared.outcomes,) if prepared.outcomes else ())),
        counts=_with_facts(row.counts, prepared) | _locked(run, step, prepared, slices),
        notes=(*row.notes, *prepared.notes),
    )
    if isinstance(step, LoadStep) and 0 < step.max_deletes < prepared.rows.rows:
        what = f"{row.step}: {prepared.rows.rows:,} records would be deleted, and the plan allows {step.max_deletes:,}"
        hint = "nothing was deleted; mend the filter or the file, or raise `max_deletes`, and begin a new run"
        return change.stopped(Stop("too-many-deletes", what, hint, ExitCode.REFUSED))
    facts = {"rows": prepared.total, "slices": len(slices), "lane": lane.value, "round": row.rounds}
    return finished(change.step(row, "step-cut", **facts).slices(row.step, slices), row.step, now)


def _total(action: StepAction, row: StepRow, prepared: Prepared) -> int | None:
    """All rows of the step; a link step may get more of them when records were loaded after all."""
    match action:
        case PrepareStep():
            return prepared.total
        case PrepareAgain():
            return (row.total or 0) - row.waiting + prepared.total
        case _:
            return row.total


def _with_facts(counts: Mapping[str, int], prepared: Prepared) -> dict[str, int]:
    more = {f"fault.{code}": count for code, count in prepared.faults.items()}
    canary = {CANARY: prepared.canary} if prepared.canary is not None else {}
    return {key: counts.get(key, 0) + more.get(key, 0) for key in (*counts, *more) if key != ANEW} | canary


def _locked(
    run: Run, step: LoadStep | LinkStep, prepared: Prepared, slices: Sequence[Slice]
) -> dict[str, int]:
    """What the rows lock and how they travel, where they lock anything."""
    if not prepared.locked:
        return {}
    return lock_counts(figures(prepared.locked, slices, ceiling(step, run.policy), prepared.canary))


def _extra(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    what = f"our user made {count:,} records while jobs of the run were at work that no result of them names"
    return (
        f"{what}: Salesforce did rows twice, or another program wrote as the same user; look for doubled records",
    )


def _compared(comparison: Comparison, *, counted: bool) -> dict[str, int]:
    missing = {
        "missing": comparison.missing,
        "duplicated": comparison.duplicated,
        "duplicate.keys": comparison.duplicate_keys,
    }
    return {
        "rows": comparison.rows,
        "compared": comparison.sampled,
        **(missing if counted else {}),
        **{f"orphaned.{name}": count for name, count in sorted(comparison.orphaned.items())},
        **{f"differing.{name}": count for name, count in sorted(comparison.differing.items())},
    }
