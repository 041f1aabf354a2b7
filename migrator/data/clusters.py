"""Clusters and tiles: how rows that lock several records each are divided so that what travels at the same time locks no record twice. Pure.

Where locked records keep to themselves (an account with its contacts and their cases), they form clusters, each small enough for a slice,
and few rows lie between two of them. Where everything is related to everything (campaigns and their members), each lock key's values are divided into
stripes, a tile holds the rows of one stripe of each, and a wave runs tiles that share no stripe: a Latin square.

**Invariant:** a row lies in a cluster only if all records that it locks do; no cluster holds more rows than its cap; two tiles of one wave share no
stripe. Equal input gives equal answers.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: a tile holds at least this part of a slice on average: small jobs spend the org's allowance of batches (15,000 a day), and fewer stripes its parallelism:
#: 300,000 rows are 225 jobs, fifteen at a time, in place of 30 that would fight for locks
_TILE = 8
#: where rows of a slice are not limited, as if they were (the size of an internal batch)
_BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Clusters:
    """`cluster_of` each record, by its number; `between`: the numbers of the combinations whose rows lie in no cluster."""

    cluster_of: Sequence[int]
    between: Sequence[int]


def clusters(combinations: Iterable[Sequence[int]], records: int, *, cap: int, spare: int) -> Clusters | None:
    """Unite records that are locked together while their rows are at most `cap`.

    `combinations`: the numbers of the records that some rows lock together (from 0, -1: none), then how many rows those are. None: more than `spare`
    rows would lie between clusters.
    """
    above = array("q", range(records))
    rows_of = array("q", bytes(8 * records))
    between, left = array("q"), spare

    def root(record: int) -> int:
        while above[record] != record:
            above[record] = above[above[record]]
            record = above[record]
        return record

    for number, (*locked, rows) in enumerate(combinations):
        roots = {root(one) for one in locked if one >= 0}
        if not roots:
            continue
        total = rows + sum(rows_of[one] for one in roots)
        if total > cap:
            left -= rows
            if left < 0:
                return None
            between.append(number)
            continue
        first = min(roots)
        for one in roots:
            above[one] = first
        rows_of[first] = total
    return Clusters(array("q", map(root, range(records))), between)


def stripes_wanted(rows: int, keys: int, parallelism: int, slice_rows: int) -> int:
    """Into how many stripes each key's values are divided: as many as can run at once, as long as tiles are worth a job."""
    least = max(1, (slice_rows or _BATCH_ROWS) // _TILE)
    wanted = parallelism
    while wanted > 1 and wanted**keys * least > rows:
        wanted -= 1
    return max(1, wanted)


def balanced(sizes: Mapping[str, int], rest: int, stripes: int) -> dict[str, int]:
    """A stripe for each of the big values, largest first into the emptiest; the `rest` of the rows is spread evenly."""
    loads = [rest // stripes] * stripes
    found: dict[str, int] = {}
    for value, rows in sorted(sizes.items(), key=lambda one: (-one[1], one[0])):
        at = loads.index(min(loads))
        found[value] = at
        loads[at] += rows
    return found


def wave(tile: Sequence[int], stripes: int, *, shared: bool) -> int:
    """The wave of a tile. `shared`: both keys name the same records, so that stripe i of the one is stripe i of the other.

    In a wave, one stripe decides all others; where both keys share theirs, the sum of the two does, and {i, w-i} meets no other pair.
    """
    if shared:
        return (tile[0] + tile[1]) % stripes
    found = 0
    for one in tile[1:]:
        found = found * stripes + (one - tile[0]) % stripes
    return found
