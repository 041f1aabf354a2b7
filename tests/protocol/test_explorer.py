"""Every order of faults and crashes, within a budget, through the real `decide`, `intend` and `settle`: nothing is lost or doubled.

An execution is a list of choices. The explorer runs the undisturbed one, then every one that differs in a later choice, until
all with at most K faults are done. A crash throws away everything but what was committed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from migrator.data.jobs import Settled
from migrator.errors import ExitCode
from migrator.executor.actions import (
    AbandonUpload,
    Action,
    AttemptAction,
    AttemptSettled,
    Begin,
    CloseUpload,
    ConfirmClose,
    CreateJob,
    Harvest,
    JobTold,
    PartlyTold,
    Reconcile,
    Reconciled,
    Reply,
    RequestLost,
    ResultsBroken,
    StepAction,
    Upload,
    UploadTaken,
)
from migrator.executor.budget import accepted
from migrator.executor.change import Change
from migrator.executor.decide import decide, next_due, stalled
from migrator.executor.intend import intend
from migrator.executor.run import Goal, Policy, Run, from_ledger
from migrator.executor.settle import settle
from migrator.model.plan import Operation
from migrator.model.run import (
    Attempt,
    AttemptState,
    FileRef,
    LedgerState,
    Outcome,
    RunRow,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import Guarantee, Lane, LoadStep, Schedule
from migrator.model.wire import JobState, Sent
from tests.protocol.world import Script, TinyLedger, World

STEP = "load Thing__c"
ROWS = ("row-1", "row-2")
#: few tries: what follows them is explored within the same budget of faults
POLICY = Policy(round_delay=1.0, max_lost=6, max_refetch=1)
MAX_TURNS = 400
#: the long exploration in parts, for as many processes
PARTS = 8

LOAD = LoadStep(
    id=STEP,
    object_name="Thing__c",
    sobject="Thing__c",
    key_prefix="a00",
    operation=Operation.INSERT,
    guarantee=Guarantee.INSERT,
    lane=Lane.BULK2,
    source_extract="extract Thing__c",
    key=("Id",),
    columns=(),
    lookups=(),
)
WorldOf = Callable[[Script], World]


Settle = Callable[[Run, StepAction | AttemptAction, Reply, float], Change]


@dataclass(frozen=True)
class Rules:
    """The product's decisions, or a mutant's. `halves`: an attempt is committed before what else changes with it.

    `policy`, `load` and `slices`: what is explored. Where a budget holds the step, a person lets it go on.
    """

    settle: Settle = settle
    intend: Callable[[Run, Action, float], Change] = intend
    decide: Callable[[Run, float, int], list[Action]] = decide
    halves: bool = False
    policy: Policy = POLICY
    load: LoadStep = LOAD
    slices: tuple[tuple[str, ...], ...] = (ROWS,)


def _begin(world: World, rules: Rules) -> TinyLedger:
    row = RunRow("r", "p", "p.yaml", "d", "{}", "0", "60.0", "a", "b", "00D", "00D", "005", 0.0)
    ledger = TinyLedger(row)
    slices = tuple(
        Slice(STEP, no, 1, world.ref(f"slices/{no}", rows), world.lane)
        for no, rows in enumerate(rules.slices, start=1)
    )
    total = sum(map(len, rules.slices))
    ledger.commit((StepRow(STEP, StepPhase.OPEN, total=total, rounds=1, started=0.0), *slices))
    return ledger


def _load(ledger: TinyLedger, rules: Rules) -> Run:
    lane = ledger.slices[(STEP, 1)].lane
    schedule = Schedule("explored", "digest", (replace(rules.load, lane=lane),), ())
    state = LedgerState(
        ledger.run,
        ledger.steps,
        tuple(ledger.slices.values()),
        tuple(ledger.attempts.values()),
        tuple(ledger.pages.values()),
    )
    return from_ledger(state, schedule, Goal.LOAD, rules.policy)


def execute(
    script: Script, settled: Settle | Rules = settle, world_of: WorldOf = World
) -> tuple[World, TinyLedger, Run]:
    """One execution to its end: crashes reload, resumable stops resume."""
    rules = settled if isinstance(settled, Rules) else Rules(settled)
    world = world_of(script)
    ledger = _begin(world, rules)
    run, now = _load(ledger, rules), 0.0
    for _ in range(MAX_TURNS):
        if run.over:
            break
        if run.stop is not None:
            if run.stop.exit_code not in {ExitCode.PAUSED, ExitCode.ROWS_FAILED, ExitCode.BUDGET}:
                break
            run = _load(ledger, rules)
            continue
        actions = rules.decide(run, now, 1)
        if not actions:
            due = next_due(run, now)
            if due is None and stalled(run) is not None:
                ledger.commit((accepted(run.steps[STEP], run.next_attempt - 1),))
                run = _load(ledger, rules)
                continue
            if due is None:
                break  # live-lock: nothing to do and nothing to wait for
            now = max(now, due)
            continue
        run = _turn(world, ledger, run, actions[0], now, rules)
    for effect in world.late:
        effect()
    return world, ledger, run


def _turn(world: World, ledger: TinyLedger, run: Run, action: Action, now: float, rules: Rules) -> Run:
    change = rules.intend(run, action, now)
    if world.script.choose(2):
        return _load(ledger, rules)
    ledger.commit(change.rows)
    if isinstance(action, Begin):
        return change.run
    if world.script.choose(2):
        return _load(ledger, rules)
    reply = world.perform(change.run, action)
    if world.script.choose(2):
        return _load(ledger, rules)
    after = rules.settle(change.run, action, reply, now)
    if rules.halves:
        ledger.commit(tuple(one for one in after.rows if isinstance(one, Attempt)))
        if world.script.choose(2):
            return _load(ledger, rules)
    ledger.commit(after.rows)
    return after.run


def judge(world: World, ledger: TinyLedger, run: Run) -> str:
    """What is wrong with an execution, empty when nothing is."""
    rows = [row for one in ledger.slices.values() if one.round == 1 for row in world.files[one.file.path]]
    doubled = [row for row in rows if world.created[row] > 1]
    if doubled:
        return f"DUPLICATE {doubled}"
    if run.stop is not None and not run.over:
        return f"stopped: {run.stop.code}"
    if not run.over:
        return "LIVE-LOCK"
    tallies = ledger.steps[STEP].tallies
    if tallies.get(Outcome.QUARANTINED):
        return ""
    missing = [row for row in rows if not world.created[row]]
    return f"LOST {missing}" if len(missing) > tallies.get(Outcome.FAILED, 0) else ""


def explore(
    faults: int,
    settled: Settle | Rules = settle,
    world_of: WorldOf = World,
    *,
    until: str | None = None,
    share: tuple[int, int] = (0, 1),
) -> tuple[int, list[str]]:
    """Run every script with at most `faults` faults (`until` one is wrong in that way); how many there were, and what was wrong.

    `share` (which, of how many) takes a part of the scripts of two choices and more, dealt out in turn.
    """
    stack: list[tuple[tuple[int, ...], int]] = [((), 0)]
    executions = dealt = 0
    wrong: list[str] = []
    while stack:
        prefix, choices = stack.pop()
        script = Script(prefix, faults)
        verdict = judge(*execute(script, settled, world_of))
        executions += choices > 1 or share[0] == 0
        if verdict:
            wrong.append(f"{verdict} by {prefix}")
            if until is not None and verdict.startswith(until):
                break
        for place in range(len(prefix), len(script.asked)):
            taken = tuple(picked for picked, _ in script.asked[:place])
            for other in range(1, script.asked[place][1]):
                dealt += choices == 1
                if choices != 1 or dealt % share[1] == share[0]:
                    stack.append(((*taken, other), choices + 1))
    return executions, wrong


@pytest.mark.timeout(900)
@pytest.mark.parametrize("faults", [0, 1, 2, 3])
def test_no_order_of_faults_loses_or_doubles_a_row(faults: int) -> None:
    executions, wrong = explore(faults)
    print(f"explored {executions} executions with up to {faults} faults")
    assert not wrong, wrong[:5]


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_order_of_four_faults_loses_or_doubles_a_row(part: int) -> None:
    executions, wrong = explore(4, share=(part, PARTS))
    print(f"explored {executions} executions with up to 4 faults, part {part + 1} of {PARTS}")
    assert not wrong, wrong[:5]


def test_parts_of_an_exploration_are_the_whole_of_it() -> None:
    assert sum(explore(2, share=(part, 3))[0] for part in range(3)) == explore(2)[0]


# --- mutants: an explorer that cannot fail proves nothing -----------------------------------------------------------


def new_job_when_the_close_is_lost(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, CloseUpload) and isinstance(reply, RequestLost):
        attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
        return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)
    return settle(run, action, reply, now)


def aborted_means_nothing_was_done(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and run.live[action.attempt].job_state == JobState.ABORTED.value:
        attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
        return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)
    return settle(run, action, reply, now)


def send_a_failed_job_again_whole(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and run.live[action.attempt].job_state == JobState.FAILED.value:
        attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
        return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)
    return settle(run, action, reply, now)


def trust_the_download(run: Run, action: StepAction | AttemptAction, reply: Reply, now: float) -> Change:
    if isinstance(action, Harvest) and isinstance(reply, ResultsBroken):
        rows = run.live[action.attempt].rows
        nothing = FileRef("outcomes/none", "", 0, 0)
        reply = AttemptSettled(Settled(outcomes=nothing, tallies={Outcome.CREATED: rows}))
    if isinstance(action, Harvest) and isinstance(reply, AttemptSettled) and reply.settled.waiting:
        return settle(run, action, AttemptSettled(_all_created(run, action, reply)), now)
    return settle(run, action, reply, now)


def _all_created(run: Run, action: Harvest, reply: AttemptSettled) -> Settled:
    tallies = {Outcome.CREATED: run.live[action.attempt].rows}
    return replace(reply.settled, tallies=tallies, waiting=0)


def missing_in_the_results_means_not_done(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and isinstance(reply, ResultsBroken):
        attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
        return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)
    return settle(run, action, reply, now)


def no_results_means_not_done(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and isinstance(reply, RequestLost) and reply.status == 404:
        attempt = replace(run.live[action.attempt], processed=0)
        run = replace(run, live={**run.live, attempt.id: attempt})
    return settle(run, action, reply, now)


def rows_without_a_result_are_sent_again(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and isinstance(reply, PartlyTold):
        # the tiny org has a file of them, and cuts it again
        path = reply.settled.outcomes.path.removesuffix("-told") + "-missing"
        missing = replace(reply.settled.outcomes, path=path)
        left = replace(reply.settled, outcomes=missing, waiting=reply.settled.missing)
        return settle(run, action, AttemptSettled(left), now)
    return settle(run, action, reply, now)


def rows_with_a_result_are_forgotten(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(reply, Reconciled) and isinstance(action, Reconcile):
        told = run.live[action.attempt].outcomes
        tallies = dict(reply.settled.tallies)
        if told is not None:
            tallies[Outcome.CREATED] = tallies.get(Outcome.CREATED, 0) - told.rows
        reply = Reconciled(replace(reply.settled, tallies={one: n for one, n in tallies.items() if n}))
    return settle(run, action, reply, now)


def a_lost_upload_is_taken_for_done(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    lost = isinstance(action, Upload) and isinstance(reply, RequestLost) and reply.sent is Sent.MAYBE
    return settle(run, action, UploadTaken() if lost else reply, now)


def waiting_rows_are_forgotten(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(reply, AttemptSettled) and reply.settled.waiting:
        reply = AttemptSettled(replace(reply.settled, waiting=0))
    return settle(run, action, reply, now)


def a_doubtful_close_is_abandoned(run: Run, now: float, room: int) -> list[Action]:
    return [
        AbandonUpload(one.attempt) if isinstance(one, ConfirmClose) else one for one in decide(run, now, room)
    ]


def settle_an_abandoned_close(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, AbandonUpload) and run.live[action.attempt].state is AttemptState.CLOSING:
        attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
        return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)
    return settle(run, action, reply, now)


def no_intent_before_the_close(run: Run, action: Action, now: float) -> Change:
    change = intend(run, action, now)
    if not isinstance(action, CloseUpload):
        return change
    return Change(replace(change.run, live=run.live))


class Multipart(World):
    """A client that creates the job with its rows in one request: the job starts at once."""

    def perform(self, run: Run, action: StepAction | AttemptAction) -> Reply:
        """Do what the action asks; what follows the creation has been done with it."""
        if isinstance(action, CreateJob) and run.live[action.attempt].slice >= 0:
            rows = self.files[run.slices[(STEP, run.live[action.attempt].slice)].file.path]
            return self._disturbed(lambda: self._create_with(rows), late=False)
        if isinstance(action, Upload):
            return UploadTaken()
        if isinstance(action, CloseUpload | ConfirmClose):
            return self._told(run.live[action.attempt].job_id)
        return super().perform(run, action)

    def _create_with(self, rows: tuple[str, ...]) -> Reply:
        told = self._create()
        assert isinstance(told, JobTold)
        job = self.jobs[told.job.id]
        job.content, job.state = rows, JobState.UPLOAD_COMPLETE
        self._work(job)
        return told


MUTANTS: dict[str, tuple[Rules, WorldOf, str]] = {
    "a new job when the close is lost": (Rules(new_job_when_the_close_is_lost), World, "DUPLICATE"),
    "aborted means nothing was done": (Rules(aborted_means_nothing_was_done), World, "DUPLICATE"),
    "a failed job is sent again whole": (Rules(send_a_failed_job_again_whole), World, "DUPLICATE"),
    "the download is trusted": (Rules(trust_the_download), World, "LOST"),
    "missing in the results means not done": (
        Rules(missing_in_the_results_means_not_done),
        World,
        "DUPLICATE",
    ),
    "no results means not done": (Rules(no_results_means_not_done), World, "DUPLICATE"),
    "rows without a result are sent again": (
        Rules(rows_without_a_result_are_sent_again),
        World,
        "DUPLICATE",
    ),
    "rows with a result are forgotten": (Rules(rows_with_a_result_are_forgotten), World, ""),
    "a lost upload is taken for done": (Rules(a_lost_upload_is_taken_for_done), World, ""),
    "waiting rows are forgotten": (Rules(waiting_rows_are_forgotten), World, ""),
    "a doubtful close is abandoned": (
        Rules(settle_an_abandoned_close, decide=a_doubtful_close_is_abandoned),
        World,
        "DUPLICATE",
    ),
    "no intent before the close": (Rules(intend=no_intent_before_the_close), World, ""),
    "a harvest in two commits": (Rules(halves=True), World, ""),
    "rows travel with the creation of their job": (Rules(), Multipart, "DUPLICATE"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_protocol_is_caught(name: str) -> None:
    rules, world_of, found = MUTANTS[name]
    executions, wrong = explore(2, rules, world_of, until=found)
    print(f"{name}: caught in execution {executions} as {wrong[-1:]}")
    assert any(one.startswith(found) for one in wrong)


def test_a_run_goes_on_after_results_that_never_add_up() -> None:
    def broken_once(run: Run, action: StepAction | AttemptAction, reply: Reply, now: float) -> Change:
        if isinstance(action, Harvest) and run.live[action.attempt].slice == 1:
            reply = ResultsBroken("two rows are missing")
        return settle(run, action, reply, now)

    policy = replace(POLICY, max_refetch=0, in_flight=1)
    rules = Rules(broken_once, policy=policy, slices=(ROWS, ("row-3",)))
    world, ledger, run = execute(Script((), 0), rules)
    assert judge(world, ledger, run) == ""
    assert run.stop is None
    assert ledger.steps[STEP].tallies == {Outcome.CREATED: 3}  # the unknown ones were looked up
    assert world.created == {"row-1": 1, "row-2": 1, "row-3": 1}
