"""Cutting: which slice each sendable row belongs to, as SQL over the row's group and key.

Groups are counted by DuckDB; only counts of groups, runs of groups and runs of rows come to Python, never a row.
Rows without a group need no company and fill what room is left; a group too big for a slice gets consecutive slices of its own.

**Invariant:** the slices partition the rows; a group is in one slice, or fills its slices alone; slices of one wave that are of different groups, or
of none, lock no record in common; equal rows give equal slices in any order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from migrator.data.jobs import LockKeys
from migrator.data.locking import lock_units
from migrator.data.packing import BIG, Bin, Limits, Unit, pack, runs, stride
from migrator.data.session import Session, csv_rows, read_csv, read_parquet
from migrator.data.sql import text

#: up to this many small groups are packed one by one; beyond it neighbours are bundled
_FEW = 20_000
#: a bundle holds about this part of a slice
_BUNDLE = 200


#: with fewer lock keys than that, groups of the one are units
_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class Divided:
    """`relation`: SQL of `sendable` with its `slice`, which has so many rows and bytes; `place`: SQL of what keeps a group's rows together in it, in the same order every time; NULL comes first.

    `packing`: group and wave of the slices that have one. `how`: for people, when there is a choice;
    `trade`: what full slices cost, where they go before an early end. `counted`: SQL of how many rows (`n`) lock each record by the first lock key, where
    the cut has counted that.
    """

    relation: str
    place: str
    rows: int
    bytes: int
    packing: Mapping[int, tuple[str, int]]
    how: str = ""
    trade: str = ""
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """`slice_sql`: the slice's number, over columns `grp`, `source_key` and the joined `packed.slice`.

    `lone`: slices of one group that fills several, or stays apart: they are a chain, one at a time.
    """

    slice_sql: str
    lone: dict[int, str]
    #: whether `packed` (grp, slice, place) has to be joined
    joined: bool


@dataclass(frozen=True, slots=True)
class _Totals:
    rows: int
    bytes: int
    widest: int


def divide(
    session: Session, locks: LockKeys | None, limits: Limits, first_no: int, *, beside: int = 0
) -> Divided:
    """Decide on the slices of the relation `sendable` ("row", source_key, grp, lock1, …, bytes). `beside`: slices that are cut already."""
    rows, size = session.one("SELECT count(*), coalesce(sum(bytes), 0)::BIGINT FROM sendable")
    units = None
    grouped = "SELECT *, grp AS own FROM sendable"
    if locks is not None and len(locks.fields) >= _SEVERAL and not limits.hold(rows, size):
        units = lock_units(session, "sendable", locks, limits, beside=beside)
        grouped = 'SELECT s.* EXCLUDE (grp), s.grp AS own, u.unit AS grp FROM sendable AS s JOIN lock_units AS u USING ("row")'
    session.run(f"CREATE TEMP VIEW packable AS {grouped}")
    decided = cut(session, limits, first_no, apart=units.apart if units else "false")
    join = " LEFT JOIN packed USING (grp)" if decided.joined else ""
    # a group's place is a number, which is cheaper to sort by than its record's id
    place = ", packed.place AS place" if decided.joined else ""
    relation = f"(SELECT packable.* EXCLUDE (grp, own), own AS grp, ({decided.slice_sql})::INTEGER AS slice{place} FROM packable{join})"
    packing = {no: (group, units.wave_of(group) if units else 0) for no, group in decided.lone.items()}
    if units:
        return Divided(relation, "grp", rows, size, packing, units.how, units.trade)
    counted = "SELECT n FROM groups" if decided.joined else ""
    return Divided(relation, "place" if place else "grp", rows, size, packing, counted=counted)


def cut(session: Session, limits: Limits, first_no: int, *, apart: str = "false") -> Cut:
    """Decide on the slices of the relation `packable` (source_key, grp, bytes). `apart`: SQL over `grp`, which groups share no slice with others."""
    totals = _Totals(
        *session.one(
            "SELECT count(*), coalesce(sum(bytes), 0)::BIGINT, coalesce(max(bytes), 0) FROM packable"
        )
    )
    if limits.hold(totals.rows, totals.bytes):
        return Cut(str(first_no), {}, joined=False)
    grouped = bool(
        session.one("SELECT count(*) FROM (SELECT 1 FROM packable WHERE grp IS NOT NULL LIMIT 1)")[0]
    )
    if grouped:
        session.run(
            f"CREATE TEMP TABLE groups AS SELECT grp, count(*) AS n, sum(bytes)::BIGINT AS b, {apart} AS apart FROM packable "
            "WHERE grp IS NOT NULL GROUP BY grp"
        )
    giants = [str(grp) for (grp,) in session.stream(_giants(limits))] if grouped else []
    _sort_divisible(session, giants)
    step = stride(limits, totals.widest, totals.rows)
    units = _divisible_units(session, step)
    big = list(_big_units(session, limits)) if grouped else []
    bins = pack(big, _small_units(session, limits, units.get("", []), grouped=grouped), limits)
    chains = {grp: runs(units[f"g{grp}"], limits) for grp in giants}
    chains |= {unit.key[1:]: [_alone(unit)] for unit in _apart_units(session, limits)} if grouped else {}
    return _cut(session, bins, chains, first_no, grouped=grouped)


def _cut(
    session: Session, bins: Sequence[Bin], chains: dict[str, list[Bin]], first_no: int, *, grouped: bool
) -> Cut:
    slice_of = {key: no for no, one in enumerate(bins, start=first_no) for key in one.keys}
    branches, lone, no = [], {}, first_no + len(bins)
    for grp, chain in sorted(chains.items()):
        numbered = []
        for one in chain:
            numbered += [(key[1:], no) for key in one.keys]
            slice_of |= {key: no for key in one.keys if key[0] == "g"}
            lone[no] = grp
            no += 1
        if len(chain) > 1:
            branches.append(f"WHEN grp = {text(grp)} THEN {_search(_changes(numbered))}")
    if grouped:
        _join_groups(session, slice_of)
    loose = [(key[1:], no) for key, no in slice_of.items() if key[0] == "k"]
    if loose:
        branches.append(f"WHEN grp IS NULL THEN {_search(_changes(loose))}")
    fallback = "packed.slice" if grouped else "NULL"
    sql = f"CASE {' '.join(branches)} ELSE {fallback} END" if branches else fallback
    return Cut(sql, lone, joined=grouped)


def _alone(unit: Unit) -> Bin:
    return Bin(unit.rows, unit.bytes, [unit.key])


def _fits(limits: Limits) -> str:
    return f"(b <= {limits.bytes}" + (f" AND n <= {limits.rows})" if limits.rows else ")")


def _big(limits: Limits) -> str:
    return f"(b * {BIG} >= {limits.bytes}" + (f" OR n * {BIG} >= {limits.rows})" if limits.rows else ")")


def _giants(limits: Limits) -> str:
    return f"SELECT grp FROM groups WHERE NOT {_fits(limits)} ORDER BY grp"


def _big_units(session: Session, limits: Limits) -> Iterator[Unit]:
    for grp, rows, size in session.stream(
        f"SELECT grp, n, b FROM groups WHERE {_fits(limits)} AND {_big(limits)} AND NOT apart ORDER BY grp"
    ):
        yield Unit("g" + grp, rows, size)


def _apart_units(session: Session, limits: Limits) -> Iterator[Unit]:
    for grp, rows, size in session.stream(
        f"SELECT grp, n, b FROM groups WHERE {_fits(limits)} AND apart ORDER BY grp"
    ):
        yield Unit("g" + grp, rows, size)


def _small_units(session: Session, limits: Limits, loose: Sequence[Unit], *, grouped: bool) -> Iterator[Unit]:
    """Bundles of small groups in the groups' order, then runs of rows without a group in their keys' order."""
    if grouped:
        _bundle(session, limits)
        for bundle, rows, size in session.rows(
            "SELECT bundle, sum(n)::BIGINT, sum(b)::BIGINT FROM bundles GROUP BY bundle ORDER BY bundle"
        ):
            yield Unit(f"b{bundle}", rows, size)
    yield from loose


def _bundle(session: Session, limits: Limits) -> None:
    """Number small groups in order; when they are many, neighbours that fill a small part of a slice share a number."""
    # in millionths of a slice, whole numbers: sums of fractions would depend on the order in which threads add. A small group has a
    # few megabytes, so 64 bits are enough
    weight = f"b * 1000000 // {limits.bytes}"
    if limits.rows:
        weight = f"greatest({weight}, n * 1000000 // {limits.rows})"
    small = f"FROM groups WHERE {_fits(limits)} AND NOT {_big(limits)} AND NOT apart"
    (count,) = session.one(f"SELECT count(*) {small}")
    before = "(ORDER BY grp ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    number = (
        f"row_number() OVER {before}"
        if count <= _FEW
        else f"(sum({weight}) OVER {before} - ({weight})) // {1_000_000 // _BUNDLE}"
    )
    session.run(
        f"CREATE TEMP TABLE bundles AS SELECT grp, n, b, {number} AS bundle, row_number() OVER {before} AS place {small}"
    )


def _sort_divisible(session: Session, giants: Sequence[str]) -> None:
    """The keys of the rows that may be cut anywhere, sorted on disk: a row's place in the file is its place in the order."""
    which = "grp IS NULL" + (f" OR grp IN ({', '.join(text(one) for one in giants)})" if giants else "")
    path = session.write_parquet(
        f"SELECT coalesce('g' || grp, '') AS part, source_key, bytes FROM packable WHERE {which} ORDER BY part, source_key",
        "divisible.parquet",
    )
    session.run(
        f"CREATE TEMP VIEW divisible AS SELECT part, source_key, bytes, file_row_number AS place FROM {read_parquet([path])}"
    )


