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

#: rows that may lie between clusters, as a share of all: they travel one job after the other, when all others are through
SPARE = 20
#: the unit of those rows
BETWEEN = "between"
#: between the stripes in a tile's name: one of each key's, or two of those that both keys have in common
TILE, TWO_OF_A_KIND = "/", "&"
#: tiles are made by so many keys at most: each multiplies their number
_TILED_KEYS = 3
#: values of a lock key with at least this part of a stripe's rows are given a stripe one by one
_BIG = 200


@dataclass(frozen=True, slots=True)
class Units:
    """`lock_units` ("row", unit) was made. `apart`: SQL over `grp`, which units have slices of their own. `how`: for people."""

    apart: str
    wave_of: Callable[[str], int]
    how: str


def stripes(group: str) -> frozenset[str]:
    """What a tile's slices lock, by its name: slices of two tiles lock no record in common when these have nothing in common. Empty: no tile."""
    if TWO_OF_A_KIND in group:
        return frozenset(group.split(TWO_OF_A_KIND))
    if TILE in group:
        return frozenset(f"{place}:{one}" for place, one in enumerate(group.split(TILE)))
    return frozenset()


def lock_column(index: int) -> str:
    """The column of the lock key's value; the first is what slices are ordered by."""
    return "grp" if index == 0 else f"lock{index}"


def lock_units(session: Session, relation: str, locks: LockKeys, limits: Limits) -> Units:
    """Put the rows of a relation ("row", source_key, grp, lock1, …) with several lock keys into units."""
    (rows,) = session.one(f"SELECT count(*) FROM {relation}")
    columns = [lock_column(n) for n in range(len(locks.fields))]
    found = _clusters(session, relation, columns, limits.rows or rows, rows // SPARE)
    if found is not None:
        return found
    tiled = _most_contended(session, relation, columns, locks)
    return _tiles(session, relation, tiled, rows, locks, limits.rows)


def _most_contended(session: Session, relation: str, columns: Sequence[str], locks: LockKeys) -> list[str]:
    """The keys by which tiles are made: where most pairs of rows lock the same record, weighed by how likely the lock is."""
    weights = dict(zip(columns, locks.weights or [1.0] * len(columns), strict=True))
    pairs = {
        one: int(
            session.one(
                f"SELECT coalesce(sum(n * n), 0)::BIGINT FROM (SELECT count(*) AS n FROM {relation} WHERE {one} IS NOT NULL GROUP BY {one})"
            )[0]
        )
        for one in columns
    }
    return sorted(columns, key=lambda one: (-pairs[one] * weights[one], one))[:_TILED_KEYS]


def _clusters(session: Session, relation: str, columns: Sequence[str], cap: int, spare: int) -> Units | None:
    """Clusters, or None when too many rows would lie between them. A record that is locked by two keys is one record."""
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
        f"CREATE TEMP TABLE lock_units AS WITH ordered AS (SELECT {named}, row_number() OVER (ORDER BY {named}) - 1 AS number FROM combinations), "
        f"between_clusters AS (SELECT {named} FROM ordered SEMI JOIN {read_csv([between], ('number',))} AS b ON b.number::BIGINT = ordered.number), "
        f"cluster_of AS (SELECT no::BIGINT AS no, cluster FROM {read_csv([cluster_of], ('no', 'cluster'))}) "
        f"SELECT p.\"row\", CASE WHEN b.no0 IS NOT NULL THEN {text(BETWEEN)} ELSE 'c' || c.cluster END AS unit "
        f"FROM read_parquet({text(str(numbered))}) AS p LEFT JOIN between_clusters AS b USING ({named}) "
        f"LEFT JOIN cluster_of AS c ON c.no = greatest({', '.join('p.' + one for one in named.split(', '))})"
    )
    (left,) = session.one(f"SELECT count(*) FROM lock_units WHERE unit = {text(BETWEEN)}")
    return Units(
        f"grp = {text(BETWEEN)}",
        lambda unit: int(unit == BETWEEN),
        f"rows are cut by clusters of records that they lock; {left} rows between two clusters go last, one job at a time",
    )


def _tiles(
    session: Session, relation: str, columns: Sequence[str], rows: int, locks: LockKeys, slice_rows: int
) -> Units:
    """Tiles: every row has a stripe of each key, its own where the key is empty."""
    parallelism = locks.parallelism
    shared = _share_records(session, relation, columns)
    wanted = (
        1
        if shared and len(columns) > 2
        else clusters.stripes_wanted(rows, len(columns), parallelism, slice_rows)
    )
    # where one record's rows are a large part of all, more stripes than the others can fill beside it are only more jobs
    wanted = min(wanted, max(1, rows // max(1, _largest(session, relation, columns)) + 2))
    joins, stripe = [], []
    for n, column in enumerate(columns):
        placed = _big_values(session, relation, columns if shared else [column], rows, wanted)
        path = csv_rows(session.folder / f"stripes{n}.csv", ("value", "stripe"), sorted(placed.items()))
        joins.append(f"LEFT JOIN {read_csv([path], ('value', 'stripe'))} AS s{n} ON s{n}.value = r.{column}")
        own = f"hash(coalesce(r.{column}, r.source_key)) % {wanted}"
        stripe.append(f"coalesce(s{n}.stripe::UBIGINT, {own})")
    tile = stripe
    if shared and len(columns) > 1:
        tile = [f"least({', '.join(stripe)})", f"greatest({', '.join(stripe)})"]
    mark = TWO_OF_A_KIND if shared else TILE
    name = f", {text(mark)}, ".join(tile)
    session.run(
        f'CREATE TEMP TABLE lock_units AS SELECT r."row", concat({name}) AS unit FROM {relation} AS r {" ".join(joins)}'
    )
    return Units(
        "true",
        lambda unit: clusters.wave([int(one) for one in unit.split(mark)], wanted, shared=shared),
        f"rows are cut into tiles by {len(columns)} lock keys in {wanted} stripes, so that no two tiles of a wave lock the same record",
    )


def _largest(session: Session, relation: str, columns: Sequence[str]) -> int:
    """The most rows that lock one record by one key."""
    counts = " UNION ALL ".join(
        f"SELECT count(*) AS n FROM {relation} WHERE {one} IS NOT NULL GROUP BY {one}" for one in columns
    )
    (largest,) = session.one(f"SELECT coalesce(max(n), 0)::BIGINT FROM ({counts})")
    return int(largest)


def _share_records(session: Session, relation: str, columns: Sequence[str]) -> bool:
    """Whether a record is locked by two of the keys."""
    every = " UNION ALL ".join(
        f"SELECT DISTINCT {one} AS record FROM {relation} WHERE {one} IS NOT NULL" for one in columns
    )
    (count,) = session.one(f"SELECT count(*) - count(DISTINCT record) FROM ({every})")
    return bool(count)


def _big_values(
    session: Session, relation: str, columns: Sequence[str], rows: int, stripes: int
) -> dict[str, int]:
    every = " UNION ALL ".join(
        f"SELECT {one} AS value FROM {relation} WHERE {one} IS NOT NULL" for one in columns
    )
    least = max(2, rows // (stripes * _BIG))
    big = dict(session.rows(f"SELECT value, count(*) AS n FROM ({every}) GROUP BY value HAVING n >= {least}"))
    return clusters.balanced(big, max(0, rows * len(columns) - sum(big.values())), stripes)
