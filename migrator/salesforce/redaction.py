"""Takes credentials out of log records, whoever wrote them: our own lines, httpx's, tracebacks.

The first defence is never to log them (`Secret`, and requests logged without headers and bodies); this is the second.
"""

import logging
import re
import traceback
from typing import Final

HIDDEN: Final = "***"

_NAMES = (
    r"authorization|x-sfdc-session|cookie|access_?token|refresh_?token|client_?secret|(?:client_)?assertion"
    r"|pass(?:word|wd|phrase)?|pwd|secret|token|sid|private_?key|sfdx_?auth_?url"
)
_QUOTED = r"\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?"

#: what to hide and what stays before it
_PATTERNS: Final = (
    # PEM, also in a repr with its line ends escaped, also cut off
    (re.compile(r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|\Z)", re.DOTALL), HIDDEN),
    # "name": "value" of JSON and of Python reprs, (b'name', b'value') of HTTP libraries
    (re.compile(rf"((?:{_NAMES})[\"']?\s*(?:[:=,]|=>)\s*b?)(?:{_QUOTED})", re.IGNORECASE), rf"\1'{HIDDEN}'"),
    # name=value of forms and URLs, Name: value of headers
    (
        re.compile(rf"((?:{_NAMES})\s*[:=]\s*)(?:(?:bearer|oauth|basic)\s+)?[^\s&\"']+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b((?:bearer|oauth|basic)\s+)[^\s\"',]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    # session ids: the org's id, an exclamation mark, and noise
    (re.compile(r"\b00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?(?:!|%21)[^\s\"'&,;<>]+"), HIDDEN),
    # refresh tokens
    (re.compile(r"\b5Aep[^\s\"'&,;<>]{10,}"), HIDDEN),
    # JSON web tokens
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]*\.?[\w-]*"), HIDDEN),
    # user and password in a URL, SFDX auth URLs too
    (re.compile(r"(\w://)[^/\s\"']+@"), rf"\1{HIDDEN}@"),
)


def redact(text: str) -> str:
    """`text` without what looks like a credential."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


class RedactingFilter(logging.Filter):
    """Put it on every handler: filters of a logger do not see what its children log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact message, traceback and stack; the record always passes."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a log call with wrong arguments
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(message), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
