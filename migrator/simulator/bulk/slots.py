"""Who works next: batches of asynchronous jobs wait in lanes for the org's parallel slots and work in turns.

A job that runs in parallel has a lane of its own; jobs that must take turns share one lane of width one. Each turn is one
transaction, the one that is due first, so batches of all jobs interleave.

**Invariant:** no more batches have a slot than the org has slots, and none of a lane than the lane is wide.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from migrator.simulator.orgstate import OrgState

STEP_ROWS = 4_000  # rows of one look at the work, when rows take no time


class Turn(StrEnum):
    """How a batch leaves its turn."""

    AGAIN = "again"  # it has more to do
    BACK = "back"  # it gives its slot back and waits behind the others of its lane
    DONE = "done"  # it gives its slot back for good


class BatchRun(Protocol):
    """A batch that wants a slot."""

    @property
    def job_id(self) -> str:
        """The job it belongs to."""
        ...

    @property
    def next_rows(self) -> int:
        """Rows of its next transaction."""
        ...

    def begin(self, now: float) -> bool:
        """Take the slot; False when it may not run after all."""
        ...

    def step(self, now: float) -> Turn:
        """One transaction."""
        ...


@dataclass(slots=True)
class _Lane:
    number: int  # order among lanes that have as many slots
    width: int | None
    queue: deque[tuple[float, BatchRun]] = field(default_factory=deque)  # since when, and what
    active: int = 0

    @property
    def open(self) -> bool:
        return bool(self.queue) and (self.width is None or self.active < self.width)


class Slots:
    """The slots of one org; `org.part(Slots)`. Feeders are asked before every look at the work."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self.feeders: list[Callable[[float], bool]] = []
        self._lanes: dict[str, _Lane] = {}
        self._running: list[tuple[float, int, _Lane, BatchRun]] = []  # a heap by when the next turn is over
        self._freed = 0.0  # when a slot was last given back
        self._turn = 0
        self._made = 0
        org.background.append(self)

    @property
    def timed(self) -> bool:
        """Whether rows take time; then the clock limits the work, not the step."""
        return self.org.settings.row_seconds > 0

    def enqueue(self, run: BatchRun, now: float, *, lane: str, width: int | None = None) -> None:
        """Let a batch wait for a slot."""
        found = self._lanes.get(lane)
        if found is None:
            self._made += 1
            found = self._lanes[lane] = _Lane(self._made, width)
        found.queue.append((now, run))

    def drop(self, job_id: str, now: float) -> None:
        """Forget all batches of a job, at work or not."""
        for lane in self._lanes.values():
            lane.queue = deque(entry for entry in lane.queue if entry[1].job_id != job_id)
        gone = [entry for entry in self._running if entry[3].job_id == job_id]
        for _, _, lane, _ in gone:
            self._release(lane, now)
        if gone:
            self._running = [entry for entry in self._running if entry[3].job_id != job_id]
            heapq.heapify(self._running)

    def advance(self, now: float) -> bool:
        """Do a small step of what is due; whether there is more to do at once."""
        fed = [feed(now) for feed in self.feeders]
        if any(fed) and not self.timed:
            return True
        rows = 0
        while self.timed or rows < STEP_ROWS:
            self._fill()
            if not self._running or self._running[0][0] > now:
                return False
            due, _, lane, run = heapq.heappop(self._running)
            rows += run.next_rows
            self._take_turn(lane, run, due)
        return bool(self._running) or any(lane.open for lane in self._lanes.values())

    def _take_turn(self, lane: _Lane, run: BatchRun, now: float) -> None:
        match run.step(now):
            case Turn.AGAIN:
                self._push(lane, run, now)
            case Turn.BACK:
                self._release(lane, now)
                lane.queue.append((now, run))
            case Turn.DONE:
                self._release(lane, now)

    def _fill(self) -> None:
        while len(self._running) < self.org.settings.batch_parallelism:
            self._lanes = {name: lane for name, lane in self._lanes.items() if lane.queue or lane.active}
            lanes = [lane for lane in self._lanes.values() if lane.open]
            if not lanes:
                return
            lane = min(lanes, key=lambda each: (each.active, each.number))
            since, run = lane.queue.popleft()
            start = max(self._freed, since)
            if run.begin(start):
                lane.active += 1
                self._push(lane, run, start)

    def _push(self, lane: _Lane, run: BatchRun, now: float) -> None:
        self._turn += 1
        due = now + run.next_rows * self.org.settings.row_seconds
        heapq.heappush(self._running, (due, self._turn, lane, run))

    def _release(self, lane: _Lane, now: float) -> None:
        lane.active -= 1
        self._freed = now
