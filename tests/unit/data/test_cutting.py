"""Slices partition the rows; groups stay together; limits hold."""

from collections import Counter, defaultdict

import pytest

from migrator.data.jobs import Prepared
from migrator.data.packing import Limits, Unit, pack
from tests.unit.data.bench import Bench


def load(bench: Bench, groups: list[str], **settings: object) -> Prepared:
    """One row for each entry, `Parent` its group."""
    pages = bench.pages(("Id", "Parent"), [[f"{n:07d}", group] for n, group in enumerate(groups)])
    return bench.load(pages, ("Id", "Parent"), **settings)


def placed(bench: Bench, done: Prepared) -> dict[int, list[tuple[str, str]]]:
    return {one.no: [(row["Parent"], row["Id"]) for row in bench.slice(one.file)] for one in done.slices}


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(9_999, [9_999]), (10_000, [10_000]), (10_001, [10_000, 1]), (20_000, [10_000, 10_000])],
)
def test_rows_without_a_group_fill_slices_exactly(bench: Bench, rows: int, sizes: list[int]) -> None:
    done = load(bench, [""] * rows, max_slice_rows=10_000)
    assert [one.file.rows for one in done.slices] == sizes
    assert [row for rows in placed(bench, done).values() for row in rows] == [
        ("", f"{n:07d}") for n in range(rows)
    ]


def test_more_rows_than_are_cut_one_by_one_fill_slices_exactly_too(bench: Bench) -> None:
    done = load(bench, [""] * 50_001, max_slice_rows=10_000)
    assert [one.file.rows for one in done.slices] == [10_000] * 5 + [1]


def test_a_group_is_never_split(bench: Bench) -> None:
    groups = [f"p{n % 37}" for n in range(1000)]
    done = load(bench, groups, group_by="Parent", max_slice_rows=100)
    where: dict[str, set[int]] = defaultdict(set)
    for no, rows in placed(bench, done).items():
        assert len(rows) <= 100
        assert rows == sorted(rows)
        for parent, _ in rows:
            where[parent].add(no)
    assert all(len(slices) == 1 for slices in where.values())
    assert [one.group for one in done.slices] == [""] * len(done.slices)


def test_a_group_too_big_fills_consecutive_slices_alone(bench: Bench) -> None:
    groups = ["giant"] * 25 + ["a"] * 4 + ["b"] * 3 + ["other giant"] * 11 + [""] * 3
    done = load(bench, groups, group_by="Parent", max_slice_rows=10)
    found = {no: Counter(parent for parent, _ in rows) for no, rows in placed(bench, done).items()}
    assert found == {
        1: {"a": 4, "b": 3, "": 3},
        2: {"giant": 10},
        3: {"giant": 10},
        4: {"giant": 5},
        5: {"other giant": 10},
        6: {"other giant": 1},
    }
    assert [one.group for one in done.slices] == ["", "giant", "giant", "giant", "other giant", "other giant"]


def test_rows_without_a_group_fill_what_groups_leave(bench: Bench) -> None:
    groups = [f"g{n}" for n in range(4) for _ in range(7)] + [""] * 12
    done = load(bench, groups, group_by="Parent", max_slice_rows=10)
    assert [one.file.rows for one in done.slices] == [10, 10, 10, 10]


def test_bytes_are_counted_as_they_are_written(bench: Bench) -> None:
    pages = bench.pages(
        ("Id", "V"),
        [[f"{n:03d}", value] for n, value in enumerate(["xxxxx", 'q"', "a,b", "é", " s ", "😀\n", ""] * 20)],
    )
    for limit in (60, 61, 75, 200, 1000):
        done = bench.load(pages, ("Id", "V"), max_slice_bytes=limit)
        sizes = [one.file.size for one in done.slices]
        assert max(sizes) <= limit
        # with no limit on rows the bytes are exact: no slice could have taken the first row of the next
        assert all(size > limit - 20 for size in sizes[:-1])
        assert sum(one.file.rows for one in done.slices) == 140


def test_a_row_that_fits_into_no_slice_fails(bench: Bench) -> None:
    pages = bench.pages(("Id", "V"), [["1", "x" * 500], ["2", "y"]])
    done = bench.load(pages, ("V",), max_slice_bytes=100)
    assert done.faults == {"DATA_TOO_LONG": 1}
    assert [row["V"] for row in bench.slice(done.slices[0].file)] == ["y"]


def test_a_canary_is_no_larger_than_a_slice_may_be(bench: Bench) -> None:
    rows = [[f"{n:03d}", "x" * 50] for n in range(200)]
    for limits, most in (({"max_slice_bytes": 300}, 5), ({"max_slice_rows": 7}, 7), ({}, 20)):
        done = bench.load(bench.pages(("Id", "V"), rows), ("Id", "V"), canary_rows=20, **limits)
        canary = next(one for one in done.slices if one.no == done.canary)
        assert canary.file.rows == most
        assert sum(one.file.rows for one in done.slices) == 200
        assert all(one.file.size <= limits.get("max_slice_bytes", 1e9) for one in done.slices)


def test_the_order_of_the_source_changes_nothing(bench: Bench) -> None:
    groups = [f"p{n % 11}" if n % 5 else "" for n in range(500)]
    rows = [[f"{n:05d}", group] for n, group in enumerate(groups)]
    contents = []
    for order in (rows, rows[::-1], rows[250:] + rows[:250]):
        done = bench.load(
            bench.pages(("Id", "Parent"), order[:123], order[123:]),
            ("Id", "Parent"),
            group_by="Parent",
            max_slice_rows=60,
        )
        contents.append([bench.workspace.path(one.file).read_bytes() for one in done.slices])
    assert contents[0] == contents[1] == contents[2]


def test_many_small_groups_are_bundled_and_slices_are_full(bench: Bench) -> None:
    done = load(bench, [f"{n // 3:06d}" for n in range(90_000)], group_by="Parent", max_slice_rows=10_000)
    sizes = [one.file.rows for one in done.slices]
    assert sum(sizes) == 90_000
    assert max(sizes) <= 10_000
    assert sum(sizes) / (len(sizes) * 10_000) >= 0.9
    where: dict[str, set[int]] = defaultdict(set)
    for no, rows in placed(bench, done).items():
        for parent, _ in rows:
            where[parent].add(no)
    assert all(len(slices) == 1 for slices in where.values())


def test_big_groups_leave_no_half_empty_slices() -> None:
    limits = Limits(10_000, 10**9)
    big = [Unit(f"g{n:03d}", 4_000, 1) for n in range(100)]
    small = [Unit(f"s{n:05d}", 20, 1) for n in range(10_000)]
    bins = pack(big, small, limits)
    assert sum(one.rows for one in bins) == 600_000
    assert len(bins) == 60


def test_groups_with_quotes_in_their_names(bench: Bench) -> None:
    done = load(
        bench, ["it's", "it's", 'a"b', "a,b\nc", "a,b\nc", "it's"], group_by="Parent", max_slice_rows=2
    )
    assert sum(one.file.rows for one in done.slices) == 6
    assert {one.group for one in done.slices} == {"", "it's"}
