"""Full slices before an early end: how full, how quick, and as few rows in each other's way as ever."""

import random
from collections import defaultdict
from collections.abc import Iterator
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.data.filling import divisions, filled
from migrator.data.jobs import Prepared
from migrator.data.waves import Cells
from migrator.model.lockfigures import FULL, most_slices
from migrator.model.plan import Prefer
from tests.properties.test_lock_packing import CELLS, JOBS_AT_ONCE, SOME, makespan, packed
from tests.unit.data.bench import Bench

ROWS, SLICE_ROWS = 3_000, 100


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as made:
        yield made


def members(chance: random.Random, campaigns: int) -> list[tuple[str, str]]:
    """Leads that are members of three campaigns each."""
    return [
        (f"c{one}", f"l{lead}") for lead in range(ROWS // 3) for one in chance.sample(range(campaigns), 3)
    ]


def fill(done: Prepared) -> float:
    return sum(one.file.rows for one in done.slices) / len(done.slices) / SLICE_ROWS


@pytest.mark.parametrize("campaigns", [20, 60, 200])
def test_nine_tenths_are_reached_and_serial_is_not(bench: Bench, campaigns: int) -> None:
    made = members(random.Random(campaigns), campaigns)  # noqa: S311 - deterministic on purpose
    early, full = (packed(bench, made, slice_rows=SLICE_ROWS, prefer=one) for one in Prefer)
    assert 100 * fill(full) >= FULL
    assert len(full.slices) <= len(early.slices)
    assert makespan(full) <= 0.5 * ROWS, "three at once, and far from one at a time"
    (told,) = full.notes
    assert f"{len(full.slices)} slices" in told
    assert "an early end: about " in told
    assert early.notes == ()


def test_a_canary_counts(bench: Bench) -> None:
    """It is a batch of the day as well."""
    assert most_slices(59_800, 2_000, beside=1) == 32
    assert most_slices(59_800, 2_000) == 33
    assert most_slices(15_000, 10_000) == 2, "no fewer than the rows need"


def test_rows_that_fill_no_slice_are_one(bench: Bench) -> None:
    """Forty rows that are all in each other's way, and one that is not: one slice has room for them."""
    made = [(f"a{n % 7}", f"b{n % 6}") for n in range(101)]
    assert len(packed(bench, made, slice_rows=SLICE_ROWS, prefer=Prefer.BATCHES).slices) == 2


@settings(SOME, max_examples=10)
@given(
    st.lists(CELLS, min_size=1, max_size=30, unique_by=lambda one: (one.track, one.buckets)),
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(2, 4)), st.integers(1, 300), max_size=6),
    st.integers(8, 100),
    st.integers(0, 12),
)
def test_an_arrangement_has_every_row_and_no_more_slices_than_it_may(
    cells: list[object], turns: dict[tuple[int, int], int], slice_rows: int, spare: int
) -> None:
    given_ = Cells(4, cells, turns)  # type: ignore[arg-type] # what CELLS draws
    needed = sum(ceil(rows / slice_rows) for rows in given_.loads.values())
    assert filled(given_, slice_rows, needed - 1) is None
    made = filled(given_, slice_rows, needed + spare)
    if made is None:
        return
    assert made.slices <= needed + spare
    rows_of: dict[int, float] = defaultdict(float)
    holder: dict[tuple[int, int], int] = {}
    for one in made.pieces:
        cell = given_.cells[one.cell]
        rows_of[one.cell] += one.upto - one.after
        for bucket in cell.held:
            assert holder.setdefault((one.wave, bucket), cell.track) == cell.track
    assert all(abs(rows_of[number] - 1) < 1e-9 for number in range(len(cells)))
    assert filled(given_, slice_rows, needed + spare) == made, "the same search every time"


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 500), max_size=20), st.integers(1, 2_000))
def test_rows_are_divided_so_that_they_fit(big: dict[str, int], rest: int) -> None:
    rows = sum(big.values()) + rest
    most = most_slices(rows, SLICE_ROWS)
    found = list(divisions(big, rows, JOBS_AT_ONCE, SLICE_ROWS, most))
    assert [len(one.shares) for one in found][-1] == 1
    assert all(one.heaviest >= rows // len(one.shares) - len(one.shares) for one in found)
