"""The SOQL of a schedule, built as trees and rendered.

**Invariant:** the same columns in the same order give the same bytes; a filter is parsed, never pasted.
"""

from collections.abc import Iterable, Iterator

from migrator.soql import conditions, render, tree


def select_soql(sobject: str, columns: Iterable[str], where: str | None = None) -> str:
    """`SELECT columns FROM sobject [WHERE …]`. Raises SoqlError when the filter is not SOQL."""
    return render(
        tree.Query(
            select=tuple(tree.SelectExpression(_path(name)) for name in columns),
            sources=(tree.Source(_path(sobject)),),
            where=conditions(where) if where else None,
        )
    )


def count_soql(sobject: str, where: str | None = None) -> str:
    """`SELECT COUNT() FROM sobject [WHERE …]`. Raises SoqlError when the filter is not SOQL."""
    return render(
        tree.Query(
            select=(tree.SelectExpression(tree.Call("COUNT")),),
            sources=(tree.Source(_path(sobject)),),
            where=conditions(where) if where else None,
        )
    )


def fields_read(where: str) -> Iterator[str]:
    """The fields that a filter reads, dotted where they lie behind a relationship."""
    return (str(path) for path in tree.condition_paths(conditions(where)))


def _path(name: str) -> tree.Path:
    return tree.Path(tuple(name.split(".")))
