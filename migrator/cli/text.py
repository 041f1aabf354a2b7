"""Text from outside on a terminal: control characters and escape sequences do not pass."""

import re

_ESCAPES = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\[][0-9;?]*[ -/]*[@-~]|[PX^_][^\x1b]*(?:\x1b\\)?|.)?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """The text without escape sequences and control characters, except newline and tab."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))
