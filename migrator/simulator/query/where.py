"""Conditions become functions from a frame of records to one truth per record, column by column.

Text is compared without regard to case where the field does not care for it. Null is the empty text: `!=` and NOT IN
keep records whose field is null, the other comparisons drop them, as on the platform.
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from migrator.simulator import ids
from migrator.simulator.query.columns import Column, Frame, Scope
from migrator.simulator.query.dates import day_range
from migrator.simulator.query.distance import asks_distance, check_operator
from migrator.simulator.query.faults import QueryFault, malformed, wrong_literal
from migrator.simulator.records.store import Table
from migrator.simulator.records.values import canonical_datetime, java_double
from migrator.simulator.schema.model import NUMBERS, FieldType
from migrator.soql import tree, unescape

Mask = Sequence[bool]
Predicate = Callable[[Frame], Mask]
Test = Callable[[Sequence[str]], Mask]
Subquery = Callable[[tree.Query], frozenset[str]]

_NUMERIC = NUMBERS | {FieldType.INT}
IDS = frozenset({FieldType.ID, FieldType.REFERENCE})
_EXACT = IDS | _NUMERIC | {FieldType.BOOLEAN, FieldType.DATE, FieldType.DATETIME, FieldType.TIME}
_ORDERINGS = {
    tree.Operator.LT: operator.lt,
    tree.Operator.LE: operator.le,
    tree.Operator.GT: operator.gt,
    tree.Operator.GE: operator.ge,
}
_NO_FILTER = frozenset({FieldType.ADDRESS, FieldType.LOCATION, FieldType.BASE64})


class Names(Protocol):
    """What a name in a condition means."""

    def column(self, expression: tree.Expression) -> Column:
        """The column of an expression."""
        ...

    def in_currency(self, expression: tree.Expression, column: Column, code: str) -> Column:
        """The column of that expression with its amounts in one currency."""
        ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """Compiles the conditions of one query."""

    scope: Names
    now: float
    run: Subquery

    def predicate(self, condition: tree.Condition) -> Predicate:
        """The function of a whole condition."""
        match condition:
            case tree.And(parts):
                return _all([self.predicate(part) for part in parts])
            case tree.Or(parts):
                return _any([self.predicate(part) for part in parts])
            case tree.Not(part):
                return _none(self.predicate(part))
            case _:
                column = self._filterable(condition.left)
                if asks_distance(condition.left):
                    if not isinstance(condition, tree.Compare):
                        raise malformed("DISTANCE can be compared with < and > only", condition.left.at)
                    check_operator(condition.operator, condition.left.at)
                if isinstance(condition, tree.Compare) and isinstance(condition.right, tree.Currency):
                    column = self.scope.in_currency(condition.left, column, condition.right.code)
                test = self._test(column, condition)
                return lambda frame: test(column.read(frame))

    def _filterable(self, left: tree.Expression) -> Column:
        column = self.scope.column(left)
        if not column.field.filterable or column.field.type in _NO_FILTER:
            what = f"field '{column.field.name}' can not be filtered in a query call"
            raise QueryFault("INVALID_FIELD", what, left.at)
        return column

    def _test(
        self, column: Column, leaf: "tree.Compare | tree.InValues | tree.InQuery | tree.Includes"
    ) -> Test:
        match leaf:
            case tree.Compare(_, sign, right):
                return self.compare(column, sign, right)
            case tree.InValues(_, values, negated):
                return self._membership(column, values, negated=negated)
            case tree.InQuery(_, query, negated):
                return _within(self.run(query), negated=negated)
            case tree.Includes(_, values, excludes):
                return _includes(column, values, excludes=excludes)
            case _:
                assert_never(leaf)

    def compare(self, column: Column, sign: tree.Operator, right: tree.Literal) -> Test:
        """The test of one comparison with one literal."""
        if isinstance(right, tree.Null):
            return _null(sign, right.at)
        if sign is tree.Operator.LIKE:
            return _like(column, right)
        if isinstance(right, tree.DateRange):
            return self._in_days(column, sign, right)
        key = key_of(column, right)
        if sign in _ORDERINGS:
            return _ordered(column, sign, key)
        return _equal(column, key, negated=sign is tree.Operator.NE)

    def _in_days(self, column: Column, sign: tree.Operator, literal: tree.DateRange) -> Test:
        first, after = (day.isoformat() for day in day_range(literal, self.now))
        if column.field.type is FieldType.DATETIME:
            first, after = f"{first}T00:00:00.000Z", f"{after}T00:00:00.000Z"
        elif column.field.type is not FieldType.DATE:
            raise wrong_literal(column.field.name, _kind(column), literal.at)
        tests: dict[tree.Operator, Callable[[str], bool]] = {
            tree.Operator.EQ: lambda cell: first <= cell < after,
            tree.Operator.NE: lambda cell: not first <= cell < after,
            tree.Operator.LT: lambda cell: "" < cell < first,
            tree.Operator.LE: lambda cell: "" < cell < after,
            tree.Operator.GT: lambda cell: cell >= after,
            tree.Operator.GE: lambda cell: cell >= first,
        }
        test = tests[sign]
        return lambda cells: list(map(test, cells))

    def _membership(self, column: Column, values: Sequence[tree.Literal], *, negated: bool) -> Test:
        days = [value for value in values if isinstance(value, tree.DateRange)]
        if days:
            tests = [self.compare(column, tree.Operator.EQ, value) for value in values]
            return lambda cells: [
                any(row) is not negated for row in zip(*(test(cells) for test in tests), strict=True)
            ]
        wanted = frozenset("" if isinstance(value, tree.Null) else key_of(column, value) for value in values)
        return _within(wanted, negated=negated, folds=_folds(column))


# --- literals ----------------------------------------------------------------------------------------------------


def key_of(column: Column, literal: tree.Literal) -> str:
    """The literal as the cells of the column are kept (in lower case where the field folds it), or a fault."""
    kind = column.field.type
    fault = wrong_literal(column.field.name, _kind(column), literal.at)
    match literal:
        case tree.Text(raw):
            return _text_key(column, unescape(raw), literal.at, fault)
        case tree.Number(text) | tree.Currency(amount=text):
            if kind not in _NUMERIC:
                raise fault
            return java_double(text) if kind in NUMBERS else _integer(text)
        case tree.Boolean(truth):
            if kind is not FieldType.BOOLEAN:
                raise fault
            return "true" if truth else "false"
        case tree.Date(text):
            if kind is not FieldType.DATE:
                raise fault
            return text
        case tree.DateTime(text):
            if kind is not FieldType.DATETIME:
                raise fault
            return canonical_datetime(_with_seconds(text.upper()))
        case tree.Null() | tree.DateRange():
            raise fault
        case _:
            assert_never(literal)


def _text_key(column: Column, value: str, at: tree.At, fault: QueryFault) -> str:
    kind = column.field.type
    if kind in IDS:
        if value and not ids.is_id(value):
            raise QueryFault("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}", at)
        return ids.to_18(value) if value else ""
    if kind in _EXACT and kind is not FieldType.TIME:
        raise fault
    return value.lower() if _folds(column) else value


def _integer(text: str) -> str:
    number = float(text)
    return str(int(number)) if number.is_integer() else text


def _with_seconds(text: str) -> str:
    return re.sub(r"(T\d\d:\d\d)(?=[Z+-])", r"\1:00", text)


def _kind(column: Column) -> str:
    match column.field.type:
        case FieldType.DATETIME:
            return "dateTime"
        case FieldType.ID | FieldType.REFERENCE:
            return "reference"
        case (
            FieldType.BOOLEAN | FieldType.DATE | FieldType.INT | FieldType.DOUBLE | FieldType.CURRENCY as kind
        ):
            return kind.value
        case FieldType.PERCENT:
            return "double"
        case _:
            return "string"


def _folds(column: Column) -> bool:
    return column.field.type not in _EXACT and column.field.folds_case


# --- tests -------------------------------------------------------------------------------------------------------


def _equal(column: Column, key: str, *, negated: bool) -> Test:
    if column.field.type is FieldType.INT and "." in key:
        return lambda cells: [negated] * len(cells)
    if _folds(column) and key:
        if negated:
            return lambda cells: [cell.lower() != key for cell in cells]
        return lambda cells: [cell.lower() == key for cell in cells]
    if negated:
        return lambda cells: [cell != key for cell in cells]
    return lambda cells: [cell == key for cell in cells]


def _ordered(column: Column, sign: tree.Operator, key: str) -> Test:
    compare = _ORDERINGS[sign]
    if column.field.type in _NUMERIC:
        number = float(key)
        return lambda cells: [cell != "" and compare(float(cell), number) for cell in cells]
    if _folds(column):
        return lambda cells: [cell != "" and compare(cell.lower(), key) for cell in cells]
    return lambda cells: [cell != "" and compare(cell, key) for cell in cells]


def _null(sign: tree.Operator, at: tree.At) -> Test:
    match sign:
        case tree.Operator.EQ:
            return lambda cells: [not cell for cell in cells]
        case tree.Operator.NE:
            return lambda cells: [cell != "" for cell in cells]
        case _:
            raise QueryFault("INVALID_QUERY_FILTER_OPERATOR", "null can only be compared by = or !=", at)


def _like(column: Column, right: tree.Literal) -> Test:
    if not isinstance(right, tree.Text) or column.field.type in _NUMERIC | IDS:
        raise QueryFault(
            "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field or number: like", right.at
        )
    pattern = re.compile(_like_pattern(right.raw), re.DOTALL | (re.IGNORECASE if _folds(column) else 0))
    matches = pattern.fullmatch
    return lambda cells: [cell != "" and matches(cell) is not None for cell in cells]


def _like_pattern(raw: str) -> str:
    made = []
    for piece in re.findall(r"\\u[0-9A-Fa-f]{4}|\\[\s\S]|[\s\S]", raw):
        if piece == "%":
            made.append(".*")
        elif piece == "_":
            made.append(".")
        else:
            made.append(re.escape(unescape(piece)))
    return "".join(made)


def _within(wanted: Iterable[str], *, negated: bool, folds: bool = False) -> Test:
    held = frozenset(wanted)
    if folds and negated:
        return lambda cells: [cell.lower() not in held for cell in cells]
    if folds:
        return lambda cells: [cell.lower() in held for cell in cells]
    if negated:
        return lambda cells: [cell not in held for cell in cells]
    return lambda cells: list(map(held.__contains__, cells))


def _includes(column: Column, values: Sequence[tree.Literal], *, excludes: bool) -> Test:
    if column.field.type is not FieldType.MULTIPICKLIST:
        raise wrong_literal(column.field.name, _kind(column), values[0].at)
    wanted = [frozenset(key_of(column, value).split(";")) for value in values]

    def test(cell: str) -> bool:
        held = set(cell.lower().split(";"))
        return any(choice <= held for choice in wanted) is not excludes

    return lambda cells: list(map(test, cells))


def _all(parts: list[Predicate]) -> Predicate:
    return lambda frame: [all(row) for row in zip(*(part(frame) for part in parts), strict=True)]


def _any(parts: list[Predicate]) -> Predicate:
    return lambda frame: [any(row) for row in zip(*(part(frame) for part in parts), strict=True)]


def _none(part: Predicate) -> Predicate:
    return lambda frame: [not truth for truth in part(frame)]


# --- by index ----------------------------------------------------------------------------------------------------


def candidates(condition: tree.Condition | None, scope: Scope, table: Table) -> list[int] | None:
    """The only records that can fit, where an index tells; None when all must be looked at."""
    for leaf in _conjuncts(condition):
        found = _by_key(leaf, scope, table)
        if found is not None:
            return found
    return None


def _conjuncts(condition: tree.Condition | None) -> list[tree.Condition]:
    match condition:
        case None:
            return []
        case tree.And(parts):
            return list(parts)
        case _:
            return [condition]


def _by_key(leaf: tree.Condition, scope: Scope, table: Table) -> list[int] | None:
    match leaf:
        case tree.Compare(tree.Path() as left, tree.Operator.EQ, tree.Text() as right):
            values: tuple[tree.Literal, ...] = (right,)
        case tree.InValues(tree.Path() as left, values, False):
            pass
        case _:
            return None
    column = scope.column(left)
    field = column.field
    if len(column.label) != 1 or not (field.type is FieldType.ID or field.unique or field.external_id):
        return None
    if not all(isinstance(value, tree.Text) for value in values):
        return None
    keys = {key_of(column, value) for value in values}
    if "" in keys:
        return None
    return sorted({seq for key in keys for seq in table.find(field.name, key)})
