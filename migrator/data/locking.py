"""Lock units: what rows with several lock keys are grouped by, as a column beside them.

DuckDB counts which records are locked together and puts rows into units; only numbers of combinations come to Python.

**Invariant:** units of one wave lock no record in common.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migrator.data import clusters
from migrator.data.jobs import LockKeys
from migrator.data.packing import Limits
from migrator.data.session import Session, csv_rows, read_csv
from migrator.data.sql import text
from migrator.data.tracks import wave_units
from migrator.model.lockfigures import SHOWN, LockedRecords, most_slices
from migrator.model.plan import Prefer
from migrator.model.platform import SKEW

#: rows that may lie between clusters, as a share of all: they travel when all others are through
SPARE = 20
#: the unit of those rows until they have waves
BETWEEN = "between"
#: what the names of clusters and of the units of waves begin with
_CLUSTER, _WAVE = "c", "w"


@dataclass(frozen=True, slots=True)
class Units:
    """`lock_units` ("row", unit) was made. `apart`: SQL over `grp`, which units have slices of their own. `how`: for people; `trade`: what full slices cost."""

    apart: str
    wave_of: Callable[[str], int]
    how: str
    trade: str = ""


def lock_column(index: int) -> str:
    """The column of the lock key's value; the first is what slices are ordered by."""
    return "grp" if index == 0 else f"lock{index}"


