"""What DuckDB 2.0 does that nobody would expect; each test shows the trap or that we are not in it."""

import csv
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from migrator.data import PageBroken
from migrator.data.jobs import Pages
from migrator.data.session import csv_header, read_csv, read_parquet
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import FileRef
from tests.unit.data.bench import Bench, record_id


def page(bench: Bench, content: bytes, rows: int) -> FileRef:
    return bench.workspace.publish(f"extract/{rows}-{len(content)}.csv", [content], rows)


def test_the_pinned_minor_version_is_the_one_that_was_tried() -> None:
    assert duckdb.__version__.startswith("2.0.")


def test_the_dialect_is_spelled_out(tmp_path: Path) -> None:
    sql = read_csv([tmp_path / "a.csv"], ["x"])
    assert "auto_detect = false" in sql
    assert "parallel = false" in sql
    # stating the line end, with the strict mode that is the default, can return no rows at all
    assert "new_line" not in sql
    assert "strict_mode" not in sql


def test_a_truncated_page_is_read_without_a_word_and_we_notice(bench: Bench) -> None:
    whole = b'"Id","V"\n"1","one"\n"2","two"\n'
    inside = page(bench, whole[:-4], 2)
    with duckdb.connect() as connection:
        query = f"SELECT count(*) FROM {read_csv([bench.workspace.path(inside)], ['Id', 'V'])}"
        assert connection.execute(query).fetchall() == [(1,)], "the trap is gone: look at the pin"
    for length in range(len(whole) - 1):
        with pytest.raises(PageBroken):
            bench.engine.check_page(page(bench, whole[:length], 2), ("Id", "V"), 2)
    bench.engine.check_page(page(bench, whole, 2), ("V", "Id"), 2)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'"Id","V"\n"1","one"\n', 2),
        (b'"Id","V"\n"1","one"\n"2","two"\n', 1),
        (b'"Id","W"\n"1","one"\n', 1),
        (b'"Id"\n"1"\n', 1),
        (b'"Id","V","W"\n"1","one","x"\n', 1),
        (b'"Id","V"\n"1"\n', 1),
        (b'"Id","V"\n"1","one","x"\n', 1),
        (b'"Id","V"\n"1","\xff"\n', 1),
        (b"<html>Sign in</html>", 1),
    ],
)
def test_a_page_that_is_not_what_the_org_told_is_refused(bench: Bench, content: bytes, rows: int) -> None:
    with pytest.raises(PageBroken):
        bench.engine.check_page(page(bench, content, rows), ("Id", "V"), rows)


def test_a_page_of_no_records_is_its_header_or_nothing(bench: Bench) -> None:
    bench.engine.check_page(page(bench, b'"Id","V"\n', 0), ("Id", "V"), 0)
    bench.engine.check_page(page(bench, b"", 0), ("Id", "V"), 0)


def test_multi_line_values_cross_every_buffer(bench: Bench) -> None:
    # longer than the reader's buffer, with line ends and quotes everywhere
    value = 'line "one"\r\nline two, "\n\n'
    rows = [[f"{n:06d}", value * (n % 7)] for n in range(40_000)]
    done = bench.load(bench.pages(("Id", "V"), rows), ("Id", "V"))
    assert done.total == 40_000
    assert bench.slice(done.slices[0].file) == [
        {"Id": key, "V": text.replace("\r\n", "\n")} for key, text in rows
    ]


def test_row_numbers_do_not_depend_on_threads(bench: Bench) -> None:
    pages = [[[f"{seq:02d}-{n:05d}", "x"] for n in range(3_000)] for seq in range(20)]
    done = bench.load(bench.pages(("Id", "V"), *pages), ("V",))
    numbers = [(row["row"], row["source_key"]) for row in bench.parquet(done.rows)]
    assert sorted(numbers) == [
        (1 + seq * 3_000 + n, f"{seq:02d}-{n:05d}") for seq in range(20) for n in range(3_000)
    ]


def test_the_same_rows_make_the_same_files(bench: Bench) -> None:
    pages = bench.pages(("Id", "V"), [[f"{n * 7919 % 5000:05d}", f"v{n % 3}"] for n in range(5_000)])
    made = [bench.load(pages, ("Id", "V"), group_by="V", max_slice_rows=900) for _ in range(3)]
    assert len({tuple(one.file.sha256 for one in done.slices) for done in made}) == 1


