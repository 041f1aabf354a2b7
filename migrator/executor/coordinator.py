"""The loop that drives a run: decide, commit the intent, act, commit the result.

One thread owns the run and the only ledger connection. Workers perform one action each and return a reply. With no
workers at all, actions are performed in place, one after the other: with a virtual clock and an in-process org that is a
deterministic simulation of the very same loop.

What replies mean and what is decided upon it waits for one commit together: an action that begins needs its intent on the disk, and by then nothing has
happened since the results before it.

**Invariant:** no action begins before its intent, and every result that it was decided upon, is committed.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from migrator.clock import Clock
from migrator.errors import ExitCode
from migrator.executor.actions import AttemptAction, Begin, Reply, StepAction
from migrator.executor.change import Change
from migrator.executor.decide import decide, next_due, stalled
from migrator.executor.gates import ends_open
from migrator.executor.intend import intend
from migrator.executor.room import out_of_room, ran_out, room_needed
from migrator.executor.run import Goal, Run, Stop
from migrator.executor.settle import settle
from migrator.executor.throttle import LOOK_EVERY
from migrator.executor.watchdog import STACKS
from migrator.model.run import LedgerRow, NewEvent, RunStatus
from migrator.model.throttle import NO_THROTTLE
from migrator.state import Ledger

Perform = Callable[[Run, StepAction | AttemptAction], Reply]
#: how often an interrupt is looked for while workers are busy
TICK = 0.25
NOTHING_MOVES = Stop(
    "nothing-moves",
    "nothing has moved for a long time and no request is under way: threads of ours wait for each other",
    f"resume goes on from here. This is a bug: please attach {STACKS} of the run folder to an issue; it holds no secret and no record",
    ExitCode.PAUSED,
)
#: how often the observer is told at most
TELL_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class _Done:
    action: StepAction | AttemptAction
    reply: Reply | BaseException


class Workers:
    """Threads that perform actions; with `count` 0 the caller's own thread does."""

    def __init__(self, perform: Perform, count: int) -> None:
        self._perform = perform
        self._todo: queue.SimpleQueue[tuple[Run, StepAction | AttemptAction] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self.count = count
        # daemons: a second Ctrl-C must not wait for a slow upload; resume resolves what it left
        self._threads = tuple(
            threading.Thread(target=self._work, name=f"migrator-worker-{number}", daemon=True)
            for number in range(count)
        )
        for thread in self._threads:
            thread.start()

    def begin(self, run: Run, action: StepAction | AttemptAction) -> None:
        """Have the action performed."""
        self._todo.put((run, action))
        if not self.count:
            self._perform_one()

    def reply(self, patience: float) -> _Done | None:
        """The next reply; None when there is none within `patience` seconds."""
        try:
            return self._done.get(timeout=patience) if self.count and patience else self._done.get_nowait()
        except queue.Empty:
            return None

    def close(self, patience: float) -> None:
        """Let the threads end; one that is still busy after `patience` seconds is left behind."""
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join(patience)

    def _work(self) -> None:
        while self._perform_one():
            pass

    def _perform_one(self) -> bool:
        todo = self._todo.get()
        if todo is None:
            return False
        run, action = todo
        reply: Reply | BaseException
        try:
            reply = self._perform(run, action)
        except BaseException as bug:  # noqa: BLE001 - carried to the coordinator's thread and raised there
            reply = bug
        self._done.put(_Done(action, reply))
        return True


@dataclass(frozen=True, slots=True)
class Outside:
    """What surrounds a run that is driven.

    `interrupted` asks for an orderly stop. `fuse` is told of each point of the protocol as it is reached, e.g.
    `after:intent:Upload`; a test's fuse ends the process there.
    """

    clock: Clock
    observe: Callable[[Run], None]
    interrupted: threading.Event
    fuse: Callable[[str], None]
    #: numbers from 0 to 1 that spread out what is tried again
    chance: Callable[[], float]
    #: why no slice may begin now; empty: it may. Asked every `LOOK_EVERY` seconds
    held_back: Callable[[], str]
    #: bytes that are free on the disk of the run folder
    free: Callable[[], int]
    #: the run folder, for messages
    place: str
    #: set when nothing has moved for a long time: see `watchdog`
    stuck: threading.Event = field(default_factory=threading.Event)


class Coordinator:
    """Drives one run to its goal, to a stop, or to an interrupt."""

    def __init__(self, run: Run, ledger: Ledger, workers: Workers, outside: Outside) -> None:
        self._run = run
        self._ledger = ledger
        self._workers = workers
        self._clock = outside.clock
        self._observe = outside.observe
        self._interrupted = outside.interrupted
        self._fuse = outside.fuse
        self._chance = outside.chance
        self._told = float("-inf")
        #: rows and events that are not in the ledger yet, and the points of the protocol that they are
        self._rows: list[LedgerRow] = []
        self._events: list[NewEvent] = []
        self._points: list[str] = []
        self._held_back = outside.held_back
        self._looked = float("-inf")
        self._stuck = outside.stuck
        #: turns in which something moved, or was waited for that becomes due
        self.beats = 0
        self._free = outside.free
        self._place = outside.place
        #: due times are on a clock that nobody sets: a wall clock that jumps makes nothing wait or hurry
        self._began = outside.clock.now() - outside.clock.monotonic()

    def _now(self) -> float:
        return self._began + self._clock.monotonic()

    def drive(self) -> Run:
        """Go on until the goal is reached or nothing more can be done; the run as it stands then."""
        if self._run.over and self._run.row.status is RunStatus.COMPLETE:
            return self._run
        self._mark(RunStatus.RUNNING)
        self._until_over()
        self._drain()
        self._put_gates_back()
        self._mark(self._status())
        self._observe(self._run)
        return self._run

    def _until_over(self) -> None:
        while not (self._run.over or self._run.stop):
            now = self._now()
            if self._interrupted.is_set():
                stop = Stop(
                    "interrupted", "stopped on request", "resume goes on from here", ExitCode.INTERRUPTED
                )
                self._gather(Change(self._run).stopped(stop), "stop")
            elif self._stuck.is_set():
                self._gather(Change(self._run).stopped(NOTHING_MOVES), "stop")
            elif self._begin_actions(now) or self._take_replies(now):
                self.beats += 1
            self._tell()
        self._flush()

    def _put_gates_back(self) -> None:
        """After a stop that lasts, leave the org as it was found; what does not go back stays an obligation."""
        run = self._run
        if run.goal is not Goal.LOAD or not ends_open(run):
            return
        self._run = replace(run, goal=Goal.RESTORE, stop=None)
        self._until_over()
        self._drain()
        self._run = replace(self._run, goal=run.goal, stop=run.stop)

    def _tell(self) -> None:
        """Tell the observer, but not more often than anybody can look, and nothing that is not committed."""
        now = self._clock.monotonic()
        if not self._points and now - self._told >= TELL_EVERY:
            self._told = now
            self._observe(self._run)

    def _look(self) -> None:
        """See whether something holds the run back, from time to time."""
        now = self._clock.monotonic()
        if self._run.schedule.throttle != NO_THROTTLE and now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._run = replace(self._run, held_back=self._held_back())

    def _begin_actions(self, now: float) -> bool:
        self._look()
        room = max(1, self._workers.count) - len(self._run.busy)
        actions = decide(self._run, now, room)
        performed: list[StepAction | AttemptAction] = []
        for action in actions:
            needed = room_needed(self._run, action)
            if needed and (free := self._free()) < needed:
                self._gather(Change(self._run).stopped(out_of_room(self._place, needed, free)), "stop")
                break
            self._gather(intend(self._run, action, now), f"intent:{type(action).__name__}")
            if not isinstance(action, Begin):
                performed.append(action)
        if performed:
            self._flush()
        for action in performed:
            self._workers.begin(self._run, action)
        return bool(actions)

    def _take_replies(self, now: float) -> bool:
        """Take what workers bring, or wait for what becomes due. False: the workers have nothing yet.

        `now` is when it was decided that nothing can begin: what has become due since, while a commit was made, is due all the same.
        """
        self._flush()
        if self._run.busy:
            done = self._workers.reply(TICK)
            while done is not None:
                self._settle(done)
                done = self._workers.reply(0.0) if self._run.busy else None
            return bool(self._points)
        due = next_due(self._run, now)
        stop = stalled(self._run) if due is None else None
        if stop is not None:
            self._gather(Change(self._run).stopped(stop), "stop")
            return True
        if due is None:
            raise RuntimeError("nothing to do, nothing under way, and yet not over: " + str(self._run.goal))
        self._clock.wait(min(TICK, due - self._now()) if self._workers.count else due - self._now())
        return True

    def _settle(self, done: _Done) -> None:
        if isinstance(done.reply, BaseException):
            self._flush()
            raise done.reply
        change = settle(self._run, done.action, done.reply, self._now(), self._chance())
        self._gather(change, f"result:{type(done.action).__name__}")

    def _drain(self) -> None:
        """Wait a while for what is under way, and commit what comes back."""
        deadline = self._clock.monotonic() + self._run.policy.stop_patience
        while self._run.busy and self._clock.monotonic() < deadline:
            done = self._workers.reply(TICK)
            if done is not None:
                self._settle(done)
                self._flush()

    def _status(self) -> RunStatus:
        if self._run.stop is None:
            return RunStatus.COMPLETE
        resumable = self._run.stop.exit_code in {ExitCode.PAUSED, ExitCode.INTERRUPTED}
        return RunStatus.PAUSED if resumable else RunStatus.STOPPED

    def _mark(self, status: RunStatus) -> None:
        if self._run.goal is Goal.VERIFY or (self._run.goal is Goal.RESTORE and not self._run.all_done):
            return
        finished = None if status is RunStatus.RUNNING else self._now()
        row = replace(self._run.row, status=status, finished=finished)
        if row != self._run.row:
            run = replace(self._run, row=row)
            self._gather(Change(run, (row,), ((f"run-{status.value}", {}),)), f"run:{status.value}")
            self._flush()

    def _gather(self, change: Change, point: str) -> None:
        """The run stands like this in memory; the ledger takes it with the next commit."""
        self._rows += change.rows
        self._events += change.events
        self._points.append(point)
        self._run = change.run

    def _flush(self) -> None:
        """Commit all that was gathered."""
        points, rows, events = self._points, self._rows, self._events
        if not points:
            return
        for point in points:
            self._fuse(f"before:{point}")
        if rows or events:
            self._ledger.commit(rows, events)
        self._points, self._rows, self._events = [], [], []
        for point in points:
            self._fuse(f"after:{point}")
        if self._ledger.ran_out and self._run.stop is None:
            self._gather(Change(self._run).stopped(ran_out(self._place)), "stop")
