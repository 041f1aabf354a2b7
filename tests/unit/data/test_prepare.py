"""From pages to slices: what is sent, what is not, and why; every row exactly once."""

from dataclasses import replace

import pytest

from migrator.data.jobs import LinkJob, Pages, RetryJob, SqlColumn, SqlLookup
from migrator.errors import MigratorError
from migrator.model.ids import to_18
from migrator.model.plan import Operation, WhenMissing
from migrator.model.run import FileRef, Outcome
from tests.unit.data.bench import Bench, a_load, reasons, record_id

A, B, C = (record_id(n, "001") for n in (1, 2, 3))


def test_values_are_sent_as_they_are_and_null_as_nothing(bench: Bench) -> None:
    values = [
        "plain",
        'say "hi"',
        "a,b",
        "two\nlines",
        " lead",
        "trail ",
        "\ttab",
        "€😀\u2028",
        "=1+1",
        "",
        "x\\y",
        "a;b",
    ]
    pages = bench.pages(("Id", "V", "W"), [[record_id(n), value, "w"] for n, value in enumerate(values)])
    done = bench.load(pages, ("V", "W"))
    assert [row["V"] for row in bench.slice(done.slices[0].file)] == values
    raw = bench.workspace.path(done.slices[0].file).read_bytes()
    assert raw.startswith(
        b'V,W\nplain,w\n"say ""hi""",w\n"a,b",w\n"two\nlines",w\n" lead",w\n"trail ",w\n"\ttab",w\n'
    )
    assert b"\r" not in raw
    assert (done.total, done.tallies, done.outcomes) == (len(values), {}, None)


def test_a_row_of_one_empty_cell_is_no_blank_line(bench: Bench) -> None:
    done = bench.load(bench.pages(("Id", "V"), [[record_id(1), ""], [record_id(2), "x"]]), ("V",))
    assert bench.workspace.path(done.slices[0].file).read_bytes() == b'V\n""\nx\n'


@pytest.mark.parametrize(
    ("operation", "clear", "expected"),
    [
        (Operation.INSERT, True, ""),
        (Operation.UPSERT, False, ""),
        (Operation.UPSERT, True, "#N/A"),
        (Operation.UPDATE, True, "#N/A"),
    ],
)
def test_null_clears_only_where_it_was_asked_for(
    bench: Bench, operation: Operation, clear: bool, expected: str
) -> None:
    pages = bench.pages(("Id", "V"), [[record_id(1), ""]])
    done = bench.load(
        pages,
        ("Id", "V"),
        operation=operation,
        external_id="Id" if operation is Operation.UPSERT else None,
        clear_nulls=clear,
    )
    assert bench.slice(done.slices[0].file) == [{"Id": record_id(1), "V": expected}]


def test_line_ends_inside_values_become_lf_and_are_counted(bench: Bench) -> None:
    pages = bench.pages(("Id", "V"), [[record_id(1), "a\r\nb\rc\nd"], [record_id(2), "a\nb"]])
    done = bench.load(pages, ("V",))
    assert bench.slice(done.slices[0].file)[0]["V"] == "a\nb\nc\nd"
    assert done.notes == ("1 rows had their line ends inside values changed to LF",)


def test_what_cannot_be_stored_fails_before_it_is_sent(bench: Bench) -> None:
    pages = bench.pages(
        ("Id", "V", "W"),
        [[record_id(1), "#N/A", ""], [record_id(2), "x" * 131_073, ""], [record_id(3), "ok", "bad"]],
    )
    fault = SqlColumn("W", '"W"', "CASE WHEN \"W\" = 'bad' THEN 'DATA_PICKLIST' END")
    job = replace(a_load(pages, ()), columns=(SqlColumn("V", '"V"'), fault))
    done = bench.engine.prepare_load(job)
    assert reasons(bench, done.outcomes) == [
        (1, "failed", "DATA_NA", "V"),
        (2, "failed", "DATA_TOO_LONG", "V"),
        (3, "failed", "DATA_PICKLIST", "W"),
    ]
    assert (done.total, done.tallies, done.slices) == (3, {Outcome.FAILED: 3}, ())
    assert done.faults == {"DATA_NA": 1, "DATA_PICKLIST": 1, "DATA_TOO_LONG": 1}


