"""The serial lane through every order of faults and crashes: the close-then-look fence holds, and fails when it is left out."""

from dataclasses import replace

import pytest

from migrator.executor.actions import AttemptAction, FenceBatch, Reply, RequestLost, StepAction, Upload
from migrator.executor.change import Change
from migrator.executor.run import Run
from migrator.executor.settle import settle
from migrator.model.run import AttemptState
from migrator.model.wire import Sent
from tests.protocol.explorer import Settle, explore
from tests.protocol.serial_world import SerialWorld


@pytest.mark.parametrize("faults", [0, 1, 2])
def test_no_order_of_faults_loses_or_doubles_a_row_of_a_serial_job(faults: int) -> None:
    executions, wrong = explore(faults, world_of=SerialWorld)
    print(f"explored {executions} executions with up to {faults} faults")
    assert not wrong, wrong[:5]


@pytest.mark.slow
def test_no_order_of_three_faults_loses_or_doubles_a_row_of_a_serial_job() -> None:
    executions, wrong = explore(3, world_of=SerialWorld)
    print(f"explored {executions} executions with up to 3 faults")
    assert not wrong, wrong[:5]


def post_again(run: Run, action: StepAction | AttemptAction, reply: Reply, now: float) -> Change:
    if isinstance(action, Upload) and isinstance(reply, RequestLost) and reply.sent is Sent.MAYBE:
        attempt = replace(run.live[action.attempt], state=AttemptState.CREATED)
        return Change(run).attempt(attempt, "mutant").free(attempt.id)
    return settle(run, action, reply, now)


def new_job_without_a_fence(run: Run, action: StepAction | AttemptAction, reply: Reply, now: float) -> Change:
    if isinstance(action, FenceBatch):
        attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
        return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)
    return settle(run, action, reply, now)


@pytest.mark.parametrize("mutant", [post_again, new_job_without_a_fence])
def test_a_broken_fence_is_caught(mutant: Settle) -> None:
    executions, wrong = explore(2, mutant, SerialWorld)
    print(f"{len(wrong)} of {executions} executions are wrong")
    assert any(one.startswith("DUPLICATE") for one in wrong)
