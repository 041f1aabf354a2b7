"""Gates: opened in order before anything is read or sent, put back in the reverse order when the run is over or stopped.

An open gate is an obligation: its attempt stays in the ledger, live, until what it changed is as it was found. What was found is
committed before anything is changed, so that a killed run leaves enough behind to put everything back.

**Invariant:** pure. A gate is opened again only by a run that goes on; whatever ended, only closing follows an open gate.
"""

from collections.abc import Iterator
from dataclasses import replace

from migrator.errors import ExitCode
from migrator.executor.actions import (
    Action,
    AttemptAction,
    CloseGate,
    GateFound,
    GateMoved,
    OpenGate,
    ReadGate,
)
from migrator.executor.change import Change
from migrator.executor.run import Goal, Run, Stop
from migrator.model.gates import BY_HAND, Confirm, DeferSharing, Gate, WhenUnavailable
from migrator.model.run import Attempt, AttemptKind, AttemptState, StepPhase
from migrator.model.schedule import GateStep

#: how often an org that does not put a switch back is asked to before a person has to
MAX_CLOSINGS = 5
#: pause before a switch that did not go back is moved again; seconds
CLOSING_DELAY = 30.0
#: stops after which the run does not go on by itself soon, so that the org is put back at once
PUT_BACK_AFTER = frozenset({ExitCode.REFUSED, ExitCode.BUDGET, ExitCode.ROWS_FAILED})


def gate_of(run: Run, attempt: Attempt) -> Gate:
    """The gate that an attempt opens."""
    step = run.schedule.step(attempt.step)
    if not isinstance(step, GateStep):
        raise TypeError(f"{step.id} is no gate")
    return step.gate


def open_gates(run: Run) -> tuple[Attempt, ...]:
    """The gates that are (perhaps) open, the last opened first; those that wait for a person after all others."""
    found = [one for one in run.live.values() if one.kind is AttemptKind.GATE]
    return tuple(sorted(found, key=lambda one: (one.note.startswith(BY_HAND), -one.id)))


def all_passed(run: Run) -> bool:
    """Whether every gate is open, so that other steps may begin."""
    return all(
        run.steps[one.id].phase is StepPhase.DONE for one in run.schedule.steps if isinstance(one, GateStep)
    )


def passed_again(change: Change) -> Change:
    """With the gates that were put back when the run was over, or skipped, to be passed before any row that waits again is sent."""
    held = {one.step for one in open_gates(change.run)}
    for step in change.run.schedule.steps:
        row = change.run.steps[step.id]
        if isinstance(step, GateStep) and step.id not in held and row.phase is StepPhase.DONE:
            change = change.step(replace(row, phase=StepPhase.PENDING, finished=None, notes=()))
    return change


def ends_open(run: Run) -> bool:
    """Whether the stop asks for the gates to be put back now."""
    return run.stop is not None and run.stop.exit_code in PUT_BACK_AFTER and bool(open_gates(run))


def next_of_gate(run: Run, attempt: Attempt) -> Iterator[Action]:
    """What a gate's durable state asks for; nothing while it is open and steps are left."""
    closing = run.goal is Goal.RESTORE or run.all_done
    match attempt.state:
        case AttemptState.SHUTTING:
            first = True
        case AttemptState.OPENING | AttemptState.OPEN if closing:
            first = open_gates(run)[0].id == attempt.id
        case AttemptState.PLANNED:
            yield ReadGate(attempt.id)
            return
        case AttemptState.OPENING:
            yield OpenGate(attempt.id)
            return
        case _:
            return
    if first:
        yield CloseGate(attempt.id)


def found(run: Run, attempt: Attempt, reply: GateFound) -> Change:
    """What the gate will change is known as it was; it may be changed from the next commit on."""
    change = Change(run).free(attempt.id)
    if reply.missing:
        ended = replace(attempt, state=AttemptState.SHUT, note=reply.missing)
        stop = Stop(
            "gate-unavailable",
            f"{attempt.step}: {reply.missing}",
            "make it in the target, or take the gate out of the plan; nothing was sent",
            ExitCode.REFUSED,
        )
        return change.attempt(ended, "gate-missing").stopped(stop)
    opening = replace(attempt, state=AttemptState.OPENING, job_state=reply.found)
    return change.attempt(opening, "gate-found", found=reply.found)


