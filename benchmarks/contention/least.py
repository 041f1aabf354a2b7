"""What no schedule can do, whoever makes it: how few batches there can be when a load has to end nearly as early as it can.

A schedule sends batches of at most `batch` rows, up to fifteen side by side; a batch takes as long as its rows, one after the other; batches that are
under way at the same time lock no record in common. It has `within` lower bounds of time. The proof stands in `docs/locks.md`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, comb, exp, inf, log

from benchmarks.contention.sets import ROW_SECONDS, DataSet

#: how much longer than no strategy can do without a load may take
WITHIN = 1.15
#: what is less likely than e to that power does not happen
_NEVER = -50.0
#: rows of a record that is one of many
_FEW = 50


@dataclass(frozen=True)
class Least:
    """`rows`: batches that the rows need, however long it takes. `apart`: how many they need to end in time if no two rows of a record with few share a batch.

    `full`: all batches cannot be as full as that, in percent, and end in time; 0: nothing is known. `chance`: the natural logarithm of a bound on how likely
    it is that data drawn like these have such a schedule all the same.
    """

    rows: int
    apart: int
    #: the sObject of those records
    of: str
    full: int = 0
    chance: float = 0.0

    def __str__(self) -> str:
        told = f"The rows fill {self.rows} batches."
        if not self.full:
            return f"{told} Whether it takes more to end within {WITHIN} lower bounds is not known."
        return (
            f"{told} A schedule that ends within {WITHIN} lower bounds has at least {self.apart} if no two rows of a {self.of} travel in one batch; however they "
            f"travel, its batches are not all {self.full} % full or more: data drawn like these have such a schedule with a chance below e^{self.chance:.0f}."
        )


def least(data: DataSet) -> Least:
    """What is known of a data set."""
    time = WITHIN * data.bound / ROW_SECONDS
    of, small = _small_records(data)
    apart = sum(max(count**2 / time, count / data.batch) for count in map(len, small.values()))
    sizes = {len(others) for others in small.values()}
    found = Least(ceil(len(data.rows) / data.batch), ceil(apart - 1e-9), of)
    if len(data.parents) == 2 and len(sizes) == 1 and sizes != {1}:
        (size,) = sizes
        others = len({one for held in small.values() for one in held})
        for full in range(1, 101):
            chance = full_chance(len(small), others, size, data.batch, time, full)
            if chance is not None and chance < _NEVER:
                return replace(found, full=full, chance=chance)
    return found


def _small_records(data: DataSet) -> tuple[str, Mapping[str, list[str]]]:
    """The sObject with the most records, these, and what else their rows lock; none where that is not few rows each."""
    keys = range(len(data.parents))
    place = max(keys, key=lambda key: len({row[key] for row in data.rows}))
    found: dict[str, list[str]] = defaultdict(list)
    for row in data.rows:
        found[row[place]].append("".join(row[key] for key in keys if key != place))
    of = list(data.parents.values())[place]
    return of, found if max(map(len, found.values())) <= _FEW else {}


def full_chance(records: int, others: int, size: int, batch: int, time: float, percent: int) -> float | None:
    """The logarithm of a bound on the chance that a schedule exists whose batches are all so full, in percent; None: the bound says nothing.

    `records` of `size` rows each, whose other keys are drawn from `others` without putting back; `time` in rows. All logarithms are natural.
    """
    full = batch * percent / 100
    times = int(time / full)  # batches that lock one record: they go one after the other
    if times >= size:
        return None  # its rows may all be apart
    batches = int(records * size / full)
    bounds = (_bound(records, others, size, batch, batches, times, large) for large in range(3, others, 2))
    best = min(bounds, default=0.0)
    return best if best < 0 else None


def _bound(records: int, others: int, size: int, batch: int, batches: int, times: int, large: int) -> float:
    """The bound, when batches with at least `large` of the others are counted by their rows, and those with fewer by chance."""
    total = -inf
    for big in range(min(batches, times * others // large) + 1):
        left, places = batches - big, times * others - large * big
        share = 1 - big * (batch // 2) / records
        met = comb(size, 2) * (large - 2) * places / (others * (others - 1))
        if share <= met or share <= 0:
            return 0.0
        tail = -records * _divergence(share, met) if met else -inf
        total = _added(total, _families(others, left, places, times) + tail)
    return total


def _families(others: int, batches: int, places: int, times: int) -> float:
    """How many ways there are to put the others into so many batches, each into a few and all together into so many places."""
    each = others * log(sum(comb(batches, n) for n in range(times + 1)))
    cells = others * batches
    if not places:
        return 0.0
    return min(each, places * (1 + log(cells / places))) if places <= cells else each


def _divergence(share: float, chance: float) -> float:
    """Kullback and Leibler's, of two coins."""
    rest = (1 - share) * log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return share * log(share / chance) + rest


def _added(first: float, second: float) -> float:
    """The logarithm of a sum, from those of its parts."""
    high, low = max(first, second), min(first, second)
    return high + log(1 + exp(low - high)) if low > -inf else high
