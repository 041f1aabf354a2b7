"""Keeps the leases of one process alive in PostgreSQL, and knows when that came too late.

**Invariant:** lateness is judged by the monotonic clock: a wall clock that jumps takes no lease away.
"""

import threading
from collections.abc import Callable
from typing import Any

import psycopg

from migrator.clock import Clock

#: seconds that a lease lasts, and how often it is renewed
TTL = 30.0
RENEW = 10.0


def renew(connection: "psycopg.Connection[tuple[Any, ...]]", token: str, ttl: float) -> bool:
    """Make the leases last from now on, also those that have run out: as long as they bear the token nobody else took them. Whether there was one."""
    done = connection.execute(
        "UPDATE lease SET until = clock_timestamp() + make_interval(secs => %s) WHERE token = %s",
        (ttl, token),
    )
    return bool(done.rowcount > 0)


class Heartbeat:
    """A thread with a connection of its own. `late` once the leases may be somebody else's."""

    def __init__(
        self,
        connect: Callable[[], "psycopg.Connection[tuple[Any, ...]]"],
        token: str,
        clock: Clock,
        *,
        ttl: float = TTL,
    ) -> None:
        self._connect = connect
        self._token = token
        self._clock = clock
        self._ttl = ttl
        self._renewed = clock.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="migrator-lease", daemon=True)
        self._thread.start()

    @property
    def late(self) -> bool:
        """Whether the last renewal is so long ago that the leases have run out."""
        return self._clock.monotonic() - self._renewed > self._ttl

    def in_time(self, since: float) -> None:
        """The leases have been renewed by somebody else, who began at `since` (monotonic)."""
        self._renewed = since

    def close(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join(self._ttl)

    def _run(self) -> None:
        connection: psycopg.Connection[tuple[Any, ...]] | None = None
        try:
            while not self._over.wait(self._ttl * RENEW / TTL):
                began = self._clock.monotonic()
                try:
                    connection = connection or self._connect()
                    if not renew(connection, self._token, self._ttl):
                        return  # taken over: the next commit is refused
                except psycopg.OperationalError:
                    # no connection now: tried again at the next beat, until it is too late
                    if connection is not None:
                        connection.close()
                    connection = None
                else:
                    self._renewed = began
        finally:
            if connection is not None:
                connection.close()
