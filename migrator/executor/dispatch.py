"""Which slices may begin: waves one after the other, of one group one at a time, the longest chain first.

Tiles need not wait for their wave: which records a tile locks is known by its stripes, so any tile may begin whose stripes are free. Waves are only the
order in which they are looked at, in which they hardly ever are in each other's way.

**Invariant:** pure; of the slices that are on their way at the same time no two lock a record in common, as the data plane has cut them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from migrator.data import stripes
from migrator.model.run import Slice


def in_order(slices: Iterable[Slice]) -> tuple[int, ...]:
    """The numbers of slices of one step and round in the order in which they should begin.

    Earlier waves first; then those with the most rows behind them: a slice of a chain has the rest of the chain behind it, which cannot begin
    before it is through, and a tile the rows of its stripe (list scheduling, longest path first). Larger ones before smaller ones, so that the
    last are short.
    """
    chosen = sorted(slices, key=lambda one: -one.no)
    behind: dict[str, int] = {}
    weight: dict[int, int] = {}
    tiles = {one.no: parts for one in chosen if (parts := stripes(one.group))}
    for one in chosen:
        for part in tiles.get(one.no, ()):
            behind[part] = behind.get(part, 0) + one.file.rows
    for one in chosen:
        if one.no in tiles:
            weight[one.no] = max(behind[part] for part in tiles[one.no])
            continue
        weight[one.no] = one.file.rows
        if one.group:
            weight[one.no] += behind.get(one.group, 0)
            behind[one.group] = weight[one.no]
    barrier = {one.no: 0 if one.no in tiles else one.wave for one in chosen}
    ordered = sorted(
        chosen, key=lambda one: (barrier[one.no], -weight[one.no], one.wave, -one.file.rows, one.no)
    )
    return tuple(one.no for one in ordered)


def startable(
    slices: Mapping[tuple[str, int], Slice], step: str, queue: Sequence[int], live: Sequence[int], room: int
) -> Iterator[int]:
    """The slices of the queue that may begin beside those that are on their way, at most `room`."""
    if not queue or room <= 0:
        return
    under_way = [slices[(step, no)] for no in live]
    first = slices[(step, queue[0])]
    tiled = all(stripes(one.group) for one in (first, *under_way))
    wave = min(first.wave, *(one.wave for one in under_way), 2**62)
    held = {part for one in under_way for part in stripes(one.group) or {one.group}} - {""}
    for no in queue:
        one = slices[(step, no)]
        parts = stripes(one.group) or ({one.group} if one.group else frozenset())
        if one.wave > wave and not (tiled and stripes(one.group)):
            return
        if not held.isdisjoint(parts):
            continue
        held |= parts
        yield no
        room -= 1
        if not room:
            return
