"""Filling: tracks and waves for rows with several lock keys when full slices go before an early end. Pure.

`waves` makes waves short and takes what slices come of it. Here the slices are given: each track has as many as its rows fill, in any waves, and
what a track locks is moved between waves until everything fits into them. That is a bin packing in which a record may be in one bin of a wave only,
so it is searched for: by simulated annealing, with a generator of its own that gives the same numbers every time. What is weighed is rows
that do not fit, and how long the waves are.

**Invariant:** in one wave no two tracks send rows of one bucket. Equal input gives equal answers.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, exp, sqrt

from migrator.data.clusters import balanced
from migrator.data.waves import Arrangement, Board, Cells, Piece, pieces_of, turn_loads, units_of

#: tries of one search: for each part and wave, and at most
_TRIES, _MOST_TRIES = 60, 150_000
#: every so many tries it is a slice that changes its wave
_SLICE_TRY = 8
#: what a row that does not fit weighs at first and in the end, in rows by which waves are longer
_LIGHT, _HEAVY = 1.5, 100.0
#: how much worse a change may be at first and in the end, as parts of a slice
_HOT, _COLD = 0.2, 0.001
#: searches: with so many waves beyond what the tracks of a record need, and how often each
_MORE_WAVES, _SEARCHES = (0, 1), 4
#: standard deviations by which rows that take turns may be more than expected
_SPREAD = 3.0
#: so near to what the heaviest track needs there is nothing more to search for; nor when so many have been found
_ENOUGH, _FOUND = 1.05, 3


@dataclass(frozen=True, slots=True)
class Division:
    """What part of the rows each track has, and the most rows of one."""

    shares: tuple[int, ...]
    heaviest: int

    def promise(self, bound: float) -> tuple[int, int]:
        """Less is better: the heaviest track, in twentieths of the least time; where it is hardly heavier few tracks, as they are in each other's way less."""
        return ceil(20 * self.heaviest / bound), len(self.shares)


