"""The ledger: the durable truth of a run, written by one process at a time.

**Invariant:** a commit is all or nothing, on the disk when it returns, and refused when another process has opened the
ledger since. One thread owns it.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from migrator.clock import Clock
from migrator.errors import MigratorError
from migrator.model.run import Attempt, Event, Facts, LedgerRow, LedgerState, RunRow
from migrator.state.ballast import Ballast
from migrator.state.beacon import Beacon, Mark
from migrator.state.chain import Stored, broken_at, chained, first_hash
from migrator.state.content import hashes, latest, replaced, rows_in, summed
from migrator.state.record import differs, write_record
from migrator.state.runstore import Head, RunStore
from migrator.state.storage import corrupt, explained
from migrator.state.transitions import IllegalWrite, check_transition

#: what a run never changes
_IDENTITY = ("source_org_id", "target_org_id", "api_version", "started")
#: the event that says that it goes on as another user: without it it never does
USER_EVENT = "user-changed"
#: events that say that its plan has changed: without one of them it never does
PLAN_EVENTS = frozenset({"plan-change-accepted", "plan-settings-changed"})


class Ledger:
    """The ledger of one run; made by `open_ledger`."""

    def __init__(self, store: RunStore, beacon: Beacon, clock: Clock, ballast: Ballast, folder: Path) -> None:
        self._store = store
        self._beacon = beacon
        self._ballast = ballast
        self._ran_out = False
        self._folder = folder
        self._clock = clock
        told = beacon.read()
        self._epoch = store.take_over()
        state, self._head, stored = store.state(), store.head(), store.stored()
        self._hashes = hashes(rows_in(state))
        self._total = summed(self._hashes.values())
        check_whole(store.place, state, stored, self._head)
        check_beacon(told, state.run.run_id, stored, self._head)
        #: the attempts as committed, so that a transition is judged without asking the disk
        self._attempts = {one.id: one for one in state.attempts}
        self._run = state.run

    @property
    def ran_out(self) -> bool:
        """Whether the disk was full at a commit, which then took the room that was kept for the end."""
        return self._ran_out

    def make_room(self) -> bool:
        """Give up the room that is kept for the end, because this is it; whether there was any left."""
        self._ran_out = True
        return self._ballast.release()

    @property
    def epoch(self) -> int:
        """How often the ledger has been opened for writing."""
        return self._epoch

    def hold(self, organization_id: str, sobjects: Sequence[str]) -> None:
        """Be the only run that writes these sObjects of that org, until this ledger is closed.

        Raises MigratorError `lease-held` (exit code LEASE), naming the run and the process that write one of them.
        """
        self._store.hold(sorted(scope_of(organization_id, one) for one in set(sobjects)))

    def commit(self, rows: Sequence[LedgerRow], events: Sequence[tuple[str, Facts]] = ()) -> None:
        """Write all rows and events, or nothing. On a full disk the room that is kept for the end is taken (see `ran_out`).

        Raises IllegalWrite for a transition that the protocol does not know, MigratorError `lease-lost`, `disk-full`,
        `state-read-only`, `state-corrupt` or `ledger-unreachable` when it cannot be written.
        """
        attempts, run = self._checked(rows, frozenset(kind for kind, _ in events))
        rows = latest(rows)
        at, head, seq = self._clock.now(), self._head.hash, self._head.events
        chain: list[Event] = []
        for kind, facts in events:
            seq += 1
            chain.append(chained(head, seq, at, kind, facts))
            head = chain[-1].hash
        changed = hashes(rows)
        total = replaced(self._total, self._hashes, changed)
        after = Head(head, seq, f"{total:064x}")
        if differs(self._run, run):
            # before the commit: a plan that is known and not in force does no harm
            with explained(self._folder):
                write_record(self._folder, run)
        self._write(lambda: self._store.write(rows, chain, self._head, after))
        self._head, self._total, self._run = after, total, run
        self._hashes |= changed
        self._attempts |= attempts
        if chain:
            self._write(lambda: self._beacon.write(Mark(seq, head)))

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except MigratorError as fault:
            if fault.code != "disk-full" or not self.make_room():
                raise
            write()

    def state(self) -> LedgerState:
        """Everything, as committed."""
        return self._store.state()

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """The events behind number `after`."""
        return tuple(as_event(one) for one in self._store.stored(after))

    def close(self) -> None:
        """Let go of the database and of all leases; twice is harmless."""
        self._ballast.release()  # while nobody else can have the run
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, rows: Sequence[LedgerRow], kinds: frozenset[str]) -> tuple[dict[int, Attempt], RunRow]:
        """The attempts and the run as they will stand after these rows, each judged against the one before."""
        attempts: dict[int, Attempt] = {}
        run = self._run
        for row in rows:
            if isinstance(row, Attempt):
                check_transition(attempts.get(row.id, self._attempts.get(row.id)), row)
                attempts[row.id] = row
            elif isinstance(row, RunRow):
                if row.run_id != run.run_id or any(
                    getattr(row, one) != getattr(run, one) for one in _IDENTITY
                ):
                    raise IllegalWrite("a run changes what it is")
                if row.target_user_id != run.target_user_id and USER_EVENT not in kinds:
                    raise IllegalWrite("a run changes its user without an event that says so")
                if row.plan_digest != run.plan_digest and not kinds & PLAN_EVENTS:
                    raise IllegalWrite("a run changes its plan without an event that says so")
                run = row
        return attempts, run


def scope_of(organization_id: str, sobject: str) -> str:
    """What a lease on one sObject of one org is called."""
    return f"{organization_id[:15]}:{sobject.casefold()}"


def as_event(stored: Stored) -> Event:
    """An event as it was written."""
    seq, at, kind, facts, mark = stored
    return Event(seq, at, kind, json.loads(facts), mark)


def check_whole(place: str, state: LedgerState, stored: Sequence[Stored], head: Head) -> None:
    """Refuse a ledger whose log was tampered with or is not whole, or whose rows are not those that were committed."""
    broken = broken_at(state.run.run_id, stored)
    if broken is not None:
        raise corrupt(place, f"event {broken} of its log does not follow from those before it")
    last = (stored[-1][0], stored[-1][4]) if stored else (0, first_hash(state.run.run_id))
    if (head.events, head.hash) != last:
        raise corrupt(place, "the end of its log is missing")
    if head.content and head.content != f"{summed(hashes(rows_in(state)).values()):064x}":
        raise corrupt(place, "its rows are not those that were committed")


def check_beacon(told: Mark | None, run_id: str, stored: Sequence[Stored], head: Head) -> None:
    """Refuse a ledger that is older than what its beacon says; a beacon read before the ledger is never ahead of it by itself."""
    if told is None:
        return
    known = first_hash(run_id) if told.seq == 0 else ""
    if 0 < told.seq <= len(stored):
        known = stored[told.seq - 1][4]
    if known != told.hash:
        raise MigratorError(
            "ledger-behind",
            f"the ledger of run {run_id} ends with event {head.events} and is not the one that came to event {told.seq}: "
            "it was restored from a backup, or lost what it had committed",
            hint="bring back the newest ledger; going on with this one could send rows twice",
        )
