"""What the quick keys pair: a table of the pairs of several jobs, and whether it can be believed.

**Invariant:** a slice's pairs are only believed when every row that was sent has one answer, every answer one row, every success a record of its
own, and the job's counters say the same.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from migrator.data.faults import ResultsMismatch
from migrator.data.jobs import SettleJob
from migrator.data.session import Session
from migrator.data.sql import no_id, with_checked

#: for each kind that `Finish.by` tells apart: its columns, how many rows, and `Finish.counts`
Tallies = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Told:
    """What result files have: rows by kind, ids of successes that are none, and different ids of successes."""

    ok: int
    bad: int
    un: int
    malformed: int
    ids: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.ok + self.bad + self.un


@dataclass(frozen=True, slots=True)
class Finish:
    """What is made of answers. `sql`: over `answered` (slice, row, source_key, kind, id, created, error, key); it keeps `slice`, `row`, `kind` and
    `key`, and gives the ids of successes as `target_id`.

    `by`: columns of it by which rows are counted; `counts`: SQL of what is counted besides, for each kind of them.
    """

    sql: str
    by: tuple[str, ...]
    counts: tuple[str, ...] = ()

    @property
    def tally(self) -> str:
        """SQL of the columns of a tally."""
        return tally(self.by, self.counts)


def tally(by: Sequence[str], counts: Sequence[str]) -> str:
    """SQL of the columns of a tally: what rows are counted by, how many, and what else is counted."""
    return ", ".join((*by, "count(*)", *counts))


@dataclass(frozen=True, slots=True)
class _Counted:
    """Pairs of a slice whose answers are of one kind (None: there is none) and that are tallied together: how many have a row, how many different
    answers they have (successes by their ids, as each is of one record, and others by their keys), and how many of the ids are none.
    """

    kind: str | None
    pairs: int
    rows: int
    answers: int
    malformed: int
    tally: tuple[Any, ...]

    @property
    def even(self) -> bool:
        """Each is a row with an answer of its own, and each success has a record."""
        return self.kind is not None and self.rows == self.answers == self.pairs and not self.malformed


class Pairs:
    """The pairs of as many jobs: a table of what `finish` makes of answers.

    `most`: with more pairs than that the table was cut off, and has a part of some slices. Each job borrows it once; after the last one it is gone. The
    first to ask for figures counts for all, when others can be paired already.
    """

    def __init__(self, table: str, finish: Finish, prefix: str, jobs: int, *, most: int) -> None:
        self.table = table
        self._counting = _counting(table, finish, prefix)
        self._most = most
        self._figures: Mapping[int, Sequence[_Counted]] | None = None
        self._jobs = jobs
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, session: Session) -> Iterator[None]:
        """A job's time with the table."""
        try:
            yield
        finally:
            with self._lock:
                self._jobs -= 1
                last = not self._jobs
            if last:
                session.run(f"DROP TABLE IF EXISTS {self.table}")

    def tallies(self, session: Session, job: SettleJob) -> Tallies | None:
        """The tallies of the job's slice, in order, if everything of it is paired one to one.

        Raises ResultsMismatch when it is, and the job's counters say something else.
        """
        with self._lock:
            if self._figures is None:
                self._figures = self._counted(session)
        counted = self._figures.get(job.slice, ())
        pairs = sum(one.pairs for one in counted)
        # two answers of one row may be of different kinds, and their keys be counted apart: then there are more pairs than rows were sent
        if pairs != job.sent or not all(one.even for one in counted):
            return None
        successes = [one for one in counted if one.kind == "ok"]
        if len(successes) > 1 and self._ids_repeat(session, job.slice):
            return None
        kinds: Counter[str] = Counter()
        for one in counted:
            kinds[str(one.kind)] += one.pairs
        check_counts(job, pairs, Told(kinds["ok"], kinds["bad"], kinds["un"], malformed=0, ids=kinds["ok"]))
        return sorted(one.tally for one in counted)

    def _counted(self, session: Session) -> Mapping[int, Sequence[_Counted]]:
        found: dict[int, list[_Counted]] = defaultdict(list)
        for no, kind, pairs, rows, answers, malformed, *counted in session.rows(self._counting):
            found[no].append(_Counted(kind, pairs, rows, answers, malformed, tuple(counted)))
        whole = sum(one.pairs for counted in found.values() for one in counted) <= self._most
        return found if whole else {}

    def _ids_repeat(self, session: Session, no: int) -> bool:
        (repeated,) = session.one(
            f"SELECT count(*) - count(DISTINCT target_id) FROM {self.table} WHERE slice = {no} AND kind = 'ok'"
        )
        return bool(repeated)


def _counting(table: str, finish: Finish, prefix: str) -> str:
    """SQL of `_Counted`. Ids are as many as their hashes at least, and hashes are cheaper to compare."""
    answers = "count(DISTINCT CASE WHEN kind = 'ok' THEN hash(target_id) ELSE key END)"
    malformed = f"count(*) FILTER (kind = 'ok' AND {no_id('target_id', prefix)})"
    return (
        f'SELECT slice, kind, count(*), count("row"), {answers}, {malformed}, '
        f"{finish.tally} FROM {with_checked(table, 'target_id', prefix)} GROUP BY slice, kind, {', '.join(finish.by)}"
    )


def check_counts(job: SettleJob, rows: int, told: Told) -> None:
    """The org's counters, its three files and what was sent must agree (the processed rows include the failed ones). Raises ResultsMismatch."""
    if told.rows != rows:
        raise ResultsMismatch(f"{rows} rows were sent, the results have {told.ok} + {told.bad} + {told.un}")
    if job.failed is not None and told.bad != job.failed:
        raise ResultsMismatch(f"the job counts {job.failed} failed rows, the failed results have {told.bad}")
    if job.processed is not None and job.failed is not None and told.ok != job.processed - job.failed:
        raise ResultsMismatch(
            f"the job counts {job.processed - job.failed} rows that succeeded, the successful results have {told.ok}"
        )
