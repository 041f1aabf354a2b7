"""SOQL's string literals: how a value is written between quotes, and read back."""

import re

ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[\s\S])")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_PLAIN = "\"'\\_%"
_QUOTING = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)


def quote(text: str) -> str:
    """`text` as a SOQL string literal, quotes included."""
    return f"'{escape(text)}'"


def escape(text: str) -> str:
    """`text` as it stands between the quotes of a SOQL string literal."""
    return text.translate(_QUOTING)


def unescape(raw: str) -> str:
    """The value of a string literal whose inside is `raw`."""
    return ESCAPE.sub(lambda found: meaning(found[1]), raw) if "\\" in raw else raw


def meaning(code: str) -> str:
    """What an escape stands for, without its backslash."""
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _CONTROL.get(code.lower(), code)


def illegal_escape(raw: str) -> str | None:
    """The first escape in `raw` that SOQL does not know."""
    for found in ESCAPE.finditer(raw):
        code = found[1]
        if len(code) == 1 and code.lower() not in _CONTROL and code not in _PLAIN:
            return found[0]
    return None
