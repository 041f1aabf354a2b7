"""Loads into a simulated org in virtual time, and what came of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.agenda import Agenda
from migrator.simulator.bulk.spool import spool_of
from migrator.simulator.bulk.v2.job import IngestJob, JobSpec
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context

CHUNK = 200
Row = TypeVar("Row")


def slices(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    """The rows, so many at a time."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of jobs that ran side by side."""

    rows: int
    failed: int
    unprocessed: int
    retries: int
    seconds: float  # on the org's clock
    states: Counter[str]

    @property
    def rate(self) -> float:
        """Rows that made it, per second."""
        return (self.rows - self.failed - self.unprocessed) / self.seconds

    def then(self, other: "Done") -> "Done":
        """This and, when it was over, that."""
        return Done(
            self.rows + other.rows,
            self.failed + other.failed,
            self.unprocessed + other.unprocessed,
            self.retries + other.retries,
            self.seconds + other.seconds,
            self.states + other.states,
        )


class Load:
    """An org to load into."""

    def __init__(self, schema: dict[str, Any] | None = None, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.org = Org(load_schema(schema or {}), OrgSettings(**settings), self.clock)
        self.agenda = self.org.part(Agenda)
        self._context = Context(self.org.user_id, self.clock.now(), "seed")

    def seed(self, sobject: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """The ids of records that are there before anything begins."""
        described = self.org.schema.sobject(sobject)
        assert described is not None
        compiled = self.org.dml.compile(described, columns, Operation.INSERT)
        made: list[str] = []
        for some in slices(rows, CHUNK):
            done = self.org.dml.execute(compiled, some, self._context)
            assert not done.errors
            made += done.ids
        return made

    def start(
        self, sobject: str, header: str, rows: Iterable[Sequence[str]], operation: str = "insert"
    ) -> IngestJob:
        """A Bulk API 2.0 job that is closed and waits for its turn."""
        work, now = self.org.part(IngestWork), self.clock.now()
        job = work.create(JobSpec(sobject, Operation(operation)), "60.0", self.org.user_id, now)
        job.upload = spool_of("".join(f"{line}\n" for line in (header, *map(",".join, rows))).encode())
        work.close(job, now)
        return job

    def finish(self, *jobs: IngestJob, look: float = 60.0) -> Done:
        """Let time pass until the jobs have ended, looking at the org every so many seconds."""
        start = self.clock.now()
        while not all(job.state.terminal for job in jobs):
            self.org.advance(self.clock.now())
            self.clock.advance(look)
        rows = sum(job.rows for job in jobs)
        processed = sum(job.processed for job in jobs)
        return Done(
            rows=rows,
            failed=sum(job.failed for job in jobs),
            unprocessed=rows - processed,
            retries=sum(job.retries for job in jobs),
            seconds=max(job.ended for job in jobs) - start,
            states=Counter(job.state.value for job in jobs),
        )
