"""What must be on disk before an action begins.

**Invariant:** an effect that may not be repeated is preceded by a commit that says it may have happened.
"""

from dataclasses import replace

from migrator.executor.actions import (
    Action,
    BeginGate,
    BeginLookUp,
    BeginQuery,
    BeginSlice,
    CloseGate,
    CloseUpload,
    SendRows,
    StepAction,
    Upload,
)
from migrator.executor.change import Change
from migrator.executor.reconcile import lookup_slice
from migrator.executor.run import Run, key_of
from migrator.model.run import Attempt, AttemptKind, AttemptState, StepPhase, kind_of


def intend(run: Run, action: Action, now: float) -> Change:
    """The run with the action begun: the intent that must be committed first, and what is busy from now on."""
    match action:
        case BeginSlice():
            return _begin_slice(run, action)
        case BeginQuery():
            return _begin_query(run, action, now)
        case BeginLookUp():
            return _begin_lookup(run, action)
        case BeginGate():
            return _begin_gate(run, action, now)
        case _:
            busy = replace(run, busy={**run.busy, key_of(action): action})
    change = Change(busy)
    match action:
        case Upload():
            return _moved(change, action.attempt, AttemptState.UPLOADING, "upload-intended")
        case CloseUpload():
            return _moved(change, action.attempt, AttemptState.CLOSING, "close-intended")
        case SendRows():
            return _moved(change, action.attempt, AttemptState.SENDING, "send-intended")
        case CloseGate():
            return _moved(change, action.attempt, AttemptState.SHUTTING, "gate-closing")
        case _ if isinstance(action, StepAction) and run.steps[action.step].started is None:
            row = replace(run.steps[action.step], phase=StepPhase.OPEN, started=now)
            return change.step(row, "step-begun")
        case _:
            return change


def _moved(change: Change, attempt_id: int, state: AttemptState, kind: str) -> Change:
    attempt = change.run.live[attempt_id]
    return change.attempt(replace(attempt, state=state), kind, job=attempt.job_id)


def _begin_slice(run: Run, action: BeginSlice) -> Change:
    slice_ = run.slices[(action.step, action.slice)]
    before = [one for one in run.settled.get(action.step, ()) if one.slice == action.slice]
    attempt = Attempt(
        id=run.next_attempt,
        step=action.step,
        kind=kind_of(slice_.lane),
        state=AttemptState.PLANNED,
        slice=action.slice,
        try_no=len(before) + 1,
        rows=slice_.file.rows,
    )
    queue = tuple(no for no in run.queue[action.step] if no != action.slice)
    run = replace(run, next_attempt=run.next_attempt + 1, queue={**run.queue, action.step: queue})
    return Change(run).attempt(attempt, "attempt-planned", rows=attempt.rows, lane=attempt.kind.value)


def _begin_gate(run: Run, action: BeginGate, now: float) -> Change:
    before = run.settled.get(action.step, ())
    attempt = Attempt(
        id=run.next_attempt,
        step=action.step,
        kind=AttemptKind.GATE,
        state=AttemptState.PLANNED,
        try_no=len(before) + 1,
    )
    change = Change(replace(run, next_attempt=run.next_attempt + 1)).attempt(attempt, "gate-planned")
    row = replace(change.run.steps[action.step], phase=StepPhase.OPEN, started=now)
    return change.step(row, "step-begun")


def _begin_lookup(run: Run, action: BeginLookUp) -> Change:
    mark = lookup_slice(run.live[action.attempt])
    before = [one for one in run.settled.get(action.step, ()) if one.slice == mark]
    attempt = Attempt(
        id=run.next_attempt,
        step=action.step,
        kind=AttemptKind.QUERY,
        state=AttemptState.PLANNED,
        slice=mark,
        try_no=len(before) + 1,
    )
    return Change(replace(run, next_attempt=run.next_attempt + 1)).attempt(attempt, "lookup-planned")


def _begin_query(run: Run, action: BeginQuery, now: float) -> Change:
    before = [one for one in run.settled.get(action.step, ()) if one.kind is AttemptKind.QUERY]
    attempt = Attempt(
        id=run.next_attempt,
        step=action.step,
        kind=AttemptKind.QUERY,
        state=AttemptState.PLANNED,
        try_no=len(before) + 1,
    )
    change = Change(replace(run, next_attempt=run.next_attempt + 1)).attempt(attempt, "query-planned")
    row = change.run.steps[action.step]
    if row.started is not None and row.phase is StepPhase.OPEN:
        return change
    return change.step(replace(row, phase=StepPhase.OPEN, started=now), "step-begun")
