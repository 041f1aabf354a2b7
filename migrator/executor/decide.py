"""What to do next, from the durable state alone.

A first run and a resumed one come through the same function: what an attempt's state says is all that counts.

**Invariant:** pure; the same run, time and room give the same actions in the same order.
"""

from collections.abc import Iterable, Iterator, Sequence

from migrator.errors import ExitCode
from migrator.executor.actions import (
    AbandonUpload,
    Action,
    AttemptAction,
    BeginGate,
    BeginQuery,
    BeginSlice,
    CheckOutcomes,
    CloseUpload,
    CompareTarget,
    ConfirmClose,
    CreateJob,
    CutAgain,
    FenceBatch,
    FetchPage,
    FreezeFile,
    Harvest,
    PairRecords,
    Poll,
    PrepareAgain,
    PrepareStep,
    Reconcile,
    SendRows,
    Upload,
)
from migrator.executor.budget import NOT_SENT, canary_under_way
from migrator.executor.dispatch import startable
from migrator.executor.gates import all_passed, next_of_gate
from migrator.executor.ingest import untouched
from migrator.executor.jobs import ANEW, sending
from migrator.executor.reconcile import lookup_actions, unknown_of
from migrator.executor.rounds import rung
from migrator.executor.run import Goal, Key, Run, Stop
from migrator.executor.throttle import LOOK_EVERY
from migrator.model.run import Attempt, AttemptKind, AttemptState, StepPhase, StepRow
from migrator.model.schedule import ExtractStep, GateStep, LinkStep, LoadStep, MatchStep, Step, VerifyStep

#: actions each of which may use the whole memory limit of the data plane
ALONE = (
    FreezeFile,
    PairRecords,
    PrepareStep,
    CutAgain,
    PrepareAgain,
    CheckOutcomes,
    CompareTarget,
    Reconcile,
)
_GO_ON = "then `migrator resume --accept-failures` sends the rest"
#: what to do about a held step, by code
HINTS = {
    "budget-exceeded": f"see `migrator report` for the rows; mend the cause, {_GO_ON}, and `retry` what failed",
    "canary-failed": f"see `migrator report` for the rows; mend the cause, {_GO_ON}, and `retry` what failed",
    "rows-quarantined": f"settle them with `migrator resolve`, {_GO_ON}",
    "storage-full": f"make room in the org, {_GO_ON}, and `retry` what failed",
}


def decide(run: Run, now: float, room: int) -> list[Action]:
    """The actions to begin now, at most `room`, most urgent first; none when the run is stopping."""
    if run.stop is not None or room <= 0:
        return []
    chosen: list[Action] = []
    for action in _candidates(run, now):
        if len(chosen) >= room:
            break
        if run.held_back and isinstance(action, BeginSlice):
            continue
        if not _has_memory(run, now, action, chosen):
            continue
        chosen.append(action)
    return chosen


def _has_memory(run: Run, now: float, action: Action, chosen: Sequence[Action]) -> bool:
    """Whether the data plane has room for it: results are fetched and settled side by side, everything else of its is alone.

    What must be alone waits for the results that are under way, and no others begin before it: while slices end all the time it would never have its turn.
    """
    if not isinstance(action, (*ALONE, Harvest)):
        return True
    under_way = [one for one in (*run.busy.values(), *chosen) if isinstance(one, (*ALONE, Harvest))]
    if isinstance(action, ALONE):
        return not under_way
    return not any(isinstance(one, ALONE) for one in (*under_way, *_candidates(run, now)))


def next_due(run: Run, now: float) -> float | None:
    """The earliest time after `now` at which something that waits becomes due; None when nothing waits.

    What is due already but cannot begin (a next round while slices are under way) is not waited for: that would spin.
    """
    waited = (at for key, at in run.due.items() if key not in run.busy and at > now and not _held(run, key))
    first = min(waited, default=None)
    if run.held_back and any(run.queue.values()):
        return now + LOOK_EVERY if first is None else min(first, now + LOOK_EVERY)
    return first


def stalled(run: Run) -> Stop | None:
    """Why the run ends when nothing can begin and nothing is under way: steps are held. None: nothing is held."""
    if not run.trips:
        return None
    first = next(iter(run.trips.values()))
    more = f" (and {len(run.trips) - 1} more like it)" if len(run.trips) > 1 else ""
    return Stop(first.code, first.what + more, HINTS[first.code], ExitCode.BUDGET)


def _held(run: Run, key: Key) -> bool:
    """Whether what is due at its time would not begin then."""
    if isinstance(key, str):
        return run.held(key)
    attempt = run.live.get(key)
    return attempt is not None and run.held(attempt.step) and attempt.state in NOT_SENT


def _candidates(run: Run, now: float) -> Iterator[Action]:
    wanted = {step.id for step in run.wanted_steps}
    for attempt in run.live.values():
        if attempt.id in run.busy or run.due.get(attempt.id, now) > now:
            continue
        if attempt.kind is AttemptKind.GATE:
            if run.goal is not Goal.VERIFY:
                yield from next_of_gate(run, attempt)
        elif attempt.step in wanted:
            if run.trips and _held(run, attempt.id):
                continue
            if attempt.state is AttemptState.UNKNOWN:
                yield from lookup_actions(run, attempt)
            else:
                yield next_action(run, attempt)
    yield from _not_side_by_side(run, _of_steps(run, now))


