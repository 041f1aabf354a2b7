"""Which slices may begin: waves one after the other, of one group one at a time, the longest chain first.

**Invariant:** pure; of the slices that are on their way at the same time no two lock a record in common, as the data plane has cut them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
