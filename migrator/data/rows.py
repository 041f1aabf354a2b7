"""The rows file of a round: what is sent, one row each, with its slice.

Its columns are `row`, `source_key`, `slice`, `bytes` (of its line, line end and all), `key` (by which its answer
is known, see `keys`) and its line of the slice file. A line is one column to DuckDB: it is sorted, stored and written as a whole, and
its cells are looked at again for the few rows where they matter. What is in no column is not sorted either: by which record a row is grouped
stands in its line.

**Invariant:** the line in the rows file is the line in the slice file, byte for byte, and stands at the same place.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from migrator.data.session import Session, read_csv, read_parquet
from migrator.data.sql import cell, ident, text
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef

#: the file's own note of which slices are of a group or a later wave (parquet key-value metadata)
PACKING = "packing"
#: the file's own note of the fields by which its rows are grouped: the lock keys, the first of them foremost
GROUPING = "grouping"
#: the line's column is called by this and the slice's header
_LINE = "csv:"


def line_column(names: Sequence[str]) -> str:
    """The column that holds the lines of these fields."""
    return ident(_LINE + header(names))


def header(names: Sequence[str]) -> str:
    """The first line of a slice file: API names need no quotes."""
    return ",".join(names)


def sent_names(session: Session, source: str) -> list[str]:
    """The fields that the rows of a rows file send."""
    columns = [name for (name,) in session.rows(f"SELECT column_name FROM (DESCRIBE FROM {source})")]
    (line,) = [name for name in columns if name.startswith(_LINE)]
    return next(csv.reader([line.removeprefix(_LINE)]))


def latest(workspace: Workspace, refs: Sequence[FileRef]) -> str:
    """SQL of rows files of one step, the oldest first: of a row that is in several, what the newest says."""
    if len(refs) == 1:
        return read_parquet([workspace.path(refs[0])])
    parts = " UNION ALL BY NAME ".join(
        f'SELECT *, {number} AS "#gen" FROM {read_parquet([workspace.path(ref)])}'
        for number, ref in enumerate(refs)
    )
    newest = 'row_number() OVER (PARTITION BY "row" ORDER BY "#gen" DESC) = 1'
    return f'(SELECT * EXCLUDE ("#gen") FROM ({parts}) QUALIFY {newest})'


def write_lines(relation: str, names: Sequence[str], path: Path) -> str:
    """SQL that writes lines to a file, without a header; they are quoted by our own rules already."""
    return f"COPY (SELECT {line_column(names)} FROM {relation}) TO {text(str(path))} ({_AS_THEY_ARE}, HEADER false)"


#: no quoting, and no line is NULL
_AS_THEY_ARE = "FORMAT csv, QUOTE '', ESCAPE '', NULLSTR ''"


def cells(session: Session, relation: str, names: Sequence[str]) -> str:
    """SQL of the rows (`row`) of a relation with their cells, named by `cell`, in place of their lines."""
    path = session.folder / f"cells-{len(list(session.folder.glob('cells-*')))}.csv"
    columns = ["#row", *names]
    session.run(
        f"COPY (SELECT concat_ws(',', \"row\", {line_column(names)}) AS {ident(header(columns))} FROM {relation}) "
        f"TO {text(str(path))} ({_AS_THEY_ARE}, HEADER true)"
    )
    sent = "".join(f", {ident(name)} AS {cell(name)}" for name in names)
    return f'(SELECT "#row"::BIGINT AS "row"{sent} FROM {read_csv([path], columns)})'


def packing_text(packing: Mapping[int, tuple[str, int]]) -> str:
    """Group and wave of slices, as the file keeps them."""
    return json.dumps([[no, group, wave] for no, (group, wave) in sorted(packing.items())])


def packing_of(session: Session, path: Path) -> dict[int, tuple[str, int]]:
    """Group and wave of the slices that have one, by number, as they were decided when the rows were cut."""
    return {no: (group, wave) for no, group, wave in _noted(session, path, PACKING)}


def grouping_of(session: Session, path: Path) -> tuple[str, ...]:
    """The fields by which the rows are grouped."""
    return tuple(str(name) for name in _noted(session, path, GROUPING))


def _noted(session: Session, path: Path, what: str) -> list[Any]:
    noted = (
        f"SELECT decode(value) FROM parquet_kv_metadata({text(str(path))}) WHERE decode(key) = {text(what)}"
    )
    return [one for (note,) in session.rows(noted) for one in json.loads(note)]