def test_pages_are_bound_by_their_own_headers(bench: Bench) -> None:
    first = bench.csv(("Id", "V"), [[record_id(1), "one"]])
    second = bench.csv(("V", "Id"), [["two", record_id(2)]])
    empty = bench.csv(("Id", "V"), [])
    done = bench.load(Pages((first, empty, second)), ("V",))
    assert [row["V"] for row in bench.slice(done.slices[0].file)] == ["one", "two"]
    assert [(row["row"], row["source_key"]) for row in bench.parquet(done.rows)] == [
        (1, record_id(1)),
        (2, record_id(2)),
    ]


def test_no_rows_is_no_slice(bench: Bench) -> None:
    for pages in (bench.pages(("Id", "V"), []), bench.pages(("Id", "V"))):
        if not pages.files:
            continue
        done = bench.load(pages, ("V",))
        assert (done.total, done.slices, done.rows.rows, done.outcomes) == (0, (), 0, None)


def test_an_extract_that_lost_rows_is_refused(bench: Bench) -> None:
    page = bench.csv(("Id", "V"), [[record_id(1), "x"]])
    with pytest.raises(MigratorError) as caught:
        bench.load(Pages((FileRef(page.path, page.sha256, page.size, 2),)), ("V",))
    assert caught.value.code == "state-corrupt"


class TestKeys:
    def test_ids_are_known_by_their_18_characters(self, bench: Bench) -> None:
        done = bench.load(bench.pages(("Id", "V"), [[record_id(1)[:15], "x"]]), ("V",))
        assert bench.parquet(done.rows)[0]["source_key"] == record_id(1)

    def test_macro_agrees_with_python_on_checksums(self, bench: Bench) -> None:
        ids = ["001dM00003kS2nd", "750ak000009BWKL", "ABCDEFGHIJKLMNO", "000000000000000", "zzzzzZZZZZzZzZz"]
        done = bench.load(bench.pages(("Id", "V"), [[one, "x"] for one in ids]), ("V",))
        assert {row["source_key"] for row in bench.parquet(done.rows)} == {to_18(one) for one in ids}

    def test_several_columns_are_joined_and_none_is_the_number(self, bench: Bench) -> None:
        pages = bench.pages(("X", "Y"), [["a", "b"], ["c", "d"]])
        assert [
            row["source_key"] for row in bench.parquet(bench.load(pages, ("X",), key=("X", "Y")).rows)
        ] == ["a\x1fb", "c\x1fd"]
        assert [row["source_key"] for row in bench.parquet(bench.load(pages, ("X",), key=()).rows)] == [
            "1",
            "2",
        ]

    def test_repeated_rows_count_once_and_different_ones_fail(self, bench: Bench) -> None:
        pages = bench.pages(("Id", "V"), [["k", "same"], ["l", "first"]], [["k", "same"], ["l", "other"]])
        done = bench.load(pages, ("V",))
        assert reasons(bench, done.outcomes) == [(4, "failed", "DUPLICATE_SOURCE_KEY", "")]
        assert [row["V"] for row in bench.slice(done.slices[0].file)] == ["same", "first"]
        assert (done.total, done.notes) == (3, ("1 rows came twice in the extract and count once",))

    def test_a_row_without_a_key_fails(self, bench: Bench) -> None:
        done = bench.load(bench.pages(("Id", "V"), [["", "x"], ["k", "y"]]), ("V",))
        assert reasons(bench, done.outcomes) == [(1, "failed", "SOURCE_KEY_NULL", "")]

    @pytest.mark.parametrize(("sensitive", "failed"), [(False, [1, 2, 3]), (True, [1, 2])])
    def test_record_keys_collide_as_the_org_sees_them(
        self, bench: Bench, sensitive: bool, failed: list[int]
    ) -> None:
        pages = bench.pages(
            ("Id", "Ext"), [["a", "Key"], ["b", " Key "], ["c", "KEY"], ["d", "other"], ["e", " "]]
        )
        done = bench.load(
            pages,
            ("Ext",),
            operation=Operation.UPSERT,
            external_id="Ext",
            external_id_case_sensitive=sensitive,
        )
        assert reasons(bench, done.outcomes) == [
            *((row, "failed", "DUPLICATE_KEY", "Ext") for row in failed),
            (5, "failed", "KEY_NULL", "Ext"),
        ]

    @pytest.mark.parametrize(
        ("kind", "keys", "failed"),
        [
            # ids of different records, and one record by both forms of its id
            ("id", ["001yc000000000Z", "001yc000000000z", C[:15], C], [3, 4]),
            ("double", ["1", "1.0", "01", "1.5", "10"], [1, 2, 3]),
        ],
    )
    def test_record_keys_are_compared_as_what_they_are(
        self, bench: Bench, kind: str, keys: list[str], failed: list[int]
    ) -> None:
        pages = bench.pages(("Id", "Key"), [[f"r{n}", key] for n, key in enumerate(keys)])
        name = "Id" if kind == "id" else "Number__c"
        job = a_load(pages, (), operation=Operation.UPDATE)
        if kind != "id":
            job = replace(job, operation=Operation.UPSERT, external_id=name)
        column = SqlColumn(name, '"Key"', type=kind, numeric=kind == "double")
        done = bench.engine.prepare_load(replace(job, columns=(column,)))
        assert reasons(bench, done.outcomes) == [(row, "failed", "DUPLICATE_KEY", name) for row in failed]


