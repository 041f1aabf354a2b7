"""Other people at work in the org: background writers that change records now and then, and lock them meanwhile.

**Invariant:** what a writer does, and when, follows from its seed and the records that are there; it is the same whenever
somebody looks.
"""

import random
from functools import partial

from migrator.simulator.agenda import Agenda
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.locks.table import Claim
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.settings import BackgroundWriter

TRIES = 20  # at finding a record that is there by its number


class Writers:
    """The background writers of one org; `org.part(Writers)` makes them begin."""

    def __init__(self, org: OrgState) -> None:
        for place, settings in enumerate(org.settings.locks.writers, start=1):
            _Writer(org, settings, place)


class _Writer:
    def __init__(self, org: OrgState, settings: BackgroundWriter, place: int) -> None:
        self._org = org
        self._settings = settings
        self._origin = f"background writer {place}"
        self._agenda = org.part(Agenda)
        self._locks = org.part(Locks)
        self._table = org.store.table(settings.sobject)
        self._compiled = org.dml.compile(self._table.sobject, ["Id"], Operation.UPDATE, trusted=True)
        self._random = random.Random(f"{org.settings.seed}:{settings.seed}:{place}")  # noqa: S311 - deterministic on purpose
        self._next(org.now())

    def _next(self, now: float) -> None:
        self._agenda.at(now + self._random.expovariate(1 / self._settings.every), self._begin, awaited=False)

    def _begin(self, now: float) -> int:
        self._next(now)
        rows = [[record_id] for record_id in self._chosen()]
        if rows:
            keys = self._locks.keys.of(self._compiled, rows)
            claim = Claim(keys, lambda since: self._hold(rows, claim, since), lambda _, __: 0, awaited=False)
            self._locks.table.claim(claim, now)
        return 0

    def _chosen(self) -> list[str]:
        settings, table = self._settings, self._table
        if settings.ids:
            return self._random.sample(settings.ids, min(settings.rows, len(settings.ids)))
        found: dict[int, None] = {}
        for _ in range(TRIES * settings.rows if len(table) else 0):
            seq = self._random.randrange(1, table.next_seq)
            if table.exists(seq):
                found[seq] = None
            if len(found) == settings.rows:
                break
        return table.ids_of(list(found))

    def _hold(self, rows: list[list[str]], claim: Claim, now: float) -> None:
        self._agenda.at(now + self._settings.seconds, partial(self._write, rows, claim), awaited=False)

    def _write(self, rows: list[list[str]], claim: Claim, now: float) -> int:
        org = self._org
        org.dml.execute(self._compiled, rows, Context(org.user_id, now, self._origin))
        self._locks.table.release(claim, now)
        return 0
