"""The bytes of a file as text: size, encoding, and characters that YAML does not allow.

**Invariant:** a file that cannot be read is a diagnostic.
"""

import re
from pathlib import Path

from migrator.errors import Diagnostic, Where, error
from migrator.planfile.document import MAX_BYTES

# YAML 1.2, production 1 (c-printable), inverted
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(path: str, text: str | None) -> tuple[str, list[Diagnostic]]:
    """The text of the file at `path` (or `text` itself), and what is wrong with it; then it is empty."""
    try:
        data = Path(path).read_bytes() if text is None else text.encode("utf-8", "surrogatepass")
    except (OSError, ValueError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else "not a path"
        return "", [error("file-unreadable", f"cannot be read: {reason}", where=Where(path))]
    return decode(data, path)


def decode(data: bytes, path: str) -> tuple[str, list[Diagnostic]]:
    """The text in `data`, without a byte order mark; or why there is none."""
    if len(data) > MAX_BYTES:
        what = f"{len(data):,} bytes; at most {MAX_BYTES:,} are read"
        return "", [error("file-too-large", what, hint="split it into several plans", where=Where(path))]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        what = f"not UTF-8 at byte {_offset(data, failure)} (looks like {_guess(data)})"
        line = data[: failure.start].count(b"\n") + 1
        return "", [error("file-encoding", what, hint="save it as UTF-8", where=Where(path, line))]
    found = _UNPRINTABLE.search(text)
    if found:
        line, column = position(text, found.start())
        what = f"the character U+{ord(found[0]):04X} is not allowed in YAML"
        return "", [error("yaml-character", what, hint="remove it", where=Where(path, line, column))]
    return text, []


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset into the text, both from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _offset(data: bytes, failure: UnicodeDecodeError) -> int:
    """The offset in the file: the decoder counts behind the byte order mark."""
    return failure.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)


def _guess(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "binary data"
    return "cp1252"
