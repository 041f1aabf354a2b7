"""Which slices may begin: waves one after the other, of one group one at a time, the longest chain first.

**Invariant:** pure; of the slices that are on their way at the same time no two lock a record in common, as the data plane has cut them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from migrator.model.lockfigures import LockedRecords, LockFigures
from migrator.model.run import Slice


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
    held = {one.group for one in under_way if one.group}
    for one in waiting:
        if one.wave > wave or one.group in held:
            continue
        if one.group:
            held.add(one.group)
        yield one.no
        room -= 1
        if not room:
            return


def figures(
    keys: Sequence[LockedRecords], slices: Sequence[Slice], at_once: int, canary: int | None = None
) -> LockFigures:
    """How slices of one round travel, `at_once` of them side by side, when the canary is through."""
    first = sum(one.file.rows for one in slices if one.no == canary)
    waves: dict[int, dict[str, list[int]]] = {}
    for one in sorted((each for each in slices if each.no != canary), key=lambda each: each.no):
        chains = waves.setdefault(one.wave, {})
        chains.setdefault(one.group or f"#{one.no}", []).append(one.file.rows)
    every = [chain for chains in waves.values() for chain in chains.values()]
    return LockFigures(
        keys=tuple(keys),
        rows=first + sum(map(sum, every)),
        slices=len(slices),
        waves=len(waves),
        widest=max(map(len, waves.values()), default=0),
        chains=sum(len(chain) > 1 for chain in every),
        longest_chain=max(map(sum, every), default=0),
        in_turn=first + sum(_in_turn(list(chains.values()), at_once) for chains in waves.values()),
    )


def _in_turn(chains: Sequence[Sequence[int]], at_once: int) -> int:
    """Rows that go one after the other when whoever is through is followed by the slice with the most rows behind it."""
    waiting = [(-sum(chain), place, 0) for place, chain in enumerate(chains)]
    heapify(waiting)
    busy: list[tuple[int, int, int]] = []
    now = 0
    while waiting or busy:
        while waiting and len(busy) < at_once:
            _, place, nth = heappop(waiting)
            heappush(busy, (now + chains[place][nth], place, nth))
        now, place, nth = heappop(busy)
        if nth + 1 < len(chains[place]):
            heappush(waiting, (-sum(chains[place][nth + 1 :]), place, nth + 1))
    return now
