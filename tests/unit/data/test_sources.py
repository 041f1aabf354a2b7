"""Everything wrong with a source file is told with file and line; what is right is frozen as it is."""

import csv
from pathlib import Path
from typing import Any

import pytest

from migrator.data import PageBroken, check_source_file
from migrator.data.jobs import Pages, SourceFile
from tests.unit.data.bench import Bench


def check(tmp_path: Path, content: bytes, **settings: str) -> SourceFile:
    path = tmp_path / "source.csv"
    path.write_bytes(content)
    return check_source_file(path, **settings)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [("csv-header", 1)]),
        (b"a,b,\n1,2,3\n", [("csv-header", 1)]),
        (b"Id,id\n1,2\n", [("csv-header", 1)]),
        (b"a;b;c\n1;2;3\n", [("csv-delimiter", 1)]),
        (b"a\tb\n1\t2\n", [("csv-delimiter", 1)]),
        (b"a,b\n1,2,3\n4,5\n6\n", [("csv-ragged", 2), ("csv-ragged", 4)]),
        (b'a,b\n1,"x\ny"\n2\n', [("csv-ragged", 4)]),
        (b'a,b\n1,2\n3,"open\n5,6\n', [("csv-quote", 3)]),
        (b'a,b\n1,"two\nlines","open\n5,6\n', [("csv-quote", 3)]),
        (b'a,b\n1,"x" y\n2,3\n', [("csv-quote", 2)]),
        (b'a,b\n1,"opened\n2,"next"\n', [("csv-quote", 2)]),
        (b"a,b\n1,x\0y\n", [("csv-nul", 2)]),
        (b"a,b\n1,x\n2,caf\xe9\n", [("csv-encoding", 3)]),
        (b"a,b\n1,caf\xe9\n2\n", [("csv-encoding", 2), ("csv-ragged", 3)]),
    ],
)
def test_every_problem_has_its_line(tmp_path: Path, content: bytes, expected: list[tuple[str, int]]) -> None:
    found = check(tmp_path, content).diagnostics
    assert [(one.code, one.where.line) for one in found] == expected
    assert all(one.where.path == str(tmp_path / "source.csv") and one.hint for one in found)


def test_the_byte_that_breaks_the_encoding_is_named(tmp_path: Path) -> None:
    start = b"a,b\n" + b"1,x\n" * 400_000
    (found,) = check(tmp_path, start + b"2,caf\xe9\n").diagnostics
    assert (found.what, found.where.line) == (f"byte {len(start) + 5} is not utf-8", 400_002)


def test_no_more_than_twenty_are_told(tmp_path: Path) -> None:
    assert len(check(tmp_path, b"a,b\n" + b"1\n" * 1000).diagnostics) == 20


def test_no_value_is_shown(tmp_path: Path) -> None:
    found = check(tmp_path, b'a,b\nsecret\n1,"secret" secret\n').diagnostics
    assert found
    assert not any("secret" in str(one) for one in found)


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (b"a,b\n1,2\n", {}),
        (b"a,b\r\n1,2\r\n", {}),
        (b"a,b\r1,2\r", {}),
        (b"a,b\r\n1,2\n\n\n", {}),
        (b"a,b\n1,2", {}),
        (b"\xef\xbb\xbfa,b\n1,2\n", {}),
        (b"a;b\n1;2\n", {"delimiter": ";"}),
        ("a,b\n1,2\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_good_files_are_frozen_as_pages(
    bench: Bench, tmp_path: Path, content: bytes, settings: dict[str, Any]
) -> None:
    found = check(tmp_path, content, **settings)
    assert (found.columns, found.rows, found.diagnostics) == (("a", "b"), 1, ())
    ref = bench.engine.freeze_source_file("extract", found, tmp_path / "source.csv", **settings)
    assert ref.path == "extract/extract/0.csv"
    done = bench.load(Pages((ref,), settings.get("delimiter", ",")), ("a", "b"), key=())
    assert bench.slice(done.slices[0].file) == [{"a": "1", "b": "2"}]


def test_mixed_line_ends_and_hard_values_survive(bench: Bench, tmp_path: Path) -> None:
    values = ["x\ny", "x\r\ny", "x\ry", 'q"q', "a,b", " s ", "\u2028", "😀", "ü", "ab\\", "'"]
    content = "a,b\r\n" + "".join(
        f'{n},"{value.replace(chr(34), chr(34) * 2)}"{end}'
        for n, (value, end) in enumerate(zip(values, ["\n", "\r\n", "\r"] * 4, strict=False))
    )
    found = check(tmp_path, content.encode())
    assert (found.rows, found.diagnostics) == (len(values), ())
    ref = bench.engine.freeze_source_file("extract", found, tmp_path / "source.csv")
    done = bench.load(Pages((ref,)), ("b",), key=("a",))
    wanted = {value.replace("\r\n", "\n").replace("\r", "\n") for value in values}
    assert {row["b"] for row in bench.slice(done.slices[0].file)} == wanted
    assert {row["source_key"] for row in bench.parquet(done.rows)} == set(map(str, range(len(values))))


def test_a_single_column_keeps_its_records(bench: Bench, tmp_path: Path) -> None:
    found = check(tmp_path, b"a\n1\n\n2\n\n\n")
    ref = bench.engine.freeze_source_file("extract", found, tmp_path / "source.csv")
    assert (found.rows, bench.load(Pages((ref,)), ("a",), key=()).total) == (2, 2)


def test_latin_1_is_frozen_as_utf_8(bench: Bench, tmp_path: Path) -> None:
    found = check(tmp_path, b"a,b\n1,caf\xe9\n", encoding="latin-1")
    ref = bench.engine.freeze_source_file("extract", found, tmp_path / "source.csv", encoding="latin-1")
    assert bench.workspace.path(ref).read_text(encoding="utf-8") == "a,b\n1,café\n"


def test_a_file_that_changed_after_the_check_is_refused(bench: Bench, tmp_path: Path) -> None:
    found = check(tmp_path, b"a,b\n1,2\n")
    (tmp_path / "source.csv").write_bytes(b"a,b\n1,2\n3,4\n")
    with pytest.raises(PageBroken):
        bench.engine.freeze_source_file("extract", found, tmp_path / "source.csv")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    assert [one.code for one in check_source_file(tmp_path / name).diagnostics] == ["csv-unreadable"]


def test_an_encoding_that_does_not_exist(tmp_path: Path) -> None:
    assert [one.code for one in check(tmp_path, b"a,b\n", encoding="utf-9").diagnostics] == ["csv-encoding"]


def test_a_quote_that_is_never_closed_does_not_eat_the_memory(tmp_path: Path) -> None:
    found = check(tmp_path, b'a,b\n1,"open' + b"\n2,x" * 5_000_000)
    assert [(one.code, one.where.line) for one in found.diagnostics] == [("csv-quote", 2)]


def test_long_cells_are_read(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "source.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["a", "b"], ["1", "x" * 400_000]])
    found = check_source_file(path)
    ref = bench.engine.freeze_source_file("extract", found, path)
    assert (found.rows, found.diagnostics, ref.rows) == (1, (), 1)
