"""Mutants of the protocol, each of them caught: an explorer that cannot fail proves nothing."""

from dataclasses import replace

import pytest

from migrator.data.jobs import Settled
from migrator.executor.actions import (
    AbandonUpload,
    Action,
    AttemptAction,
    AttemptSettled,
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
from migrator.executor.change import Change
from migrator.executor.decide import decide
from migrator.executor.intend import intend
from migrator.executor.run import Run
from migrator.executor.settle import settle
from migrator.model.run import (
    AttemptState,
    FileRef,
    Outcome,
)
from migrator.model.wire import JobState, Sent
from tests.protocol.explorer import POLICY, ROWS, STEP, Rules, WorldOf, execute, explore, judge
from tests.protocol.world import Script, World


def _sent_again(run: Run, action: AttemptAction) -> Change:
    """The attempt is given up, and its rows go into a new job."""
    attempt = replace(run.live[action.attempt], state=AttemptState.ABANDONED)
    return Change(run).attempt(attempt, "mutant").requeue(attempt).free(attempt.id)


def new_job_when_the_close_is_lost(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, CloseUpload) and isinstance(reply, RequestLost):
        return _sent_again(run, action)
    return settle(run, action, reply, now)


def aborted_means_nothing_was_done(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and run.live[action.attempt].job_state == JobState.ABORTED.value:
        return _sent_again(run, action)
    return settle(run, action, reply, now)


def send_a_failed_job_again_whole(
    run: Run, action: StepAction | AttemptAction, reply: Reply, now: float
) -> Change:
    if isinstance(action, Harvest) and run.live[action.attempt].job_state == JobState.FAILED.value:
        return _sent_again(run, action)
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
        return _sent_again(run, action)
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
        return _sent_again(run, action)
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
