"""Small budgets through every order of faults: rows that fail for good hold a step again and again, and the org's allowance of requests is spent.

A step over its budget stops in the middle of what it does, a run that is not to wait pauses at any request: both leave every state that there is, and the
run goes on from each.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from migrator.executor.actions import Reply, RequestLost
from migrator.model.budget import Allowance, ErrorBudget, OnExceeded
from migrator.model.run import Outcome
from migrator.model.wire import Sent
from tests.protocol.explorer import LOAD, POLICY, ROWS, STEP, Rules, WorldOf, execute, explore
from tests.protocol.world import Job, Script, World

NOTHING_MAY_FAIL = ErrorBudget(Allowance(rows=0), Allowance(rows=0), 0, OnExceeded.STOP_OBJECT)
#: two slices, one of which may be under way when the other one's failure holds the step
TIGHT = Rules(load=replace(LOAD, budget=NOTHING_MAY_FAIL), slices=(ROWS, ("row-3",)))
#: the second lost request in a row is a pause, and a spent allowance at once
IMPATIENT = Rules(policy=replace(POLICY, max_lost=1, patience=0.0, wait=False))


class Picky(World):
    """An org that may refuse the first row of a job for good."""

    endings = World.endings + 1

    def _work(self, job: Job) -> None:
        asked = len(self.script.asked)
        super()._work(job)
        if self.script.asked[asked:] and self.script.asked[asked][0] == self.endings - 1:
            job.failed = (job.content or ())[:1]
            job.refused = job.failed
            job.done = tuple(row for row in job.done if row not in job.failed)
            self.created.subtract(job.failed)


class Metered(World):
    """An org that may say at any request that the day's requests are used up; nothing has happened then."""

    def _disturbed(self, effect: Callable[[], Reply], *, late: bool) -> Reply:
        if self.script.choose(2):
            return RequestLost(Sent.YES, 403, "request-limit-exceeded", "TotalRequests Limit exceeded.")
        return super()._disturbed(effect, late=late)


@pytest.mark.parametrize(
    ("rules", "world_of"), [(TIGHT, Picky), (IMPATIENT, Metered)], ids=["errors", "requests"]
)
@pytest.mark.parametrize("faults", [0, 1, 2])
def test_no_order_of_faults_within_small_budgets_loses_or_doubles_a_row(
    rules: Rules, world_of: WorldOf, faults: int
) -> None:
    executions, wrong = explore(faults, rules, world_of)
    print(f"explored {executions} executions with up to {faults} faults")
    assert not wrong, wrong[:5]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("rules", "world_of"), [(TIGHT, Picky), (IMPATIENT, Metered)], ids=["errors", "requests"]
)
def test_no_order_of_three_faults_within_small_budgets_loses_or_doubles_a_row(
    rules: Rules, world_of: WorldOf
) -> None:
    executions, wrong = explore(3, rules, world_of)
    print(f"explored {executions} executions with up to 3 faults")
    assert not wrong, wrong[:5]


def test_a_row_that_fails_does_hold_the_step_and_a_person_lets_it_go_on() -> None:
    seen: list[str] = []

    def watched(*given: object) -> object:
        change = TIGHT.settle(*given)  # type: ignore[arg-type]
        seen.extend(one.code for one in change.run.trips.values())
        return change

    rules = replace(TIGHT, settle=watched)  # type: ignore[arg-type]
    scripts = (Script((*[0] * place, Picky.endings - 1), 1) for place in range(60))
    ends = [(ledger, run) for _, ledger, run in (execute(one, rules, Picky) for one in scripts)]
    ledger, run = next(one for one in ends if one[0].steps[STEP].tallies.get(Outcome.FAILED))
    assert "budget-exceeded" in seen
    assert run.over
    assert ledger.steps[STEP].tallies == {Outcome.CREATED: 2, Outcome.FAILED: 1}


def test_a_spent_allowance_does_pause_the_run() -> None:
    codes = set()
    for place in range(40):
        stops: list[str] = []

        def watched(*given: object, stops: list[str] = stops) -> object:
            change = IMPATIENT.settle(*given)  # type: ignore[arg-type]
            stops.extend([change.run.stop.code] if change.run.stop else [])
            return change

        execute(Script((*[0] * place, 1), 1), replace(IMPATIENT, settle=watched), Metered)  # type: ignore[arg-type]
        codes |= set(stops)
    assert "request-limit-exceeded" in codes
