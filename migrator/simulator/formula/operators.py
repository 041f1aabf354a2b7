"""The operators of formulas: arithmetic, comparison, concatenation."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from migrator.simulator.formula.faults import FormulaFault
from migrator.simulator.formula.kinds import ERROR, Frame, Kind
from migrator.simulator.formula.parts import NUMBER, Make, Part, function, lifted

_DAY = Decimal(86_400)
_MAX_POWER = 10_000  # digits stay few, whatever somebody writes


def _days(value: Decimal) -> timedelta:
    return timedelta(seconds=float(value * _DAY))


def _whole_days(value: Decimal) -> timedelta:
    return timedelta(days=int(value))


def _between(later: date | datetime, earlier: Any) -> Decimal:
    difference = later - earlier
    if not isinstance(difference, timedelta):
        raise TypeError("no difference of days")
    return Decimal(difference.days) + Decimal(difference.seconds) / _DAY


_Pairs = Mapping[tuple[Kind, Kind], tuple[Kind, Callable[[Any, Any], Any]]]

_PLUS: _Pairs = {
    (Kind.NUMBER, Kind.NUMBER): (Kind.NUMBER, operator.add),
    (Kind.TEXT, Kind.TEXT): (Kind.TEXT, operator.add),
    (Kind.DATE, Kind.NUMBER): (Kind.DATE, lambda day, number: day + _whole_days(number)),
    (Kind.NUMBER, Kind.DATE): (Kind.DATE, lambda number, day: day + _whole_days(number)),
    (Kind.DATETIME, Kind.NUMBER): (Kind.DATETIME, lambda when, number: when + _days(number)),
    (Kind.NUMBER, Kind.DATETIME): (Kind.DATETIME, lambda number, when: when + _days(number)),
}
_MINUS: _Pairs = {
    (Kind.NUMBER, Kind.NUMBER): (Kind.NUMBER, operator.sub),
    (Kind.DATE, Kind.NUMBER): (Kind.DATE, lambda day, number: day - _whole_days(number)),
    (Kind.DATE, Kind.DATE): (Kind.NUMBER, _between),
    (Kind.DATETIME, Kind.NUMBER): (Kind.DATETIME, lambda when, number: when - _days(number)),
    (Kind.DATETIME, Kind.DATETIME): (Kind.NUMBER, _between),
}


def _paired(pairs: _Pairs) -> Make:
    def make(name: str, arguments: Sequence[Part]) -> Part:
        left, right = arguments
        kinds = (_or(left.kind, right.kind), _or(right.kind, left.kind))
        found = pairs.get(kinds)
        if found is None:
            raise _incompatible(name, left, right)
        kind, compute = found
        over = lifted(compute)
        return Part(kind, lambda frame: over(left.evaluate(frame), right.evaluate(frame)))

    return make


def _or(kind: Kind, other: Kind) -> Kind:
    """NULL stands for what the other side is, or for a number."""
    if kind is not Kind.NULL:
        return kind
    return Kind.NUMBER if other in {Kind.NULL, Kind.DATE, Kind.DATETIME} else other


def _incompatible(name: str, left: Part, right: Part) -> FormulaFault:
    for part in (left, right):
        if part.kind in {Kind.PICKLIST, Kind.MULTIPICKLIST}:
            return FormulaFault("A picklist field is only supported in certain functions.")
    return FormulaFault(
        f"Incorrect parameter type for operator '{name}'. Expected {left.kind}, received {right.kind}"
    )


def _comparable(name: str, left: Part, right: Part) -> None:
    kinds = {left.kind, right.kind} - {Kind.NULL}
    if len(kinds) > 1 or kinds & {Kind.PICKLIST, Kind.MULTIPICKLIST}:
        raise _incompatible(name, left, right)


def _equality(*, negated: bool) -> Make:
    """Null equals null, and an empty text null."""

    def make(name: str, arguments: Sequence[Part]) -> Part:
        left, right = arguments
        _comparable(name, left, right)

        def compare(one: Any, other: Any) -> Any:
            if one is ERROR or other is ERROR:
                return ERROR
            return (
                (one or None) == (other or None) if type(one) is str or type(other) is str else one == other
            ) is not negated

        return Part(
            Kind.BOOLEAN, lambda frame: list(map(compare, left.evaluate(frame), right.evaluate(frame)))
        )

    return make


def _order(compute: Callable[[Any, Any], bool]) -> Make:
    over = lifted(compute, blank=False)

    def make(name: str, arguments: Sequence[Part]) -> Part:
        left, right = arguments
        _comparable(name, left, right)
        if Kind.BOOLEAN in {left.kind, right.kind}:
            raise _incompatible(name, left, right)
        return Part(Kind.BOOLEAN, lambda frame: over(left.evaluate(frame), right.evaluate(frame)))

    return make


def _join(name: str, arguments: Sequence[Part]) -> Part:
    for part in arguments:
        if part.kind not in {Kind.TEXT, Kind.NULL}:
            raise FormulaFault(
                f"Incorrect parameter type for operator '{name}'. Expected Text, received {part.kind}"
            )
    left, right = arguments

    def join(frame: Frame) -> list[Any]:
        return [
            ERROR if one is ERROR or other is ERROR else (one or "") + (other or "")
            for one, other in zip(left.evaluate(frame), right.evaluate(frame), strict=True)
        ]

    return Part(Kind.TEXT, join)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > _MAX_POWER:
        raise OverflowError
    return base**exponent


OPERATORS: Mapping[str, Make] = {
    "+": _paired(_PLUS),
    "-": _paired(_MINUS),
    "*": function(operator.mul, Kind.NUMBER, NUMBER, NUMBER),
    "/": function(operator.truediv, Kind.NUMBER, NUMBER, NUMBER),
    "^": function(_power, Kind.NUMBER, NUMBER, NUMBER),
    "&": _join,
    "=": _equality(negated=False),
    "<>": _equality(negated=True),
    "<": _order(operator.lt),
    ">": _order(operator.gt),
    "<=": _order(operator.le),
    ">=": _order(operator.ge),
    "NEGATIVE": function(operator.neg, Kind.NUMBER, NUMBER),
    "POSITIVE": function(operator.pos, Kind.NUMBER, NUMBER),
}
