"""Aggregates: COUNT, SUM and so on, over all records or by groups, with ROLLUP and CUBE subtotals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from migrator.simulator.query.columns import Column, Frame, Scope
from migrator.simulator.query.faults import QueryFault, malformed
from migrator.simulator.records.values import format_double
from migrator.simulator.schema.model import NUMBERS, Field, FieldType
from migrator.soql import render_expression, tree

Cells = Sequence[str]
_NUMERIC = NUMBERS | {FieldType.INT}


class _Tally:
    """One aggregate of one group while records go by."""

    __slots__ = ("best", "count", "distinct", "kind", "numeric", "total")

    def __init__(self, kind: str, *, numeric: bool) -> None:
        self.kind = kind
        self.numeric = numeric
        self.count = 0
        self.total = 0.0
        self.best: str | None = None
        self.distinct: set[str] = set()

    def add(self, cells: Cells) -> None:
        held = [cell for cell in cells if cell]
        self.count += len(held)
        if not held:
            return
        match self.kind:
            case "SUM" | "AVG":
                self.total += sum(map(float, held))
            case "MIN" | "MAX":
                choose = min if self.kind == "MIN" else max
                key = float if self.numeric else str.lower
                now = held if self.best is None else [self.best, *held]
                self.best = choose(now, key=key)
            case "COUNT_DISTINCT":
                self.distinct.update(map(str.lower, held))
            case _:
                pass

    def result(self) -> str:
        match self.kind:
            case "COUNT":
                return str(self.count)
            case "COUNT_DISTINCT":
                return str(len(self.distinct))
            case "SUM":
                return format_double(self.total) if self.count else ""
            case "AVG":
                return format_double(self.total / self.count) if self.count else ""
            case _:
                return self.best or ""


@dataclass(frozen=True, slots=True)
class _Aggregate:
    """An aggregate of the query: what it does and what it reads (None: whole records)."""

    text: str
    kind: str
    column: Column | None
    made: Field

    def tally(self) -> _Tally:
        numeric = self.column is not None and self.column.field.type in _NUMERIC
        return _Tally(self.kind, numeric=numeric)


def key_text(expression: tree.Path | tree.Call | tree.Text | tree.Number) -> str:
    """The expression as a key that does not depend on case."""
    return render_expression(expression).lower()


class Grouping:
    """The groups of one query. `column` answers for SELECT, HAVING and ORDER BY once records went by."""

    def __init__(self, scope: Scope, group_by: tree.GroupBy | None) -> None:
        self.scope = scope
        self.group_by = group_by or tree.GroupBy(())
        self.keys = [scope.column(key) for key in self.group_by.by]
        self._key_texts = [key_text(key) for key in self.group_by.by]
        self._aggregates: dict[str, _Aggregate] = {}
        self._groupings: dict[str, int] = {}

    def column(self, expression: tree.Expression) -> Column:
        """The column of grouped results for a key or an aggregate."""
        text = key_text(expression)
        if text in self._key_texts:
            found = self.keys[self._key_texts.index(text)]
            return Column(found.label[-1:], found.field, text, _reader(text), found.sobject)
        if not isinstance(expression, tree.Call) or not tree.is_aggregate(expression):
            raise malformed(
                f"Field must be grouped or aggregated: {render_expression(expression)}", expression.at
            )
        made = (
            self._grouping(expression)
            if expression.name.upper() == "GROUPING"
            else self._aggregate(text, expression)
        )
        return Column((text,), made, text, _reader(text), "AggregateResult")

    def in_currency(self, _: tree.Expression, column: Column, __: str) -> Column:
        """Results are in the corporate currency, whatever they are compared with."""
        return column

    def _grouping(self, call: tree.Call) -> Field:
        wanted = key_text(call.args[0]) if call.args else ""
        if wanted not in self._key_texts:
            raise malformed("GROUPING must name a field that is grouped by", call.at)
        self._groupings[key_text(call)] = self._key_texts.index(wanted)
        return Field("expr", FieldType.INT)

    def _aggregate(self, text: str, call: tree.Call) -> Field:
        kind = call.name.upper()
        inner = call.args[0] if call.args else None
        if (inner is None and kind != "COUNT") or isinstance(inner, tree.Text | tree.Number):
            raise QueryFault("MALFORMED_QUERY", f"unexpected token: '{call.name}'", call.at)
        column = self.scope.column(inner) if isinstance(inner, tree.Path | tree.Call) else None
        if column is not None and inner is not None:
            column = self.scope.in_currency(inner, column, "")  # results are in the corporate currency
        made = Field("expr", _result_type(kind, column))
        if kind in {"SUM", "AVG"} and (column is None or column.field.type not in _NUMERIC):
            raise QueryFault(
                "INVALID_FIELD", f"field {inner} does not support aggregate operator {kind}", call.at
            )
        self._aggregates.setdefault(text, _Aggregate(text, kind, column, made))
        return made

    def run(self, frames: Iterable[Frame]) -> Frame:
        """All groups, in the order of their keys, as one frame of results."""
        aggregates = list(self._aggregates.values())
        groups: dict[tuple[int, tuple[str, ...]], list[_Tally]] = {}
        masks = self._masks()
        if not self.keys:
            groups[0, ()] = [found.tally() for found in aggregates]
        for frame in frames:
            read = [
                found.column.read(frame) if found.column else ["x"] * len(frame.seqs) for found in aggregates
            ]
            for group, rows in self._split(frame, masks).items():
                if group not in groups:
                    groups[group] = [found.tally() for found in aggregates]
                for tally, held in zip(groups[group], read, strict=True):
                    tally.add(held if len(rows) == len(held) else [held[row] for row in rows])
        ordered = sorted(groups, key=lambda group: (group[1], group[0]))
        cells: dict[str, Cells] = {
            text: [group[1][place] for group in ordered] for place, text in enumerate(self._key_texts)
        }
        for place, found in enumerate(aggregates):
            cells[found.text] = [groups[group][place].result() for group in ordered]
        for text, place in self._groupings.items():
            cells[text] = ["0" if masks[group[0]][place] else "1" for group in ordered]
        return Frame(range(len(ordered)), cells)

    def _masks(self) -> list[tuple[bool, ...]]:
        """Which keys count, for the groups themselves and for each kind of subtotal."""
        size = len(self.keys)
        match self.group_by.kind:
            case "ROLLUP":
                return [tuple(place < kept for place in range(size)) for kept in range(size, -1, -1)]
            case "CUBE":
                return list(product((True, False), repeat=size))
            case _:
                return [(True,) * size]

    def _split(
        self, frame: Frame, masks: list[tuple[bool, ...]]
    ) -> Mapping[tuple[int, tuple[str, ...]], list[int]]:
        if not self.keys:
            return {(0, ()): list(range(len(frame.seqs)))}
        found: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        columns = [key.read(frame) for key in self.keys]
        for number, mask in enumerate(masks):
            for row, key in enumerate(zip(*columns, strict=True)):
                kept = tuple(cell if counts else "" for cell, counts in zip(key, mask, strict=True))
                found.setdefault((number, kept), []).append(row)
        return found


def _result_type(kind: str, column: Column | None) -> FieldType:
    if kind in {"MIN", "MAX"} and column is not None:
        return column.field.type
    return FieldType.DOUBLE if kind in {"SUM", "AVG"} else FieldType.INT


def _reader(text: str) -> Callable[[Frame], Cells]:
    return lambda frame: frame.cells[text]
