"""Salesforce's CSV: where rows begin and end in an upload, their cells, and the results that go back.

An upload is read twice: `lay_out` finds the header and the internal batches without decoding anything and refuses what no
batch could be cut from; `read_rows` parses one batch. Nothing ever splits at other line ends than the job's own.

**Invariant:** what cannot be read is a `CsvFault` with the text that the job shows as its `errorMessage`, never a guess.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
MAX_HEADER = 32_000  # characters; Bulk API 2.0 guide, "Prepare CSV files"
MAX_COLUMNS = 5_000  # fields of a record; "Limits"
MAX_RECORD = 400_000  # characters of a record; "Limits"
_BLOCK = 1 << 20

#: stands for blanks beside a quote while a batch is parsed; no file has it, as it is no character
_MARK = "\ufdd0"

UNESCAPED_QUOTE = "Found unescaped quote. A value with quote should be within a quote"
TEXT_AFTER_QUOTE = "Not expecting more text after end quote"
OPEN_QUOTE = "EOF reached before closing an opened quote"


class CsvFault(Exception):  # noqa: N818 - the platform's word for what it found
    """The upload is not CSV as the job describes it; `text` is the job's `errorMessage`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Blanked(list[str]):
    """A row with a blank between a quote and the end of its cell: the row's own error, not the file's (Bulk API 2.0 guide, "Prepare CSV files")."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The delimiter and line end of a job."""

    delimiter: str = ","
    newline: str = "\n"


def dialect(column_delimiter: str, line_ending: str) -> Dialect:
    """The dialect by the names a job uses."""
    return Dialect(DELIMITERS[column_delimiter], LINE_ENDINGS[line_ending])


@dataclass(frozen=True, slots=True)
class Span:
    """One internal batch: the bytes from `start` to `end` hold `rows` rows."""

    start: int
    end: int
    rows: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What is in an upload."""

    header: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def rows(self) -> int:
        return sum(span.rows for span in self.spans)


def unparsable(why: str) -> CsvFault:
    """A fault of quoting or size, in the words of the platform's reader."""
    return CsvFault(f"InvalidBatch : Failed to parse CSV. {why}")


def wrong_line_ending(form: Dialect) -> CsvFault:
    """The fault of a file whose lines end otherwise than the job says."""
    setting = "CRLF" if form.newline == "\r\n" else "LF"
    return CsvFault(
        f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {setting}"
    )


# --- where rows are ----------------------------------------------------------------------------------------------


def lay_out(upload: BinaryIO, form: Dialect, batch_rows: int) -> Layout:
    """The header and the internal batches of an upload, or a `CsvFault`."""
    _check_line_ends(upload, form)
    upload.seek(0)
    header: tuple[str, ...] = ()
    spans: list[Span] = []
    start = offset = rows = 0
    for end in _row_ends(upload, form):
        if not header:
            header = _header(upload, offset, end, form)
            start = offset = end
            continue
        offset = end
        rows += 1
        if rows == batch_rows:
            spans.append(Span(start, end, rows))
            start, rows = end, 0
    if rows:
        spans.append(Span(start, offset, rows))
    return Layout(header, tuple(spans))


def _check_line_ends(upload: BinaryIO, form: Dialect) -> None:
    upload.seek(0)
    held = b""
    crlf = form.newline == "\r\n"
    while block := upload.read(_BLOCK):
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""
        block = block.removesuffix(b"\r")
        if crlf and block.count(b"\n") != block.count(b"\r\n"):
            raise wrong_line_ending(form)
        if not crlf and b"\r\n" in block:
            raise wrong_line_ending(form)


