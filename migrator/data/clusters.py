"""Clusters: records that are locked together, each cluster small enough for a slice. Pure.

Where locked records keep to themselves (an account with its contacts and their cases), few rows lie between two clusters. Where everything is
related to everything (campaigns and their members) there are no clusters, but waves (`waves`).

**Invariant:** a row lies in a cluster only if all records that it locks do; no cluster holds more rows than its cap. Equal input gives equal answers.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


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


def balanced(sizes: Mapping[str, int], rest: int, shares: Sequence[int]) -> dict[str, int]:
    """A share for each of the big values, largest first into what is emptiest for its size; the `rest` of the rows is spread over all of them."""
    loads = [rest * one // sum(shares) for one in shares]
    found: dict[str, int] = {}
    for value, rows in sorted(sizes.items(), key=lambda one: (-one[1], one[0])):
        at = min(range(len(shares)), key=lambda share: loads[share] / shares[share])
        found[value] = at
        loads[at] += rows
    return found
