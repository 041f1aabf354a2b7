"""What is wrong with a query although it is SOQL: Bulk query refuses it, or it need not answer the same twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from migrator.soql import tree
from migrator.soql.tree import At


class ProblemKind(StrEnum):
    """How bad it is."""

    UNSUPPORTED = "unsupported"  # a Bulk query job refuses it
    NOT_REPEATABLE = "not-repeatable"  # two runs may answer differently over unchanged records


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding; `construct` is the piece of SOQL, fit for a message."""

    kind: ProblemKind
    construct: str
    what: str
    at: At


def lint_bulk(query: tree.Query) -> list[Problem]:
    """All problems of a query for a Bulk API 2.0 query job, refusals first."""
    return [*_unsupported(query), *_not_repeatable(query)]


def _unsupported(query: tree.Query) -> Iterator[Problem]:
    for item in query.select:
        match item:
            case tree.ChildQuery(at=at):
                yield _refused("subquery", "parent-to-child subqueries are not supported in Bulk query", at)
            case tree.TypeOf(at=at):
                yield _refused("TYPEOF", "TYPEOF is not supported in Bulk query", at)
            case tree.SelectExpression(tree.Call(name=name, at=at) as call) if tree.is_aggregate(call):
                yield _refused(name.upper(), "aggregate functions are not supported in Bulk query", at)
            case _:
                pass
    for expression in _expressions(query):
        if isinstance(expression, tree.Call) and expression.name.upper() == "DISTANCE":
            what = "addresses and locations are not supported in Bulk query"
            yield _refused("DISTANCE", what, expression.at)
    if query.group_by:
        at = next((path.at for key in query.group_by.by for path in tree.paths_of(key)), At())
        yield _refused("GROUP BY", "GROUP BY is not supported in Bulk query", at)
    if query.all_rows:
        what = "ALL ROWS is for Apex; a queryAll job reads deleted records"
        yield _refused("ALL ROWS", what, query.sources[0].path.at)
    if query.offset is not None:
        yield _refused("OFFSET", "OFFSET is not supported in Bulk query", query.sources[0].path.at)


def _expressions(query: tree.Query) -> Iterator[tree.Expression]:
    """What a query selects, compares and orders by."""
    yield from (one.expression for one in query.select if isinstance(one, tree.SelectExpression))
    yield from (leaf.left for leaf in tree.leaves(query.where))
    yield from (key.by for key in query.order_by)


def _refused(construct: str, what: str, at: At) -> Problem:
    return Problem(ProblemKind.UNSUPPORTED, construct, what, at)


def _not_repeatable(query: tree.Query) -> Iterator[Problem]:
    if query.limit is not None and not query.order_by:
        yield Problem(
            ProblemKind.NOT_REPEATABLE,
            "LIMIT",
            "LIMIT without ORDER BY may choose other records each time",
            query.sources[0].path.at,
        )
    yield from _moving_dates(query.where)


def _moving_dates(condition: tree.Condition | None) -> Iterator[Problem]:
    for leaf in tree.leaves(condition):
        match leaf:
            case tree.Compare(right=tree.DateRange() as found):
                yield _moving(found)
            case tree.InValues(values=values):
                yield from (_moving(value) for value in values if isinstance(value, tree.DateRange))
            case tree.InQuery(query=query):
                yield from _not_repeatable(query)
            case _:
                pass


def _moving(found: tree.DateRange) -> Problem:
    name = found.name if found.n is None else f"{found.name}:{found.n}"
    what = f"{name} depends on the day the query runs"
    return Problem(ProblemKind.NOT_REPEATABLE, name, what, found.at)
