"""Properties of packing by lock key, over the shapes that real data has: what travels at once locks no record twice, and jobs are full."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.data.clusters import balanced, clusters
from migrator.data.jobs import LockKeys, Prepared, RetryJob
from migrator.data.waves import Cell, Cells, arranged
from migrator.model.plan import Prefer
from tests.unit.data.bench import Bench

SOME = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SLICE_ROWS = 10
JOBS_AT_ONCE = 3
Row = tuple[str, str]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as made:
        yield made


def uniform(chance: random.Random, rows: int) -> list[Row]:
    return [
        (f"a{chance.randrange(rows // 3 + 1)}", f"b{chance.randrange(rows // 3 + 1)}") for _ in range(rows)
    ]


def zipf(chance: random.Random, rows: int) -> list[Row]:
    return [(f"a{int(rows ** chance.random())}", f"b{int(rows ** chance.random())}") for _ in range(rows)]


def mega_parent(chance: random.Random, rows: int) -> list[Row]:
    return [("a0" if chance.random() < 0.6 else f"a{n}", f"b{n % 7}") for n in range(rows)]


def star(_: random.Random, rows: int) -> list[Row]:
    return [("a0", f"b{n}") for n in range(rows)]


def bipartite(chance: random.Random, rows: int) -> list[Row]:
    return [(f"a{chance.randrange(4)}", f"b{chance.randrange(rows)}") for _ in range(rows)]


def families(chance: random.Random, rows: int) -> list[Row]:
    """Both keys inside one account: what clusters are made for. Some rows lack one of them."""
    found = []
    for n in range(rows):
        of = n // 4
        second = f"b{of}.{chance.randrange(2)}"
        found.append((f"a{of}", second if chance.random() < 0.8 else ""))
    return found


def lonely(chance: random.Random, rows: int) -> list[Row]:
    """Families, a few rows that lie between two of them, and many that lock nothing."""
    found = families(chance, rows)
    for n in range(rows):
        if n % 3 == 0:
            found[n] = ("", "")
        elif n % 40 == 1:
            found[n] = (f"a{n // 4}", f"b{chance.randrange(rows) // 4}.0")
    return found


def tree(chance: random.Random, rows: int) -> list[Row]:
    """A record and its parent, both of one sObject: the same record is locked by either key."""
    return [(f"a{n}", f"a{chance.randrange(n + 1)}") for n in range(rows)]


#: one lock key, or two with either preference
KEYS = st.sampled_from([(1, Prefer.TIME), (2, Prefer.TIME), (2, Prefer.BATCHES)])
SHAPES = st.sampled_from([uniform, zipf, mega_parent, star, bipartite, families, lonely, tree])


def packed(
    bench: Bench,
    rows: Sequence[Row],
    *,
    keys: int = 2,
    slice_rows: int = SLICE_ROWS,
    prefer: Prefer = Prefer.TIME,
) -> Prepared:
    pages = bench.pages(("Id", "A", "B"), [[f"{n:05d}", *row] for n, row in enumerate(rows)])
    fields = ("A", "B")[:keys]
    locks = LockKeys(fields, parallelism=JOBS_AT_ONCE, prefer=prefer)
    one = {"group_by": "A"} if keys == 1 else {"locks": locks}
    return bench.load(pages, ("Id", "A", "B"), max_slice_rows=slice_rows, **one)


def contents(bench: Bench, done: Prepared) -> dict[int, list[dict[str, str]]]:
    return {one.no: bench.slice(one.file) for one in done.slices}


def records(rows: Sequence[Mapping[str, str]], keys: int) -> set[str]:
    return {row[name] for row in rows for name in ("A", "B")[:keys] if row[name]}


def makespan(done: Prepared) -> int:
    """Rows that go one after the other: waves in turn, in a wave the longest chain first, onto as many jobs as the org runs at once."""
    total = 0
    for number in sorted({one.wave for one in done.slices}):
        chains: dict[str, int] = defaultdict(int)
        for one in done.slices:
            if one.wave == number:
                chains[one.group or f"#{one.no}"] += one.file.rows
        busy = [0] * JOBS_AT_ONCE
        for rows in sorted(chains.values(), reverse=True):
            busy[busy.index(min(busy))] += rows
        total += max(busy)
    return total


@SOME
@given(SHAPES, st.integers(1, 150), KEYS, st.randoms(use_true_random=False))
def test_what_travels_at_once_locks_no_record_twice(
    bench: Bench, shape: object, rows: int, keys: tuple[int, Prefer], chance: random.Random
) -> None:
    assert callable(shape)
    made = shape(chance, rows)
    keyed, prefer = keys
    done = packed(bench, made, keys=keyed, prefer=prefer)
    found = contents(bench, done)
    assert sorted((row["Id"], row["A"], row["B"]) for each in found.values() for row in each) == sorted(
        (f"{n:05d}", *row) for n, row in enumerate(made)
    )
    assert all(0 < len(each) <= SLICE_ROWS for each in found.values())
    holder: dict[tuple[int, str], str] = {}
    for one in done.slices:
        chain = one.group or f"#{one.no}"
        for record in records(found[one.no], keyed):
            assert holder.setdefault((one.wave, record), chain) == chain
    # the file says so too, however long ago it was cut
    noted = bench.engine.packing(done.rows)
    assert noted == {one.no: (one.group, one.wave) for one in done.slices if one.group}


def test_rows_that_lock_nothing_travel_beside_rows_between_clusters(bench: Bench) -> None:
    """They are of no cluster and in no wave, and there as well."""
    within = [(f"a{n // 8}", f"b{n // 8}.{n % 2}") for n in range(400)]
    made = [*within, *(("", "") for _ in range(300)), *((f"a{n}", f"b{n + 1}.0") for n in range(0, 24, 4))]
    done = packed(bench, made)
    found = [(row["A"], row["B"]) for each in contents(bench, done).values() for row in each]
    assert sorted(found) == sorted(made)
    assert {one.wave for one in done.slices} > {0}, "some do lie between"


@SOME
@given(SHAPES, st.integers(20, 120), KEYS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(
    bench: Bench, shape: object, rows: int, keys: tuple[int, Prefer], chance: random.Random
) -> None:
    assert callable(shape)
    made = shape(chance, rows)
    keyed, prefer = keys
    first = packed(bench, made, keys=keyed, prefer=prefer)
    table = [[f"{n:05d}", *row] for n, row in enumerate(made)]
    chance.shuffle(table)
    locks = LockKeys(("A", "B"), parallelism=JOBS_AT_ONCE, prefer=prefer)
    one = {"group_by": "A"} if keyed == 1 else {"locks": locks}
    pages = bench.pages(("Id", "A", "B"), table[: rows // 2], table[rows // 2 :])
    second = bench.load(pages, ("Id", "A", "B"), max_slice_rows=SLICE_ROWS, **one)
    assert contents(bench, second) == contents(bench, first)
    assert [(one.no, one.group, one.wave, one.file.sha256) for one in second.slices] == [
        (one.no, one.group, one.wave, one.file.sha256) for one in first.slices
    ]


@SOME
@given(SHAPES, st.integers(20, 150), st.randoms(use_true_random=False))
def test_one_key_takes_at_most_twice_as_long_as_it_must(
    bench: Bench, shape: object, rows: int, chance: random.Random
) -> None:
    assert callable(shape)
    made = shape(chance, rows)
    sizes: dict[str, int] = defaultdict(int)
    for parent, _ in made:
        sizes[parent] += 1
    must = max(rows / JOBS_AT_ONCE, SLICE_ROWS, *sizes.values())
    assert makespan(packed(bench, made, keys=1)) <= 2 * must


@pytest.mark.parametrize("shape", [uniform, zipf, mega_parent, star, bipartite, families, tree])
def test_two_keys_take_little_longer_than_they_must(bench: Bench, shape: object) -> None:
    assert callable(shape)
    made: list[Row] = shape(random.Random(3), 2_000)  # noqa: S311 - deterministic on purpose
    locked = Counter(record for row in made for record in {*row} if record)
    must = max(len(made) / JOBS_AT_ONCE, *locked.values())
    assert makespan(packed(bench, made, slice_rows=60)) <= 1.5 * must


@SOME
@given(st.integers(1, 200), st.booleans(), st.sampled_from(Prefer), st.randoms(use_true_random=False))
def test_three_keys_lock_no_record_twice_either(
    bench: Bench, rows: int, either: bool, prefer: Prefer, chance: random.Random
) -> None:
    """Flights of carriers, planes that are nearly always one carrier's, and airports; or members that are a lead or a contact."""
    made = []
    for _ in range(rows):
        carrier, airport = int(8 ** chance.random()), int(20 ** chance.random())
        plane = f"p{carrier}.{chance.randrange(5)}" if chance.random() < 0.95 else f"p1.{chance.randrange(5)}"
        second, third = (plane, f"x{airport}")
        if either:
            second, third = ("", third) if chance.random() < 0.5 else (second, "")
        made.append((f"c{carrier}", second, third))
    pages = bench.pages(("Id", "A", "B", "C"), [[f"{n:05d}", *row] for n, row in enumerate(made)])
    locks = LockKeys(("A", "B", "C"), parallelism=JOBS_AT_ONCE, prefer=prefer)
    done = bench.load(pages, ("Id", "A", "B", "C"), max_slice_rows=SLICE_ROWS, locks=locks)
    found = contents(bench, done)
    assert sum(map(len, found.values())) == rows
    holder: dict[tuple[int, str], str] = {}
    for one in done.slices:
        for record in {row[name] for row in found[one.no] for name in ("A", "B", "C") if row[name]}:
            chain = one.group or f"#{one.no}"
            assert holder.setdefault((one.wave, record), chain) == chain


