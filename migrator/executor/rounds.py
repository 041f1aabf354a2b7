"""How the rows of a round travel: rows that met locks go down a ladder, from wide and parallel to narrow and serial.

The rungs, as the plan's `on_lock` lists them: `regroup` sends them again as before, alone now and in their groups; `shrink` sends smaller
slices one at a time, twice; `serial_v1` sends them through Bulk API v1 in serial mode, first in whole batches, then a transaction
(200 rows) at a time. The last rung stays until the rounds are over. Rounds of a step follow one another, so a serial job
and a parallel one never work on one step's rows at once.

**Invariant:** pure; what a round is depends on the ledger's rows alone, so a resumed run goes on upon the same rung.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from migrator.executor.concurrency import window_of
from migrator.executor.learned import learned, unknown
from migrator.executor.run import Policy, Run
from migrator.model.plan import OnLock
from migrator.model.run import Attempt
from migrator.model.schedule import Lane, LinkStep, LoadStep
from migrator.salesforce import MAX_BATCH_BYTES, MAX_BATCH_ROWS

#: rows of a shrunk slice: a fifth of a Salesforce batch, so one lock miss costs less and is over sooner
SHRUNK_ROWS = 2_000
#: rows of a slice after rounds in which batches took too long: 10,000 as planned, then these
SMALLER_ROWS = (5_000, 2_000)
#: rows of one Salesforce transaction (Bulk API guide, "Bulk API Limits"): nothing else can be in such a batch's way
TRANSACTION_ROWS = 200
#: rows of a slice after a round in which rows came to a limit of Apex: each transaction has its limits for itself, so only fewer rows than
#: one of its transactions has leave each more
LIMITED_ROWS = TRANSACTION_ROWS // 2
#: but about so many slices at most: each is a batch of the daily allowance
LIMITED_SLICES = 1_000
_LIMITED = "limited."


@dataclass(frozen=True, slots=True)
class Rung:
    """How slices of a round are cut and sent. `max_rows` 0: only the bytes count."""

    lane: Lane
    max_rows: int
    max_bytes: int
    in_flight: int


def rung(run: Run, step: LoadStep | LinkStep, round_: int) -> Rung:
    """The rung of a round, from the locks and limits that the rounds before it met."""
    found = _by_locks(run, step, round_)
    if not any(_limited(run, step.id, before) for before in range(1, round_)):
        return found
    rows = max(LIMITED_ROWS, run.steps[step.id].waiting // LIMITED_SLICES)
    return replace(found, max_rows=min(found.max_rows or rows, rows))


def with_limited(counts: Mapping[str, int], round_: int, rows: int) -> dict[str, int]:
    """A step row's counts with rows of that round that came to a limit."""
    key = f"{_LIMITED}{round_}"
    return {**counts, key: counts.get(key, 0) + rows} if rows else dict(counts)


def limited_note(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    """What is new about limits, for people."""
    new = {key for key in after if key.startswith(_LIMITED)} - before.keys()
    told = f"rows came to a limit of Apex: they are sent once more, in slices of {LIMITED_ROWS} rows or a little more, so that triggers have fewer at once"
    return (told,) if new else ()


def _limited(run: Run, step: str, round_: int) -> bool:
    return bool(run.steps[step].counts.get(f"{_LIMITED}{round_}"))


def _by_locks(run: Run, step: LoadStep | LinkStep, round_: int) -> Rung:
    put_back = sum(any(one.retries for one in _of_round(run, step.id, n)) for n in range(1, round_))
    as_planned = _as_planned(run, step, put_back, again=round_ > 1)
    times = sum(_met_locks(run, step.id, before) for before in range(1, round_))
    if not times or not _met_locks(run, step.id, round_ - 1):
        return as_planned
    ladder = _ladder(step.on_lock, as_planned)
    return ladder[min(times, len(ladder)) - 1] if ladder else as_planned


def ceiling(step: LoadStep | LinkStep, policy: Policy) -> int:
    """How many slices of the step may be under way at once, however well it goes."""
    return 1 if step.lane is Lane.BULK1_SERIAL else step.max_in_flight or policy.in_flight


def _as_planned(run: Run, step: LoadStep | LinkStep, put_back: int, *, again: bool) -> Rung:
    """As the plan has it; smaller after rounds in which the org put batches back into its queue, as it does with those that take too long."""
    counts = run.steps[step.id].counts
    in_flight = min(window_of(counts).size, ceiling(step, run.policy))
    rows = step.max_slice_rows
    if again and unknown(step, counts):
        in_flight = 1
    if again and learned(step, counts):
        rows = rows or MAX_BATCH_ROWS
    if put_back and step.lane is Lane.BULK2:
        smaller = SMALLER_ROWS[min(put_back, len(SMALLER_ROWS)) - 1]
        rows = min(rows or smaller, smaller)
    return Rung(step.lane, rows, step.max_slice_bytes, in_flight)


def _ladder(measures: Sequence[OnLock], as_planned: Rung) -> list[Rung]:
    found: list[Rung] = []
    for measure in measures:
        match measure:
            case OnLock.REGROUP:
                found.append(as_planned)
            case OnLock.SHRINK:
                rows = min(as_planned.max_rows or SHRUNK_ROWS, SHRUNK_ROWS)
                found += [Rung(as_planned.lane, rows, as_planned.max_bytes, 1)] * 2
            case OnLock.SERIAL_V1:
                found += [serial(MAX_BATCH_ROWS), serial(TRANSACTION_ROWS)]
    return found


def serial(rows: int) -> Rung:
    """Serial batches of at most so many rows. Batches of all serial jobs are processed one by one, so one is sent at a time."""
    return Rung(Lane.BULK1_SERIAL, rows, MAX_BATCH_BYTES, 1)


def _met_locks(run: Run, step: str, round_: int) -> bool:
    return any(one.locked for one in _of_round(run, step, round_))


def _of_round(run: Run, step: str, round_: int) -> Iterator[Attempt]:
    settled = run.settled.get(step, ())
    return (one for one in settled if one.slice >= 0 and run.slices[(step, one.slice)].round == round_)
