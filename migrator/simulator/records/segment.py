"""A segment of a table: consecutive records, column by column."""

from collections.abc import Sequence

from migrator.simulator.records.columns import Column, seal


def arranged(cells: Sequence[str], places: Sequence[int], rows: Sequence[int]) -> Column:
    """A whole column anew, its cells put in the order of the segment."""
    if len(cells) == 1:
        return (cells[0],)
    made = [""] * len(places)
    for place, row in zip(places, rows, strict=True):
        made[place] = cells[row]
    return seal(made)


class Segment:
    """Consecutive records from `start` on."""

    __slots__ = ("columns", "count", "start")

    def __init__(self, start: int, count: int, columns: dict[str, Column]) -> None:
        self.start = start
        self.count = count
        self.columns = columns

    def seal(self) -> None:
        for name, column in self.columns.items():
            if isinstance(column, list):
                self.columns[name] = seal(column)
