"""Starting a run, and driving it: what the command line calls.

**Invariant:** a run executes the schedule that its ledger holds, never a plan file that has changed since.
"""

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from migrator import __version__
from migrator.audit import write_manifest
from migrator.clock import Clock
from migrator.data import Engine, Workspace
from migrator.errors import ExitCode, MigratorError
from migrator.executor.actions import AttemptAction, Reply, StepAction
from migrator.executor.allowance import Allowance
from migrator.executor.around import Around
from migrator.executor.budget import accepted
from migrator.executor.change import Change
from migrator.executor.coordinator import NOTHING_MOVES, Coordinator, Outside, Workers
from migrator.executor.memory import memory_for
from migrator.executor.quarantined import written_down
from migrator.executor.reset import check_not_reset
from migrator.executor.room import FLOOR
from migrator.executor.run import Goal, Policy, Run, Stop, from_ledger
from migrator.executor.second_run import PLACE, begin_reading, forgotten, survey
from migrator.executor.throttle import held_back
from migrator.executor.undo import see_to_the_mark
from migrator.executor.users import CHANGED, check_identities, check_users
from migrator.executor.watch import watch as progress_of
from migrator.executor.watchdog import STACKS, Watchdog, Watched
from migrator.executor.work import Tools, perform
from migrator.model.progress import Progress
from migrator.model.run import NewEvent, RunStatus, StepPhase, StepRow
from migrator.model.schedule import VerifyStep
from migrator.model.schedule_text import parse_schedule
from migrator.model.summary import Summary, summarize
from migrator.model.wire import JobInfo
from migrator.preflight import check_room, room_for
from migrator.review import Approved, Ends, SchemaWatch
from migrator.state import Ledger, open_ledger

Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Result:
    """How driving a run ended. `stop` is None when the goal was reached."""

    summary: Summary
    stop: Stop | None
    exit_code: ExitCode
    #: open jobs of ours in the target that nothing knows: a lost answer left them; None: they could not be listed
    orphans: tuple[JobInfo, ...] | None = ()


def start(
    approved: Approved,
    folder: Path,
    *,
    run_id: str,
    clock: Clock,
    ledger_url: str = "",
    events: Sequence[NewEvent] = (),
) -> None:
    """Make the run folder and its ledger (in the PostgreSQL database of that URL, when given); nothing is sent yet.

    `events` are decisions that belong into the run's log.
    """
    workspace = Workspace(folder)
    try:
        made = open_ledger(folder, clock, create=approved.row(run_id, clock.now()), url=ledger_url)
    except MigratorError:
        workspace.discard_empty()
        raise
    with made as ledger:
        facts = {
            "plan": approved.plan_name,
            "plan_digest": approved.plan_digest,
            "source_org": approved.source_org_id,
            "target_org": approved.target_org_id,
            "user": approved.target_user_id,
            "source_user": approved.source_user_id,
            "tool": __version__,
        }
        ledger.commit([], [("run-approved", facts), *events])


def _no_fuse(_point: str) -> None:
    """Let the run go on."""


def _no_end(_what: str) -> None:
    """Let the process be, stuck as it is."""


def _no_chance() -> float:
    """Wait as long as there may be to wait."""
    return 1.0


