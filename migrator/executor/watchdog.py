"""A process in which nothing moves any more says where each of its threads stands, and ends.

That would be a bug of ours, such as two threads that wait for each other: nobody is there to notice it at night. Ending is safe at any instant,
because a run goes on from what its ledger says.

**Invariant:** waiting is not standing still: as long as a request is under way or waits to be repeated, the processor or the disk works for us, or the
coordinator waits for something that is due, nothing happens here. Nor does time count in which the process itself was stopped. Stacks name code, and no values.
"""

import faulthandler
import os
import resource
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from migrator.clock import Clock

#: in the run folder
STACKS = "stacks.txt"
#: seconds in which a process that was noticed may end in order
GRACE = 60.0
#: how often the watchdog looks, as a share of its patience
_LOOKS = 20
#: looks that are further apart than this share of the patience were kept apart by whoever froze the process (Ctrl-Z, a machine that slept)
_FROZEN = 0.5
#: a process that uses more of one processor than this is at work
_WORKING = 0.1


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process has used: seconds of processor time, blocks read and written."""

    seconds: float
    blocks: int


def usage() -> Usage:
    """What this process has used so far."""
    found = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(found.ru_utime + found.ru_stime, found.ru_inblock + found.ru_oublock)


@dataclass(frozen=True, slots=True)
class Watched:
    """What tells that something moves: `beats` grows with each turn of the coordinator that is not a mere wait for a worker."""

    beats: Callable[[], int]
    requests_under_way: Callable[[], int]
    used: Callable[[], Usage] = usage


@dataclass(slots=True)
class _Still:
    since: float
    beats: int
    used: Usage


class Watchdog:
    """Watches from a thread of its own while it is entered.

    When nothing has moved for `patience` seconds, the stacks of all threads are written to `stacks` and `noticed` is set: an orderly end may
    follow. If the watchdog is not left within `grace` seconds, `abandon` is called, which ends the process.
    """

    def __init__(
        self,
        watched: Watched,
        *,
        clock: Clock,
        patience: float,
        stacks: Path,
        noticed: threading.Event,
        abandon: Callable[[], None],
        grace: float = GRACE,
    ) -> None:
        self._watched = watched
        self._clock = clock
        self._patience = patience
        self._stacks = stacks
        self._noticed = noticed
        self._abandon = abandon
        self._grace = grace
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="migrator-watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _fault: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        still = self._now()
        looked = still.since
        while not self._left.wait(self._patience / _LOOKS):
            before, looked = looked, self._clock.monotonic()
            if looked - before > _FROZEN * self._patience or self._moved(still):
                still = self._now()
            elif looked - still.since >= self._patience:
                self._dump()
                self._noticed.set()
                if not self._left.wait(self._grace):
                    self._abandon()
                return

    def _now(self) -> _Still:
        return _Still(self._clock.monotonic(), self._watched.beats(), self._watched.used())

    def _moved(self, still: _Still) -> bool:
        used = self._watched.used()
        elapsed = self._clock.monotonic() - still.since
        at_work = used.seconds - still.used.seconds > _WORKING * max(elapsed, self._patience / _LOOKS)
        read = used.blocks != still.used.blocks
        return (
            at_work or read or self._watched.beats() != still.beats or self._watched.requests_under_way() > 0
        )

    def _dump(self) -> None:
        descriptor = os.open(self._stacks, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            faulthandler.dump_traceback(descriptor, all_threads=True)
        finally:
            os.close(descriptor)
