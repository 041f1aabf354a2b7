"""Text to tree: the parser, and its errors with their place.

**Invariant:** every failure is a `SoqlError` that names a line and a column of the text.
"""

import re
from functools import cache
from typing import cast

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from migrator.soql import tree
from migrator.soql.builder import Builder
from migrator.soql.errors import SoqlError
from migrator.soql.grammar import GRAMMAR

MAX_LENGTH = 100_000  # characters of one SOQL statement; SOQL and SOSL reference, "SOQL limits"


def parse(text: str) -> tree.Query:
    """The tree of a whole query, or a `SoqlError`."""
    return cast("tree.Query", _run(text, "query"))


def conditions(text: str) -> tree.Condition:
    """The tree of a bare WHERE expression (without the word WHERE), or a `SoqlError`."""
    return cast("tree.Condition", _run(text, "bare_condition"))


def _run(text: str, start: str) -> object:
    if len(text) > MAX_LENGTH:
        raise SoqlError("SOQL statements cannot be longer than 100000 characters", 1, 1)
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as found:
        raise _located(found, text) from None


def _located(found: UnexpectedInput, text: str) -> SoqlError:
    if isinstance(found, UnexpectedToken) and found.token.type != "$END":
        return SoqlError(f"unexpected token: '{found.token}'", found.line, found.column)
    if isinstance(found, UnexpectedCharacters):
        rest = text[found.pos_in_stream :]
        if rest.startswith("'"):
            return SoqlError("line breaks or end of query before the closing quote", found.line, found.column)
        word = re.match(r"\w+", rest)
        return SoqlError(f"unexpected token: '{word[0] if word else rest[:1]}'", found.line, found.column)
    return SoqlError("unexpected token: '<EOF>'", *_end(text))


def _end(text: str) -> tuple[int, int]:
    last = text.rfind("\n")
    return text.count("\n") + 1, len(text) - last


@cache
def _parser() -> Lark:
    return Lark(
        GRAMMAR,
        parser="lalr",
        start=["query", "bare_condition"],
        transformer=Builder(),
        maybe_placeholders=False,
    )
