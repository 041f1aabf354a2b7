"""Which slices may begin: waves one after the other, of one group one at a time, the longest chain first.

Tiles need not wait for their wave: which records a tile locks is known by its stripes, so any tile may begin whose stripes are free. Where tiles are much
of a size, waves are quicker all the same: who begins a tile of a later wave takes stripes away from two of this one. So tiles leave their
waves only where the largest tile of each wave is far larger than the others, as with one record that a large part of the rows lock.

**Invariant:** pure; of the slices that are on their way at the same time no two lock a record in common, as the data plane has cut them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from migrator.data import stripes
from migrator.model.run import Slice

#: how much longer than they must waves may take before tiles leave them
SLOW_WAVES = 1.3


def in_order(slices: Iterable[Slice]) -> tuple[int, ...]:
    """The numbers of slices of one step and round in the order in which they should begin.

    Earlier waves first; then those with the most rows behind them: a slice of a chain has the rest of the chain behind it, which cannot begin
    before it is through (list scheduling, longest path first). Larger ones before smaller ones, so that the last are short.
    """
    chosen = sorted(slices, key=lambda one: -one.no)
    behind: dict[str, int] = {}
    weight: dict[int, int] = {}
    for one in chosen:
        weight[one.no] = one.file.rows
        if one.group:
            weight[one.no] += behind.get(one.group, 0)
            behind[one.group] = weight[one.no]
    ordered = sorted(chosen, key=lambda one: (one.wave, -weight[one.no], -one.file.rows, one.no))
    return tuple(one.no for one in ordered)


def startable(
    slices: Mapping[tuple[str, int], Slice], step: str, queue: Sequence[int], live: Sequence[int], room: int
) -> Iterator[int]:
    """The slices of the queue that may begin beside those that are on their way, at most `room`."""
    if not queue or room <= 0:
        return
    under_way = [slices[(step, no)] for no in live]
    waiting = [slices[(step, no)] for no in queue]
    wave = min(one.wave for one in (*under_way, *waiting))
    leave = all(stripes(one.group) for one in (*under_way, waiting[0])) and _waves_are_slow(
        waiting, room + len(live)
    )
    held = {part for one in under_way for part in stripes(one.group) or {one.group}} - {""}
    for one in waiting:
        parts = stripes(one.group) or ({one.group} if one.group else frozenset())
        if (one.wave > wave and not leave) or not held.isdisjoint(parts):
            continue
        held |= parts
        yield one.no
        room -= 1
        if not room:
            return


def _waves_are_slow(tiles: Iterable[Slice], at_once: int) -> bool:
    """Whether waves, each as long as its largest tile, take far longer than the rows of the largest stripe, or all rows over the tiles at once."""
    largest: dict[int, int] = {}
    behind: dict[str, int] = {}
    rows = 0
    for one in tiles:
        rows += one.file.rows
        largest[one.wave] = max(largest.get(one.wave, 0), one.file.rows)
        for part in stripes(one.group):
            behind[part] = behind.get(part, 0) + one.file.rows
    return sum(largest.values()) > SLOW_WAVES * max(rows / at_once, *behind.values())
