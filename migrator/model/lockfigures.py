"""How the rows of a load really spread over the records that they lock, and how they travel: counted when they were cut.

The forecast of a plan is made from two aggregate queries a field; these are the rows themselves, after filters, transforms and failed lookups.

**Invariant:** counts and names of fields, never a record's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

#: in `StepRow.counts`: what this module keeps there
_PREFIX: Final = "locks."
#: in `StepRow.counts`: microseconds that the org worked at a row of the last slice
PACE: Final = "flight.last"
#: how many of the largest records' rows are kept
SHOWN: Final = 5
#: where full slices go before an early end they are at least so full on average, in percent, if the rows allow it
FULL: Final = 90


def most_slices(rows: int, slice_rows: int, beside: int = 0) -> int:
    """How many slices leave them full, with `beside` slices that are cut already; never fewer than the rows need."""
    return max(ceil(rows / slice_rows), rows * 100 // (FULL * slice_rows) - beside)


@dataclass(frozen=True, slots=True)
class LockedRecords:
    """How rows spread over the records of one lock key. `skewed`: records above Salesforce's threshold; `largest`: rows of the largest."""

    field: str
    rows: int
    records: int
    skewed: int
    largest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LockFigures:
    """How the first round travels. `waves`: one after the other, with up to `widest` slices that lock no record in common.

    `chains`: groups with several slices, one after the other; `longest_chain`: the most rows of one. `in_turn`: rows that go one after the other
    when as many slices travel at once as may; `rows`: all of them, as when they go serially. `pace`: microseconds a row, 0 as long as none is known.
    """

    keys: tuple[LockedRecords, ...]
    rows: int
    slices: int
    waves: int
    widest: int
    chains: int
    longest_chain: int
    in_turn: int
    pace: int = 0

    @property
    def makespan(self) -> float:
        """How long it takes, as a share of what it takes serially."""
        return self.in_turn / self.rows if self.rows else 0.0

    @property
    def seconds(self) -> float | None:
        """How long it takes at the pace of the last slice; None as long as none is through."""
        return self.in_turn * self.pace / 1_000_000 if self.pace else None

    @property
    def treatment(self) -> str:
        """What was done about locks."""
        names = " and ".join(one.field for one in self.keys)
        told = f"rows that share {names} travel together"
        if len(self.keys) == 1:
            told = f"rows of one {names} travel together"
        if self.slices == 1:
            return f"all rows fit into one slice, so {told}"
        if self.waves > 1:
            apart = " or ".join(one.field for one in self.keys)
            told = f"{self.waves} waves of up to {self.widest} slices that share no {apart}"
        chained = f"; {self.chains} of them {'is a chain' if self.chains == 1 else 'are chains'} of slices, one slice at a time"
        return told + (chained if self.chains else "")


_NUMBERS: Final = ("rows", "slices", "waves", "widest", "chains", "longest_chain", "in_turn")


def lock_counts(found: LockFigures) -> dict[str, int]:
    """The figures as a step row keeps them."""
    counts = {_PREFIX + one: getattr(found, one) for one in _NUMBERS}
    for place, key in enumerate(found.keys):
        of = f"{_PREFIX}{place}.{key.field}."
        counts |= {of + "rows": key.rows, of + "records": key.records, of + "skewed": key.skewed}
        counts |= {f"{of}largest.{nth}": rows for nth, rows in enumerate(key.largest)}
    return counts


def lock_figures(counts: Mapping[str, int]) -> LockFigures | None:
    """The figures that a step row keeps; None where rows lock nothing, or are not cut yet."""
    if _PREFIX + "slices" not in counts:
        return None
    found: dict[int, tuple[str, dict[str, int]]] = {}
    for key, count in counts.items():
        place, dot, rest = key.removeprefix(_PREFIX).partition(".")
        if key.startswith(_PREFIX) and dot:
            field, _, name = rest.partition(".")
            found.setdefault(int(place), (field, {}))[1][name] = count
    keys = tuple(_key(*found[place]) for place in sorted(found))
    return LockFigures(keys, **{one: counts[_PREFIX + one] for one in _NUMBERS}, pace=counts.get(PACE, 0))


def _key(field: str, counts: Mapping[str, int]) -> LockedRecords:
    largest = tuple(counts[f"largest.{nth}"] for nth in range(SHOWN) if f"largest.{nth}" in counts)
    return LockedRecords(field, counts["rows"], counts["records"], counts["skewed"], largest)
