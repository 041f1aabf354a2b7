"""Every order of faults and crashes, within a budget, through the real `decide`, `intend` and `settle`: nothing is lost or doubled.

An execution is a list of choices. The explorer runs the undisturbed one, then every one that differs in a later choice, until
all with at most K faults are done. A crash throws away everything but what was committed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from migrator.errors import ExitCode
from migrator.executor.actions import (
    Action,
    AttemptAction,
    Begin,
    Reply,
    StepAction,
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
    LedgerState,
    Outcome,
    RunRow,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import Guarantee, Lane, LoadStep, Schedule
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