@SOME
@given(st.integers(40, 200), st.randoms(use_true_random=False))
def test_families_run_side_by_side(bench: Bench, rows: int, chance: random.Random) -> None:
    done = packed(bench, families(chance, rows))
    assert {one.wave for one in done.slices} == {0}
    assert makespan(done) <= 2 * max(rows / JOBS_AT_ONCE, SLICE_ROWS)


@SOME
@given(st.lists(st.integers(1, 4), min_size=20, max_size=120), st.integers(1, 2))
def test_jobs_are_full(bench: Bench, sizes: list[int], keys: int) -> None:
    """Small groups fill nine tenths of the slices that they need, as good as rows that lock nothing."""
    rows = [(f"a{n}", f"b{n}") for n, size in enumerate(sizes) for _ in range(size)]
    done = packed(bench, rows, keys=keys, slice_rows=40)
    assert len(done.slices) <= -(-len(rows) // 36)


@SOME
@given(
    st.lists(st.tuples(st.integers(-1, 12), st.integers(-1, 12), st.integers(1, 6)), max_size=40),
    st.integers(1, 30),
    st.integers(0, 40),
)
def test_clusters_are_apart_and_small(locked: list[tuple[int, int, int]], cap: int, spare: int) -> None:
    found = clusters(locked, 13, cap=cap, spare=spare)
    if found is None:
        assert sum(rows for *_, rows in locked) > spare
        return
    rows_of: dict[int, int] = defaultdict(int)
    for number, (*pair, rows) in enumerate(locked):
        of = {found.cluster_of[one] for one in pair if one >= 0}
        if number in set(found.between):
            spare -= rows
        elif of:
            (cluster,) = of
            rows_of[cluster] += rows
    assert spare >= 0
    assert all(rows <= cap for rows in rows_of.values())


def test_large_values_are_shared_out_evenly() -> None:
    assert balanced({"x": 50, "y": 30, "z": 30}, 0, [1, 1]) == {"x": 0, "y": 1, "z": 1}
    assert balanced({"x": 30, "y": 30, "z": 30}, 0, [2, 1]) == {"x": 0, "y": 1, "z": 0}


CELLS = st.builds(
    Cell,
    st.integers(0, 3),
    st.tuples(st.integers(-1, 6), st.integers(-1, 6)),
    st.integers(1, 50),
)


@SOME
@given(
    st.lists(CELLS, min_size=1, max_size=60, unique_by=lambda one: (one.track, one.buckets)),
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(2, 4)), st.integers(1, 300), max_size=6),
    st.integers(8, 100),
)
def test_waves_hold_every_row_once_and_no_bucket_twice(
    cells: list[Cell], turns: dict[tuple[int, int], int], slice_rows: int
) -> None:
    made = arranged(Cells(4, cells, turns), slice_rows)
    parts: dict[int, list[tuple[float, float]]] = defaultdict(list)
    holder: dict[tuple[int, int], int] = {}
    for one in made.pieces:
        parts[one.cell].append((one.after, one.upto))
        cell = cells[one.cell]
        for bucket in cell.held:
            assert holder.setdefault((one.wave, bucket), cell.track) == cell.track
    assert sorted(parts) == list(range(len(cells)))
    for each in parts.values():
        assert each[0][0] == 0.0
        assert each[-1][1] == 1.0
        assert all(before[1] == after[0] for before, after in pairwise(each))
    assert set(made.units) == {(wave, track) for wave in range(made.waves) for track in range(4)}
    assert made.waves >= max([degree for _, degree in turns], default=1)


