"""Text to tree: the grammar of formulas for lark's LALR parser."""

from decimal import Decimal
from functools import cache
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedInput

from migrator.simulator.formula.faults import FormulaFault
from migrator.simulator.formula.tree import Call, Literal, Name, Node, depth

MAX_LENGTH = 3_900  # characters; "Tips for Building Formulas"
MAX_DEPTH = 100  # ours: deeper than anybody writes, shallower than Python's stack

_GRAMMAR = r"""
start: expression

?expression: conjunction | expression "||" conjunction -> or_
?conjunction: comparison | conjunction "&&" comparison -> and_
?comparison: joined | comparison COMPARATOR joined -> operation
?joined: sum | joined JOIN sum -> operation
?sum: product | sum SIGN product -> operation
?product: unary | product FACTOR unary -> operation
?unary: power | SIGN unary -> signed | "!" unary -> not_
?power: atom | atom POWER unary -> operation

?atom: NUMBER -> number
     | STRING -> text
     | NAME -> name
     | NAME "(" [expression ("," expression)*] ")" -> call
     | "(" expression ")"

COMPARATOR: "<=" | ">=" | "<>" | "!=" | "==" | "=" | "<" | ">"
JOIN: "&"
SIGN: "+" | "-"
FACTOR: "*" | "/"
POWER: "^"
NUMBER: /\d+(\.\d+)?|\.\d+/
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/s
NAME: /\$?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/
COMMENT: /\/\*.*?\*\//s
%ignore /\s+/
%ignore COMMENT
"""
_WORDS: dict[str, bool | None] = {"TRUE": True, "FALSE": False, "NULL": None}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_SAME = {"==": "=", "!=": "<>"}


class _Builder(Transformer[Token, Node]):
    """Builds the tree while the parser reduces."""

    def start(self, items: list[Node]) -> Node:
        return items[0]

    def number(self, items: list[Token]) -> Node:
        return Literal(Decimal(items[0]))

    def text(self, items: list[Token]) -> Node:
        return Literal(_unescaped(items[0][1:-1]))

    def name(self, items: list[Token]) -> Node:
        word = items[0].upper()
        return Literal(_WORDS[word]) if word in _WORDS else Name(tuple(items[0].split(".")))

    def call(self, items: list[Any]) -> Node:
        return Call(items[0].upper(), tuple(each for each in items[1:] if each is not None))

    def operation(self, items: list[Any]) -> Node:
        left, operator, right = items
        return Call(_SAME.get(str(operator), str(operator)), (left, right))

    def signed(self, items: list[Any]) -> Node:
        sign, operand = items
        return Call("NEGATIVE" if sign == "-" else "POSITIVE", (operand,))

    def or_(self, items: list[Node]) -> Node:
        return _chained("OR", items)

    def and_(self, items: list[Node]) -> Node:
        return _chained("AND", items)

    def not_(self, items: list[Node]) -> Node:
        return Call("NOT", tuple(items))


def _chained(function: str, items: list[Node]) -> Node:
    """`a || b || c` as one call; a chain is no nesting."""
    first, last = items
    if isinstance(first, Call) and first.function == function:
        return Call(function, (*first.arguments, last))
    return Call(function, (first, last))


def _unescaped(text: str) -> str:
    made: list[str] = []
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            made.append(_ESCAPES.get(following, following))
        else:
            made.append(letter)
    return "".join(made)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Builder(), maybe_placeholders=True)


def parse(text: str) -> Node:
    """The tree of a formula, or a `FormulaFault`."""
    if len(text) > MAX_LENGTH:
        raise FormulaFault(
            f"Formula is too long ({len(text):,} characters). Maximum length is {MAX_LENGTH:,} characters."
        )
    try:
        found = cast("Node", _parser().parse(text))
    except UnexpectedInput as fault:
        token = getattr(fault, "token", None)
        shown = text[fault.pos_in_stream :][:1] if token is None else str(token)
        raise FormulaFault(
            f"Syntax error. Found '{shown or '<EOF>'}' at line {fault.line}, column {fault.column}"
        ) from None
    if depth(found) > MAX_DEPTH:
        raise FormulaFault(f"Formula is nested more than {MAX_DEPTH} levels deep")
    return found
