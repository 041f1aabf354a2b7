"""What rows look up, on the way from pages to slices: translated, left out, blocked or filled later."""

from dataclasses import replace

import pytest

from migrator.data.jobs import IdMap, RetryJob, SentColumn
from migrator.model.plan import Operation, WhenMissing
from migrator.model.run import Outcome
from tests.unit.data.bench import Bench, lookup, reasons, record_id

A, B, C = (record_id(n, "001") for n in (1, 2, 3))
ROWS = [[record_id(n), f"Name {n}", parent] for n, parent in enumerate([A, B, C, ""])]


class TestLookups:
    @pytest.mark.parametrize("when_missing", list(WhenMissing))
    def test_a_key_of_several_records_is_nobodys(self, bench: Bench, when_missing: WhenMissing) -> None:
        """Files number their records each for itself: 4 may be a record of this one or of that one, and so may one that is not in the target."""
        maps = (
            bench.id_map({"1": A, "4": B, "5": A}),
            bench.id_map({"4": C, "5": A, "7": C}),
            bench.id_map({"1": "", "9": ""}, outcome="failed"),
        )
        rows = [[f"t{n}", "x", key] for n, key in enumerate(["1", "4", "5", "7", ""])]
        asked = replace(lookup(maps, when_missing), keys_repeat=True)
        done = bench.load(bench.pages(("Id", "V", "Parent"), rows), ("V",), lookups=(asked,))
        assert reasons(bench, done.outcomes) == [
            (row, "blocked", "LOOKUP_AMBIGUOUS", "AccountId") for row in (1, 2)
        ]
        assert [row["AccountId"] for row in bench.slice(done.slices[0].file)] == [A, C, ""]

    def test_a_record_id_is_nobodys_only_when_it_became_several_records(self, bench: Bench) -> None:
        """An org's record that two entries have is one: where it failed in one of them, the other one's answer is the record."""
        maps = (
            bench.id_map({"1": A, "4": B, "5": A}),
            bench.id_map({"4": C, "5": A, "7": C}),
            bench.id_map({"1": "", "9": ""}, outcome="failed"),
        )
        rows = [[f"t{n}", "x", key] for n, key in enumerate(["1", "4", "5", "7", ""])]
        done = bench.load(
            bench.pages(("Id", "V", "Parent"), rows), ("V",), lookups=(lookup(maps, WhenMissing.FAIL),)
        )
        assert reasons(bench, done.outcomes) == [(2, "blocked", "LOOKUP_AMBIGUOUS", "AccountId")]
        assert [row["AccountId"] for row in bench.slice(done.slices[0].file)] == [A, A, C, ""]

    def test_rows_that_clear_the_lock_field_have_no_record_in_common(self, bench: Bench) -> None:
        """`#N/A` is no record: one group of all those rows would send their slices one after the other."""
        rows = [[record_id(n), f"v{n}", ""] for n in range(40)]
        made = bench.load(
            bench.pages(("Id", "N", "Parent"), rows),
            ("Id", "N"),
            lookups=(lookup((bench.id_map({A: "t1"}),), WhenMissing.NULL),),
            operation=Operation.UPSERT,
            external_id="Id",
            clear_nulls=True,
            group_by="AccountId",
            max_slice_rows=10,
        )
        assert {row["AccountId"] for one in made.slices for row in bench.slice(one.file)} == {"#N/A"}
        assert [one.group for one in made.slices] == [""] * 4
        assert made.locked[0].records == 0

        columns, sent = ("Id", "N", "AccountId"), (SentColumn("Id"), SentColumn("N"), SentColumn("AccountId"))
        settled = [
            bench.engine.settle(
                replace(
                    bench.answer(made, columns, no=one.no, sent=sent, unprocessed=range(10)), attempt=one.no
                )
            )
            for one in made.slices
        ]
        job = RetryJob("load", 2, (made.rows,), tuple(one.outcomes for one in settled), first_no=9)
        again = bench.engine.cut_again(replace(job, max_slice_rows=10))
        assert (again.total, [one.group for one in again.slices]) == (40, [""] * 4)

    def test_an_empty_value_is_not_missing(self, bench: Bench) -> None:
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS),
            ("N",),
            lookups=(lookup((bench.id_map({A: "t1"}),), WhenMissing.FAIL),),
        )
        assert reasons(bench, done.outcomes) == [
            (2, "blocked", "LOOKUP_MISSING", "AccountId"),
            (3, "blocked", "LOOKUP_MISSING", "AccountId"),
        ]
        assert bench.parquet(done.outcomes)[0]["message"] == f"no record in the target for {B}"
        assert [row["AccountId"] for row in bench.slice(done.slices[0].file)] == ["t1", ""]

    @pytest.mark.parametrize("when", [WhenMissing.NULL, WhenMissing.LINK])
    def test_null_and_link_send_the_row_without_it(self, bench: Bench, when: WhenMissing) -> None:
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS),
            ("Id", "N"),
            lookups=(lookup((bench.id_map({A: "t1"}),), when),),
            operation=Operation.UPSERT,
            external_id="Id",
            clear_nulls=True,
        )
        # an empty source value clears the field; a record that is not there yet does not
        assert [row["AccountId"] for row in bench.slice(done.slices[0].file)] == ["t1", "", "", "#N/A"]

    def test_skip_leaves_the_row_out(self, bench: Bench) -> None:
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS),
            ("N",),
            lookups=(lookup((bench.id_map({A: "t1"}),), WhenMissing.SKIP),),
        )
        assert done.tallies == {Outcome.SKIPPED: 2}

    def test_default_takes_the_place(self, bench: Bench) -> None:
        maps = (bench.id_map({A: "t1", "the default": "t9"}),)
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS),
            ("N",),
            lookups=(lookup(maps, WhenMissing.DEFAULT, "the default"),),
        )
        assert sorted(row["AccountId"] for row in bench.slice(done.slices[0].file)) == ["", "t1", "t9", "t9"]

    def test_a_default_that_does_not_exist_blocks(self, bench: Bench) -> None:
        maps = (bench.id_map({A: "t1"}),)
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS),
            ("N",),
            lookups=(lookup(maps, WhenMissing.DEFAULT, "nobody"),),
        )
        assert done.tallies == {Outcome.BLOCKED: 2}

    def test_the_map_that_knows_answers(self, bench: Bench) -> None:
        maps = (bench.id_map({A: "t1"}), bench.id_map({B: "t2", C: "t3"}))
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS), ("N",), lookups=(lookup(maps, WhenMissing.FAIL),)
        )
        assert sorted(row["AccountId"] for row in bench.slice(done.slices[0].file)) == ["", "t1", "t2", "t3"]

    def test_failed_parents_block_and_repeated_keys_do_not_multiply(self, bench: Bench) -> None:
        failed = bench.id_map({A: ""}, outcome="failed", code="DUPLICATE_SOURCE_KEY")
        refused = bench.id_map({B: ""}, outcome="failed", code="DUPLICATE_VALUE")
        maps = (IdMap(bench.id_map({A: "t1"}).files + failed.files + refused.files),)
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS[:2]), ("N",), lookups=(lookup(maps, WhenMissing.FAIL),)
        )
        assert (done.total, done.tallies) == (2, {Outcome.BLOCKED: 1})

    def test_follow_skips_what_was_not_selected(self, bench: Bench) -> None:
        maps = (
            IdMap(
                bench.id_map({A: "t1"}).files
                + bench.id_map({B: ""}, outcome="failed", code="X").files
                + bench.id_map({C: ""}, outcome="skipped").files
            ),
        )
        pages = bench.pages(("Id", "N", "Parent"), [*ROWS, [record_id(9), "N", record_id(9, "001")]])
        done = bench.load(pages, ("N",), lookups=(lookup(maps, WhenMissing.FAIL),), follow="AccountId")
        assert reasons(bench, done.outcomes) == [
            (2, "blocked", "LOOKUP_MISSING", "AccountId"),
            (3, "skipped", "NOT_FOLLOWED", "AccountId"),
            (4, "skipped", "NOT_FOLLOWED", "AccountId"),
            (5, "skipped", "NOT_FOLLOWED", "AccountId"),
        ]

    def test_a_map_without_files_knows_nothing(self, bench: Bench) -> None:
        done = bench.load(
            bench.pages(("Id", "N", "Parent"), ROWS),
            ("N",),
            lookups=(lookup((IdMap(()),), WhenMissing.FAIL),),
        )
        assert done.tallies == {Outcome.BLOCKED: 3}