def _of_steps(run: Run, now: float) -> Iterator[Action]:
    for step in run.wanted_steps:
        if step.id not in run.busy and _ready(run, step) and run.due.get(step.id, now) <= now:
            yield from _step_actions(run, step)


def _not_side_by_side(run: Run, actions: Iterable[Action]) -> Iterator[Action]:
    """The actions without slices of steps that lock what slices of an earlier one among them do."""
    begun: set[str] = set()
    for action in actions:
        if isinstance(action, BeginSlice):
            if begun & run.apart.get(action.step, frozenset()):
                continue
            begun.add(action.step)
        yield action


def next_action(run: Run, attempt: Attempt) -> AttemptAction:
    """What an attempt's durable state asks for when nobody is busy with it."""
    match attempt.state:
        case AttemptState.PLANNED:
            return SendRows(attempt.id) if attempt.kind is AttemptKind.REST else CreateJob(attempt.id)
        case AttemptState.CREATED:
            return Poll(attempt.id) if attempt.kind is AttemptKind.QUERY else Upload(attempt.id)
        case AttemptState.UPLOADING:
            serial = attempt.kind is AttemptKind.BULK1_SERIAL
            return FenceBatch(attempt.id) if serial else AbandonUpload(attempt.id)
        case AttemptState.UPLOADED:
            return CloseUpload(attempt.id)
        case AttemptState.CLOSING:
            return ConfirmClose(attempt.id)
        case AttemptState.CLOSED:
            return Poll(attempt.id)
        case AttemptState.UNKNOWN:
            raise ValueError(f"attempt {attempt.id} is looked up: see reconcile")
        case AttemptState.TERMINAL:
            return _next_page(run, attempt) if attempt.kind is AttemptKind.QUERY else _harvest(run, attempt)
        case AttemptState.SENDING:
            return SendRows(attempt.id)
        case _:
            raise ValueError(f"attempt {attempt.id} is {attempt.state}: nothing follows")


def _harvest(run: Run, attempt: Attempt) -> Harvest:
    """The results; when they have not added up for so often, it is enough that some rows have one."""
    told = run.tries.get(attempt.id, 0) >= run.policy.max_refetch and not untouched(attempt)
    return Harvest(attempt.id, told=told and attempt.kind is AttemptKind.BULK2)


def _next_page(run: Run, attempt: Attempt) -> FetchPage:
    pages = run.pages.get(attempt.id, ())
    return FetchPage(attempt.id, len(pages), pages[-1].locator if pages else "")


def _ready(run: Run, step: Step) -> bool:
    if run.steps[step.id].phase is StepPhase.DONE:
        return False
    # a held step sends nothing more; one that has sent everything is only looked at
    if run.trips and run.held(step.id) and not run.ended(step.id):
        return False
    # a stopped run puts its gates back, so a run that goes on passes them all again first
    if not isinstance(step, GateStep | VerifyStep) and not all_passed(run):
        return False
    return all(
        run.steps[before].phase is StepPhase.DONE and not run.held(before) for before in run.before[step.id]
    )


def _step_actions(run: Run, step: Step) -> Iterator[Action]:
    row = run.steps[step.id]
    match step:
        case GateStep():
            if not run.live_of(step.id):
                yield BeginGate(step.id)
        case ExtractStep():
            if step.file:
                yield FreezeFile(step.id)
            elif not run.live_of(step.id):
                yield BeginQuery(step.id)
        case MatchStep():
            yield PairRecords(step.id)
        case LoadStep() | LinkStep():
            yield from _sending_actions(run, row)
        case VerifyStep():
            if row.phase is StepPhase.OPEN and row.total is not None:
                yield CompareTarget(step.id)
            elif not run.live_of(step.id):
                yield BeginQuery(step.id)


def _sending(run: Run, step: str) -> bool:
    """Whether slices of the step are on their way; those that a held step keeps back, or whose job is over, lock nothing."""
    return any(
        one.state is not AttemptState.UNKNOWN and not (run.trips and _held(run, one.id))
        for one in run.live_of(step)
    )


def _sending_actions(run: Run, row: StepRow) -> Iterator[Action]:
    if row.total is None:
        yield PrepareStep(row.step)
        return
    live = run.live_of(row.step)
    step = sending(run.schedule.step(row.step))
    if unknown_of(run, step.sobject):
        return  # what is looked up in the target must not be mixed with what is made meanwhile
    queue = run.queue.get(row.step, ())
    if not queue and not live and (row.waiting or row.counts.get(ANEW)):
        yield PrepareAgain(row.step) if row.counts.get(ANEW) else CutAgain(row.step)
        return
    if run.ended(row.step):
        yield CheckOutcomes(row.step)
        return
    if any(_sending(run, other) for other in run.apart.get(row.step, ())):
        return
    canary = canary_under_way(row, run.settled.get(row.step, ())) if row.counts else None
    if canary is not None:
        yield from (BeginSlice(row.step, no) for no in queue if no == canary)
        return
    room = rung(run, step, row.rounds).in_flight - len(live)
    for no in startable(run.slices, row.step, queue, [one.slice for one in live], room):
        yield BeginSlice(row.step, no)
