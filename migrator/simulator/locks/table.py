"""The lock table: who holds which record, who waits for it, and what becomes of those who wait too long.

A transaction takes its locks one after the other and keeps those it has while it waits for the next, as row locks of a
database do. Waiters get a lock in the order in which they came.

**Invariant:** a key that somebody waits for has a holder, and a transaction waits for one key at most.
"""

from collections import deque
from collections.abc import Callable, Sequence

from migrator.simulator.agenda import Agenda


class Claim:
    """What one transaction wants to hold, in the order in which it takes it."""

    __slots__ = ("awaited", "granted", "keys", "refused", "since", "taken", "waiting")

    def __init__(
        self,
        keys: Sequence[str],
        granted: Callable[[float], None],
        refused: Callable[[float, Sequence[str]], int],
        *,
        awaited: bool = True,
    ) -> None:
        self.keys = list(keys)
        self.granted = granted  # called when it holds them all
        self.refused = refused  # called with the keys it could not get; by then it holds none
        self.taken = 0  # of its keys
        self.since = 0.0  # when it began to wait
        self.waiting = False
        self.awaited = awaited  # somebody waits for its end


class LockTable:
    """The locks of one org, all of them exclusive."""

    def __init__(self, agenda: Agenda, wait: float) -> None:
        self._agenda = agenda
        self._wait = wait  # seconds that a transaction waits for a lock
        self._holders: dict[str, Claim] = {}
        self._queues: dict[str, deque[Claim]] = {}

    def __len__(self) -> int:
        """How many keys are held."""
        return len(self._holders)

    def claim(self, claim: Claim, now: float) -> None:
        """Take the claim's locks, or wait for them; `granted` or `refused` is called now or later."""
        if not claim.taken and self._holders.keys().isdisjoint(claim.keys):
            self._holders.update(dict.fromkeys(claim.keys, claim))
            claim.taken = len(claim.keys)
            claim.granted(now)
            return
        self._go_on(claim, now)

    def release(self, claim: Claim, now: float) -> None:
        """Give back all that the claim holds, to those who wait for it."""
        woken: list[Claim] = []
        for key in claim.keys[: claim.taken]:
            queue = self._queues.get(key)
            if queue is None:
                del self._holders[key]
                continue
            heir = self._holders[key] = queue.popleft()
            if not queue:
                del self._queues[key]
            heir.taken += 1
            heir.waiting = False
            woken.append(heir)
        claim.taken = 0
        for heir in woken:
            self._go_on(heir, now)

    def cancel(self, claim: Claim, now: float) -> None:
        """The transaction is over before it began: stop waiting, and release."""
        if claim.waiting:
            key = claim.keys[claim.taken]
            queue = self._queues[key]
            queue.remove(claim)
            if not queue:
                del self._queues[key]
            claim.waiting = False
        self.release(claim, now)

    def _go_on(self, claim: Claim, now: float) -> None:
        """Take one lock after the other, up to one that somebody else has."""
        keys = claim.keys
        while claim.taken < len(keys):
            key = keys[claim.taken]
            holder = self._holders.get(key)
            if holder is not None:
                self._wait_for(claim, key, holder, now)
                return
            self._holders[key] = claim
            claim.taken += 1
        claim.granted(now)

    def _wait_for(self, claim: Claim, key: str, holder: Claim, now: float) -> None:
        if self._waits_for(holder, claim):
            self._refuse(claim, now)  # two that wait for each other: the one that closes the circle goes
            return
        claim.waiting = True
        claim.since = now
        self._queues.setdefault(key, deque()).append(claim)
        self._agenda.at(
            now + self._wait, lambda time: self._too_long(claim, now, time), awaited=claim.awaited
        )

    def _waits_for(self, claim: Claim, wanted: Claim) -> bool:
        """Whether the claim is that one, or waits for it by way of others."""
        while claim is not wanted:
            if not claim.waiting:
                return False
            claim = self._holders[claim.keys[claim.taken]]
        return True

    def _too_long(self, claim: Claim, since: float, now: float) -> int:
        if claim.waiting and claim.since == since:
            self._refuse(claim, now)
        return 0

    def _refuse(self, claim: Claim, now: float) -> None:
        """Say no, a moment later, so that one refusal does not stand on the shoulders of another."""
        missing = claim.keys[claim.taken :]
        missed = [missing[0], *(key for key in missing[1:] if self._holders.get(key, claim) is not claim)]
        self.cancel(claim, now)
        self._agenda.at(now, lambda time: claim.refused(time, missed), awaited=claim.awaited)