def opened(run: Run, attempt: Attempt, reply: GateMoved, now: float) -> Change:
    """The gate is open as the org reads it back; or it cannot be, or waits for a person."""
    gate = gate_of(run, attempt)
    if reply.done:
        return _passed(run, attempt, "", now)
    answer = run.answers.get(attempt.step)
    if answer:
        return _passed(run, attempt, f"{BY_HAND}, confirmed by {answer}", now)
    if isinstance(gate, DeferSharing) and gate.when_unavailable is WhenUnavailable.SKIP:
        return _passed(run, replace(attempt, state=AttemptState.SHUT), f"skipped: {reply.note}", now)
    change = Change(run).free(attempt.id)
    if isinstance(gate, Confirm) or (
        isinstance(gate, DeferSharing) and gate.when_unavailable is WhenUnavailable.MANUAL
    ):
        waiting = replace(attempt, note=BY_HAND)
        return change.attempt(waiting, "gate-waits").stopped(_unanswered(run, attempt, gate))
    ended = replace(attempt, state=AttemptState.SHUT, note=reply.note)
    stop = Stop(
        "gate-unavailable",
        f"{attempt.step}: {reply.note}",
        "ask Salesforce Customer Support for the feature, or choose `when_unavailable: manual` or `skip`; nothing was sent",
        ExitCode.REFUSED,
    )
    return change.attempt(ended, "gate-unavailable").stopped(stop)


def _passed(run: Run, attempt: Attempt, note: str, now: float) -> Change:
    state = attempt.state if attempt.state.final else AttemptState.OPEN
    row = replace(run.steps[attempt.step], phase=StepPhase.DONE, finished=now, notes=(note,) if note else ())
    passed = replace(attempt, state=state, note=note)
    event = "gate-skipped" if state.final else "gate-opened"
    facts = {"by": run.answers[attempt.step]} if note.startswith(BY_HAND) else {}
    return Change(run).attempt(passed, event, **facts).step(row).free(attempt.id)


def _unanswered(run: Run, attempt: Attempt, gate: Gate) -> Stop:
    if isinstance(gate, Confirm):
        what = f"{attempt.step} waits for a person: {gate.text}"
    else:
        what = f"{attempt.step}: the org cannot defer sharing by the API; suspend it in Setup (Sharing Settings, Defer Sharing Calculations)"
    hint = f"when it is so: migrator resume {run.row.run_id} --confirm {attempt.step}"
    return Stop("gate-unanswered", what, hint, ExitCode.PAUSED)


def closed(run: Run, attempt: Attempt, reply: GateMoved, now: float) -> Change:
    """What the gate changed is as it was; or not yet, or a person has to see to it."""
    if reply.done:
        return _shut(run, attempt, now)
    change = Change(run)
    if attempt.note.startswith(BY_HAND):
        if run.goal is Goal.RESTORE and run.answers.get(attempt.step):
            return _shut(run, attempt, now)
        stop = Stop(
            "gate-open",
            f"{attempt.step} was opened by hand and is open still: resume sharing calculation in Setup",
            f"when it is so: migrator gates close {run.row.run_id} --confirm {attempt.step}",
            ExitCode.PAUSED,
        )
        return change.free(attempt.id).stopped(stop)
    tries = run.tries.get(attempt.id, 0) + 1
    if reply.waiting:
        return change.free(attempt.id, due=now + run.policy.poll_delay(tries), tries=tries, why=reply.note)
    if tries > MAX_CLOSINGS:
        stop = Stop(
            "gate-open",
            f"{attempt.step}: {reply.note}",
            f"put it back in Setup, then: migrator gates close {run.row.run_id}",
            ExitCode.REFUSED,
        )
        return change.free(attempt.id).stopped(stop)
    return change.free(attempt.id, due=now + CLOSING_DELAY, tries=tries, why=reply.note)


def _shut(run: Run, attempt: Attempt, now: float) -> Change:
    shut = replace(attempt, state=AttemptState.SHUT)
    answer = run.answers.get(attempt.step) if attempt.note.startswith(BY_HAND) else None
    change = Change(run).attempt(shut, "gate-closed", **({"by": answer} if answer else {})).free(attempt.id)
    row = change.run.steps[attempt.step]
    # a run that is not over has to pass the gate again
    phase = StepPhase.DONE if change.run.all_done else StepPhase.PENDING
    return change.step(replace(row, phase=phase, finished=now))


def settle_gate(run: Run, action: AttemptAction, reply: GateFound | GateMoved, now: float) -> Change:
    """The run after an action on a gate."""
    attempt = run.live[action.attempt]
    match action, reply:
        case ReadGate(), GateFound():
            return found(run, attempt, reply)
        case OpenGate(), GateMoved():
            return opened(run, attempt, reply, now)
        case CloseGate(), GateMoved():
            return closed(run, attempt, reply, now)
        case _:
            raise TypeError(f"{type(action).__name__} got {type(reply).__name__}")