@lru_cache(maxsize=16)
def _blanked(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What may have blanks beside its quotes, seen quickly; and a quoted cell with the blanks around it."""
    mark = re.escape(delimiter)
    blank = "[ ]" if delimiter == "\t" else r"[ \t]"
    maybe = rf'(?:^|{mark}){blank}+"|"{blank}+(?:{mark}|\r|\n|\Z)'
    cell = rf'(?:^|(?<={mark}))({blank}*)("(?:[^"]|"")*+")({blank}*)(?={mark}|\r|\n|\Z)'
    return re.compile(maybe, re.MULTILINE), re.compile(cell, re.MULTILINE)


@lru_cache(maxsize=16)
def _stray_quote(delimiter: str) -> re.Pattern[bytes]:
    """A quote that neither opens nor closes a cell and is not doubled."""
    mark = re.escape(delimiter.encode())
    return re.compile(rb'"(?<!^")(?<![' + mark + rb'"]")(?![' + mark + rb'\r\n"]|\Z)')


def _row_ends(upload: BinaryIO, form: Dialect) -> Iterator[int]:
    """The offset behind each row that is not blank; the header is the first."""
    stray = _stray_quote(form.delimiter)
    blank = len(form.newline)
    offset = begin = 0
    inside = False
    for line in upload:
        offset += len(line)
        quotes = line.count(b'"')
        if quotes:
            for found in stray.finditer(line):
                opened = bool(line[: found.start()].count(b'"') & 1) ^ inside
                if not _only_blanks(line, found.start(), form.delimiter, behind=opened):
                    raise unparsable(TEXT_AFTER_QUOTE if opened else UNESCAPED_QUOTE)
            if quotes & 1:
                inside = not inside
        if inside:
            continue
        size = offset - begin
        if size > MAX_RECORD:
            limit = f"Max length for one record should be less than or equal to {MAX_RECORD}"
            raise unparsable(f"Exceeded max length for one record: {size}. {limit}")
        begin = offset
        if size > blank or line.strip(b"\r\n"):
            yield offset
    if inside:
        raise unparsable(OPEN_QUOTE)


def _only_blanks(line: bytes, place: int, delimiter: str, *, behind: bool) -> bool:
    """Whether nothing but blanks is between the quote at `place` and the end of its cell, on that side."""
    mark = delimiter.encode()
    cell = line[place + 1 :].partition(mark)[0] if behind else line[:place].rpartition(mark)[2]
    return not cell.strip(b" \t\r\n")


def _header(upload: BinaryIO, start: int, end: int, form: Dialect) -> tuple[str, ...]:
    place = upload.tell()
    upload.seek(start)
    text = upload.read(end - start).decode("utf-8", "replace")
    upload.seek(place)
    if len(text) > MAX_HEADER:
        raise unparsable(f"Exceeded max length for the header: {len(text)}")
    (cells,) = list(read_rows(text, form))
    if isinstance(cells, Blanked):
        raise unparsable(UNESCAPED_QUOTE)
    if len(cells) > MAX_COLUMNS:
        raise unparsable(f"Exceeded max number of columns: {len(cells)}")
    return tuple(cells)


# --- what is in rows ---------------------------------------------------------------------------------------------


def read_rows(text: str, form: Dialect) -> Iterator[list[str]]:
    """The rows of one batch that are not blank, cells untrimmed (those with blanks beside a quote are `Blanked`), or a `CsvFault`."""
    if '"' not in text:
        delimiter = form.delimiter
        return (line.split(delimiter) for line in text.split(form.newline) if line)
    return _parsed(text, form)


def _parsed(text: str, form: Dialect) -> Iterator[list[str]]:
    maybe, cell = _blanked(form.delimiter)
    marked = maybe.search(text) is not None
    if marked:
        text = cell.sub(_marked, text)
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=form.delimiter, strict=True)
    try:
        for row in reader:
            if row:
                yield Blanked(map(_as_sent, row)) if marked and _MARK in "".join(row) else row
    except csv.Error as fault:
        raise _translated(str(fault), form) from None


def _marked(cell: re.Match[str]) -> str:
    """A quoted cell without the blanks around it, which stand marked inside."""
    before, quoted, after = cell.groups()
    return f'"{before}{_MARK}{quoted[1:-1]}{_MARK}{after}"' if before or after else quoted


def _as_sent(cell: str) -> str:
    """A cell as it was sent: quoted, with the blanks around it."""
    before, mark, rest = cell.partition(_MARK)
    if not mark:
        return cell
    content, _, after = rest.rpartition(_MARK)
    doubled = content.replace('"', '""')
    return f'{before}"{doubled}"{after}'


def _translated(fault: str, form: Dialect) -> CsvFault:
    if "expected after" in fault:
        return unparsable(TEXT_AFTER_QUOTE)
    if "field larger" in fault:
        return unparsable(f"Exceeded max field size: {csv.field_size_limit()}")
    if "new-line character" in fault:
        return wrong_line_ending(form)
    return unparsable(OPEN_QUOTE)


def read_batch(data: bytes, form: Dialect) -> Iterator[list[str]]:
    """The rows of one internal batch. Bytes that are not UTF-8 become U+FFFD, as the platform reads them."""
    return read_rows(data.decode("utf-8", "replace"), form)


# --- what goes back ----------------------------------------------------------------------------------------------


def write_rows(rows: Iterable[Sequence[str]], form: Dialect) -> str:
    """Rows with every cell quoted, a line end behind each."""
    listed = list(rows)
    if not listed:
        return ""
    between = f'"{form.delimiter}"'
    text = f'"{form.newline}"'.join(map(between.join, listed))
    if text.count('"') != 2 * sum(map(len, listed)) - 2:  # some cell has quotes of its own
        text = f'"{form.newline}"'.join(
            between.join(cell.replace('"', '""') if '"' in cell else cell for cell in row) for row in listed
        )
    return f'"{text}"{form.newline}'


def write_header(added: Sequence[str], original: Sequence[str], form: Dialect) -> str:
    """The first line of a result: our columns quoted, the client's as it sent them."""
    cells = [f'"{name}"' for name in added]
    cells += [_plain(name, form) for name in original]
    return form.delimiter.join(cells) + form.newline


def _plain(name: str, form: Dialect) -> str:
    if any(mark in name for mark in ('"', form.delimiter, "\n", "\r")):
        return '"' + name.replace('"', '""') + '"'
    return name
