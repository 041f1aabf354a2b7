"""The time of orgs that others reach over HTTP: faster than real time, and without the time in which everybody waits.

**Invariant:** it never goes back, and it jumps only to moments that work or a waiting request has asked for: what
merely expires later (tokens, open jobs, results) is never jumped to.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from migrator.clock import Clock

STEP = 0.02  # seconds of real time between looks at the time by those who wait
PATIENCE = 0.005  # seconds of real time in which nobody asked anything before the clock jumps
IMPATIENCE = 0.2  # seconds of real time for which all orgs were idle, whoever asks meanwhile


class OrgClock:
    """A clock over a real one, shared by the orgs of one process.

    `speed` is seconds of the orgs in a real second. A clock that jumps goes straight to the next moment for which somebody
    waits, when all its orgs are idle and no request is being answered.
    """

    def __init__(self, real: Clock, *, speed: float = 1.0, jumps: bool = False) -> None:
        if speed <= 0:
            raise ValueError("time passes: its speed is above 0")
        self._real = real
        self._origin = real.monotonic()
        self._start = real.now()
        self._speed = speed
        self._jumps = jumps
        self._jumped = 0.0
        self._lock = threading.Lock()
        self._acting = 0  # requests that are being answered, and do not wait
        self._last_act = self._idle_since = self._origin
        self._waiting: list[float] = []  # moments for which requests wait
        self._idle: dict[
            object, float | None
        ] = {}  # by org, None for one at work; the next moment it waits for

    @property
    def keeps_time(self) -> bool:
        """Whether it goes as the real clock does."""
        return self._speed == 1.0 and not self._jumps

    def now(self) -> float:
        """The orgs' time, seconds since the epoch."""
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        """Seconds of the orgs since the clock was made."""
        return (self._real.monotonic() - self._origin) * self._speed + self._jumped

    def wait(self, seconds: float) -> bool:
        """Wait in the orgs' time; False when the real clock was stopped."""
        due = self.now() + max(0.0, seconds)
        with self._lock:
            self._waiting.append(due)
            self._acting -= 1
        try:
            while (left := due - self.now()) > 0:
                if not self._real.wait(min(STEP, left / self._speed)):
                    return False
                self._jump()
            return True
        finally:
            with self._lock:
                self._waiting.remove(due)
                self._acting += 1

    @contextmanager
    def acting(self) -> Iterator[None]:
        """While a request is being answered."""
        with self._lock:
            self._acting += 1
        try:
            yield
        finally:
            with self._lock:
                self._acting -= 1
                self._last_act = self._real.monotonic()

    def busy(self, org: object) -> None:
        """The org has work to do now."""
        with self._lock:
            self._idle[org] = None
            self._idle_since = self._real.monotonic()

    def idle(self, org: object, due: float | None) -> None:
        """The org has nothing to do before that moment (none, when it waits for nobody); jumps when all are idle."""
        with self._lock:
            self._idle[org] = float("inf") if due is None else due
        self._jump()

    def leave(self, org: object) -> None:
        """The org is served no longer."""
        with self._lock:
            self._idle.pop(org, None)

    def _jump(self) -> None:
        if not self._jumps:
            return
        with self._lock:
            real = self._real.monotonic()
            quiet = real - self._last_act >= PATIENCE or real - self._idle_since >= IMPATIENCE
            if not quiet or self._acting > 0 or None in self._idle.values():
                return
            due = min(
                [*self._waiting, *(each for each in self._idle.values() if each is not None)], default=0.0
            )
            ahead = due - self.now()
            if 0 < ahead < float("inf"):
                self._jumped += ahead
                self._idle_since = real
