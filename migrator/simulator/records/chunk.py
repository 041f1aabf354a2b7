"""One transaction while it is judged: its cells by field, the rows that set null, and what is wrong by row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.simulator.records.compile import Compiled
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Table


@dataclass(slots=True)
class Chunk:
    """The rows of one transaction, column by column."""

    compiled: Compiled
    table: Table
    count: int
    raw: Sequence[Sequence[str | None]]  # as given, by place in the header
    cells: dict[str, Sequence[str]] = field(
        default_factory=dict
    )  # canonical, of the fields given; "" where not
    nulls: dict[str, list[int]] = field(default_factory=dict)  # rows that set the field to null, by field
    errors: dict[int, tuple[RowError, ...]] = field(default_factory=dict)

    def fault(self, row: int, *errors: RowError) -> None:
        """Refuse a row; the first reason stands."""
        self.errors.setdefault(row, errors)

    def faults(self, found: Mapping[int, RowError]) -> None:
        """Refuse rows."""
        for row, error in found.items():
            self.fault(row, error)

    def good(self, rows: Iterable[int]) -> Sequence[int]:
        """Those of the rows that nothing is wrong with."""
        if not self.errors:
            return rows if isinstance(rows, Sequence) else list(rows)
        return [row for row in rows if row not in self.errors]

    def column(self, place: int) -> tuple[Sequence[str], list[int]]:
        """The cells at a place of the header with `""` for null, and the rows that set null."""
        given = self.raw[place]
        marker = self.compiled.null_marker
        if marker not in given:
            return given, []  # type: ignore[return-value] # no None among them
        nulls = [row for row, cell in enumerate(given) if cell == marker]
        return ["" if cell == marker or cell is None else cell for cell in given], nulls

    def ids(self) -> list[str]:
        """The Id column; `""` where there is none."""
        place = self.compiled.id_place
        return [""] * self.count if place is None else list(self.column(place)[0])
