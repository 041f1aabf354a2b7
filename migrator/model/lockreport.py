"""What locks were expected to cost and what they really do, in the same words and figures everywhere.

**Invariant:** looks at nothing but the report of one load.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from migrator.model.lockfigures import LockedRecords, LockFigures
from migrator.model.schedule import Forecast, KeyForecast


@dataclass(frozen=True, slots=True)
class LockPair:
    """One relationship field in a plan's forecast and among the rows' lock keys."""

    field: str
    planned: KeyForecast | None
    real: LockedRecords | None


@dataclass(frozen=True, slots=True)
class LockReport:
    """What locks cost one load: as `plan` saw it before anything was extracted, and as it is since the rows are cut. Either may be missing."""

    step: str
    planned: Forecast | None
    real: LockFigures | None

    @property
    def fields(self) -> tuple[LockPair, ...]:
        """The fields of either, the real lock keys first."""
        planned = {one.field: one for one in self.planned.keys} if self.planned else {}
        real = {one.field: one for one in self.real.keys} if self.real else {}
        return tuple(
            LockPair(one, planned.get(one), real.get(one)) for one in dict.fromkeys((*real, *planned))
        )


def lock_lines(one: LockReport) -> Iterator[str]:
    """Lines for people: what is, and beside it what the plan expected."""
    if one.real is None:
        if one.planned is not None:
            yield f"locks, planned: {one.planned.treatment}; at least {one.planned.makespan:.0%} of the time that it would take serially"
        return
    real = one.real
    yield f"locks: {real.treatment}"
    for pair in one.fields:
        if pair.real is not None:
            yield f"{pair.field}: {_spread(pair)}"
    planned = f" (planned at least {one.planned.makespan:.0%})" if one.planned else ""
    yield (
        f"{real.rows:,} rows in {real.slices:,} slices, the longest chain {real.longest_chain:,}; "
        f"{real.in_turn:,} rows go one after the other, {real.makespan:.0%} of all{planned}{_time(one)}"
    )


def _spread(pair: LockPair) -> str:
    if pair.real is None:
        return ""
    largest = f", the largest {pair.real.largest[0]:,}" if pair.real.largest else ""
    skewed = f", {pair.real.skewed:,} with more than 10,000" if pair.real.skewed else ""
    found = f"{pair.real.rows:,} rows look up {pair.real.records:,} records{largest}{skewed}"
    if pair.planned is None:
        return found
    before = f"{pair.planned.rows:,} rows, {pair.planned.records:,} records"
    top = f", the largest {pair.planned.largest[0].rows:,}" if pair.planned.largest else ""
    return f"{found} (planned {before}{top})"


def _time(one: LockReport) -> str:
    if one.real is None or one.real.seconds is None:
        return ""
    return f"; about {one.real.seconds:,.0f} s at {one.real.pace / 1000:,.1f} ms a row"


def lock_values(one: LockReport) -> dict[str, Any]:
    """JSON values."""
    planned, real = one.planned, one.real
    return {
        "step": one.step,
        "planned": planned
        and {
            "rows": planned.rows,
            "treatment": planned.treatment,
            "makespan": planned.makespan,
            "keys": [_planned_key(each) for each in planned.keys],
        },
        "real": real
        and {
            "rows": real.rows,
            "treatment": real.treatment,
            "makespan": real.makespan,
            "slices": real.slices,
            "waves": real.waves,
            "widest": real.widest,
            "chains": real.chains,
            "longest_chain": real.longest_chain,
            "in_turn": real.in_turn,
            "seconds": real.seconds,
            "keys": [
                {
                    "field": each.field,
                    "rows": each.rows,
                    "records": each.records,
                    "skewed": each.skewed,
                    "largest": list(each.largest),
                }
                for each in real.keys
            ],
        },
    }


def _planned_key(one: KeyForecast) -> dict[str, Any]:
    return {
        "field": one.field,
        "rows": one.rows,
        "records": one.records,
        "skewed": one.skewed,
        "largest": [each.rows for each in one.largest],
    }
