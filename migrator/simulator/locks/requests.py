"""Transactions of requests that answer when they are done: they wait for their locks, hold them, and only then answer.

A request that meets a lock takes back what it did so far, keeps its place in the queue and begins again when its turn
comes. Meanwhile, and while its rows take their time, others have the org.

**Invariant:** nobody waits inside of a savepoint: what others write in the meantime would be taken back with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from migrator.simulator.agenda import Agenda
from migrator.simulator.locks.misses import miss
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.locks.table import Claim
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Compiled
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import ChunkResult, RowError
from migrator.simulator.savepoint import Savepoint

Result = TypeVar("Result")


class _Blocked(Exception):  # noqa: N818 - what the transaction is
    """Somebody else has a lock that is needed to go on."""


class _Unit:
    """What one transaction holds, over all of its tries."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._table = org.part(Locks).table
        self._agenda = org.part(Agenda)
        self._claim = self._fresh()
        self._settled = True
        self._missed: Sequence[str] = ()
        self.seconds = 0.0  # that its rows take

    def _fresh(self) -> Claim:
        return Claim((), self._granted, self._refused)

    def _granted(self, _: float) -> None:
        self._settled = True

    def _refused(self, _: float, keys: Sequence[str]) -> int:
        self._settled = True
        self._missed = keys
        self._claim = self._fresh()
        return 0

    def take(self, keys: Sequence[str]) -> RowError | None:
        """Hold these as well; the error when they cannot be had, `_Blocked` when that is not known yet."""
        missed = [key for key in self._missed if key in keys]
        if missed:
            return miss(missed)
        held = set(self._claim.keys)
        self._claim.keys += [key for key in keys if key not in held]
        self._settled = False
        self._table.claim(self._claim, self._org.now())
        if not self._settled:
            raise _Blocked
        return None

    def wait(self) -> None:
        """Let time pass until the locks are there, or cannot be had."""
        while not self._settled:
            self._pause(self._agenda.following - self._org.now())

    def hold(self) -> None:
        """Keep everything for as long as the rows take."""
        end = self._org.now() + self.seconds
        claim = self._claim
        if not self.seconds:
            self.let_go()
            return

        def release(now: float) -> int:
            self._table.release(claim, now)
            return 0

        self._agenda.at(end, release)
        self._pause(self.seconds)

    def let_go(self) -> None:
        """Give everything back."""
        self._table.cancel(self._claim, self._org.now())

    def _pause(self, seconds: float) -> None:
        org = self._org
        org.lock.release()
        try:
            org.clock.wait(max(0.0, seconds))
        finally:
            org.lock.acquire()
        self._agenda.advance(org.now())


class _Current:
    """The transaction that the org is in the middle of; `org.part(_Current)`."""

    def __init__(self, _: OrgState) -> None:
        self.unit: _Unit | None = None


def transact(org: OrgState, body: Callable[[Savepoint], Result]) -> Result:
    """Run a transaction of one or many changes; it may be run anew, from the state before, until it has its locks."""
    current = org.part(_Current)
    if not org.part(Locks).active or current.unit is not None:
        with Savepoint(org) as savepoint:
            return body(savepoint)
    unit = _Unit(org)
    try:
        result = _first_that_is_through(org, unit, body)
    except BaseException:
        unit.let_go()
        raise
    unit.hold()
    return result


def _first_that_is_through(org: OrgState, unit: _Unit, body: Callable[[Savepoint], Result]) -> Result:
    """Try, and try again whenever what stood in the way is gone."""
    current = org.part(_Current)
    while True:
        unit.seconds = 0.0
        current.unit = unit
        try:
            with Savepoint(org) as savepoint:
                return body(savepoint)
        except _Blocked:
            current.unit = None
            unit.wait()
        finally:
            current.unit = None


def execute(
    org: OrgState, compiled: Compiled, rows: Sequence[Sequence[str | None]], context: Context
) -> ChunkResult:
    """Change records for a request, as part of the transaction that it is in or as one of its own."""
    locks = org.part(Locks)
    if not locks.active:
        return org.dml.execute(compiled, rows, context)
    seconds = locks.seconds(compiled.sobject.name, len(rows))

    def change(now: Context) -> ChunkResult:
        return org.dml.execute(compiled, rows, now)

    return _changed(org, lambda: locks.keys.of(compiled, rows), len(rows), seconds, context, change)


def delete(org: OrgState, record_ids: Sequence[str], context: Context, *, all_or_none: bool) -> ChunkResult:
    """Delete records of any sObjects for a request."""
    locks = org.part(Locks)
    if not locks.active:
        return org.dml.delete(record_ids, context, all_or_none=all_or_none)
    tables = [org.store.table_of_id(each) for each in record_ids]
    seconds = sum(locks.seconds(table.sobject.name, 1) for table in tables if table)

    def change(now: Context) -> ChunkResult:
        return org.dml.delete(record_ids, now, all_or_none=all_or_none)

    return _changed(
        org, lambda: locks.keys.of_deletion(record_ids), len(record_ids), seconds, context, change
    )


def _changed(
    org: OrgState,
    keys: Callable[[], Sequence[str]],
    rows: int,
    seconds: float,
    context: Context,
    change: Callable[[Context], ChunkResult],
) -> ChunkResult:
    current = org.part(_Current)

    def body(_: Savepoint | None = None) -> ChunkResult:
        unit = current.unit
        if unit is None:
            raise AssertionError("a transaction has a unit")
        missed = unit.take(keys())
        if missed is not None:
            return ChunkResult([""] * rows, [False] * rows, dict.fromkeys(range(rows), (missed,)))
        unit.seconds += seconds
        return change(replace(context, now=org.now()))

    return body() if current.unit is not None else transact(org, body)