def test_a_record_needs_as_many_waves_as_tracks_lock_it() -> None:
    """Four hundred campaigns on fifteen tracks, and leads that are members of three: three waves, not fifteen."""
    made = arranged(Cells(15, [], {(track, 3): 20_000 for track in range(15)}), 10_000)
    assert made.waves == 3
    assert made.slices == 45
    assert made.longest == 20_001


def test_records_that_every_track_locks_travel_as_in_a_latin_square() -> None:
    """Sixteen records of about a size, which fifteen tracks lock: each wave runs fifteen of them, though none is as large as another."""
    chance = random.Random(4)  # noqa: S311 - deterministic on purpose
    cells = [
        Cell(track, (bucket,), 1_300 + chance.randrange(-60, 60))
        for track in range(15)
        for bucket in range(16)
    ]
    made = arranged(Cells(15, cells, {}), 10_000)
    assert made.waves == 16
    assert made.longest <= 1.1 * sum(one.rows for one in cells) / 15


def test_the_largest_record_decides_how_long_it_takes() -> None:
    """One track has three times as many rows as any other, spread over eight records that all tracks lock."""
    cells = [
        Cell(track, (bucket,), 3_000 if track == 0 else 1_000) for track in range(5) for bucket in range(8)
    ]
    made = arranged(Cells(5, cells, {}), 10_000)
    assert made.longest <= 1.05 * 8 * 3_000


@pytest.mark.parametrize("prefer", Prefer)
def test_rows_that_wait_are_packed_by_the_same_keys(bench: Bench, prefer: Prefer) -> None:
    done = packed(bench, [(f"a{n % 4}", f"b{n % 41}") for n in range(90)], prefer=prefer)
    waiting = [
        bench.engine.settle(
            bench.answer(
                done,
                ("Id", "A", "B"),
                no=one.no,
                bad=dict.fromkeys(range(one.file.rows), "UNABLE_TO_LOCK_ROW:x:--"),
                retryable=frozenset({"UNABLE_TO_LOCK_ROW"}),
            )
        ).outcomes
        for one in done.slices
    ]
    again = bench.engine.cut_again(
        RetryJob(
            "load",
            2,
            (done.rows,),
            tuple(waiting),
            locks=LockKeys(("A", "B"), parallelism=JOBS_AT_ONCE, prefer=prefer),
            max_slice_rows=SLICE_ROWS,
            first_no=len(done.slices) + 1,
        )
    )
    assert again.total == 90
    assert [(one.group, one.wave) for one in again.slices] == [(one.group, one.wave) for one in done.slices]