class Drive:
    """One process's work on one run. `go` may be called once; `interrupt` from a signal handler at any time.

    `memory_mb`: what the data plane may use; None: what the schedule needs. `answers`: who confirms which gate, for gates that wait for a person. `by`: who drives, for the log.
    `abandon` ends a process in which nothing moves any more and that does not stop in order; it is given what to say.
    """

    def __init__(
        self,
        folder: Path,
        ends: Ends,
        *,
        clock: Clock,
        workers: int,
        policy: Policy,
        memory_mb: int | None,
        fuse: Callable[[str], None] = _no_fuse,
        chance: Callable[[], float] = _no_chance,
        answers: Mapping[str, str] | None = None,
        by: str = "",
        abandon: Callable[[str], None] = _no_end,
    ) -> None:
        self._folder = folder
        self._ends = ends
        self._clock = clock
        self._workers = workers
        self._policy = policy
        self._memory_mb = memory_mb
        self._fuse = fuse
        self._chance = chance
        self._answers = dict(answers or {})
        self._by = by
        self._abandon = abandon
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """Ask for an orderly stop."""
        self._interrupted.set()

    def go(
        self,
        goal: Goal,
        observe: Observer,
        *,
        accepted_by: str = "",
        foreign_jobs: bool = False,
        accept_user: bool = False,
        accept_unseen: bool = False,
        twice: bool = False,
    ) -> Result:
        """Drive the run to its goal. The same call begins a run and resumes one.

        `accepted_by`: who has looked at what failed so far, and wants the run to go on in spite of it. `foreign_jobs`: that jobs of our user which nothing
        here knows are accepted; `accept_user`: that it goes on as another user; `accept_unseen`: that it goes on although none of its records can be seen. `twice`: after verifying, what a second run would do is worked out as well. Raises MigratorError when another process has the run, an org is not the one the run began with, or the disk refuses.
        """
        ledger = open_ledger(self._folder, self._clock)
        try:
            state = ledger.state()
            check_identities(state.run, self._ends)
            if state.run.status is RunStatus.UNDONE:
                what = f"run {state.run.run_id} has been taken back by `undo`, and does not go on"
                raise MigratorError("run-undone", what, hint="run the plan again", exit_code=ExitCode.USAGE)
            run = from_ledger(state, parse_schedule(state.run.schedule_json), goal, self._policy)
            run = replace(run, answers=self._answers)
            run = self._as_before(run, ledger, accepted=accept_user)
            if goal is Goal.LOAD:
                see_to_the_mark(self._folder, state.run, by=self._by, clock=self._clock)
            ledger.commit([], [("driven", {"by": self._by, "goal": goal.value, "tool": __version__})])
            if goal is not Goal.VERIFY:
                # one of two runs with the same gate would put it back while the other one is still at work
                written = run.schedule.written if goal is Goal.LOAD else ()
                ledger.hold(state.run.target_org_id, (*written, *run.schedule.gated))
            if goal is Goal.LOAD:
                around = Around(self._folder, self._ends, self._clock)
                around.look(run, state, ledger, accepted_by=self._by if foreign_jobs else "")
                self._check_room(run)
                run = self._remembered(run, ledger, accepted=accept_unseen)
            if goal is Goal.VERIFY:
                run = _verify_anew(run, ledger)
            if accepted_by:
                run = _accepted(run, ledger, accepted_by)
            result = self._drive(run, ledger, observe)
            return self._look_twice(ledger, observe) if twice and result.stop is None else result
        finally:
            ledger.close()

    def _as_before(self, run: Run, ledger: Ledger, *, accepted: bool) -> Run:
        """The run, once its users are those that it began with, or are accepted; whoever only verifies may be anybody."""
        if run.goal is Goal.VERIFY:
            return run
        changed = check_users(run, ledger.events(), self._ends, accepted_by=self._by if accepted else "")
        if changed is None:
            return run
        row, facts = changed
        ledger.commit([row], [(CHANGED, facts)])
        return replace(run, row=row)

    def _remembered(self, run: Run, ledger: Ledger, *, accepted: bool) -> Run:
        """The run, once a record that it made is seen in the target, or somebody says that they are only not to be seen."""
        memory = self._memory_mb or memory_for(run.schedule)
        with closing(Engine(Workspace(self._folder), memory_limit_mb=memory)) as engine:
            change = check_not_reset(run, engine, self._ends.target, accepted_by=self._by if accepted else "")
        if change.rows:
            ledger.commit(change.rows, change.events)
        return change.run

    def _look_twice(self, ledger: Ledger, observe: Observer) -> Result:
        """Count what a run of the same plan would do now, in the ledger of the run that has been verified."""
        state = ledger.state()
        run = from_ledger(state, parse_schedule(state.run.schedule_json), Goal.VERIFY, self._policy)
        workspace = Workspace(self._folder)
        reading = self._folder / PLACE
        watch = SchemaWatch(run.row.identity_json, self._ends)
        begin_reading(run, reading, watch, self._clock, user=self._ends.target.identity().user_id)
        try:
            reader = Drive(
                reading,
                self._ends,
                clock=self._clock,
                workers=self._workers,
                policy=self._policy,
                memory_mb=self._memory_mb,
                chance=self._chance,
                by=self._by,
                abandon=self._abandon,
            )
            reader._interrupted = self._interrupted
            read = reader.go(Goal.LOAD, observe)
            if read.stop is None:
                memory = self._memory_mb or memory_for(run.schedule)
                change = survey(run, self._folder, reading, watch, memory_mb=memory)
                ledger.commit(change.rows, change.events)
                write_manifest(ledger, workspace, run.schedule)
        finally:
            workspace.sweep()
        summary = summarize(ledger.state(), run.schedule)
        return Result(summary, read.stop, read.stop.exit_code if read.stop else summary.verify_exit)

    def _check_room(self, run: Run) -> None:
        """Refuse to begin, or to go on with, what the disk has no room for."""
        watch = SchemaWatch(run.row.identity_json, self._ends)
        plan_folder = Path(run.row.plan_path).parent
        check_room(self._folder, room_for(run.schedule, watch.width, plan_folder, run.steps), FLOOR)

    def _drive(self, run: Run, ledger: Ledger, observe: Observer) -> Result:
        workspace = Workspace(self._folder)
        workspace.sweep()
        engine = Engine(workspace, memory_limit_mb=self._memory_mb or memory_for(run.schedule))
        watch = SchemaWatch(run.row.identity_json, self._ends)
        tools = Tools(
            self._ends.source,
            self._ends.target,
            engine,
            Path(run.row.plan_path).parent,
            watch,
            Allowance(self._ends.target, self._clock),
        )

        def work(at: Run, action: StepAction | AttemptAction) -> Reply:
            self._fuse(f"perform:{type(action).__name__}")
            return perform(tools, at, action)

        workers = Workers(work, self._workers)
        began = self._clock.monotonic()
        requests = self._ends.requests

        def tell(at: Run) -> None:
            observe(progress_of(at, self._clock.monotonic() - began, self._ends.requests - requests))

        stuck = threading.Event()
        coordinator = Coordinator(run, ledger, workers, self._outside(run, tell, stuck))
        with self._watched(coordinator, stuck):
            try:
                ended = coordinator.drive()
                told = written_down(ended, engine)
                ledger.commit(told.rows, told.events)
            finally:
                workers.close(patience=1.0)
                engine.close()
        _manifest(ledger, workspace, ended)
        summary = summarize(ledger.state(), ended.schedule)
        if ended.stop is not None:
            return Result(summary, ended.stop, ended.stop.exit_code, None)
        code = _exit_code(summary, ended.goal)
        if ended.goal is Goal.LOAD and ended.trips:
            code = ExitCode.BUDGET  # there was nothing left to stop
        around = Around(self._folder, self._ends, self._clock)
        orphans = around.orphans(ended, ledger.state()) if ended.goal is Goal.LOAD else None
        return Result(summary, None, code, orphans)

    def _outside(self, run: Run, tell: Callable[[Run], None], stuck: threading.Event) -> Outside:
        def held() -> str:
            plan_folder = Path(run.row.plan_path).parent
            return held_back(run.schedule.throttle, self._clock.now(), self._ends.target, plan_folder)

        def free() -> int:
            return shutil.disk_usage(self._folder).free

        place = str(self._folder)
        return Outside(
            self._clock, tell, self._interrupted, self._fuse, self._chance, held, free, place, stuck
        )

    def _watched(self, coordinator: Coordinator, stuck: threading.Event) -> AbstractContextManager[object]:
        if not self._workers:
            return nullcontext()  # there are no threads that could wait for each other
        return Watchdog(
            Watched(lambda: coordinator.beats, lambda: self._ends.under_way),
            clock=self._clock,
            patience=self._policy.still,
            stacks=self._folder / STACKS,
            noticed=stuck,
            abandon=lambda: self._abandon(str(NOTHING_MOVES)),
        )


