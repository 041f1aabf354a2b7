"""What is going to happen in an org, and when: everything that takes time on its clock is an entry here.

**Invariant:** entries happen at their own time, in order, whenever somebody looks; two of the same time in the order of
their making. So what happens does not depend on how often the org is asked.
"""

import heapq
from collections.abc import Callable

from migrator.simulator.orgstate import OrgState

# one look at the work ends after so much of it, so that requests get their turn in between
STEP_ROWS = 4_000  # rows that take no time
STEP_SECONDS = 0.1  # of a clock that goes on by itself; work may be due faster than it can be done
LOOKS = 16  # entries between looks at that clock

Action = Callable[[float], int]  # takes the time; gives how many rows it dealt with that took no time
Feeder = Callable[[float], bool]  # makes new entries of what waits; whether it stops here for this look


class Agenda:
    """The agenda of one org; `org.part(Agenda)`. Feeders are asked before every look."""

    def __init__(self, org: OrgState) -> None:
        self.feeders: list[Feeder] = []
        self._entries: list[tuple[float, int, Action, bool]] = []
        self._awaited: list[float] = []  # times of those entries that somebody waits for, a heap too
        self._made = 0
        self._clock = org.clock
        org.background.append(self)

    @property
    def following(self) -> float:
        """When the next entry is due; infinity when there is none."""
        return self._entries[0][0] if self._entries else float("inf")

    @property
    def awaited(self) -> float:
        """When the next entry is due for whose sake a clock may jump; infinity when there is none."""
        return self._awaited[0] if self._awaited else float("inf")

    def at(self, time: float, action: Action, *, awaited: bool = True) -> None:
        """Have something happen; nobody waits for what is not awaited, such as the work of others."""
        self._made += 1
        heapq.heappush(self._entries, (time, self._made, action, awaited))
        if awaited:
            heapq.heappush(self._awaited, time)

    def advance(self, now: float) -> bool:
        """Do what is due, a small step of it when it takes no time; whether there is more to do at once."""
        fed = [feed(now) for feed in self.feeders]
        if any(fed):
            return True
        rows = done = 0
        began = self._clock.monotonic()
        while self._entries and self._entries[0][0] <= now:
            if rows >= STEP_ROWS:
                return True
            if done % LOOKS == LOOKS - 1 and self._clock.monotonic() - began > STEP_SECONDS:
                return True
            time, _, action, awaited = heapq.heappop(self._entries)
            if awaited:
                heapq.heappop(self._awaited)  # entries go in order of time: it is the first of these as well
            rows += action(time)
            done += 1
        return False
