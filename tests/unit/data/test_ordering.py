"""Rows are put in the order of their slices within the memory that there is, into however many parts that divides them."""

import csv
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from migrator.data import Engine
from migrator.data.jobs import IdMap, Pages, SqlLookup
from migrator.data.ordering import ordered, sizes
from migrator.data.session import Session, read_parquet
from migrator.model.plan import WhenMissing
from tests.unit.data.bench import Bench, a_load

ROWS, SLICES = 60_000, 300


def _in_order(session: Session) -> list[tuple[Any, ...]]:
    """Rows in no order, and what `ordered` makes of them."""
    session.run(
        f"CREATE OR REPLACE TEMP TABLE mixed AS SELECT i AS \"row\", concat('k', hash(i)) AS source_key, (hash(i + 7) % {SLICES})::INTEGER AS slice, "
        f"40::BIGINT AS bytes, repeat('x', 39) AS line, nullif(hash(i + 1) % 50, 0) AS place FROM range({ROWS}) AS t(i)"
    )
    made = ordered(
        session, "(FROM mixed)", "made.parquet", rows=ROWS, size=ROWS * 40, metadata={"note": "kept"}
    )
    (note,) = session.one(
        f"SELECT decode(value) FROM parquet_kv_metadata('{made}') WHERE decode(key) = 'note'"
    )
    assert note == "kept"
    assert [one.no for one in sizes(session, made)] == list(range(SLICES))
    assert [one.name for one in session.folder.iterdir()] == ["made.parquet"], (
        "what was made on the way is gone"
    )
    return session.rows(f"SELECT * FROM {read_parquet([made])} ORDER BY file_row_number")


@pytest.mark.parametrize(
    "memory", [pytest.param(12_000_000, id="a few parts"), pytest.param(400_000, id="parts of parts")]
)
def test_divided_rows_are_in_the_order_of_undivided_ones(bench: Bench, memory: int) -> None:
    with bench.engine._session() as session:
        whole = _in_order(session)
    with bench.engine._session() as session:
        assert _in_order(replace(session, memory=memory)) == whole
    assert len(whole) == ROWS
    places = _places()
    keyed = [(slice_no, places[row] is not None, places[row] or 0, key) for row, key, slice_no, _, _ in whole]
    assert keyed == sorted(keyed)


def _places() -> dict[int, int | None]:
    with duckdb.connect() as connection:
        return dict(
            connection.execute(f"SELECT i, nullif(hash(i + 1) % 50, 0) FROM range({ROWS}) AS t(i)").fetchall()
        )


def test_rows_of_many_times_the_memory_are_prepared(bench: Bench) -> None:
    """They are sorted; DuckDB's sort alone gives up on them."""
    count, cells = 400_000, 4
    names = [f"Text{n}__c" for n in range(cells)]
    columns = ", ".join(f"concat('{name} ', i, repeat('x', 100)) AS {name}" for name in names)
    page = bench.workspace.root / "page.csv"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT concat('k', hash(i)) AS Id, concat('a', hash(i) % 50000) AS Parent__c, {columns} FROM range({count}) AS t(i)) "
            f"TO '{page}' (FORMAT csv, FORCE_QUOTE *)"
        )
    pages = Pages((bench.workspace.adopt("extract/wide/0.csv", page, count),))
    bench.engine.close()
    bench.engine = Engine(bench.workspace, memory_limit_mb=192)
    job = a_load(pages, ["Parent__c", *names], group_by="Parent__c", max_slice_rows=10_000)
    done = bench.engine.prepare_load(job)
    assert (done.total, done.rows.rows) == (count, count)
    with bench.engine._session() as session:
        source = read_parquet([bench.workspace.path(done.rows)])
        jumps = session.one(
            f"SELECT count(*) FILTER (slice < before) FROM (SELECT slice, lag(slice) OVER (ORDER BY file_row_number) AS before FROM {source})"
        )
    assert jumps == (0,)
    assert sum(one.file.rows for one in done.slices) == count


def test_wide_rows_of_slices_as_long_as_an_upload_may_be_are_prepared(bench: Bench) -> None:
    """DuckDB sorts and writes some hundred thousand rows at a time: a hundred megabytes of these."""
    count, names = 150_000, [f"Text{n}__c" for n in range(20)]
    columns = ", ".join(f"repeat(md5(concat(i, '{name}')), 2) AS {name}" for name in names)
    page = bench.workspace.root / "page.csv"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT concat('k', hash(i)) AS Id, {columns} FROM range({count}) AS t(i)) TO '{page}' (FORMAT csv, FORCE_QUOTE *)"
        )
    pages = Pages((bench.workspace.adopt("extract/wide/0.csv", page, count),))
    bench.engine.close()
    bench.engine = Engine(bench.workspace, memory_limit_mb=192)
    done = bench.engine.prepare_load(a_load(pages, names))
    assert (done.total, done.rows.rows) == (count, count)
    assert sum(one.file.rows for one in done.slices) == count


def test_parents_of_which_most_of_the_memory_would_be_full_are_joined_on_disk(bench: Bench) -> None:
    """A table that just fits would leave none to what reads and writes."""
    count, entries = 100_000, 300_000
    page, known = bench.workspace.root / "page.csv", bench.workspace.root / "map.parquet"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"COPY (SELECT concat('k', i) AS Id, printf('001S%011dAAA', hash(i) % {entries}) AS Parent__c FROM range({count}) AS t(i)) "
            f"TO '{page}' (FORMAT csv, FORCE_QUOTE *)"
        )
        connection.execute(
            "COPY (SELECT i AS \"row\", printf('001S%011dAAA', i) AS source_key, printf('001T%011dAAA', i) AS target_id, 'created' AS outcome, "
            f"'' AS code, '' AS message, '' AS fields, true AS final FROM range({entries}) AS t(i)) TO '{known}' (FORMAT parquet)"
        )
    pages = Pages((bench.workspace.adopt("extract/children/0.csv", page, count),))
    parents = IdMap((bench.workspace.adopt("outcomes/parents/0.parquet", known, entries),))
    bench.engine.close()
    bench.engine = Engine(bench.workspace, memory_limit_mb=96)
    lookup = SqlLookup("Parent__c", "Parent__c", (parents,), WhenMissing.FAIL)
    done = bench.engine.prepare_load(a_load(pages, [], lookups=(lookup,)))
    assert (done.rows.rows, done.tallies) == (count, {})
    sent = {one["Parent__c"] for part in done.slices for one in bench.slice(part.file)}
    with bench.workspace.path(pages.files[0]).open() as file:
        assert sent == {one["Parent__c"].replace("001S", "001T") for one in csv.DictReader(file)}


def test_joins_are_on_disk_for_a_while(bench: Bench) -> None:
    forced = "SELECT current_setting('debug_force_external')"
    with bench.engine._session() as session:
        with session.on_disk():
            assert session.one(forced) == (True,)
        assert session.one(forced) == (False,)
