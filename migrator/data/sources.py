"""Source files: everything that is wrong with a CSV file before a run trusts it, and its copy in the run folder.

Two passes: one over bytes (encoding, NUL, line ends) and one over records (header, quotes, raggedness). Memory is flat.

**Invariant:** a diagnostic names file and line, and never shows a value.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.data.jobs import SourceFile
from migrator.errors import Diagnostic, Where, error

#: more problems than this in one file are one problem
MAX_DIAGNOSTICS = 20
_CHUNK = 1 << 20
#: the longest cell that is read; Salesforce takes 131,072 characters, and a quote that is never closed must not eat the memory
_MAX_CELL = 1 << 24
_OTHER_DELIMITERS = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma"}


@dataclass(frozen=True, slots=True)
class _Bytes:
    """What the pass over bytes found."""

    diagnostics: tuple[Diagnostic, ...]
    #: whether there is a carriage return anywhere
    returns: bool


def check(path: Path, *, delimiter: str, encoding: str) -> SourceFile:
    """Everything that is wrong with the file."""
    try:
        found = _check_bytes(path, encoding)
        return _check_records(path, found.diagnostics, delimiter=delimiter, encoding=encoding)
    except LookupError:
        return SourceFile(
            (), 0, (_problem("csv-encoding", path, 0, f"no encoding is called {encoding!r}", "use utf-8"),)
        )
    except OSError as fault:
        what = f"the file cannot be read: {fault.strerror}"
        return SourceFile(
            (), 0, (_problem("csv-unreadable", path, 0, what, "check the path and its permissions"),)
        )


def _problem(code: str, path: Path, line: int, what: str, hint: str) -> Diagnostic:
    return error(code, what, hint=hint, where=Where(str(path), line))


def _check_bytes(path: Path, encoding: str) -> _Bytes:
    decoder = codecs.getincrementaldecoder(encoding)()
    found: list[Diagnostic] = []
    line, offset, returns = 1, 0, False
    with path.open("rb", buffering=0) as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                decoded = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as fault:
                # `fault.object` begins with what the decoder kept of the chunk before
                at = offset + len(chunk) - len(fault.object) + fault.start
                place = line + fault.object[: fault.start].count(b"\n")
                what = f"byte {at} is not {encoding}"
                found.append(
                    _problem(
                        "csv-encoding", path, place, what, "save the file as UTF-8, or state its encoding"
                    )
                )
                break
            if "\0" in decoded:
                place = line + decoded[: decoded.index("\0")].count("\n")
                found.append(
                    _problem(
                        "csv-nul", path, place, "a NUL character", "remove it: Salesforce cannot store it"
                    )
                )
                break
            returns = returns or "\r" in decoded
            line += decoded.count("\n")
            offset += len(chunk)
            if not chunk:
                break
    return _Bytes(tuple(found), returns)


def _check_records(path: Path, before: Sequence[Diagnostic], *, delimiter: str, encoding: str) -> SourceFile:
    found = list(before)
    with _text(path, encoding) as file:
        reader = _reader(file, delimiter)
        try:
            header = next(reader, [])
        except csv.Error:
            header = []
        found += _check_header(path, header, delimiter)
        rows = 0
        for record in _records(path, reader, delimiter, encoding, found):
            rows += 1
            if len(record) != len(header) and header and len(found) < MAX_DIAGNOSTICS:
                what = f"{len(record)} cells, and the header has {len(header)}"
                hint = "quote values that hold the delimiter or a line end"
                found.append(_problem("csv-ragged", path, reader.line_num, what, hint))
    return SourceFile(tuple(header), rows, tuple(found[:MAX_DIAGNOSTICS]))


def _records(
    path: Path, reader: "_Reader", delimiter: str, encoding: str, found: list[Diagnostic]
) -> Iterator[list[str]]:
    """The records that are not blank. What is wrong with quotes goes to `found`, and ends the reading."""
    start = reader.line_num + 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error:
            found.append(_quote_problem(path, start, reader.line_num, delimiter, encoding))
            return
        if record is None:
            return
        if record:
            yield record
        start = reader.line_num + 1


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> list[Diagnostic]:
    if not header:
        return [_problem("csv-header", path, 1, "no header", "the first record names the columns")]
    if len(header) == 1:
        other = next(
            (name for char, name in _OTHER_DELIMITERS.items() if char != delimiter and char in header[0]),
            None,
        )
        if other:
            what = f"one column only, with a {other} in its name"
            return [_problem("csv-delimiter", path, 1, what, "state the delimiter of the file")]
    found = [
        _problem("csv-header", path, 1, f"column {number} has no name", "name every column")
        for number, name in enumerate(header, start=1)
        if not name.strip()
    ]
    seen: dict[str, str] = {}
    for name in header:
        if name.strip() and name.casefold() in seen:
            what = f"column {name!r} comes twice"
            found.append(
                _problem("csv-header", path, 1, what, "give every column its own name, apart from case too")
            )
        seen[name.casefold()] = name
    return found


def _quote_problem(path: Path, start: int, end: int, delimiter: str, encoding: str) -> Diagnostic:
    """Where the quote was opened that spoils the record which begins at line `start`."""
    opened, closed = _opening_line(path, start, end, delimiter, encoding)
    if closed:
        what = f"text after the closing quote on line {closed}"
        return _problem("csv-quote", path, opened, what, "double the quotes inside a quoted value")
    what = "a quote is opened here and never closed"
    return _problem("csv-quote", path, opened, what, "close it, and double the quotes inside a quoted value")


def _opening_line(path: Path, start: int, end: int, delimiter: str, encoding: str) -> tuple[int, int]:
    """The line of the last opening quote from line `start` on, and that of its closing quote when text follows it (else 0)."""
    opened, inside, line, at_start = start, False, 0, True
    with _text(path, encoding) as file:
        for line, content in enumerate(file, start=1):
            if line < start:
                continue
            position = 0
            while position < len(content):
                char = content[position]
                if inside:
                    position = content.find('"', position)
                    if position < 0:
                        break
                    after = content[position + 1 : position + 2]
                    if after == '"':
                        position += 1
                    else:
                        inside = False
                        if after not in {delimiter, "\n", "\r", ""}:
                            return opened, line
                elif char == '"' and at_start:
                    inside, opened = True, line
                at_start = not inside and char in {delimiter, "\n", "\r"}
                position += 1
            if line >= end and not inside:
                break
    return opened, 0


class _Reader(Iterator[list[str]]):
    """`csv.reader`, named for the type checker."""

    line_num: int


def _reader(file: io.TextIOBase, delimiter: str) -> "_Reader":
    csv.field_size_limit(_MAX_CELL)
    return csv.reader(file, delimiter=delimiter, strict=True)  # type: ignore[return-value]


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    """The file as text with its line ends as they are, without a byte order mark."""
    name = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return path.open("r", encoding=name, errors="replace", newline="")


def frozen(path: Path, *, delimiter: str, encoding: str, columns: int) -> Iterator[bytes]:
    """The file as a page: UTF-8, no byte order mark, LF between records, no blank ones.

    Only files with carriage returns (or a single column, where a blank line would be a record) are rewritten record by record.
    """
    if columns == 1 or _check_bytes(path, encoding).returns:
        yield from _rewritten(path, delimiter, encoding)
        return
    with _text(path, encoding) as file:
        while chunk := file.read(_CHUNK):
            yield chunk.encode()


def _rewritten(path: Path, delimiter: str, encoding: str) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    # everything is quoted: some versions of the writer leave a bare carriage return unquoted
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    with _text(path, encoding) as file:
        for record in _reader(file, delimiter):
            if record:
                writer.writerow(record)
            if buffer.tell() > _CHUNK:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
    yield buffer.getvalue().encode()
