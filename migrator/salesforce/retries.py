"""Repeating what may be repeated, with full jitter.

**Invariant:** what runs here changes nothing in the org, or nothing more the second time.
"""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from migrator.clock import Clock
from migrator.salesforce.failure import RequestFailed

T = TypeVar("T")

TRIES = 5
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


class Retries:
    """How often and when."""

    def __init__(self, clock: Clock, rng: random.Random, *, tries: int = TRIES) -> None:
        self._clock = clock
        self._tries = tries
        self._rng = rng
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many requests wait for their next try."""
        return self._waiting

    def run(self, once: Callable[[], T]) -> T:
        """The result of `once`, tried so often while its failure says that another try may succeed.

        A spent request allowance is not waited out here: it can take hours, and the caller has better to do.
        """
        for trial in range(1, self._tries):
            try:
                return once()
            except RequestFailed as failed:
                if not failed.retryable or failed.code == "request-limit-exceeded":
                    raise
                if not self._wait(self._pause(trial, failed)):
                    raise
        return once()

    def _wait(self, seconds: float) -> bool:
        with self._lock:
            self._waiting += 1
        try:
            return self._clock.wait(seconds)
        finally:
            with self._lock:
                self._waiting -= 1

    def _pause(self, trial: int, failed: RequestFailed) -> float:
        if failed.retry_after is not None:
            return failed.retry_after
        if failed.code == "session-expired":
            return 0.0
        return self._rng.uniform(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**trial))
