"""Cycles among plan objects, and the fewest relationship fields that a second pass has to fill to open them.

An arc says that rows of `child` hold, in `field`, records of `parents`; so `child` is loaded after them, unless the field
is broken: left empty on load and filled by a link step.
**Invariant:** the same arcs in any order break at the same fields.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import combinations, pairwise

import networkx as nx

#: the most work (subsets tried times arcs walked) for an exact answer; a larger tangle is opened greedily
EXACT_WORK = 20_000


@dataclass(frozen=True, slots=True, order=True)
class Arc:
    """One relationship field, or (with `pin`) one `after` of the plan."""

    child: str
    field: str
    parents: tuple[str, ...]
    breakable: bool = False
    #: rows that a link step would have to update
    rows: int = 0
    pin: bool = False

    @property
    def cost(self) -> tuple[int, str, str]:
        """What breaking it costs, with a tiebreaker."""
        return (self.rows, self.child, self.field)


@dataclass(frozen=True, slots=True)
class Broken:
    """A field that is filled by a link step, and the cycle that it opens, as text."""

    arc: Arc
    cycle: str


def unbreakable(arcs: Iterable[Arc]) -> list[tuple[str, str]]:
    """The cycles that no field can open, one for each tangle: an object on it, and the way round as text."""
    hard = sorted(arc for arc in arcs if not arc.breakable)
    return [(min(tangle), _shortest_cycle(tangle, hard)) for tangle in _tangles(hard)]


def break_cycles(arcs: Iterable[Arc]) -> list[Broken]:
    """The arcs to break so that no cycle is left: as few as possible, then as few rows as possible, then by name.

    Expects that `unbreakable(arcs)` is empty.
    """
    every = sorted(arcs)
    broken: list[Broken] = []
    for tangle in _tangles(every):
        within = [arc for arc in every if arc.child in tangle and not tangle.isdisjoint(arc.parents)]
        chosen = _choose(within)
        broken += [Broken(arc, _shortest_cycle(tangle, within, through=arc)) for arc in sorted(chosen)]
    return broken


def _tangles(arcs: Sequence[Arc]) -> list[frozenset[str]]:
    """The groups of objects that reach each other (strongly connected components with a cycle), sorted."""
    graph = _graph(arcs)
    components = (frozenset(one) for one in nx.strongly_connected_components(graph))
    return sorted(
        (one for one in components if len(one) > 1 or graph.has_edge(*(2 * tuple(one)))), key=sorted
    )


def _graph(arcs: Iterable[Arc]) -> "nx.DiGraph[str]":
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((arc.child, parent) for arc in arcs for parent in arc.parents)
    return graph


def _choose(within: Sequence[Arc]) -> list[Arc]:
    forced = [arc for arc in within if arc.breakable and arc.child in arc.parents]
    rest = [arc for arc in within if arc not in set(forced)]
    chosen = list(forced)
    for inner in _tangles(rest):
        inside = [arc for arc in rest if arc.child in inner and not inner.isdisjoint(arc.parents)]
        chosen += _exact(inside) or _greedy(inner, inside)
    return chosen


def _exact(within: Sequence[Arc]) -> list[Arc]:
    """The cheapest smallest set of arcs that opens every cycle, or nothing when that would take too long."""
    candidates = sorted((arc for arc in within if arc.breakable), key=lambda arc: arc.cost)
    work = 0
    for size in range(1, len(candidates) + 1):
        best: tuple[int, tuple[tuple[int, str, str], ...], list[Arc]] | None = None
        for chosen in combinations(candidates, size):
            work += len(within)
            if work > EXACT_WORK:
                return []
            price = (sum(arc.rows for arc in chosen), tuple(arc.cost for arc in chosen))
            if (best is None or price < best[:2]) and _open(within, set(chosen)):
                best = (*price, list(chosen))
        if best is not None:
            return best[2]
    return []


def _open(within: Iterable[Arc], broken: set[Arc]) -> bool:
    return nx.is_directed_acyclic_graph(_graph(arc for arc in within if arc not in broken))


def _greedy(tangle: Collection[str], within: Sequence[Arc]) -> list[Arc]:
    """Load the objects one by one, always the one that needs the fewest fields broken; unbreakable arcs are kept.

    Kahn's algorithm with a heap: an object whose unbreakable parents are loaded may come next.
    """
    waiting = _by_child(within)
    dependants: dict[str, list[str]] = {}
    for arc in within:
        for parent in arc.parents:
            dependants.setdefault(parent, []).append(arc.child)
    done: set[str] = set()
    chosen: list[Arc] = []

    def rank(name: str) -> tuple[int, int, int, str]:
        open_arcs = _unmet(waiting.get(name, ()), tangle, done)
        hard = sum(1 for arc in open_arcs if not arc.breakable)
        return (hard, len(open_arcs), sum(arc.rows for arc in open_arcs), name)

    heap = [rank(name) for name in sorted(tangle)]
    heapify(heap)
    while heap:
        entry = heappop(heap)
        name = entry[-1]
        if name in done or entry != rank(name):
            continue  # outdated: a newer entry of that object is in the heap
        chosen += _unmet(waiting.get(name, ()), tangle, done)
        done.add(name)
        for child in sorted(set(dependants.get(name, ())) - done):
            heappush(heap, rank(child))
    return chosen


def _by_child(arcs: Iterable[Arc]) -> dict[str, list[Arc]]:
    found: dict[str, list[Arc]] = {}
    for arc in arcs:
        found.setdefault(arc.child, []).append(arc)
    return found


def _unmet(arcs: Iterable[Arc], tangle: Collection[str], done: set[str]) -> list[Arc]:
    return [arc for arc in arcs if any(parent in tangle and parent not in done for parent in arc.parents)]


def _shortest_cycle(tangle: Collection[str], arcs: Sequence[Arc], through: Arc | None = None) -> str:
    """A shortest cycle in the tangle as `A.B__c → B → B.A__c → A`; through that arc when one is given."""
    labels: dict[tuple[str, str], str] = {}
    for arc in sorted(arcs, reverse=True):  # the first by name wins
        for parent in arc.parents:
            labels[arc.child, parent] = f"{arc.child} (after)" if arc.pin else f"{arc.child}.{arc.field}"
    if through is not None:
        labels |= {(through.child, parent): f"{through.child}.{through.field}" for parent in through.parents}
    first = through.child if through else min(tangle)  # every object of a tangle lies on a cycle
    parents = through.parents if through else [parent for child, parent in sorted(labels) if child == first]
    inside = [(first, parent) for parent in parents if parent in tangle]
    forward = _neighbours(labels, tangle)
    paths = [[child, *path] for child, parent in inside if (path := _path(forward, parent, child))]
    return _told(min(paths, key=lambda path: (len(path), path)), labels)


def _neighbours(labels: Iterable[tuple[str, str]], tangle: Collection[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for child, parent in sorted(labels):
        if child in tangle and parent in tangle:
            found.setdefault(child, []).append(parent)
    return found


def _path(forward: Mapping[str, list[str]], start: str, end: str) -> list[str]:
    """A shortest path, breadth first, neighbours by name."""
    reached: dict[str, str] = {start: ""}
    queue = [start]
    for node in queue:  # grows while it is walked
        if node == end:
            break
        for after in forward.get(node, ()):
            if after not in reached:
                reached[after] = node
                queue.append(after)
    path = [end] if end in reached else []
    while path and path[0] != start:
        path.insert(0, reached[path[0]])
    return path


def _told(path: Sequence[str], labels: Mapping[tuple[str, str], str]) -> str:
    words = []
    for child, parent in pairwise(path):
        words += [labels[child, parent], parent]
    return " → ".join(words)
