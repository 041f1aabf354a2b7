"""The org's parallel slots: batches of Bulk API v1 and 2.0 wait for one, work in turns, and give it back.

A job that runs in parallel has a lane of its own; jobs that must take turns share one lane of width one. Each turn is one
transaction: it takes its locks, lasts as long as its rows do, and writes them at its end; batches of all jobs interleave.

**Invariant:** no more batches have a slot than the org has slots, and none of a lane than the lane is wide.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol

from migrator.simulator.agenda import Agenda
from migrator.simulator.locks.misses import miss
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.locks.table import Claim
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.results import RowError


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
    def sobject(self) -> str:
        """The sObject of its rows."""
        ...

    @property
    def next_rows(self) -> int:
        """Rows of its next transaction."""
        ...

    def begin(self, now: float) -> bool:
        """Take the slot; False when it may not run after all."""
        ...

    def locks(self, locks: Locks) -> Sequence[str]:
        """What its next transaction has to hold."""
        ...

    def step(self, since: float, now: float, missed: RowError | None) -> Turn:
        """One transaction, which began at `since`; all of its rows are refused when it missed its locks."""
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


@dataclass(slots=True, eq=False)
class _Slot:
    """A slot in use, and the transaction in it."""

    lane: _Lane
    run: BatchRun
    since: float = 0.0
    claim: Claim | None = None
    gone: bool = False  # given back


class Slots:
    """The slots of one org; `org.part(Slots)`. Feeders are asked before every look at the work."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self.feeders: list[Callable[[float], bool]] = []
        self._lanes: dict[str, _Lane] = {}
        self._taken: dict[_Slot, None] = {}  # in order
        self._freed = 0.0  # when a slot was last given back
        self._made = 0
        self._agenda = org.part(Agenda)
        self._agenda.feeders.append(self._feed)
        self._locks = org.part(Locks)
        org.unfinished.append(self._unfinished)

    @property
    def timed(self) -> bool:
        """Whether rows take time; then the clock limits the work, not the step."""
        return self._locks.timed

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
        for slot in [slot for slot in self._taken if slot.run.job_id == job_id]:
            self._release(slot, now)
            if slot.claim is not None:
                self._locks.table.cancel(slot.claim, now)

    def _unfinished(self) -> bool:
        """Whether batches have a slot or wait for one."""
        return bool(self._taken) or any(lane.queue for lane in self._lanes.values())

    def _feed(self, now: float) -> bool:
        fed = [feed(now) for feed in self.feeders]
        self._fill()
        return any(fed) and not self.timed

    # --- slots ---------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        while len(self._taken) < self.org.settings.batch_parallelism:
            self._lanes = {name: lane for name, lane in self._lanes.items() if lane.queue or lane.active}
            lanes = [lane for lane in self._lanes.values() if lane.open]
            if not lanes:
                return
            lane = min(lanes, key=lambda each: (each.active, each.number))
            since, run = lane.queue.popleft()
            start = max(self._freed, since)
            if run.begin(start):
                lane.active += 1
                slot = _Slot(lane, run)
                self._taken[slot] = None
                self._start(slot, start)

    def _release(self, slot: _Slot, now: float) -> None:
        slot.gone = True
        slot.lane.active -= 1
        del self._taken[slot]
        self._freed = now

    # --- transactions --------------------------------------------------------------------------------------------

    def _start(self, slot: _Slot, now: float) -> None:
        """Begin the next transaction of a batch."""
        slot.since = now
        if not self._locks.active:
            self._agenda.at(now, partial(self._end, slot, None))
            return
        granted, refused = partial(self._granted, slot), partial(self._refused, slot)
        slot.claim = Claim(slot.run.locks(self._locks), granted, refused)
        self._locks.table.claim(slot.claim, now)

    def _granted(self, slot: _Slot, now: float) -> None:
        seconds = self._locks.seconds(slot.run.sobject, slot.run.next_rows)
        self._agenda.at(now + seconds, partial(self._end, slot, None))

    def _refused(self, slot: _Slot, now: float, keys: Sequence[str]) -> int:
        return self._end(slot, miss(keys), now)

    def _end(self, slot: _Slot, missed: RowError | None, now: float) -> int:
        """Write the rows of a transaction, or refuse them all, and go on; gives how many took no time."""
        if slot.gone:
            return 0
        rows = slot.run.next_rows if now == slot.since else 0
        turn = slot.run.step(slot.since, now, missed)
        if slot.claim is not None:
            self._locks.table.release(slot.claim, now)
            slot.claim = None
        if not slot.gone:
            self._take_turn(slot, turn, now)
        self._fill()
        return rows

    def _take_turn(self, slot: _Slot, turn: Turn, now: float) -> None:
        match turn:
            case Turn.AGAIN:
                self._start(slot, now)
            case Turn.BACK:
                self._release(slot, now)
                slot.lane.queue.append((now, slot.run))
            case Turn.DONE:
                self._release(slot, now)
