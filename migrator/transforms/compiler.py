"""A template's tree to DuckDB SQL.

**Invariant:** every node that is not named here is refused; the tree is never evaluated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from types import MappingProxyType
from typing import TypeVar

from jinja2 import nodes

from migrator.transforms.functions import FILTERS, FUNCTIONS, Entry, Misuse, factor, number
from migrator.transforms.sql import NUMBER_TYPE, Kind, Piece, as_condition, as_text, identifier, literal
from migrator.transforms.template import ExpressionError, Template

MAX_DEPTH = 100
MAX_SQL = 200_000  # characters
MAX_SIZE = 1_000_000  # see Piece.size: a field may grow a thousandfold, no more

_Node = TypeVar("_Node", bound=nodes.Node)

_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL of a template's value; faults as (condition, code) pairs; the source fields it reads."""

    value: str
    faults: tuple[tuple[str, str], ...]
    reads: tuple[str, ...]
    #: whether it holds no `{{ }}` at all
    constant: bool


def compile_template(
    template: Template,
    *,
    columns: Mapping[str, str] = MappingProxyType({}),
    texts: Mapping[str, str] = MappingProxyType({}),
) -> Compiled:
    """The SQL of a template: the value of its one expression, or its parts one after another.

    A name is a source field; `columns` tells the field where it is another, `texts` the names that are constants.
    """
    compiler = _Compiler(template, columns, texts)
    pieces = [compiler.value(part, 0) for part in template.parts]
    constant = all(isinstance(part, nodes.TemplateData) for part in template.parts)
    value = " || ".join(as_text(piece) for piece in pieces) or "''"
    size = sum(piece.size for piece in pieces)
    if size > MAX_SIZE or len(value) > MAX_SQL:
        raise ExpressionError("expression-limit", "its result could grow without measure", template.text, 0)
    return Compiled(
        value, tuple(dict.fromkeys(compiler.faults)), tuple(dict.fromkeys(compiler.reads)), constant
    )


def names_of(template: Template) -> list[nodes.Name]:
    """The names in a template, functions left out, in order of appearance."""
    called = {id(call.node) for part in template.parts for call in _all(part, nodes.Call)}
    names = [name for part in template.parts for name in _all(part, nodes.Name) if id(name) not in called]
    return sorted(names, key=lambda name: name.lineno)


def _all(part: nodes.Expr, kind: type[_Node]) -> list[_Node]:
    found = list(part.find_all(kind))
    return [part, *found] if isinstance(part, kind) else found


