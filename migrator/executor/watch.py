"""A run as somebody who watches it sees it."""

from migrator.executor.run import Goal, Run
from migrator.model.progress import Progress, StepProgress
from migrator.model.run import AttemptKind, AttemptState, StepPhase, StepRow
from migrator.model.schedule import ExtractStep, GateStep, Step, VerifyStep
from migrator.model.summary import UNSUCCESSFUL


def watch(run: Run, elapsed: float, requests: int) -> Progress:
    """The progress of the steps that the goal asks for; when gates are put back, of the gates."""
    steps = run.wanted_steps
    if run.goal is Goal.RESTORE:
        steps = tuple(step for step in run.schedule.steps if isinstance(step, GateStep))
    return Progress(tuple(_step(run, step) for step in steps), elapsed, requests)


def _step(run: Run, step: Step) -> StepProgress:
    row = run.steps[step.id]
    if isinstance(step, GateStep):
        return _gate(run, row)
    live = run.live_of(step.id)
    lanes = sorted({one.kind.value for one in live if one.kind not in {AttemptKind.QUERY, AttemptKind.GATE}})
    if isinstance(step, ExtractStep | VerifyStep):
        total, done = _read(run, step)
    else:
        total = row.total
        done = sum(row.tallies.values()) + sum(
            one.processed or 0 for one in live if one.kind is not AttemptKind.QUERY
        )
    failed = sum(count for one, count in row.tallies.items() if one in UNSUCCESSFUL)
    return StepProgress(
        id=step.id,
        object_name=step.object_name,
        kind=type(step).__name__.removesuffix("Step").lower(),
        phase=row.phase.value,
        total=total,
        done=done,
        failed=failed,
        lane="+".join(lanes),
        note=_note(run, row),
    )


def _gate(run: Run, row: StepRow) -> StepProgress:
    """How the gate stands; its step is done as soon as it is open, and it moves once more when it is put back."""
    phase, notes = row.phase, "; ".join(row.notes)
    waits = "".join(f": {run.waits[one.id]}" for one in run.live_of(row.step) if one.id in run.waits)
    match [one.state for one in run.live_of(row.step)]:
        case []:
            note = notes or ("as it was found" if phase is StepPhase.DONE else "")
        case [AttemptState.OPEN] if not (run.all_done or run.goal is Goal.RESTORE):
            note = notes or "stays so until the run is over"
        case [AttemptState.OPEN | AttemptState.SHUTTING]:
            phase, note = StepPhase.OPEN, f"being put back{waits}"
        case _:
            note = waits.removeprefix(": ")
    return StepProgress(row.step, "", "gate", phase.value, None, 0, 0, note=note)


def _note(run: Run, row: StepRow) -> str:
    waits = sorted({run.waits[one.id] for one in run.live_of(row.step) if one.id in run.waits})
    if waits:
        return waits[0]
    if run.held_back and run.queue.get(row.step):
        return f"held back: {run.held_back}"
    return f"{row.waiting} rows wait for another try" if row.waiting else ""


def _read(run: Run, step: ExtractStep | VerifyStep) -> tuple[int | None, int]:
    row = run.steps[step.id]
    if row.total is not None:
        return row.total, row.total
    live = run.live_of(step.id)
    expected = step.expected if isinstance(step, ExtractStep) else None
    known = max((one.rows for one in live), default=0)
    return known or expected, sum(page.file.rows for one in live for page in run.pages.get(one.id, ()))
