"""Words on a terminal: text from outside without control characters and escape sequences, and times for people."""

import re

_ESCAPES = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\[][0-9;?]*[ -/]*[@-~]|[PX^_][^\x1b]*(?:\x1b\\)?|.)?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """The text without escape sequences and control characters, except newline and tab."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def span(seconds: float) -> str:
    """A stretch of time in its two largest units: `7 s`, `3 min 5 s`, `2 h 40 min`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