class _Compiler:
    """One pass over a tree; collects faults and reads on the way."""

    def __init__(self, template: Template, columns: Mapping[str, str], texts: Mapping[str, str]) -> None:
        self._template = template
        self._columns = columns
        self._texts = texts
        self._guards: list[str] = []
        self._length = 0
        self.faults: list[tuple[str, str]] = []
        self.reads: list[str] = []

    def check(self, condition: str, fault: str) -> None:
        guarded = " AND ".join((*self._guards, f"({condition})"))
        self._length += len(guarded)
        self.faults.append((guarded, fault))

    def column(self, name: str) -> Piece:
        self.reads.append(name)
        return Piece(identifier(self._columns.get(name, name)))

    def _refuse(self, node: nodes.Node, what: str, hint: str = "") -> ExpressionError:
        return ExpressionError("expression-forbidden", what, self._template.text, node.lineno - 1, hint)

    def value(self, node: nodes.Expr, depth: int) -> Piece:
        """The piece of SQL for a node."""
        if depth > MAX_DEPTH:
            raise ExpressionError(
                "expression-limit", "too deeply nested", self._template.text, node.lineno - 1
            )
        try:
            piece = self._piece(node, depth + 1)
        except Misuse as found:
            raise self._refuse(node, found.what, found.hint) from None
        # checked at every node: some filters use what they are given several times, and chains of them would multiply
        if piece.size > MAX_SIZE or len(piece.sql) + self._length > MAX_SQL:
            raise self._limit(node)
        return piece

    def _limit(self, node: nodes.Node) -> ExpressionError:
        what = "its result could grow without measure"
        return ExpressionError("expression-limit", what, self._template.text, node.lineno - 1)

    def _piece(self, node: nodes.Expr, depth: int) -> Piece:
        match node:
            case nodes.TemplateData(data=data):
                return Piece(literal(data), size=len(data), constant=data)
            case nodes.Const():
                return self._constant(node)
            case nodes.Name(name=name) if name in self._texts:
                text = self._texts[name]
                return Piece(literal(text), size=len(text), constant=text)
            case nodes.Name(name=name):
                return self.column(name)
            case nodes.Concat(nodes=parts):
                return _concat([self.value(part, depth) for part in parts])
            case nodes.BinExpr() | nodes.UnaryExpr():
                return self._operator(node, depth)
            case nodes.Compare():
                return self._comparison(node, depth)
            case nodes.CondExpr():
                return self._conditional(node, depth)
            case nodes.Test():
                return self._test(node, depth)
            case nodes.Filter() | nodes.Call():
                return self._call(node, depth)
            case nodes.Getattr() | nodes.Getitem():
                hint = "write column('Account.Name') for a field whose name holds a dot or a blank"
                raise self._refuse(node, "attributes and subscripts are not part of expressions", hint)
            case _:
                raise self._refuse(node, f"{type(node).__name__} is not part of expressions")

    def _constant(self, node: nodes.Const) -> Piece:
        match node.value:
            case None:
                return Piece("NULL", size=0)
            case bool() as value:
                return Piece("TRUE" if value else "FALSE", Kind.BOOLEAN, 5)
            case int() | float() as value:
                return self._number(node, value)
            case str() as value:
                return Piece(literal(value), size=len(value), constant=value)
            case _:
                raise self._refuse(node, "this constant is not part of expressions")

    def _number(self, node: nodes.Const, value: float) -> Piece:
        if not isfinite(value) or abs(value) >= 10**18:
            raise self._refuse(node, "a number that large is not one of Salesforce's")
        written = format(Decimal(repr(value)), "f")
        return Piece(f"CAST('{written}' AS {NUMBER_TYPE})", Kind.NUMBER, 50, constant=written)

    def _operator(self, node: nodes.BinExpr | nodes.UnaryExpr, depth: int) -> Piece:
        match node:
            case nodes.And(left=left, right=right) | nodes.Or(left=left, right=right):
                word = "AND" if isinstance(node, nodes.And) else "OR"
                both = f" {word} ".join(self._condition(each, depth) for each in (left, right))
                return Piece(f"({both})", Kind.BOOLEAN, 5)
            case nodes.Not(node=inner):
                return Piece(f"(NOT {self._condition(inner, depth)})", Kind.BOOLEAN, 5)
            case nodes.Neg(node=inner):
                return Piece(f"(-{number(self, self.value(inner, depth)).sql})", Kind.NUMBER, 50)
            case nodes.Pos(node=inner):
                return number(self, self.value(inner, depth))
            case nodes.Add() | nodes.Sub() | nodes.Mul() | nodes.Div() | nodes.Mod():
                return self._arithmetic(node, self.value(node.left, depth), self.value(node.right, depth))
            case _:
                raise self._refuse(
                    node, f"the operator {getattr(node, 'operator', '')} is not part of expressions"
                )

    def _condition(self, node: nodes.Expr, depth: int) -> str:
        return as_condition(self.value(node, depth))

    def _arithmetic(self, node: nodes.BinExpr, left: Piece, right: Piece) -> Piece:
        if isinstance(node, nodes.Add) and left.kind is right.kind is Kind.TEXT:
            return _concat([left, right])
        if isinstance(node, nodes.Mul):
            return self._product(left, right)
        first, second = number(self, left).sql, number(self, right).sql
        if isinstance(node, nodes.Add | nodes.Sub):
            return Piece(f"({first} {node.operator} {second})", Kind.NUMBER, 50)
        if isinstance(node, nodes.Div):
            sql = f"TRY_CAST(CAST({first} AS DOUBLE) / NULLIF(CAST({second} AS DOUBLE), 0) AS {NUMBER_TYPE})"
        else:
            sql = f"TRY_CAST({first} % NULLIF({second}, 0) AS {NUMBER_TYPE})"
        self.check(f"{first} IS NOT NULL AND {second} IS NOT NULL AND {sql} IS NULL", "DATA_NUMBER")
        return Piece(sql, Kind.NUMBER, 50)

    def _product(self, left: Piece, right: Piece) -> Piece:
        sql = f"TRY_CAST({factor(self, left)} * {factor(self, right)} AS {NUMBER_TYPE})"
        given = " AND ".join(f"{as_text(each)} <> ''" for each in (left, right) if each.constant is None)
        # no number, too large a factor or too large a product
        self.check(f"{given or 'TRUE'} AND {sql} IS NULL", "DATA_NUMBER")
        return Piece(sql, Kind.NUMBER, 50)

    def _comparison(self, node: nodes.Compare, depth: int) -> Piece:
        if len(node.ops) != 1:
            raise self._refuse(
                node, "comparisons in a chain are not part of expressions", "join them with 'and'"
            )
        operand = node.ops[0]
        left = self.value(node.expr, depth)
        if operand.op in {"in", "notin"}:
            return self._membership(left, operand, depth)
        right = self.value(operand.expr, depth)
        operator = _COMPARISONS[operand.op]
        kinds = {left.kind, right.kind}
        if kinds == {Kind.BOOLEAN}:
            return Piece(f"({left.sql} {operator} {right.sql})", Kind.BOOLEAN, 5)
        if Kind.BOOLEAN in kinds:
            return Piece(f"({as_condition(left)} {operator} {as_condition(right)})", Kind.BOOLEAN, 5)
        if Kind.NUMBER in kinds:
            left, right = number(self, left), number(self, right)
        return Piece(f"({left.sql} {operator} {right.sql})", Kind.BOOLEAN, 5)

    def _membership(self, left: Piece, operand: nodes.Operand, depth: int) -> Piece:
        listed = operand.expr
        if not isinstance(listed, nodes.List | nodes.Tuple) or not listed.items:
            raise self._refuse(listed, "'in' needs a list", "for example Type in ['A', 'B']")
        items = [self.value(item, depth) for item in listed.items]
        if Kind.NUMBER in {left.kind, *(item.kind for item in items)}:
            left, items = number(self, left), [number(self, item) for item in items]
        values = ", ".join(item.sql if item.kind is Kind.NUMBER else as_text(item) for item in items)
        first = left.sql if left.kind is Kind.NUMBER else as_text(left)
        word = "IN" if operand.op == "in" else "NOT IN"
        return Piece(f"({first} {word} ({values}))", Kind.BOOLEAN, 5)

    def _conditional(self, node: nodes.CondExpr, depth: int) -> Piece:
        condition = self._condition(node.test, depth)
        then = self._guarded(condition, node.expr1, depth)
        other = (
            self._guarded(f"NOT {condition}", node.expr2, depth)
            if node.expr2
            else Piece("NULL", then.kind, 0)
        )
        size = max(then.size, other.size)
        if then.kind is other.kind:
            return Piece(f"CASE WHEN {condition} THEN {then.sql} ELSE {other.sql} END", then.kind, size)
        return Piece(f"CASE WHEN {condition} THEN {as_text(then)} ELSE {as_text(other)} END", size=size)

    def _guarded(self, condition: str, node: nodes.Expr, depth: int) -> Piece:
        """What is faulty in a branch that is not taken is no fault."""
        self._guards.append(f"({condition})")
        piece = self.value(node, depth)
        self._guards.pop()
        return piece

    def _test(self, node: nodes.Test, depth: int) -> Piece:
        if node.name != "none" or node.args:
            raise self._refuse(
                node, f"the test 'is {node.name}' is not known", "there are 'is none' and 'is not none'"
            )
        return Piece(f"({self.value(node.node, depth).sql} IS NULL)", Kind.BOOLEAN, 5)

    def _call(self, node: nodes.Filter | nodes.Call, depth: int) -> Piece:
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise self._refuse(node, "arguments are given by position")
        args: list[nodes.Expr] = list(node.args)
        if isinstance(node, nodes.Filter):
            name, entry = node.name, FILTERS.get(node.name)
            args = [node.node or nodes.Const(None, lineno=node.lineno), *args]
        elif isinstance(node.node, nodes.Name):
            name, entry = node.node.name, FUNCTIONS.get(node.node.name)
        else:
            raise self._refuse(node, "only functions can be called")
        if entry is None:
            raise self._unknown(node, name)
        self._arity(node, entry, len(args))
        return entry.build(self, [self.value(each, depth) for each in args])

    def _unknown(self, node: nodes.Filter | nodes.Call, name: str) -> ExpressionError:
        what, known = ("filter", FILTERS) if isinstance(node, nodes.Filter) else ("function", FUNCTIONS)
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
        return self._refuse(node, f"there is no {what} '{name}'", hint)

    def _arity(self, node: nodes.Node, entry: Entry, given: int) -> None:
        if not entry.least <= given <= entry.most:
            raise self._refuse(node, f"the number of arguments does not fit {entry.usage}", entry.does)


def _concat(pieces: Sequence[Piece]) -> Piece:
    size = sum(piece.size for piece in pieces)
    return Piece("(" + " || ".join(as_text(piece) for piece in pieces) + ")", size=size)
