"""From a tree to a function of columns, every name and every type checked on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from migrator.simulator.formula.faults import FormulaFault
from migrator.simulator.formula.functions import FUNCTIONS
from migrator.simulator.formula.grammar import parse
from migrator.simulator.formula.kinds import DECODERS, Column, Frame, Kind
from migrator.simulator.formula.operators import OPERATORS
from migrator.simulator.formula.parts import Part
from migrator.simulator.formula.tree import Call, Literal, Name, Node

Evaluate = Callable[[Frame], Column]


class Scope(Protocol):
    """What names mean where a formula stands."""

    def find(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], Kind]:
        """The path in the schema's own spelling and what is there; a `FormulaFault` when there is nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula made ready."""

    text: str
    kind: Kind
    paths: tuple[tuple[str, ...], ...]  # every name that it reads
    evaluate: Evaluate
    changes: bool  # looks at what was before: ISNEW, ISCHANGED, PRIORVALUE
    volatile: bool  # looks at the time


@dataclass(slots=True)
class _Compiler:
    scope: Scope
    blanks_as_zero: bool
    rules: bool
    paths: dict[tuple[str, ...], None] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)

    def part(self, node: Node) -> Part:
        """A node with its kind."""
        match node:
            case Literal(value):
                return _literal(value)
            case Name(path):
                return self._name(path)
            case Call(function, arguments):
                return self._call(function, [self.part(each) for each in arguments])

    def _name(self, path: tuple[str, ...]) -> Part:
        found, kind = self.scope.find(path)
        self.paths.setdefault(found)
        decode = DECODERS[kind]
        if kind is Kind.PERCENT:
            kind = Kind.NUMBER
        if kind is Kind.NUMBER and self.blanks_as_zero:
            number = decode

            def decode(cell: str) -> object:
                return number(cell or "0")

        def evaluate(frame: Frame) -> Column:
            return list(map(decode, frame.cells(found)))

        def prior(frame: Frame) -> Column:
            return list(map(decode, frame.prior(found)))

        own = len(found) == 1
        return Part(kind, evaluate, prior=prior if own else None, raw=lambda frame: frame.cells(found))

    def _call(self, function: str, arguments: list[Part]) -> Part:
        self.functions.add(function)
        known = OPERATORS.get(function) or FUNCTIONS.get(function)
        if known is None:
            raise FormulaFault(f"Unknown function {function}. Check spelling.")
        if function in _OF_RULES and not self.rules:
            raise FormulaFault(f"Function {function} may not be used in this type of formula")
        return known(function, arguments)


_OF_RULES = frozenset({"ISNEW", "ISCHANGED", "PRIORVALUE"})
_KINDS = {bool: Kind.BOOLEAN, str: Kind.TEXT, type(None): Kind.NULL}


def _literal(value: object) -> Part:
    return Part(
        _KINDS.get(type(value), Kind.NUMBER),
        lambda frame: [value] * frame.count,
        literal=value,
        is_literal=True,
    )


def compile_formula(
    text: str, scope: Scope, *, blanks_as_zero: bool = False, rules: bool = False, wanted: Kind | None = None
) -> Formula:
    """Compile a formula, in a validation rule (`rules`) or for a field, that must give what is wanted; or a `FormulaFault`."""
    compiler = _Compiler(scope, blanks_as_zero, rules)
    part = compiler.part(parse(text))
    if wanted is not None and part.kind not in {wanted, Kind.NULL}:
        raise FormulaFault(
            f"Formula result is data type ({part.kind}), incompatible with expected data type ({wanted})."
        )
    return Formula(
        text,
        wanted or part.kind,
        tuple(compiler.paths),
        part.evaluate,
        bool(compiler.functions & _OF_RULES),
        bool(compiler.functions & {"TODAY", "NOW"}),
    )
