"""Which work of the data plane goes on side by side: its memory is bounded by what may."""

from dataclasses import replace

from migrator.executor.actions import Harvest, PrepareStep
from migrator.executor.decide import decide
from migrator.executor.run import Goal, Run, from_ledger
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    FileRef,
    LedgerState,
    RunRow,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import Schedule
from tests.protocol.explorer import LOAD, POLICY

FIRST, OTHER = LOAD, replace(LOAD, id="load Other__c", object_name="Other__c", sobject="Other__c")
ATTEMPTS = (1, 2, 3)


def _run(*, other: bool) -> Run:
    """A load whose three jobs are over, and beside it, if wanted, one that is not cut yet."""
    slices = tuple(Slice(FIRST.id, no, 1, FileRef(f"{no}.csv", "", 1, 2), FIRST.lane) for no in ATTEMPTS)
    attempts = tuple(
        Attempt(no, FIRST.id, AttemptKind.BULK2, AttemptState.TERMINAL, no, job_id=f"750{no}", rows=2)
        for no in ATTEMPTS
    )
    steps = {FIRST.id: StepRow(FIRST.id, StepPhase.OPEN, total=6, rounds=1, started=0.0)}
    if other:
        steps[OTHER.id] = StepRow(OTHER.id, StepPhase.OPEN)
    row = RunRow("r", "p", "p.yaml", "d", "{}", "0", "60.0", "a", "b", "00D", "00D", "005", 0.0)
    schedule = Schedule("room", "digest", (FIRST, OTHER) if other else (FIRST,), ())
    return from_ledger(LedgerState(row, steps, slices, attempts, ()), schedule, Goal.LOAD, POLICY)


def test_results_are_settled_side_by_side() -> None:
    run = _run(other=False)
    assert decide(run, 0.0, 8) == [Harvest(no) for no in ATTEMPTS]
    assert decide(run, 0.0, 2) == [Harvest(1), Harvest(2)]
    busy = replace(run, busy={1: Harvest(1)})
    assert decide(busy, 0.0, 8) == [Harvest(2), Harvest(3)]


def test_cutting_is_alone_and_has_its_turn() -> None:
    run = _run(other=True)
    cutting = PrepareStep(OTHER.id)
    assert decide(run, 0.0, 8) == [cutting]
    # it waits for the results that are under way, and no others begin before it
    assert decide(replace(run, busy={1: Harvest(1)}), 0.0, 8) == []
    assert decide(replace(run, busy={OTHER.id: cutting}), 0.0, 8) == []