def _divisible_units(session: Session, step: int) -> dict[str, list[Unit]]:
    """By part of `divisible`: runs of `step` rows in the order of their keys, each known by its first key."""
    found: dict[str, list[Unit]] = {}
    for part, key, rows, size in session.stream(
        "WITH firsts AS (SELECT part, min(place) AS first FROM divisible GROUP BY part) "
        "SELECT part, min(source_key) AS key, count(*), sum(bytes)::BIGINT FROM divisible JOIN firsts USING (part) "
        f"GROUP BY part, (place - first) // {step} ORDER BY part, key"
    ):
        found.setdefault(part, []).append(Unit("k" + key, rows, size))
    return found


def _join_groups(session: Session, slice_of: dict[str, int]) -> None:
    """`packed`: the slice of every group that fits into one, and its place among them: first the big ones, each kind in the groups' order."""
    packed = sorted((key, no) for key, no in slice_of.items() if key[0] != "k")
    columns = ("key", "slice", "place")
    path = csv_rows(
        session.folder / "placed.csv", columns, ((*one, n - len(packed)) for n, one in enumerate(packed))
    )
    placed = f"(SELECT key, slice::INTEGER AS slice, place::BIGINT AS place FROM {read_csv([path], columns)})"
    session.run(
        f"CREATE TEMP TABLE packed AS SELECT grp, slice, bundles.place FROM bundles JOIN {placed} AS p ON key = concat('b', bundle) "
        f"UNION ALL SELECT groups.grp, slice, p.place FROM groups JOIN {placed} AS p ON key = concat('g', groups.grp)"
    )


def _changes(numbered: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The first key of each run of neighbours in one slice."""
    found: list[tuple[str, int]] = []
    for key, no in sorted(numbered):
        if not found or found[-1][1] != no:
            found.append((key, no))
    return found


def _search(changes: Sequence[tuple[str, int]]) -> str:
    """SQL of a binary search over the first keys: no join, no memory, however many rows there are."""
    if len(changes) == 1:
        return str(changes[0][1])
    middle = len(changes) // 2
    below, above = _search(changes[:middle]), _search(changes[middle:])
    return f"CASE WHEN source_key < {text(changes[middle][0])} THEN {below} ELSE {above} END"
