"""A template's text to Jinja2's syntax tree: read by its lexer and parser, never compiled or run by it.

Each token goes to the parser with its offset for a line number, so that every node and every error has a column.

**Invariant:** what comes out is bounded in length and depth, and holds expressions only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

MAX_LENGTH = 10_000
MAX_TOKENS = 300
MAX_NESTING = 20  # of brackets: the parser recurses some fifteen frames for each

_ENVIRONMENT = Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - nothing is ever rendered
_ESCAPES = re.compile(r"""(?:[^\\]|\\[\\'"nrtbf]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*\Z""", re.DOTALL)
_MAX_NUMBER = 30  # characters of a number
_ALLOWED = frozenset(
    "data variable_begin variable_end whitespace name operator string integer float".split()  # noqa: SIM905 - it reads better
)


class ExpressionError(Exception):
    """The template is not one of ours. `line` and `column` count from 1 within its text."""

    def __init__(self, code: str, what: str, text: str, offset: int, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint
        before = text[: max(0, offset)]
        self.line = before.count("\n") + 1
        self.column = len(before) - before.rfind("\n")


@dataclass(frozen=True, slots=True)
class Template:
    """The parts of a template in order: literal text and expressions. A node's `lineno` is its offset + 1."""

    text: str
    parts: tuple[nodes.Expr, ...]


def parse_template(text: str) -> Template:
    """The template in `text`. Raises ExpressionError."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_LENGTH:
        raise ExpressionError("expression-limit", f"longer than {MAX_LENGTH:,} characters", text, 0)
    tokens = list(_tokens(text))
    parser = Parser(_ENVIRONMENT, "")
    parser.stream = TokenStream(_ENVIRONMENT.lexer.wrap(iter(tokens), None, None), None, None)
    try:
        tree = parser.parse()
    except TemplateSyntaxError as found:
        raise _syntax_error(found, text) from None
    parts = [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]
    return Template(text, tuple(parts))


def _syntax_error(found: TemplateSyntaxError, text: str) -> ExpressionError:
    message = (found.message or "cannot be read").rstrip(".").replace("end of print statement", "}}")
    return ExpressionError("expression-syntax", f"not an expression: {message}", text, found.lineno - 1)


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """Jinja2's raw tokens, with offset + 1 in the place of the line number."""
    end = count = nesting = 0
    raw = _ENVIRONMENT.lexer.tokeniter(text, None)
    while True:
        try:
            token = next(raw, None)
        except TemplateSyntaxError as found:
            message = found.message or "cannot be read"
            raise ExpressionError("expression-syntax", f"not an expression: {message}", text, end) from None
        if token is None:
            return
        _, kind, value = token
        start = text.find(value, end)
        end = start + len(value)
        _allow(kind, value, text, start)
        count += kind != "whitespace"
        nesting += (value in {"(", "[", "{"}) - (value in {")", "]", "}"}) if kind == "operator" else 0
        if count > MAX_TOKENS or nesting > MAX_NESTING:
            raise ExpressionError(
                "expression-limit",
                "too long or too deeply nested",
                text,
                start,
                "use 'values', or prepare the data",
            )
        yield start + 1, kind, value


def _allow(kind: str, value: str, text: str, start: int) -> None:
    if kind not in _ALLOWED:
        raise ExpressionError(
            "expression-forbidden",
            "statements and comments are not part of expressions",
            text,
            start,
            "use {{ … }} with 'if … else' inside",
        )
    if kind in {"integer", "float"} and len(value) > _MAX_NUMBER:
        raise ExpressionError("expression-limit", "a number that long is no number", text, start)
    if kind == "string" and not _ESCAPES.match(value[1:-1]):
        hint = "a backslash is written twice"
        raise ExpressionError("expression-syntax", "an unknown escape in a text", text, start, hint)
