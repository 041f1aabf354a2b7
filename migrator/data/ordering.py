"""Ordering: the rows file of a round, sorted by slice within the memory that there is.

DuckDB sorts on disk what it cannot hold, but what it must hold for that grows with the rows: a few times its limit is the most that it can sort. So
many rows are divided by their slices first, and each part is sorted in memory. A file is divided into a few at a time, so that rows are read as often
as the logarithm of their number says.

**Invariant:** the file has the rows of the relation, each once, in one order, however they were divided.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.data.session import Session, read_parquet

#: what is sorted at once, as a share of the memory that rows have: a spill costs less than dividing, and parts are made not to spill
_WHOLE, _PART = 1.2, 0.5
#: a sort holds some of each of its spilled runs, so the share that it manages grows with the memory: once for so many bytes
_SPILLED = 150_000_000
#: bytes that a row takes besides its line
_ROW = 80
#: a file is divided into so many at the most
_FILES = 8


@dataclass(frozen=True, slots=True)
class Size:
    """A slice: its number, and the rows and bytes of its lines."""

    no: int
    rows: int
    bytes: int


def ordered(
    session: Session, relation: str, name: str, *, rows: int, size: int, metadata: Mapping[str, str]
) -> Path:
    """A parquet file of a relation (slice, place, source_key, bytes, …) without `place`, in the order of the first three; `place` may be NULL.

    It has about so many `rows`, whose lines are about `size` bytes long.
    """
    if _weight(rows, size) <= session.room * max(_WHOLE, session.room / _SPILLED):
        return session.write_parquet(_sorted(relation), name, metadata=metadata)
    divided = session.write_parquet(f"FROM {relation}", "unordered.parquet")
    parts = list(_parts_in_order(session, divided, sizes(session, divided)))
    width = size // max(rows, 1) + _ROW
    made = session.write_in_order(f"FROM {read_parquet(parts)}", name, width=width, metadata=metadata)
    for part in parts:
        part.unlink()
    return made


def sizes(session: Session, made: Path) -> list[Size]:
    """The slices of a file, by number."""
    counted = f"SELECT slice, count(*), sum(bytes)::BIGINT FROM {read_parquet([made])} GROUP BY slice ORDER BY slice"
    return [Size(*one) for one in session.rows(counted)]


def _sorted(relation: str) -> str:
    return f"SELECT * EXCLUDE (place) FROM {relation} ORDER BY slice, place NULLS FIRST, source_key"


def _parts_in_order(session: Session, source: Path, slices: Sequence[Size]) -> Iterator[Path]:
    """Sorted files of the rows of these slices, which are all that the source has; it is gone afterwards."""
    parts = list(_parts(slices, session.room * _PART))
    several = -(-len(parts) // _FILES)
    for first in range(0, len(parts), several):
        part = [one for each in parts[first : first + several] for one in each]
        which = f"(FROM {read_parquet([source])} WHERE slice BETWEEN {part[0].no} AND {part[-1].no})"
        if several == 1:
            yield session.write_parquet(_sorted(which), f"ordered-{part[0].no}.parquet")
        else:
            smaller = session.write_parquet(which, f"unordered-{part[0].no}-{part[-1].no}.parquet")
            yield from _parts_in_order(session, smaller, part)
    source.unlink()


def _parts(slices: Sequence[Size], most: float) -> Iterator[list[Size]]:
    """Neighbours that can be sorted together."""
    part: list[Size] = []
    held = 0
    for one in slices:
        weight = _weight(one.rows, one.bytes)
        if part and held + weight > most:
            yield part
            part, held = [], 0
        part.append(one)
        held += weight
    if part:
        yield part


def _weight(rows: int, size: int) -> int:
    return size + rows * _ROW
