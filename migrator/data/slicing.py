"""The slice files of a round, from its rows file.

The rows file is in the order of its slices and of the rows in them. So the lines of neighbouring slices are written to one file, in that
order, and that file is cut by what each slice is long: a statement for each slice would read what lies around it again and again.

**Invariant:** a slice file is a header and exactly the lines of its slice, in the order of the rows file.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from migrator.data.ordering import Size
from migrator.data.rows import header, write_lines
from migrator.data.session import Session, read_parquet
from migrator.data.workspace import Workspace
from migrator.errors import MigratorError
from migrator.model.run import FileRef

#: rows that DuckDB gathers before it writes them in their order (DuckDB 2.0: its default row group)
_COPIED = 122_880
#: as many at once for each thread, since each waits for the disk now and then
_WAITING = 3
#: about how long a file of the lines of several slices is
_TOGETHER = 16 << 20
_CHUNK = 1 << 20


def slice_files(
    session: Session,
    workspace: Workspace,
    made: Path,
    names: Sequence[str],
    folder: str,
    sizes: Sequence[Size],
) -> list[tuple[int, FileRef]]:
    """The files, by number, of the slices of a rows file that is in order. `sizes` are by number, too."""
    runs = list(_runs(sizes))
    tasks = [partial(_cut, session, workspace, made, names, folder, run) for run in runs]
    at_once = session.memory // max(map(_held, runs), default=1)
    return list(
        chain.from_iterable(session.do_all(tasks, at_once=max(1, min(at_once, session.threads * _WAITING))))
    )


def _held(run: Sequence[Size]) -> int:
    """How many bytes of its lines are in memory while they are written."""
    rows, size = sum(one.rows for one in run), sum(one.bytes for one in run)
    return max(1, size * min(rows, _COPIED) // max(rows, 1))


def _runs(sizes: Sequence[Size]) -> Iterator[list[Size]]:
    """Neighbouring slices, up to about `_TOGETHER` bytes."""
    run: list[Size] = []
    held = 0
    for one in sizes:
        if run and held + one.bytes > _TOGETHER:
            yield run
            run, held = [], 0
        run.append(one)
        held += one.bytes
    if run:
        yield run


def _cut(
    session: Session, workspace: Workspace, made: Path, names: Sequence[str], folder: str, run: Sequence[Size]
) -> list[tuple[int, FileRef]]:
    lines = session.folder / f"lines-{run[0].no}.csv"
    slices = f"slice BETWEEN {run[0].no} AND {run[-1].no}"
    session.run_in_order(write_lines(f"{read_parquet([made])} WHERE {slices}", names, lines))
    if lines.stat().st_size != sum(one.bytes for one in run):
        raise MigratorError(
            "state-corrupt",
            f"the lines of slices {run[0].no} to {run[-1].no} have another length than was counted",
            hint="the run folder or this version of the data plane cannot be trusted; start a new run",
        )
    top = [f"{header(names)}\n".encode()]
    with lines.open("rb", buffering=0) as file:
        refs = workspace.publish_all(
            folder, ((f"{one.no}.csv", chain(top, _take(file, one.bytes)), one.rows) for one in run)
        )
    lines.unlink()
    return [(one.no, ref) for one, ref in zip(run, refs, strict=True)]


def _take(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The next bytes of a file."""
    while size:
        chunk = file.read(min(size, _CHUNK))
        size -= len(chunk)
        yield chunk