def _manifest(ledger: Ledger, workspace: Workspace, ended: Run) -> None:
    """Write it, on a full disk into the room that is kept for the end."""
    try:
        write_manifest(ledger, workspace, ended.schedule)
    except MigratorError as fault:
        if fault.code != "disk-full" or not ledger.make_room():
            raise
        write_manifest(ledger, workspace, ended.schedule)


def _accepted(run: Run, ledger: Ledger, who: str) -> Run:
    """The run with everything that holds it accepted, for good: a decision in the log, with a name."""
    change = Change(run)
    for trip in run.trips.values():
        change = Change(
            change.run, change.rows, (*change.events, ("failures-accepted", {"code": trip.code, "by": who}))
        )
    for row in run.steps.values():
        if row.phase is not StepPhase.PENDING and run.trips:
            change = change.step(accepted(row, run.next_attempt - 1))
    ledger.commit(change.rows, change.events)
    return replace(change.run, trips={})


def _exit_code(summary: Summary, goal: Goal) -> ExitCode:
    match goal:
        case Goal.LOAD:
            return summary.load_exit
        case Goal.VERIFY:
            return summary.verify_exit
        case Goal.RESTORE:
            return ExitCode.OK


def _verify_anew(run: Run, ledger: Ledger) -> Run:
    if run.row.status is not RunStatus.COMPLETE:
        raise MigratorError(
            "run-not-complete",
            f"run {run.row.run_id} has not come to its end; only a complete run can be verified",
            hint="resume it first",
        )
    change = Change(run)
    for step in run.schedule.steps:
        row = run.steps[step.id]
        if isinstance(step, VerifyStep) and row.phase is StepPhase.DONE:
            change = change.step(StepRow(step.id), "verify-again")
        elif forgotten(row) != row:
            change = change.step(forgotten(row))
    if change.rows:
        ledger.commit(change.rows, change.events)
    return change.run
