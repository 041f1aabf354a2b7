"""Tracks and buckets: rows with several lock keys as the cells that `waves` arranges, and each row's place in what it made of them.

DuckDB gives rows a track and records a bucket, and counts cells; only those come to Python, some thousand however many rows there are.

**Invariant:** rows that lock one record are of one track, or their cells have a bucket in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.data.clusters import balanced
from migrator.data.filling import divisions, filled
from migrator.data.session import Session, csv_rows, read_csv, read_parquet
from migrator.data.waves import FEW_SLICES, LEAST_SLICE, TRANSACTION_ROWS, Arrangement, Cell, Cells, arranged

#: tracks, whatever the org could do at once: the tracks that lock a record are the bits of a number
_MOST_TRACKS = 32
#: waves that are expected when tracks are counted: fewer are rare, and with more there are fewer tracks in the end
_FEW_WAVES = 3
#: values of the first lock key with at least this part of a track's rows are given a track one by one
_BIG = 200
#: a record with at least this part of a track's rows has a bucket of its own; buckets of others hold about so many rows
_BUCKET = 60
#: buckets of records that the same tracks lock, so that they need not all travel in the same waves
_PARTS = 4
#: sets of tracks that are told apart; records that more than three tracks lock are put together by chance beyond that
_SETS, _HASHED_SETS = 1_000, 512
#: with more sets than that, buckets are small enough without parts
_MANY_SETS = 250
#: cells at most: buckets are put together until there are no more
_CELLS = 30_000
#: as near to the least possible time no other key is tried for tracks
_GOOD = 1.1
#: with full slices no other key is tried as near as that
_WELL_FILLED = 1.5
#: so many numbers of tracks are tried that are no better than another one; and so many that fit nowhere, before there are far fewer tracks
_IN_VAIN, _FILLING_TRIES = 2, 5
#: an arrangement that is hardly better is no reason to go on trying
_BETTER = 0.98
#: where rows of a slice are not limited, as if they were (the size of an internal batch)
_BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class _Try:
    """`rows`: SQL of a file of the rows, with their track and buckets, or whose turn it is. `keys`: lock keys that have buckets."""

    given: Cells
    made: Arrangement
    rows: str
    keys: int


def wave_units(
    session: Session,
    relation: str,
    columns: Sequence[str],
    *,
    parallelism: int,
    slice_rows: int,
    most: int | None = None,
) -> tuple[str, str]:
    """Make `wave_units` ("row", wave, unit) of a relation ("row", source_key, lock columns): rows of one unit travel one slice after the other.

    `columns`: the lock keys, the one that rows fight for most first. `most`: with no more slices than that, where full ones are preferred. What
    was made is told for people, and what full slices cost.
    """
    (rows,) = session.one(f"SELECT count(*) FROM {relation}")
    full = slice_rows or _BATCH_ROWS
    largest = _largest(session, relation, columns)
    slices = max(LEAST_SLICE * rows // full, min(FEW_SLICES, rows // TRANSACTION_ROWS))
    tracks = min(parallelism, _MOST_TRACKS, max(1, slices // _FEW_WAVES))
    bound = max(rows / tracks, largest)
    # more tracks than what the others can fill beside the largest record are only more slices
    tracks = min(tracks, rows // max(1, largest) + 2)
    shared = _share_records(session, relation, columns)
    best: _Try | None = None
    for first in columns:
        # a record that is locked by two keys may be locked by any track; one of the first key alone is locked by its own
        locked = columns if shared else [one for one in columns if one != first]
        found = _tried(session, relation, first, locked, rows, tracks, full)
        if best is None or _rank(found, full) < _rank(best, full):
            best = found
        # a few records of about a size cannot be shared out evenly; then another key's can
        if found.made.longest <= _GOOD * bound:
            break
    if best is None:
        raise ValueError("there is no lock key")
    trade = ""
    if most is not None and best.made.slices > most:
        others = {one: columns if shared else [key for key in columns if key != one] for one in columns}
        at_once = min(parallelism, _MOST_TRACKS)
        early, best = best, _fullest(session, relation, others, rows, at_once, full, most)
        trade = (
            f"full slices go before an early end: {best.made.slices} slices, {best.made.longest} rows one after the other "
            f"(an early end: about {early.made.slices} and {early.made.longest})"
        )
    _place(session, best)
    return f"{best.made.waves} waves of up to {best.given.tracks} slices that lock no record in common", trade


def _fullest(
    session: Session,
    relation: str,
    locked: Mapping[str, Sequence[str]],
    rows: int,
    parallelism: int,
    slice_rows: int,
    most: int,
) -> _Try:
    """The quickest arrangement with at most `most` slices; with one track there always is one. `locked`: by key for tracks, the keys that have buckets."""
    bound = max(rows / parallelism, _largest(session, relation, list(locked)))
    best: _Try | None = None
    for first, others in locked.items():
        big = _big_values(session, relation, first, rows, parallelism)
        left = sorted(divisions(big, rows, parallelism, slice_rows, most), key=lambda one: one.promise(bound))
        tried = since = 0
        while left and (best is None or (since < _IN_VAIN and best.made.longest > _GOOD * bound)):
            tracks = len(left[0].shares)
            found = _filled(session, relation, first, others, rows, left[0].shares, slice_rows, most)
            tried += 1
            since += best is not None
            if found is not None and (best is None or found.made.cost < best.made.cost):
                if best is None or found.made.cost < _BETTER * best.made.cost:
                    since = 0
                best = found
            # where many tracks are too many, one less may be too many as well
            far = best is None and tried >= _FILLING_TRIES
            left = [one for one in left[1:] if not far or len(one.shares) <= tracks // 2]
        if best is not None and best.made.longest <= _WELL_FILLED * bound:
            break
    if best is None:
        raise ValueError("one track fits into as many slices as its rows need")
    return best


def _filled(
    session: Session,
    relation: str,
    first: str,
    locked: Sequence[str],
    rows: int,
    shares: Sequence[int],
    slice_rows: int,
    most: int,
) -> _Try | None:
    """The arrangement by such tracks of the first key with at most `most` slices, if one is found."""
    tracks = len(shares)
    tag = f"{first}-{tracks}-full"
    tracked = _tracked(session, relation, first, locked, rows, shares, tag)
    bucketed = _bucketed(session, tracked, len(locked), rows, tracks, tag, turns=False)
    given, shown = _cells(session, bucketed, len(locked), tracks)
    made = filled(given, slice_rows, most)
    return _Try(given, made, shown, len(locked)) if made else None


def _rank(one: _Try, slice_rows: int) -> tuple[bool, int]:
    return not one.made.worth(one.given.rows, slice_rows), one.made.cost


def _tried(
    session: Session,
    relation: str,
    first: str,
    locked: Sequence[str],
    rows: int,
    tracks: int,
    slice_rows: int,
) -> _Try:
    """The arrangement by tracks of the first key, with as many tracks as give slices that are worth a job."""
    while True:
        tag = f"{first}-{tracks}"
        tracked = _tracked(session, relation, first, locked, rows, [1] * tracks, tag)
        bucketed = _bucketed(session, tracked, len(locked), rows, tracks, tag)
        given, shown = _cells(session, bucketed, len(locked), tracks)
        made = arranged(given, slice_rows)
        if tracks == 1 or made.worth(rows, slice_rows):
            return _Try(given, made, shown, len(locked))
        tracks = max(
            1, min(tracks - 1, tracks * max(LEAST_SLICE * rows // slice_rows, FEW_SLICES) // made.slices)
        )


def _place(session: Session, chosen: _Try) -> None:
    """`wave_units`, from where the cells were placed and from whose turn it is."""
    given, made = chosen.given, chosen.made
    names = [f"b{n}" for n in range(chosen.keys)]
    cells, pieces = ("cell", "track", *names), ("cell", "after", "upto", "wave")
    units = ("wave", "track", "unit")
    tables = {
        "cells": (cells, ((n, one.track, *one.buckets) for n, one in enumerate(given.cells))),
        "pieces": (pieces, ((one.cell, one.after, one.upto, one.wave) for one in made.pieces)),
        "units": (units, ((*place, unit) for place, unit in sorted(made.units.items()))),
    }
    read = {
        name: read_csv([csv_rows(session.folder / f"{name}.csv", header, rows)], header)
        for name, (header, rows) in tables.items()
    }
    same = " AND ".join(f"c.{one}::BIGINT = r.{one}" for one in ("track", *names))
    celled = f'(SELECT r."row", r.track, r.place, c.cell FROM {chosen.rows} AS r JOIN {read["cells"]} AS c ON {same} WHERE r.nth IS NULL)'
    whole = f"(SELECT cell, wave FROM {read['pieces']} WHERE after::DOUBLE = 0 AND upto::DOUBLE = 1)"
    # of a cell in several waves each gets as many rows as it was given, which may be all that fit into its slice
    ranked = (
        '(SELECT "row", track, cell, (row_number() OVER (PARTITION BY cell ORDER BY place, "row") - 0.5) / count(*) OVER (PARTITION BY cell) AS place '
        f"FROM {celled} ANTI JOIN {whole} USING (cell))"
    )
    turn = f"CASE WHEN nth < {made.turning} THEN (nth + turn) % {made.turning} ELSE nth END"
    session.run(
        f'CREATE TEMP TABLE wave_units AS SELECT w."row", w.wave::INTEGER AS wave, u.unit::INTEGER AS unit FROM ('
        f'SELECT r."row", r.track, p.wave::BIGINT AS wave FROM {celled} AS r JOIN {whole} AS p USING (cell) UNION ALL '
        f'SELECT r."row", r.track, p.wave::BIGINT AS wave FROM {ranked} AS r JOIN {read["pieces"]} AS p '
        "ON p.cell = r.cell AND r.place >= p.after::DOUBLE AND r.place < p.upto::DOUBLE "
        f'UNION ALL SELECT "row", track, {turn} AS wave FROM {chosen.rows} WHERE nth IS NOT NULL) AS w '
        f"JOIN {read['units']} AS u ON u.wave::BIGINT = w.wave AND u.track::BIGINT = w.track"
    )


def _big_values(session: Session, relation: str, first: str, rows: int, tracks: int) -> dict[str, int]:
    """The values of the key that are given a track one by one, and their rows."""
    least = max(2, rows // (tracks * _BIG))
    return dict(
        session.rows(
            f"SELECT {first}, count(*) AS n FROM {relation} WHERE {first} IS NOT NULL GROUP BY {first} HAVING n >= {least}"
        )
    )


def _tracked(
    session: Session,
    relation: str,
    first: str,
    locked: Sequence[str],
    rows: int,
    shares: Sequence[int],
    tag: str,
) -> str:
    """A file ("row", place, track, lock columns): rows by the track of the first key, by chance where they have none. `shares`: of the tracks."""
    big = _big_values(session, relation, first, rows, len(shares))
    track_of = balanced(big, max(0, rows - sum(big.values())), shares)
    # the others by chance, as many as a track's share
    drawn = f"(hash(coalesce(r.{first}, r.source_key)) % {sum(shares)})::BIGINT"
    if set(shares) != {1}:
        of = [track for track, share in enumerate(shares) for _ in range(share)]
        drawn = f"({of}::BIGINT[])[1 + {drawn}]"
    path = csv_rows(session.folder / f"{tag}-tracks.csv", ("value", "track"), sorted(track_of.items()))
    keys = "".join(f", r.{one} AS l{n}" for n, one in enumerate(locked))
    made = session.write_parquet(
        f'SELECT r."row", hash(r.source_key) AS place, '
        f"coalesce(t.track::BIGINT, {drawn}) AS track{keys} "
        f"FROM {relation} AS r LEFT JOIN {read_csv([path], ('value', 'track'))} AS t ON t.value = r.{first}",
        f"{tag}-tracked.parquet",
    )
    return read_parquet([made])


def _bucketed(
    session: Session, tracked: str, keys: int, rows: int, tracks: int, tag: str, *, turns: bool = True
) -> str:
    """A file of the rows: "row", place, track, a bucket for each key or -1.

    For rows whose record takes turns: `nth`, the place of their track among the `degree` that lock it, and `turn`, with which wave the first of
    these begins. `turns` False: as few as can be take turns, since those rows travel in every wave.
    """
    every = " UNION ALL ".join(
        f"SELECT l{n} AS record, track FROM {tracked} WHERE l{n} IS NOT NULL" for n in range(keys)
    )
    session.run(
        f"CREATE OR REPLACE TEMP TABLE contended AS SELECT record, count(*) AS n, bit_or(1::BIGINT << track) AS tracks FROM ({every}) "
        "GROUP BY record HAVING bit_count(tracks) > 1"
    )
    _marks(session, tracked, keys, max(2, rows // (tracks * _BUCKET)), tracks, turns=turns)
    joins = " ".join(f"LEFT JOIN marks AS m{n} ON m{n}.record = t.l{n}" for n in range(keys))
    named = "".join(f", coalesce(m{n}.bucket, -1) AS b{n}" for n in range(keys))
    of = {
        one: f"coalesce({', '.join(f'm{n}.{one}' for n in range(keys))}, NULL)"
        for one in ("tracks", "start", "turn")
    }
    degree = f"bit_count({of['tracks']})"
    nth = f"(bit_count({of['tracks']} & ((1::BIGINT << t.track) - 1)) - {of['start']} + {degree}) % {degree}"
    path = session.write_parquet(
        f'SELECT t."row", t.place, t.track, {nth} AS nth, {of["turn"]} AS turn, {degree} AS degree{named} FROM {tracked} AS t {joins}',
        f"{tag}-bucketed.parquet",
    )
    return read_parquet([path])


def _cells(session: Session, bucketed: str, keys: int, tracks: int) -> tuple[Cells, str]:
    """What is to be arranged, and SQL of the rows in whose buckets the cells are."""
    names = [f"b{n}" for n in range(keys)]
    columns = ", ".join(("track", *names))
    shown = bucketed
    for fewer in (0, max(1, int((_CELLS / tracks) ** (1 / max(1, keys))) - 1)):
        if fewer:
            together = ", ".join(f"{one} % {fewer} AS {one}" for one in names)
            shown = f"(SELECT * REPLACE ({together}) FROM {bucketed})"
        (count,) = session.one(
            f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {shown} WHERE nth IS NULL)"
        )
        if count <= _CELLS:
            break
    cells = session.rows(
        f"SELECT {columns}, count(*) AS n FROM {shown} WHERE nth IS NULL GROUP BY ALL ORDER BY {columns}"
    )
    turns = session.rows(
        f"SELECT track, degree, count(*) FROM {shown} WHERE nth IS NOT NULL GROUP BY ALL ORDER BY ALL"
    )
    given = Cells(
        tracks,
        [Cell(track, tuple(buckets), count) for track, *buckets, count in cells],
        {(track, degree): count for track, degree, count in turns},
    )
    return given, shown


def _marks(session: Session, tracked: str, keys: int, own: int, tracks: int, *, turns: bool) -> None:
    """`marks` (record, bucket, tracks, start, turn) of the contended records: a bucket, or how it takes turns.

    A record with `own` rows has a bucket of its own; those that a row locks together with another contended one share some with what the same tracks
    lock. All others take turns, beginning with any of their tracks, as many of those that the same tracks lock in each wave; without `turns` only
    those do whose sets of tracks are too many to be told apart.
    """
    coupled = "SELECT NULL::VARCHAR AS record"
    if keys > 1:
        found = ", ".join(f"c{n}.record" for n in range(keys))
        joins = " ".join(f"LEFT JOIN contended AS c{n} ON c{n}.record = t.l{n}" for n in range(keys))
        coupled = (
            f"SELECT DISTINCT unnest(held) AS record FROM (SELECT list_filter([{found}], lambda x: x IS NOT NULL) AS held FROM {tracked} AS t {joins}) "
            "WHERE len(held) > 1"
        )
    session.run(f"CREATE OR REPLACE TEMP TABLE coupled AS {coupled}")
    among = "SEMI JOIN coupled USING (record) " if turns else ""
    (sets,) = session.one(f"SELECT count(DISTINCT tracks) FROM contended {among}WHERE n < {own}")
    exact = "true" if sets <= _SETS else "bit_count(tracks) <= 3"
    in_turn = "p.record IS NULL" if turns else f"p.record IS NULL AND NOT ({exact})"
    few = _PARTS if turns or sets <= _MANY_SETS else 1
    session.run(
        "CREATE OR REPLACE TEMP TABLE kinds AS SELECT c.record, c.n, c.tracks, "
        f"CASE WHEN c.n >= {own} THEN concat('r', c.record) WHEN {in_turn} THEN NULL "
        f"WHEN {exact} THEN concat('s', c.tracks) ELSE concat('h', hash(c.tracks) % {_HASHED_SETS}) END AS kind "
        "FROM contended AS c LEFT JOIN coupled AS p USING (record)"
    )
    session.run(
        "CREATE OR REPLACE TEMP TABLE parts AS SELECT kind, parts, (sum(parts) OVER (ORDER BY kind) - parts)::BIGINT AS first FROM ("
        f"SELECT kind, least(count(*), greatest({few}, sum(n) // {own}))::BIGINT AS parts FROM kinds WHERE kind IS NOT NULL GROUP BY kind)"
    )
    session.run(
        "CREATE OR REPLACE TEMP TABLE marks AS SELECT record, first + (hash(record) % parts)::BIGINT AS bucket, "
        "NULL::BIGINT AS tracks, NULL::BIGINT AS start, NULL::BIGINT AS turn FROM kinds JOIN parts USING (kind) "
        f"UNION ALL SELECT record, NULL, tracks, bit_count(tracks & ((1::BIGINT << (hash(record) % {tracks})::BIGINT) - 1)), "
        f"row_number() OVER (PARTITION BY tracks ORDER BY record) + (hash(tracks) % {_HASHED_SETS})::BIGINT FROM kinds WHERE kind IS NULL"
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
