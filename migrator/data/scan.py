"""Reading an extract: its pages as one relation of text columns with the number of each row.

**Invariant:** columns are bound by each page's own header, and a row's number is its place in the extract, whatever the threads do.
"""

import codecs
from collections.abc import Mapping, Sequence
from pathlib import Path

from migrator.data.faults import PageBroken
from migrator.data.jobs import KEY_SEPARATOR, Pages
from migrator.data.session import Session, csv_header, quoted, read_csv
from migrator.data.sql import ident, text
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef

#: the row's number; no API name and hardly any CSV column is called that
ROW = '"#row"'
_CHUNK = 1 << 20


def scan(workspace: Workspace, pages: Pages, *, parts: int = 1) -> str:
    """SQL of the relation: `#row` from 1, then the source columns.

    The rows of one scan are numbered one after the other; a relation of several `parts`, of about the same size, is read by as many threads.
    """
    files = [ref for ref in pages.files if ref.rows]
    if not files:
        return _nothing(workspace, pages)
    headers = {ref: csv_header(workspace.path(ref), delimiter=pages.delimiter) for ref in files}
    names = quoted(headers[files[0]])
    offset, scans = 0, []
    for run in _runs(files, headers, -(-sum(ref.rows for ref in files) // parts)):
        source = read_csv([workspace.path(ref) for ref in run], headers[run[0]], delimiter=pages.delimiter)
        # the rows of one scan come in the order of its files
        scans.append(f"SELECT {offset} + row_number() OVER () AS {ROW}, {names} FROM {source}")
        offset += sum(ref.rows for ref in run)
    return " UNION ALL ".join(scans)


def _nothing(workspace: Workspace, pages: Pages) -> str:
    names = csv_header(workspace.path(pages.files[0]), delimiter=pages.delimiter) if pages.files else ()
    columns = "".join(f", NULL::VARCHAR AS {ident(name)}" for name in names)
    return f"SELECT NULL::BIGINT AS {ROW}{columns} WHERE false"


def _runs(
    files: Sequence[FileRef], headers: Mapping[FileRef, tuple[str, ...]], share: int
) -> list[list[FileRef]]:
    """Neighbouring pages of the same header, up to about `share` rows."""
    runs: list[list[FileRef]] = []
    held = 0
    for ref in files:
        if not runs or headers[runs[-1][0]] != headers[ref] or held >= share:
            runs.append([])
            held = 0
        runs[-1].append(ref)
        held += ref.rows
    return runs


def source_key(columns: Sequence[str]) -> str:
    """SQL of the key that identifies a row: ids in their 18-character form, several columns joined, the row's number when none.

    NULL when any of the columns is empty.
    """
    if not columns:
        return f"{ROW}::VARCHAR"
    parts = [f"to18({ident(name)})" for name in columns]
    return parts[0] if len(parts) == 1 else f" || {text(KEY_SEPARATOR)} || ".join(parts)


def check_page(
    session: Session, path: Path, columns: Sequence[str], rows: int, *, delimiter: str = ","
) -> None:
    """Raise PageBroken unless the file has these columns and that many records, the last one whole."""
    header = csv_header(path, delimiter=delimiter)
    if not header and rows == 0:
        return
    if {name.casefold() for name in header} != {name.casefold() for name in columns} or len(header) != len(
        columns
    ):
        raise PageBroken("its columns are not the ones that were asked for")
    damaged = damage(path)
    if damaged:
        raise PageBroken(damaged)
    check_records(session, path, header, rows, delimiter=delimiter)


def check_records(
    session: Session, path: Path, header: Sequence[str], rows: int, *, delimiter: str = ","
) -> None:
    """Raise PageBroken unless the file has that many records."""
    found = count(session, path, header, delimiter=delimiter)
    if found != rows:
        raise PageBroken(f"it has {found} records, and {rows} are expected")


def count(session: Session, path: Path, header: Sequence[str], *, delimiter: str = ",") -> int:
    """How many records DuckDB finds. Raises PageBroken when it cannot read the file."""
    try:
        return int(session.one(f"SELECT count(*) FROM {read_csv([path], header, delimiter=delimiter)}")[0])
    except session.broken as fault:
        # the text of the fault quotes the record, which is a value and stays out of messages
        raise PageBroken("a record does not have the header's number of cells, or is not text") from fault


def damage(path: Path) -> str | None:
    """What shows in its bytes that a file is not whole, None when nothing does.

    DuckDB drops a last record that ends inside quotes without a word, takes one that ends at a delimiter for whole, and looks at the
    encoding of the columns it needs only. Salesforce quotes every cell, and ends every record with a line end.
    """
    quotes, last = 0, b"\n"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            quotes += chunk.count(b'"')
            last = chunk[-1:]
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return "it is not UTF-8"
    if quotes % 2:
        return "it ends inside a quoted value"
    return None if last in {b"\n", b"\r", b'"'} else "it ends inside a record"
