"""Text from outside made safe to show: an org's words, names and messages may hold anything.

**Invariant:** what comes out has no control characters, no characters that change the direction of text, and one line.
"""

import re
from datetime import UTC, datetime

#: C0 and C1 controls, line and paragraph separators, and the marks and overrides of text direction (Unicode, UAX #9),
#: and lone surrogates, which no UTF-8 file can hold
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]+")  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#|~!])")


def visible(text: str) -> str:
    """The text with a blank for what is not seen; blanks at its ends stay."""
    return _UNSAFE.sub(" ", text)


def clean(text: str) -> str:
    """The text in one line without characters that are not seen."""
    return visible(text).strip()


def markdown(text: str) -> str:
    """The text as Markdown shows it literally, also in a cell of a table."""
    escaped = _MARKDOWN.sub(r"\\\1", clean(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def moment(seconds: float | None) -> str:
    """A time as ISO 8601 in UTC; empty when there is none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: float | None) -> str:
    """A duration for people: `0.4 s`, `3 min 07 s`, `2 h 05 min`; empty when there is none."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
