"""Packing: which units of rows travel in which slice. Pure.

A unit is a whole group (or, of rows that need no company, a run of them) and is never divided here.
Big units are placed first, largest first, into the first slice with room; then the small ones fill the slices in their order.
So a slice stays nearly full however the groups are sized, and equal input gives equal slices.

**Invariant:** every unit is in exactly one slice; no slice exceeds a limit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: how many slices with room are looked at for a big unit; more would cost time and gain next to nothing
_OPEN_BINS = 64
#: a unit of at least this part of a limit is big
BIG = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one slice; `rows` 0: no limit on rows."""

    rows: int
    bytes: int

    def hold(self, rows: int, size: int) -> bool:
        """Whether that much fits into one slice."""
        return size <= self.bytes and (self.rows == 0 or rows <= self.rows)

    def big(self, rows: int, size: int) -> bool:
        """Whether a unit should be placed before the others."""
        return size * BIG >= self.bytes or (self.rows > 0 and rows * BIG >= self.rows)


@dataclass(frozen=True, slots=True)
class Unit:
    """What must stay together. `key` says what it is to the caller."""

    key: str
    rows: int
    bytes: int


@dataclass(slots=True)
class Bin:
    """One slice in the making."""

    rows: int = 0
    bytes: int = 0
    keys: list[str] = field(default_factory=list)

    def room_for(self, unit: Unit, limits: Limits) -> bool:
        return limits.hold(self.rows + unit.rows, self.bytes + unit.bytes)

    def add(self, unit: Unit) -> None:
        self.rows += unit.rows
        self.bytes += unit.bytes
        self.keys.append(unit.key)


def pack(big: Sequence[Unit], small: Iterable[Unit], limits: Limits) -> list[Bin]:
    """The slices, in the order in which they are numbered."""
    bins = _first_fit_decreasing(big, limits)
    _fill(bins, small, limits)
    return bins


def _first_fit_decreasing(units: Sequence[Unit], limits: Limits) -> list[Bin]:
    bins: list[Bin] = []
    first_open = 0
    for unit in sorted(units, key=lambda one: (-one.bytes if limits.rows == 0 else -one.rows, one.key)):
        target = next((one for one in bins[first_open:] if one.room_for(unit, limits)), None)
        if target is None:
            target = Bin()
            bins.append(target)
            first_open = max(first_open, len(bins) - _OPEN_BINS)
        target.add(unit)
    return bins


def _fill(bins: list[Bin], units: Iterable[Unit], limits: Limits) -> None:
    at = 0
    for unit in units:
        while at < len(bins) and not bins[at].room_for(unit, limits):
            at += 1
        if at == len(bins):
            bins.append(Bin())
        bins[at].add(unit)


def runs(units: Iterable[Unit], limits: Limits) -> list[Bin]:
    """Consecutive slices of one group that is too big for one: cut where the next unit does not fit."""
    bins: list[Bin] = []
    for unit in units:
        if not bins or not bins[-1].room_for(unit, limits):
            bins.append(Bin())
        bins[-1].add(unit)
    return bins


def stride(limits: Limits, widest: int, count: int) -> int:
    """How many rows that need no company make a unit: few enough to fill slices, many enough to be counted quickly."""
    if count <= 20_000:
        return 1
    by_rows = limits.rows // 200 if limits.rows else 500
    by_bytes = limits.bytes // BIG // max(1, widest)
    return max(1, min(by_rows, by_bytes, 500))