def lock_units(session: Session, relation: str, locks: LockKeys, limits: Limits, *, beside: int = 0) -> Units:
    """Put the rows of a relation ("row", source_key, grp, lock1, …) with several lock keys into units. `beside`: slices that are cut already."""
    (rows,) = session.one(f"SELECT count(*) FROM {relation}")
    columns = [lock_column(n) for n in range(len(locks.fields))]
    between = _clusters(session, relation, columns, limits.rows or rows, rows // SPARE)
    if between == 0:
        session.run("ALTER TABLE clustered RENAME TO lock_units")
        how = "rows are cut by clusters of records that they lock"
        return Units("false", wave_of, how)
    told = ""
    left = relation
    if between is not None:
        # what lies between clusters waits for them all, and then has waves of its own
        left = f'(SELECT r.* FROM {relation} AS r JOIN clustered AS c ON c."row" = r."row" WHERE c.unit = {text(BETWEEN)})'
        told = f"rows are cut by clusters of records that they lock; {between} rows between two clusters go last, "
    shape, trade = wave_units(
        session,
        left,
        _most_contended(session, left, columns, locks),
        parallelism=locks.parallelism,
        slice_rows=limits.rows,
        most=_most(session, left, limits, beside) if locks.prefer is Prefer.BATCHES and limits.rows else None,
    )
    first = 0 if between is None else 1
    of_waves = f"SELECT \"row\", printf('{_WAVE}%04d.%02d', wave + {first}, unit) AS unit FROM wave_units"
    # rows that lock nothing have no unit
    others = f"SELECT * FROM clustered WHERE unit IS DISTINCT FROM {text(BETWEEN)} UNION ALL "
    rest = "" if between is None else others
    session.run(f"CREATE TEMP TABLE lock_units AS {rest}{of_waves}")
    told += f"in {shape}" if told else f"rows are cut into {shape}"
    return Units(f"starts_with(grp, {text(_WAVE)})", wave_of, told, trade)


def _most(session: Session, relation: str, limits: Limits, beside: int) -> int:
    (rows,) = session.one(f"SELECT count(*) FROM {relation}")
    return most_slices(rows, limits.rows, beside)


def wave_of(unit: str) -> int:
    """The wave of a unit, by its name; clusters go first."""
    return int(unit[1:].partition(".")[0]) if unit.startswith(_WAVE) else 0


def _most_contended(session: Session, relation: str, columns: Sequence[str], locks: LockKeys) -> list[str]:
    """The keys, the one first by which most pairs of rows lock the same record, weighed by how likely the lock is."""
    weights = dict(zip(columns, locks.weights or [1.0] * len(columns), strict=True))
    pairs = {
        one: int(
            session.one(
                f"SELECT coalesce(sum(n * n), 0)::BIGINT FROM (SELECT count(*) AS n FROM {relation} WHERE {one} IS NOT NULL GROUP BY {one})"
            )[0]
        )
        for one in columns
    }
    return sorted(columns, key=lambda one: (-pairs[one] * weights[one], one))


def _clusters(session: Session, relation: str, columns: Sequence[str], cap: int, spare: int) -> int | None:
    """Make `clustered` ("row", unit); how many rows lie between clusters, or None when they would be too many. A record that is locked by two keys is one record."""
    every = " UNION ".join(
        f"SELECT {one} AS record FROM {relation} WHERE {one} IS NOT NULL" for one in columns
    )
    session.run(
        f"CREATE OR REPLACE TEMP TABLE records AS SELECT record, row_number() OVER (ORDER BY record) - 1 AS no FROM ({every})"
    )
    (records,) = session.one("SELECT count(*) FROM records")
    numbers = ", ".join(f"coalesce(r{n}.no, -1) AS no{n}" for n in range(len(columns)))
    joins = " ".join(f"LEFT JOIN records AS r{n} ON r{n}.record = s.{one}" for n, one in enumerate(columns))
    named = ", ".join(f"no{n}" for n in range(len(columns)))
    numbered = session.write_parquet(
        f'SELECT s."row", {numbers} FROM {relation} AS s {joins}', "numbered.parquet"
    )
    session.run(
        f"CREATE OR REPLACE TEMP TABLE combinations AS SELECT {named}, count(*) AS n FROM read_parquet({text(str(numbered))}) GROUP BY ALL"
    )
    found = clusters.clusters(
        session.stream(f"SELECT {named}, n FROM combinations ORDER BY {named}"), records, cap=cap, spare=spare
    )
    if found is None:
        return None
    cluster_of = csv_rows(session.folder / "clusters.csv", ("no", "cluster"), enumerate(found.cluster_of))
    between = csv_rows(session.folder / "between.csv", ("number",), ((one,) for one in found.between))
    session.run(
        f"CREATE TEMP TABLE clustered AS WITH ordered AS (SELECT {named}, row_number() OVER (ORDER BY {named}) - 1 AS number FROM combinations), "
        f"between_clusters AS (SELECT {named} FROM ordered SEMI JOIN {read_csv([between], ('number',))} AS b ON b.number::BIGINT = ordered.number), "
        f"cluster_of AS (SELECT no::BIGINT AS no, cluster FROM {read_csv([cluster_of], ('no', 'cluster'))}) "
        f'SELECT p."row", CASE WHEN b.no0 IS NOT NULL THEN {text(BETWEEN)} ELSE {text(_CLUSTER)} || c.cluster END AS unit '
        f"FROM read_parquet({text(str(numbered))}) AS p LEFT JOIN between_clusters AS b USING ({named}) "
        f"LEFT JOIN cluster_of AS c ON c.no = greatest({', '.join('p.' + one for one in named.split(', '))})"
    )
    (left,) = session.one(f"SELECT count(*) FROM clustered WHERE unit = {text(BETWEEN)}")
    return int(left)


def locked_records(
    session: Session, relation: str, fields: Sequence[str], *, counted: str = ""
) -> tuple[LockedRecords, ...]:
    """How the rows of a relation with lock columns spread over the records that they lock by each of the fields.

    `counted`: SQL of how many rows (`n`) lock each record by the first of them, when that is known.
    """
    found = []
    for place, field in enumerate(fields):
        column = lock_column(place)
        count = f"SELECT count(*) AS n FROM {relation} WHERE {column} IS NOT NULL GROUP BY {column}"
        known = counted if place == 0 and counted else count
        rows, records, skewed, largest = session.one(
            f"SELECT coalesce(sum(n), 0)::BIGINT, count(*), count(*) FILTER (n > {SKEW}), coalesce(max(n, {SHOWN}), []) FROM ({known})"
        )
        found.append(LockedRecords(field, rows, records, skewed, tuple(largest)))
    return tuple(found)
