"""Cells by the numbers of their records: consecutive records are a segment, column by column.

**Invariant:** nothing is known here of what a record or a field is; what is not in a segment's columns its owner makes up.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from migrator.simulator.records.columns import Column, cells_of, seal

SEGMENT = 256  # a segment is sealed when it has so many records; Bulk chunks of 200 are sealed at once
SEAL_AT_ONCE = 100
HOT = 20_000  # segments with open columns, before the oldest are sealed again


class Segment:
    """Consecutive records from `start` on."""

    __slots__ = ("columns", "count", "start")

    def __init__(self, start: int, count: int, columns: dict[str, Column]) -> None:
        self.start = start
        self.count = count
        self.columns = columns

    @property
    def seqs(self) -> range:
        """The numbers of its records."""
        return range(self.start, self.start + self.count)

    def seal(self) -> None:
        """Keep the open columns small."""
        for name, column in self.columns.items():
            if isinstance(column, list):
                self.columns[name] = seal(column)


class Segments:
    """All segments of a table, in order; the last one may still grow."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._segments: list[Segment] = []
        self._tail: Segment | None = None
        self._hot: dict[int, None] = {}

    def of(self, seq: int) -> Segment:
        """The segment that has this record."""
        return self._segments[bisect_right(self._starts, seq) - 1]

    def grows(self, segment: Segment) -> bool:
        """Whether records will be added to it."""
        return segment is self._tail

    def above(self, after: int) -> Iterator[Segment]:
        """The segments that have records above number `after`; also those that are added meanwhile."""
        number = max(0, bisect_right(self._starts, after + 1) - 1)
        while number < len(self._segments):
            yield self._segments[number]
            number += 1

    def append(self, seqs: range, columns: Mapping[str, Sequence[str]], defaults: Mapping[str, str]) -> None:
        """Add records, given column by column (a tuple of one cell stands for all)."""
        if len(seqs) < SEAL_AT_ONCE:
            self._grow(seqs, columns, defaults)
            return
        self._seal_tail()
        kept: dict[str, Column] = {
            name: cells if isinstance(cells, tuple) and len(cells) == 1 else seal(cells)
            for name, cells in columns.items()
        }
        self._add(Segment(seqs.start, len(seqs), kept))

    def _add(self, segment: Segment) -> None:
        self._segments.append(segment)
        self._starts.append(segment.start)

    def _grow(self, seqs: range, columns: Mapping[str, Sequence[str]], defaults: Mapping[str, str]) -> None:
        tail, count = self._tail, len(seqs)
        if tail is None or tail.count + count > SEGMENT:
            self._seal_tail()
            tail = self._tail = Segment(seqs.start, 0, {})
            self._add(tail)
        for name in columns:
            if name not in tail.columns:
                tail.columns[name] = [defaults.get(name, "")] * tail.count
        for name, column in tail.columns.items():
            cells = columns.get(name)
            if cells is None:
                cells = (defaults.get(name, ""),)
            opened = column if isinstance(column, list) else list(cells_of(column, tail.count))
            opened.extend(cells if len(cells) == count else tuple(cells) * count)
            tail.columns[name] = opened
        tail.count += count

    def _seal_tail(self) -> None:
        if self._tail is not None:
            self._tail.seal()
            self._tail = None

    def overwrite(
        self,
        seqs: Sequence[int],
        columns: Mapping[str, Sequence[str]],
        made_up: Callable[[Segment, str], Sequence[str]],
    ) -> list[Segment]:
        """Change cells of many records (a tuple of one cell stands for all); the segments that were changed.

        `made_up`: a whole column of a segment, as it is now.
        """
        changed = self._by_segment(seqs)
        for number, (places, rows) in changed.items():
            segment = self._segments[number]
            if len(places) == segment.count and segment is not self._tail:
                for name, cells in columns.items():
                    segment.columns[name] = _arranged(cells, places, rows)
                continue
            for name, cells in columns.items():
                column = segment.columns.get(name)
                if not isinstance(column, list):
                    column = segment.columns[name] = list(made_up(segment, name))
                if len(cells) == 1:
                    for place in places:
                        column[place] = cells[0]
                else:
                    for place, row in zip(places, rows, strict=True):
                        column[place] = cells[row]
            if segment is not self._tail:
                self._heat(number)
        return [self._segments[number] for number in changed]

    def _by_segment(self, seqs: Sequence[int]) -> dict[int, tuple[list[int], list[int]]]:
        """The places in each segment that the records have, and their rows."""
        groups: dict[int, tuple[list[int], list[int]]] = {}
        low = high = 0
        places: list[int] = []
        rows: list[int] = []
        for row, seq in enumerate(seqs):
            if not low <= seq < high:
                number = bisect_right(self._starts, seq) - 1
                segment = self._segments[number]
                low, high = segment.start, segment.start + segment.count
                places, rows = groups.setdefault(number, ([], []))
            places.append(seq - low)
            rows.append(row)
        return groups

    def _heat(self, number: int) -> None:
        self._hot[number] = None
        if len(self._hot) > HOT:
            oldest = next(iter(self._hot))
            del self._hot[oldest]
            self._segments[oldest].seal()


def _arranged(cells: Sequence[str], places: Sequence[int], rows: Sequence[int]) -> Column:
    """A whole column anew, its cells put in the order of the segment."""
    if len(cells) == 1:
        return (cells[0],)
    made = [""] * len(places)
    for place, row in zip(places, rows, strict=True):
        made[place] = cells[row]
    return seal(made)
