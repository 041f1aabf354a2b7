"""A part of a formula, and the makers of functions and operators: types in, a column function out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import DecimalException
from typing import Any

from migrator.simulator.formula.faults import FormulaFault
from migrator.simulator.formula.kinds import ERROR, Column, Frame, Kind


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a formula: what it is and how it is computed."""

    kind: Kind
    evaluate: Callable[[Frame], Column]
    prior: Callable[[Frame], Column] | None = None  # of a field of the record: its values before
    raw: Callable[[Frame], Sequence[str]] | None = None  # of a name: its cells
    literal: Any = None
    is_literal: bool = False


Make = Callable[[str, Sequence[Part]], Part]
Kinds = frozenset[Kind]

TEXT = frozenset({Kind.TEXT})
NUMBER = frozenset({Kind.NUMBER})
BOOLEAN = frozenset({Kind.BOOLEAN})
DATE = frozenset({Kind.DATE})
DATETIME = frozenset({Kind.DATETIME})
MULTIPICKLIST = frozenset({Kind.MULTIPICKLIST})
ANY = frozenset(Kind)
# what can go wrong with values that are of the right kind
WRONG = (ValueError, ArithmeticError, DecimalException, OverflowError)
_ODD = frozenset({type(None), type(ERROR)})


def expect(
    function: str,
    arguments: Sequence[Part],
    *wanted: Kinds,
    rest: Kinds | None = None,
    least: int | None = None,
) -> None:
    """Check number and kinds of arguments; NULL passes for anything. `rest` is the kind of any more, `least` their least number."""
    low = len(wanted) if least is None else least
    if len(arguments) < low or (rest is None and len(arguments) > len(wanted)):
        raise FormulaFault(
            f"Incorrect number of parameters for function '{function}()'. Expected {low}, received {len(arguments)}"
        )
    for place, part in enumerate(arguments):
        fits = wanted[place] if place < len(wanted) else rest
        if fits is not None and part.kind not in fits and part.kind is not Kind.NULL:
            names = " or ".join(sorted(fits))
            raise FormulaFault(
                f"Incorrect parameter type for function '{function}()'. Expected {names}, received {part.kind}"
            )


def lifted(compute: Callable[..., Any], *, blank: Any = None) -> Callable[..., list[Any]]:
    """A function of single values as one of columns: null gives `blank`, what fails or is an error gives ERROR."""

    def careful(*values: Any) -> Any:
        missing = False
        for value in values:  # by identity: numbers are slow to compare with what is none
            if value is ERROR:
                return ERROR
            missing = missing or value is None
        if missing:
            return blank
        try:
            return compute(*values)
        except WRONG:
            return ERROR

    def over(*columns: Column) -> list[Any]:
        if all(_ODD.isdisjoint(map(type, column)) for column in columns):
            try:
                return list(map(compute, *columns))
            except WRONG:
                pass  # one of them: find out which
        return list(map(careful, *columns))

    return over


def function(
    compute: Callable[..., Any], result: Kind, *wanted: Kinds, least: int | None = None, blank: Any = None
) -> Make:
    """A function whose arguments are of these kinds, computed value by value."""
    over = lifted(compute, blank=blank)

    def make(name: str, arguments: Sequence[Part]) -> Part:
        expect(name, arguments, *wanted, least=least)
        parts = [each.evaluate for each in arguments]
        return Part(result, lambda frame: over(*(evaluate(frame) for evaluate in parts)))

    return make


def common_kind(function: str, parts: Sequence[Part]) -> Kind:
    """The one kind of several results."""
    kinds = {part.kind for part in parts} - {Kind.NULL}
    if kinds <= {Kind.TEXT, Kind.PICKLIST} and Kind.PICKLIST in kinds and function in {"CASE", "BLANKVALUE"}:
        return Kind.TEXT
    if len(kinds) > 1:
        raise FormulaFault(
            f"Incorrect parameter type for function '{function}()'. Expected {min(kinds)}, received {max(kinds)}"
        )
    return kinds.pop() if kinds else Kind.NULL