def test_a_row_tells_which_file_of_a_list_it_is_from(bench: Bench) -> None:
    refs = [bench.csv(("A",), [[str(n)]] * (n + 1)) for n in range(12)]
    paths = [bench.workspace.path(ref) for ref in reversed(refs)]
    with bench.engine._session() as session:
        found = session.rows(
            f'SELECT file_index, min("A"), max("A"), count(*) FROM {read_csv(paths, ("A",))} GROUP BY 1 ORDER BY 1'
        )
    assert found == [(n, str(11 - n), str(11 - n), 12 - n) for n in range(12)]


def test_empty_and_null_are_one_thing(bench: Bench) -> None:
    ref = page(bench, b'Id,V,W\n1,"",x\n2,,x\n3,NULL,x\n', 3)
    done = bench.load(Pages((ref,)), ("V", "W"))
    assert bench.workspace.path(done.slices[0].file).read_bytes() == b"V,W\n,x\n,x\nNULL,x\n"


def test_columns_called_like_ours(bench: Bench) -> None:
    names = ("row", "slice", "grp", "outcome", "source_key", "c.V", "select")
    done = bench.load(
        bench.pages(("Id", 'a"b', *names), [[record_id(1), "0", *"1234567"]]), names, group_by="grp"
    )
    assert bench.slice(done.slices[0].file) == [dict(zip(names, "1234567", strict=True))]


def test_a_second_process_can_look_while_the_engine_works(bench: Bench) -> None:
    done = bench.load(bench.pages(("Id", "V"), [["1", "x"]]), ("V",))
    script = "import duckdb, sys; print(duckdb.sql(f\"SELECT count(*) FROM '{sys.argv[1]}'\").fetchall())"
    seen = subprocess.run(  # noqa: S603 - our own interpreter on our own script
        [sys.executable, "-c", script, str(bench.workspace.path(done.rows))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "[(1,)]"


def test_a_disk_that_is_full_is_a_pause(bench: Bench) -> None:
    with pytest.raises(MigratorError) as caught, bench.engine._session() as session:
        session.run("COPY (SELECT i FROM range(1000000) AS t(i)) TO '/dev/full' (FORMAT parquet)")
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", ExitCode.PAUSED)


def test_more_memory_than_allowed_is_a_pause(bench: Bench) -> None:
    with pytest.raises(MigratorError) as caught, bench.engine._session() as session:
        session.run(
            "CREATE TEMP TABLE t AS SELECT string_agg(i::VARCHAR || repeat('x', 100)) AS s FROM range(10000000) AS t(i)"
        )
    assert (caught.value.code, caught.value.exit_code) == ("memory-limit", ExitCode.PAUSED)
    assert "more than the 256 MB of memory that it was given" in caught.value.diagnostic.what
    assert "`migrator resume --memory 512`" in (caught.value.diagnostic.hint or "")


def test_rows_keep_the_order_of_their_file_where_slices_are_cut_from_it(bench: Bench, tmp_path: Path) -> None:
    """Elsewhere they need not, and with several threads they do not."""
    made = tmp_path / "lines.csv"
    with bench.engine._session() as session:
        assert session.one("SELECT current_setting('preserve_insertion_order')") == (False,)
        path = session.write_parquet(
            "SELECT i // 50000 AS slice, i, repeat(chr(65 + (i % 26)::INTEGER), (i % 199)::INTEGER) AS more "
            "FROM range(600000) AS t(i) ORDER BY i",
            "rows.parquet",
        )
        session.run_in_order(
            f"COPY (SELECT i, more FROM {read_parquet([path])} WHERE slice BETWEEN 2 AND 9) TO '{made}' (FORMAT csv, HEADER false)"
        )
        assert session.one("SELECT current_setting('preserve_insertion_order')") == (False,)
    with made.open(encoding="utf-8", newline="") as file:
        assert [int(row[0]) for row in csv.reader(file)] == list(range(100_000, 500_000))


def test_nothing_half_made_is_left(bench: Bench) -> None:
    bench.load(bench.pages(("Id", "V"), [["1", "x"]]), ("V",))
    bench.engine.close()
    assert [one.name for one in (bench.workspace.root / "tmp").iterdir() if one.name != "spill"] == []


def test_a_closed_engine_opens_again(bench: Bench) -> None:
    bench.engine.close()
    assert bench.load(bench.pages(("Id", "V"), [["1", "x"]]), ("V",)).total == 1


def test_a_header_may_be_long_and_hold_line_ends(tmp_path: Path) -> None:
    names = ["a\nb", *(f"column_{n}" for n in range(3000)), "last\n"]
    path = tmp_path / "long.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(names)
        file.write("x" * 100)
    assert csv_header(path) == tuple(names)