class TestLink:
    def test_only_loaded_rows_with_a_value_are_linked(self, bench: Bench) -> None:
        rows = [[A, "x", B], [B, "x", ""], [C, "x", A], [record_id(4, "001"), "x", A], [A, "x", B]]
        pages = bench.pages(("Id", "N", "Parent"), rows)
        loaded = bench.id_map({A: record_id(1), B: record_id(2), C: record_id(3)})
        done = bench.engine.prepare_link(
            LinkJob(
                "link",
                pages,
                ("Id",),
                loaded,
                (SqlLookup("ParentId", "Parent", (loaded,), WhenMissing.LINK),),
            )
        )
        assert bench.slice(done.slices[0].file) == [
            {"Id": record_id(1), "ParentId": record_id(2)},
            {"Id": record_id(3), "ParentId": record_id(1)},
        ]
        assert done.total == 2

    def test_a_link_that_is_still_missing_blocks(self, bench: Bench) -> None:
        loaded = bench.id_map({A: record_id(1)})
        pages = bench.pages(("Id", "Parent"), [[A, C]])
        for when, outcome in (
            (WhenMissing.LINK, Outcome.BLOCKED),
            (WhenMissing.FAIL, Outcome.BLOCKED),
            (WhenMissing.NULL, Outcome.SKIPPED),
        ):
            done = bench.engine.prepare_link(
                LinkJob("link", pages, ("Id",), loaded, (SqlLookup("ParentId", "Parent", (loaded,), when),))
            )
            assert (done.tallies, done.slices, done.total) == ({outcome: 1}, (), 1)


class TestCutAgain:
    def test_only_rows_that_wait_are_cut(self, bench: Bench) -> None:
        done = bench.load(bench.pages(("Id", "V"), [[record_id(n), f"v{n}"] for n in range(4)]), ("V",))
        job = bench.answer(
            done,
            ("V",),
            bad={1: "UNABLE_TO_LOCK_ROW:x:--"},
            unprocessed=[2],
            retryable=frozenset({"UNABLE_TO_LOCK_ROW"}),
        )
        settled = bench.engine.settle(job)
        again = bench.engine.cut_again(RetryJob("load", 2, (done.rows,), (settled.outcomes,), first_no=2))
        assert [row["V"] for row in bench.slice(again.slices[0].file)] == ["v1", "v2"]
        assert (again.total, again.slices[0].no, again.rows.path) == (2, 2, "rows/load/2.parquet")

        rest = bench.engine.settle(bench.answer(again, ("V",), no=2, unprocessed=[1], attempt=8))
        last = bench.engine.cut_again(
            RetryJob("load", 3, (done.rows,), (settled.outcomes, rest.outcomes), first_no=3)
        )
        assert [row["V"] for row in bench.slice(last.slices[0].file)] == ["v2"]
