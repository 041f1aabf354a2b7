"""Queries that are built, not parsed: as trees, and rendered.

**Invariant:** the same columns in the same order give the same bytes; a filter is parsed, never pasted.
"""

from collections.abc import Iterable, Iterator

from migrator.soql import tree
from migrator.soql.parser import conditions
from migrator.soql.render import render


def select(sobject: str, columns: Iterable[str], where: str | None = None) -> str:
    """`SELECT columns FROM sobject [WHERE …]`. Raises SoqlError when the filter is not SOQL."""
    return render(
        tree.Query(
            select=tuple(tree.SelectExpression(_path(name)) for name in columns),
            sources=(tree.Source(_path(sobject)),),
            where=conditions(where) if where else None,
        )
    )


def count(sobject: str, where: str | None = None) -> str:
    """`SELECT COUNT() FROM sobject [WHERE …]`. Raises SoqlError when the filter is not SOQL."""
    return render(
        tree.Query(
            select=(tree.SelectExpression(tree.Call("COUNT")),),
            sources=(tree.Source(_path(sobject)),),
            where=conditions(where) if where else None,
        )
    )


def spread(sobject: str, field: str, where: str | None = None) -> str:
    """`SELECT COUNT(field), COUNT_DISTINCT(field) FROM sobject [WHERE …]`: rows with a value, and records looked up."""
    return render(
        tree.Query(
            select=(
                tree.SelectExpression(tree.Call("COUNT", (_path(field),)), alias="n"),
                tree.SelectExpression(tree.Call("COUNT_DISTINCT", (_path(field),)), alias="records"),
            ),
            sources=(tree.Source(_path(sobject)),),
            where=conditions(where) if where else None,
        )
    )


def largest(sobject: str, field: str, limit: int, where: str | None = None) -> str:
    """The records with the most rows: `SELECT field, COUNT(Id) n … GROUP BY field ORDER BY COUNT(Id) DESC LIMIT …`."""
    counted = tree.Call("COUNT", (_path("Id"),))
    return render(
        tree.Query(
            select=(tree.SelectExpression(_path(field)), tree.SelectExpression(counted, alias="n")),
            sources=(tree.Source(_path(sobject)),),
            where=conditions(where) if where else None,
            group_by=tree.GroupBy((_path(field),)),
            order_by=(tree.OrderBy(counted, descending=True),),
            limit=limit,
        )
    )


def fields_read(where: str) -> Iterator[str]:
    """The fields that a filter reads, dotted where they lie behind a relationship."""
    return (str(path) for path in tree.condition_paths(conditions(where)))


def _path(name: str) -> tree.Path:
    return tree.Path(tuple(name.split(".")))
