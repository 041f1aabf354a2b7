"""One transaction of an asynchronous job, the same in both Bulk APIs, and the figures that both go by."""

from collections.abc import Sequence

from migrator.simulator.bulk.csvdialect import UNESCAPED_QUOTE, Blanked, unparsable
from migrator.simulator.bulk.faults import JobFaults
from migrator.simulator.limits import DAY
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Compiled
from migrator.simulator.records.context import Context
from migrator.simulator.records.results import ChunkResult, RowError

BATCH_ROWS = 10_000  # records of a batch; "Limits"
CHUNK_ROWS = 200  # rows of one transaction
MAX_LOCK_FAILURES = 100  # more than so many in a batch send its remainder back to the queue
OPEN_FOR = DAY  # a job takes data for 24 h
KEPT_FOR = 7 * DAY  # jobs and results are kept for 7 days
SWEEP = 60.0  # seconds between looks at jobs that are too old
TOO_MANY_LOCKS = "TooManyLockFailure : Too many lock failure {} Trying again later."
NO_DATA = "Unable to find any data to create batch"
# the code is a guess, the words are those of the platform's reader
_BLANKED = RowError("INVALID_FIELD", UNESCAPED_QUOTE)
_RAGGED = "The number of values in a row does not match the number of columns in the header"


def fits(compiled: Compiled, rows: Sequence[Sequence[str | None]]) -> bool:
    """Whether every row has a cell for each column of the header."""
    return not rows or set(map(len, rows)) == {compiled.width}


def run_rows(
    org: OrgState,
    compiled: Compiled,
    rows: Sequence[Sequence[str | None]],
    context: Context,
    *,
    processed: int,
    missed: RowError | None = None,
) -> ChunkResult:
    """Run the rows, or refuse them all where locks were missed; a `CsvFault` when one does not fit the header."""
    if not fits(compiled, rows):
        raise unparsable(_RAGGED)
    place = compiled.id_place
    ids = [row[place] or "" if place is not None else "" for row in rows]
    if missed is not None:
        return ChunkResult(ids, [False] * len(ids), dict.fromkeys(range(len(ids)), (missed,)))
    locked = org.part(JobFaults).locked(compiled.sobject.name, processed, ids)
    if locked:
        return locked
    read = [number for number, row in enumerate(rows) if not isinstance(row, Blanked)]
    if len(read) == len(rows):
        return org.dml.execute(compiled, rows, context)
    result = org.dml.execute(compiled, [rows[number] for number in read], context)
    return _without(result, read, len(rows))


def _without(result: ChunkResult, read: Sequence[int], count: int) -> ChunkResult:
    """The result of the rows that could be read, with the others refused among them."""
    ids, created = [""] * count, [False] * count
    errors: dict[int, tuple[RowError, ...]] = dict.fromkeys(range(count), (_BLANKED,))
    for place, number in enumerate(read):
        ids[number], created[number] = result.ids[place], result.created[place]
        del errors[number]
        if place in result.errors:
            errors[number] = result.errors[place]
    return ChunkResult(ids, created, errors)
