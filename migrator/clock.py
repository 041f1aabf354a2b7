"""Time as an argument.

Everything that needs the time of day, a duration or a wait takes a `Clock`; only this module and the edge of
the program touch the real one. With `VirtualClock` a 24-hour run is rehearsed in seconds.

**Invariant:** durations and due times are compared on `now()` of one clock, never mixed between two.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the product asks of time."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; only differences mean something."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait, and say whether the whole time passed (False: somebody asked us to stop)."""
        ...


class SystemClock:
    """The real clock. `stop()` ends every wait at once, from any thread or from a signal handler."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> float:
        return time.time()  # noqa: TID251 - this is the place

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251 - this is the place

    def wait(self, seconds: float) -> bool:
        return not self._stopped.wait(max(0.0, seconds))

    def stop(self) -> None:
        self._stopped.set()


class VirtualClock:
    """A clock that only moves when somebody waits on it or advances it; safe to share between threads."""

    def __init__(self, start: float = 1_760_000_000.0) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def wait(self, seconds: float) -> bool:
        self.advance(max(0.0, seconds))
        return True

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` (never backwards)."""
        if seconds < 0:
            raise ValueError("a clock cannot be moved backwards")
        with self._lock:
            self._elapsed += seconds
