"""Salesforce's CSV: rows, batches, faults, and what is written back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.simulator.bulk.csvdialect import (
    DELIMITERS,
    Blanked,
    CsvFault,
    Dialect,
    dialect,
    lay_out,
    read_batch,
    read_rows,
    write_header,
    write_rows,
)

LF = Dialect()
CRLF = Dialect(newline="\r\n")
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)


def rows_of(data: bytes, form: Dialect = LF, batch: int = 2) -> list[list[str]]:
    upload = io.BytesIO(data)
    layout = lay_out(upload, form, batch)
    found = [row for span in layout.spans for row in read_batch(data[span.start : span.end], form)]
    assert len(found) == layout.rows
    return [list(layout.header), *found]


def fault_of(data: bytes, form: Dialect = LF) -> str:
    with pytest.raises(CsvFault) as found:
        rows_of(data, form)
    return found.value.text


def test_batches_are_cut_at_rows_whatever_is_in_the_cells() -> None:
    data = b'Id,Name\n1,a\n2,"b\nb"\n\n3,"c ""c"""\n4,\n5, e '
    upload = io.BytesIO(data)
    layout = lay_out(upload, LF, 2)
    assert [span.rows for span in layout.spans] == [2, 2, 1]
    assert rows_of(data) == [
        ["Id", "Name"],
        ["1", "a"],
        ["2", "b\nb"],
        ["3", 'c "c"'],
        ["4", ""],
        ["5", " e "],
    ]


@pytest.mark.parametrize("data", [b"", b"\n", b"Id", b"Id\n", b"\n\nId\n"])
def test_nothing_but_a_header_has_no_batches(data: bytes) -> None:
    assert lay_out(io.BytesIO(data), LF, 10).rows == 0


def test_a_byte_order_mark_spoils_the_first_header() -> None:
    assert rows_of(b"\xef\xbb\xbfId\n1\n")[0] == ["\ufeffId"]
    assert fault_of(b'\xef\xbb\xbf"Id"\n1\n').endswith(
        "Found unescaped quote. A value with quote should be within a quote"
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'Id, "N"\n1,a\n', "Found unescaped quote. A value with quote should be within a quote"),
        (b'Id,N\n1,x "a"\n', "Found unescaped quote. A value with quote should be within a quote"),
        (b'Id,N\n1,a"b\n', "Found unescaped quote. A value with quote should be within a quote"),
        (b'Id,N\n"1" x,a\n', "Not expecting more text after end quote"),
        (b'Id,N\n1,"a\n"x\n', "Not expecting more text after end quote"),
        (b'Id,N\n1,"a\n2,b\n', "EOF reached before closing an opened quote"),
    ],
)
def test_quotes_out_of_place_fail_the_whole_file(data: bytes, why: str) -> None:
    assert fault_of(data) == f"InvalidBatch : Failed to parse CSV. {why}"


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (b'1, "a"', ["1", ' "a"']),
        (b'"1" ,a', ['"1" ', "a"]),
        (b' "1",a', [' "1"', "a"]),
        (b'1,"a"  ', ["1", '"a"  ']),
        (b'1,\t"a, ""b""\nc" ', ["1", '\t"a, ""b""\nc" ']),
        (b'1, ""', ["1", ' ""']),
    ],
)
def test_a_blank_beside_a_quote_is_the_error_of_its_row(row: bytes, cells: list[str]) -> None:
    read = rows_of(b"Id,N\n0,ok\n" + row + b'\n2,"o, k"\n', batch=9)
    assert read == [["Id", "N"], ["0", "ok"], cells, ["2", "o, k"]]
    assert [isinstance(one, Blanked) for one in read] == [False, False, True, False]


@pytest.mark.parametrize("row", [b'1,"a, ""b"" c"', b'1,"a "" , "" b"', b'"1","\n ""x"" "'])
def test_blanks_and_quotes_inside_of_a_quoted_value_are_its_own(row: bytes) -> None:
    assert not any(isinstance(one, Blanked) for one in rows_of(b"Id,N\n" + row + b"\n"))


def test_tabs_that_separate_are_no_blanks() -> None:
    read = rows_of(b'Id\tN\n1\t"a"\n2\t "b"\n', Dialect("\t"), batch=9)
    assert [isinstance(one, Blanked) for one in read] == [False, False, True]


@pytest.mark.parametrize(
    ("data", "form", "setting"),
    [
        (b"Id\r\n1\r\n", LF, "LF"),
        (b"Id\n1\n", CRLF, "CRLF"),
        (b'Id\r\n"a\nb"\r\n', CRLF, "CRLF"),
        (b'Id\n"a\r\nb"\n', LF, "LF"),
    ],
)
def test_the_line_ends_must_be_those_of_the_job(data: bytes, form: Dialect, setting: str) -> None:
    expected = (
        f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {setting}"
    )
    assert fault_of(data, form) == expected


def test_line_ends_are_found_where_blocks_meet() -> None:
    block = 1 << 20
    lines = b"x\n" * (block // 2 - 2)
    assert "LineEnding" in fault_of(lines + b"yyy\r\n")
    lines = b"xx\r\n" * (block // 4 - 1)
    assert len(lay_out(io.BytesIO(lines + b"yyy\r\nz\r\n"), CRLF, 10**6).spans) == 1


def test_lines_end_only_where_the_job_says() -> None:
    assert rows_of("Id\na\u2028b\x0bc\x85d\n".encode())[1] == ["a\u2028b\x0bc\x85d"]


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert rows_of(b"Id\n\xff\n")[1] == ["\ufffd"]


def test_a_record_can_be_too_long() -> None:
    assert "Exceeded max length for one record: 400003" in fault_of(b"Id\n" + b"x" * 400_002 + b"\n")


def test_every_cell_is_quoted_and_the_clients_header_is_not() -> None:
    assert write_rows([["a", ""], ['b"', "c\nd"]], LF) == '"a",""\n"b""","c\nd"\n'
    assert write_rows([], LF) == ""
    assert (
        write_header(["sf__Id", "sf__Error"], ["name", "a b", "c,d"], LF)
        == '"sf__Id","sf__Error",name,a b,"c,d"\n'
    )


@pytest.mark.parametrize("name", DELIMITERS)
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=6))
def test_writing_and_reading_any_text_changes_nothing(name: str, rows: list[list[str]]) -> None:
    form = dialect(name, "LF")
    assert list(read_rows(write_rows(rows, form), form)) == rows
    data = (write_header([], ["A", "B"], form) + write_rows(rows, form)).encode()
    assert rows_of(data, form)[1:] == rows


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=6))
def test_what_pythons_csv_writes_is_understood(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([["A", "B"], *rows])
    assert rows_of(text.getvalue().encode())[1:] == rows