def divisions(
    big: Mapping[str, int], rows: int, parallelism: int, slice_rows: int, most: int
) -> Iterator[Division]:
    """The ways to divide rows among tracks that all fit into the slices. One track is among them."""
    rest = max(0, rows - sum(big.values()))
    for tracks in range(parallelism, 0, -1):
        shares: list[int] | None = [1] * tracks
        for _ in range(2):
            if shares is None:
                break
            loads = [rest * one // sum(shares) for one in shares]
            for value, track in balanced(big, rest, shares).items():
                loads[track] += big[value]
            if tracks == 1 or sum(ceil(one / slice_rows) for one in loads) <= most:
                yield Division(tuple(shares), max(loads))
                break
            shares = _fewer(loads, slice_rows, most)


def _fewer(loads: Sequence[int], slice_rows: int, most: int) -> list[int] | None:
    """How many slices each track should have so that all together have at most that many: some one less than their rows would have. None: there is no such way."""
    needed = [ceil(one / slice_rows) for one in loads]
    excess = sum(needed) - most
    if excess > 0 and max(needed) > 1 and excess < len(needed):
        needed = [
            one - (place >= len(needed) - excess) for place, one in enumerate(sorted(needed, reverse=True))
        ]
    return needed if sum(needed) <= most and min(needed) > 0 else None


def filled(given: Cells, slice_rows: int, most: int) -> Arrangement | None:
    """The quickest arrangement with at most `most` slices that was found; None: there was none."""
    loads = [given.loads[track] for track in range(given.tracks)]
    slices = [ceil(one / slice_rows) for one in loads]
    if sum(slices) > most:
        return None
    # what is left goes to the tracks whose slices are fullest
    for _ in range(most - sum(slices)):
        tightest = max(range(given.tracks), key=lambda track: (loads[track] / max(1, slices[track]), -track))
        slices[tightest] += 1
    widest = _degree(given)
    found = []
    searches = (
        [(0, 0)] if widest == 1 else [(more, nth) for nth, more in product(range(_SEARCHES), _MORE_WAVES)]
    )
    for more, nth in searches:
        search = _Search(given, widest + more, slices, slice_rows)
        search.run(nth)
        made = search.arrangement()
        if made.slices <= most:
            found.append(made)
            if made.longest <= _ENOUGH * max(loads) or len(found) == _FOUND:
                break
    return min(found, key=lambda one: (one.cost, one.slices, one.waves), default=None)


def _degree(given: Cells) -> int:
    """The most tracks that lock one record."""
    tracks: dict[int, set[int]] = {}
    for one in given.cells:
        for bucket in one.held:
            tracks.setdefault(bucket, set()).add(one.track)
    turning = max((degree for _, degree in given.turns), default=1)
    return max(turning, *map(len, tracks.values())) if tracks else turning


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a cell that stay together. `held`: the buckets; one that nobody else has for rows that nobody is in the way of."""

    cell: int
    track: int
    held: tuple[int, ...]
    rows: int


class _Search:
    """Which part travels in which wave, and how many slices each track has in it. `_load` and `_room`: rows by wave and track."""

    def __init__(self, given: Cells, waves: int, slices: Sequence[int], slice_rows: int) -> None:
        self._given, self._slice_rows = given, slice_rows
        begun = Board(given, waves).placed
        self._turning = waves
        self._weight = _LIGHT
        # as many rows as take their turn are expected only: what comes may be more
        turning = [[rows + ceil(_SPREAD * sqrt(rows)) for rows in each] for each in turn_loads(given, waves)]
        self.waves = max(
            len(turning[0]), 1 + max((wave for each in begun.values() for wave, _ in each), default=0)
        )
        none = [0] * (self.waves - len(turning[0]))
        self._load: list[list[int]] = [
            list(loads) for loads in zip(*([*each, *none] for each in turning), strict=True)
        ]
        self._room = [
            [
                slice_rows * (total // waves + (wave < total % waves)) if wave < waves else 0
                for total in slices
            ]
            for wave in range(self.waves)
        ]
        self._parts = list(self._divided())
        self._wave: list[int] = []
        self._holders: dict[tuple[int, int], list[int]] = {}
        for number, part in enumerate(self._parts):
            self._wave.append(begun[part.cell][0][0])
            self._load[self._wave[-1]][part.track] += part.rows
            for bucket in part.held:
                self._holders.setdefault((bucket, self._wave[-1]), []).append(number)
        self._length = [max(load) for load in self._load]

    def _divided(self) -> Iterator[_Part]:
        """Cells, those with more than half a slice in parts of a quarter."""
        alone = -1
        for number, one in enumerate(self._given.cells):
            count = ceil(4 * one.rows / self._slice_rows) if 2 * one.rows > self._slice_rows else 1
            for part in range(count):
                rows = one.rows * (part + 1) // count - one.rows * part // count
                alone -= 1
                yield _Part(number, one.track, one.held or (alone,), rows)

    def run(self, nth: int) -> None:
        """Anneal; the same search every time for equal numbers."""
        chance = random.Random(nth).random  # noqa: S311 - deterministic on purpose
        tries = min(_MOST_TRIES, _TRIES * len(self._parts) * self.waves)
        if self.waves == 1 or not self._parts:
            return
        buckets = sorted({bucket for bucket, _ in self._holders})
        cooling = (_COLD / _HOT) ** (1 / tries)
        heat = _HOT * self._slice_rows
        heavier = (_HEAVY / _LIGHT) ** (1 / tries)
        for number in range(tries):
            heat *= cooling
            self._weight *= heavier
            here, there = int(chance() * self.waves), int(chance() * self.waves)
            if here == there:
                continue
            if number % _SLICE_TRY == 0:
                self._move_slice(int(chance() * self._given.tracks), here, there, heat, chance())
                continue
            bucket = buckets[int(chance() * len(buckets))]
            holders = self._holders.get((bucket, here))
            if not holders:
                here, there = there, here
                holders = self._holders.get((bucket, here))
            if holders:
                self._move(holders[int(chance() * len(holders))], here, there, heat, chance())

    def _over(self, track: int, wave: int, more: int = 0) -> int:
        over = self._load[wave][track] + more - self._room[wave][track]
        return max(0, over)

    def _move_slice(self, track: int, here: int, there: int, heat: float, chance: float) -> None:
        room, one = self._room, self._slice_rows
        if room[here][track] < one:
            return
        before = self._over(track, here) + self._over(track, there)
        room[here][track] -= one
        room[there][track] += one
        worse = self._over(track, here) + self._over(track, there) - before
        if worse > 0 and chance >= exp(-self._weight * worse / heat):
            room[here][track] += one
            room[there][track] -= one

    def _move(self, part: int, here: int, there: int, heat: float, chance: float) -> None:
        """Move a part where nobody else has its buckets then; else all of the bucket's parts in both waves change places."""
        one = self._parts[part]
        going, coming = [part], list[int]()
        for bucket in one.held:
            holders = self._holders.get((bucket, there))
            if holders and self._parts[holders[0]].track != one.track:
                if coming:
                    return
                coming = holders
                going = self._holders[bucket, here]
                if not self._free(bucket, going, there) or not self._free(bucket, coming, here):
                    return
        changes = [(one.track, sum(self._parts[each].rows for each in going))]
        if coming:
            changes.append((self._parts[coming[0]].track, -sum(self._parts[each].rows for each in coming)))
        over = sum(
            self._over(track, here, -rows)
            - self._over(track, here)
            + self._over(track, there, rows)
            - self._over(track, there)
            for track, rows in changes
        )
        before, after = self._load[here], self._load[there]
        for track, rows in changes:
            before[track] -= rows
            after[track] += rows
        lengths = max(before), max(after)
        worse = self._weight * over + sum(lengths) - self._length[here] - self._length[there]
        if worse > 0 and chance >= exp(-worse / heat):
            for track, rows in changes:
                before[track] += rows
                after[track] -= rows
            return
        self._length[here], self._length[there] = lengths
        going, coming = list(going), list(coming)
        self._put(going, here, there)
        self._put(coming, there, here)

    def _free(self, but: int, parts: Sequence[int], wave: int) -> bool:
        """Whether nobody else has the parts' other buckets in that wave."""
        for number in parts:
            one = self._parts[number]
            for bucket in one.held:
                holders = self._holders.get((bucket, wave)) if bucket != but else None
                if holders and self._parts[holders[0]].track != one.track:
                    return False
        return True

    def _put(self, parts: Sequence[int], here: int, there: int) -> None:
        for number in parts:
            self._wave[number] = there
            for bucket in self._parts[number].held:
                self._holders[bucket, here].remove(number)
                self._holders.setdefault((bucket, there), []).append(number)

    def arrangement(self) -> Arrangement:
        """What came of it; rows that nobody is in the way of fill what is free."""
        placed: dict[int, dict[int, int]] = {}
        loose: dict[int, int] = {}
        for part, wave in zip(self._parts, self._wave, strict=True):
            if part.held[0] < 0:
                loose[part.cell] = loose.get(part.cell, 0) + part.rows
                self._load[wave][part.track] -= part.rows
            else:
                waves = placed.setdefault(part.cell, {})
                waves[wave] = waves.get(wave, 0) + part.rows
        for cell, rows in loose.items():
            placed[cell] = self._poured(self._given.cells[cell].track, rows)
        return self._arranged({cell: sorted(waves.items()) for cell, waves in placed.items()})

    def _poured(self, track: int, rows: int) -> dict[int, int]:
        """Where rows of a track go that lock nothing that others do: first where waves do not become longer by them, then where slices have room."""
        found: dict[int, int] = {}
        rooms = [room[track] for room in self._room]
        ends = (
            [min(max(load), room) for load, room in zip(self._load, rooms, strict=True)],
            rooms,
            [self._load[0][track] + rows, *([0] * (self.waves - 1))],
        )
        for upto in ends:
            for wave, end in enumerate(upto):
                put = min(rows, end - self._load[wave][track])
                if put > 0:
                    found[wave] = found.get(wave, 0) + put
                    self._load[wave][track] += put
                    rows -= put
        return found

    def _arranged(self, placed: Mapping[int, Sequence[tuple[int, int]]]) -> Arrangement:
        units: dict[tuple[int, int], int] = {}
        slices = longest = 0
        for wave in range(self.waves):
            loads = dict(enumerate(self._load[wave]))
            made, lengths = units_of(wave, loads, max(loads.values()))
            units |= made
            slices += sum(ceil(rows / self._slice_rows) for rows in lengths)
            longest += max(lengths)
        pieces: tuple[Piece, ...] = tuple(pieces_of(self._given.cells, placed))
        return Arrangement(pieces, units, self._turning, self.waves, longest, slices)
