"""In which order sObjects are deleted: what keeps a record from being deleted, or would go with it, goes first.

**Invariant:** pure; what the plan pins stands, and the order never closes a circle with what else waits for what.
"""

from collections.abc import Callable, Iterable, Mapping

import networkx as nx

from migrator.model.schema import FieldSchema
from migrator.planner.cycles import Arc
from migrator.planner.objects import Resolved


def deleted_later(objects: Mapping[str, Resolved], waits: Iterable[Arc]) -> dict[str, tuple[str, ...]]:
    """Of each entry that deletes, the entries whose records its own look up, and which go after it.

    sObjects that look up each other in a circle have an order where the circle is one of lookups that deletion only clears: those that restrict it or cascade
    count then. `waits`: what else waits for what; it goes before any order made here.
    """
    order: nx.DiGraph[str] = nx.DiGraph()
    order.add_nodes_from(objects)
    order.add_edges_from((parent, arc.child) for arc in waits for parent in arc.parents)
    every, holding = _looked_up(objects, lambda _: True), _looked_up(objects, _holds)
    circles, knots = _parts(every), _parts(holding)
    later: dict[str, tuple[str, ...]] = {}
    for child, parent in sorted(every.edges, key=lambda edge: (not holding.has_edge(*edge), edge)):
        apart = circles[child] != circles[parent]
        told = holding.has_edge(child, parent) and knots[child] != knots[parent]
        if (apart or told) and not nx.has_path(order, parent, child):
            order.add_edge(child, parent)
            later[child] = (*later.get(child, ()), parent)
    return {child: tuple(sorted(parents)) for child, parents in later.items()}


def _looked_up(objects: Mapping[str, Resolved], counts: Callable[[FieldSchema], bool]) -> "nx.DiGraph[str]":
    """From each entry that deletes to those that delete what a field of its records which `counts` looks up."""
    deleting = {name: one for name, one in objects.items() if one.plan.operation.deletes}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(sorted(deleting))
    for child, one in sorted(deleting.items()):
        named = {name for field in one.target.fields.values() if counts(field) for name in field.reference_to}
        graph.add_edges_from(
            (child, parent)
            for parent, each in sorted(deleting.items())
            if each.target.name in named and each.target.name != one.target.name
        )
    return graph


def _holds(field: FieldSchema) -> bool:
    """Whether a record that looks another one up keeps it from being deleted, or goes with it."""
    return field.restricted_delete or field.cascade_delete


def _parts(graph: "nx.DiGraph[str]") -> dict[str, int]:
    """The number of the circle that an entry is in; alone, it is one of its own."""
    return {
        name: number for number, part in enumerate(nx.strongly_connected_components(graph)) for name in part
    }
