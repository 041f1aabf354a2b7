"""How one field of a segment of records is kept: one value for all, one text of joined cells, or an open list.

A cell is text in the form that the CSV results show; null is the empty text, because the platform keeps no empty
strings. Joined cells cost their own length and a separator, no object per cell: ten million records fit in memory.
"""

from collections.abc import Sequence

SEPARATOR = "\x1f"

# one value for all · cells as they are (they hold the separator) · joined · joined and not ASCII · being changed
Column = tuple[str, ...] | str | bytes | list[str]


def seal(cells: Sequence[str]) -> Column:
    """The most compact form of the cells."""
    first = cells[0]
    if first == cells[-1] and len(set(cells)) == 1:
        return (first,)
    joined = SEPARATOR.join(cells)
    if joined.count(SEPARATOR) != len(cells) - 1:
        return tuple(cells)
    return joined if joined.isascii() else joined.encode()


def cells_of(column: Column, count: int) -> Sequence[str]:
    """The cells of a column, one per record."""
    if isinstance(column, str):
        return column.split(SEPARATOR)
    if isinstance(column, bytes):
        return column.decode().split(SEPARATOR)
    if isinstance(column, tuple) and len(column) == 1:
        return column * count
    return column


def constant(column: Column) -> str | None:
    """The one value of all cells, when the column is kept so."""
    return column[0] if isinstance(column, tuple) and len(column) == 1 else None
