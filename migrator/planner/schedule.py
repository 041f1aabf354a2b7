"""Makes the schedule: plan and schemas in, steps in order out, or everything that is wrong with them.

**Invariant:** pure; the same plan, schemas and counts give the same bytes, in whatever order a describe call lists things.
The order of objects in the plan only breaks ties.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import networkx as nx

from migrator.errors import Diagnostic, has_errors
from migrator.model.gates import told
from migrator.model.plan import Plan, WhenMissing
from migrator.model.schedule import (
    Edge,
    ExtractStep,
    GateStep,
    LinkStep,
    LoadStep,
    MatchStep,
    Schedule,
    Step,
    VerifyStep,
)
from migrator.model.schedule_text import gate_word
from migrator.model.schema import OrgSchema
from migrator.planner.cycles import Arc, Broken, break_cycles, unbreakable
from migrator.planner.deletions import deleted_later
from migrator.planner.estimate import estimate
from migrator.planner.findings import Findings
from migrator.planner.lookups import answerers
from migrator.planner.objects import Ends, Resolved, resolve_object
from migrator.planner.readable import FileColumns
from migrator.planner.steps import Wiring, edges_of, file_key_problem, merged, steps_of


def make_schedule(
    plan: Plan, *, source: OrgSchema | FileColumns, target: OrgSchema, counts: Mapping[str, int]
) -> tuple[Schedule | None, list[Diagnostic]]:
    """The schedule, or None when a diagnostic is an error; all diagnostics in one go."""
    found = Findings(plan)
    if not plan.objects:
        found.error("plan-empty", "the plan has no objects", None, "objects", hint="add one to `objects`")
        return None, found.sorted()
    ends = Ends(plan, source, target, answerers(plan))
    tried = [resolve_object(one, ends, found) for one in plan.objects]
    objects = {one.name: one for one in tried if one is not None}
    _check_parent_keys(objects, found)
    _check_deletes(objects, counts, found)
    arcs = list(_arcs(objects, counts))
    for name, cycle in unbreakable(arcs):
        found.error(
            "cycle-unbreakable",
            f"each waits for the next, and no field can be left empty first: {cycle}",
            objects[name].plan,
            hint="make a field on the way optional and updateable in the target, or exclude it"
            + (", or take back an `after`" if "(after)" in cycle else ""),
        )
    diagnostics = found.sorted()
    if has_errors(diagnostics):
        return None, diagnostics
    broken = break_cycles(arcs)
    opened = [one.arc for one in broken]
    later = deleted_later(objects, [one for one in arcs if one not in opened])
    wiring = Wiring(plan, objects, _links(objects, broken), counts, later)
    steps = [step for one in objects.values() for step in steps_of(one, wiring)]
    edges = merged(edge for one in objects.values() for edge in edges_of(one, wiring))
    ordered = _ordered(steps, edges, plan)
    gates = tuple(GateStep(f"gate.{no}.{gate_word(one)}", one) for no, one in enumerate(plan.gates, start=1))
    edges += _gate_edges(gates, ordered, edges)
    ordered = (*gates, *ordered)
    place = {step.id: number for number, step in enumerate(ordered)}
    schedule = Schedule(
        plan_name=plan.name,
        plan_digest=plan.digest,
        steps=ordered,
        edges=tuple(sorted(edges, key=lambda edge: (place[edge.after], place[edge.before]))),
        decisions=tuple(_decisions(objects, broken)),
        estimate=estimate(ordered),
        run_budget=plan.run_budget,
        throttle=plan.throttle,
    )
    return schedule, diagnostics


def _gate_edges(gates: Sequence[GateStep], steps: Sequence[Step], edges: Sequence[Edge]) -> list[Edge]:
    """Gates are passed one after the other, and whatever begins first waits for the last."""
    if not gates:
        return []
    chain = [Edge(one.id, other.id, "gates are passed in order") for one, other in pairwise(gates)]
    waiting = {edge.after for edge in edges}
    first = [step for step in steps if step.id not in waiting and not isinstance(step, VerifyStep)]
    return [*chain, *(Edge(gates[-1].id, step.id, told(gates[-1].gate)) for step in first)]


def _check_parent_keys(objects: Mapping[str, Resolved], found: Findings) -> None:
    for one in objects.values():
        for lookup in one.lookups:
            for name in lookup.via:
                parent = objects.get(name)
                problem = file_key_problem(parent) if parent else ""
                if problem:
                    found.error(
                        "key-unfit",
                        f"{one.name}.{lookup.rule.target} cannot name a row of {name}: {problem}",
                        one.plan,
                        *("relationships", lookup.rule.target),
                        hint=f"give {name} a `key` of one column that holds what {lookup.rule.target} holds",
                    )


def _check_deletes(objects: Mapping[str, Resolved], counts: Mapping[str, int], found: Findings) -> None:
    for one in objects.values():
        if one.plan.operation.deletes and counts.get(one.name, 0) > one.plan.max_deletes > 0:
            found.error(
                "too-many-deletes",
                f"{one.name} would delete {counts[one.name]:,} records, and `max_deletes` is {one.plan.max_deletes:,}",
                one.plan,
                "max_deletes",
                hint="mend the filter or the file, or raise it if you mean it",
            )


def _arcs(objects: Mapping[str, Resolved], counts: Mapping[str, int]) -> Iterable[Arc]:
    """What waits for what; a field that the plan marks `link` waits for nothing."""
    for one in objects.values():
        for lookup in one.lookups:
            parents = tuple(sorted(name for name in lookup.via if name in objects))
            if parents and lookup.when_missing is not WhenMissing.LINK:
                name = lookup.rule.target
                yield Arc(one.name, name, parents, name in one.linkable, counts.get(one.name, 0))
        for name in one.plan.after:
            if name in objects:
                yield Arc(one.name, "", (name,), pin=True)


def _links(objects: Mapping[str, Resolved], broken: Sequence[Broken]) -> dict[str, frozenset[str]]:
    links = {
        one.name: {each.rule.target for each in one.lookups if each.when_missing is WhenMissing.LINK}
        for one in objects.values()
    }
    for one in broken:
        links[one.arc.child].add(one.arc.field)
    return {name: frozenset(fields) for name, fields in links.items() if fields}


def _ordered(steps: Sequence[Step], edges: Sequence[Edge], plan: Plan) -> tuple[Step, ...]:
    position = {one.name: one.position for one in plan.objects}
    by_id = {step.id: step for step in steps}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(by_id)
    graph.add_edges_from((edge.before, edge.after) for edge in edges)

    def key(name: str) -> tuple[int, int, int, str]:
        step = by_id[name]
        return (*_rank(step, position[step.object_name]), name)

    return tuple(by_id[name] for name in nx.lexicographical_topological_sort(graph, key=key))


def _rank(step: Step, position: int) -> tuple[int, int, int]:
    """Verification comes after everything; else as the plan says, and what an object does in its natural order."""
    match step:
        case ExtractStep():
            return 0, position, 0
        case MatchStep():
            return 0, position, 1
        case LoadStep():
            return 0, position, 2
        case LinkStep():
            return 0, position, 3
        case VerifyStep():
            return 1, position, 4
        case GateStep():
            raise TypeError("gates are not ordered: they come first")


def _decisions(objects: Mapping[str, Resolved], broken: Sequence[Broken]) -> Iterable[str]:
    for one in objects.values():
        yield from one.decisions
        for lookup in one.lookups:
            if lookup.when_missing is WhenMissing.LINK:
                name = f"{one.name}.{lookup.rule.target}"
                yield f"{name} is filled by link.{one.name}: the plan says `when_missing: link`"
    for each in broken:
        name = f"{each.arc.child}.{each.arc.field}"
        yield f"cycle {each.cycle} is opened at {name}: left empty on load, filled by link.{each.arc.child}"
