"""Pairing reference records; comparing what was read back; what a report lists."""

import pytest

from migrator.data.jobs import CompareJob, IdMap, LinkJob, MatchJob, Pages, SentColumn, SqlLookup
from migrator.model.plan import Operation, WhenMissing
from migrator.model.run import FileRef
from tests.unit.data.bench import Bench, record_id

COLUMNS = ("Name", "Amount", "Born")
SENT = (
    SentColumn("Name"),
    SentColumn("Amount", "double", numeric=True),
    SentColumn("Born", "date"),
    SentColumn("ParentId", "reference"),
)


class TestMatch:
    def match(
        self, bench: Bench, source: list[list[str]], target: list[list[str]]
    ) -> tuple[MatchJob, dict[str, str | None]]:
        job = MatchJob(
            "match User",
            bench.pages(("Id", "Username"), source),
            bench.pages(("Id", "Username"), target),
            ("Id",),
            ("\"Username\" || '.merged'",),
            ("Username",),
        )
        done = bench.engine.match(job)
        self.done = done
        return job, {
            row["source_key"]: row["target_id"] for row in bench.parquet(done.id_map) if row["source_key"]
        }

    def test_equal_keys_pair_without_regard_to_case(self, bench: Bench) -> None:
        _, found = self.match(
            bench,
            [["s1", "Anna@X"], ["s2", "bob@x"], ["s3", ""], ["s1", "Anna@X"]],
            [[record_id(1)[:15], "anna@x.merged"], [record_id(2), "carol@x"]],
        )
        assert found == {"s1": record_id(1), "s2": None, "s3": None}
        assert (self.done.total, self.done.matched, self.done.ambiguous) == (3, 1, 0)
        assert self.done.notes == ("1 records have no value to match by",)

    def test_ambiguous_keys_are_left_unmatched(self, bench: Bench) -> None:
        _, found = self.match(
            bench, [["s1", "anna"]], [[record_id(1), "anna.merged"], [record_id(2), "ANNA.merged"]]
        )
        assert (found, self.done.ambiguous) == ({"s1": None}, 1)

    def test_any_target_record_can_be_a_default(self, bench: Bench) -> None:
        self.match(bench, [["s1", "anna"]], [[record_id(1), "anna.merged"], [record_id(2), "Migration@X"]])
        lookup = SqlLookup(
            "OwnerId", "Owner", (IdMap((self.done.id_map,)),), WhenMissing.DEFAULT, "migration@x"
        )
        pages = bench.pages(("Id", "Owner"), [["a", "s1"], ["b", "s9"], ["c", ""]])
        done = bench.load(pages, ("Id",), lookups=(lookup,))
        assert [row["OwnerId"] for row in bench.slice(done.slices[0].file)] == [
            record_id(1),
            record_id(2),
            "",
        ]


class Loaded:
    """A load of four rows and a link, all settled."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        rows = [
            [f"k{n}", f"Name {n}", f"{n}.50", "2020-01-0" + str(n + 1), f"k{n - 1}" if n else ""]
            for n in range(4)
        ]
        self.pages = bench.pages(("Id", *COLUMNS, "Parent"), rows)
        self.load = bench.load(self.pages, COLUMNS)
        self.settled = bench.engine.settle(bench.answer(self.load, COLUMNS, bad={3: "X_Y:x:--"}))
        loaded = IdMap((self.settled.outcomes,))
        self.link = bench.engine.prepare_link(
            LinkJob(
                "link",
                self.pages,
                ("Id",),
                loaded,
                (SqlLookup("ParentId", "Parent", (loaded,), WhenMissing.LINK),),
            )
        )
        self.linked = bench.id_map({"k1": record_id(1), "k2": record_id(2)}, outcome="updated")

    def compare(
        self, *found: list[str], sample: int | None = None
    ) -> tuple[tuple[int, int, int, int], dict[str, int], FileRef]:
        done = self.bench.engine.compare(
            CompareJob(
                "verify",
                (self.load.rows,),
                (self.settled.outcomes,),
                self.bench.pages(("Id", *COLUMNS, "ParentId"), list(found)),
                SENT,
                links=((self.link.rows,),),
                link_outcomes=self.linked.files,
                sample=sample,
            )
        )
        self.orphaned = dict(done.orphaned)
        return (done.rows, done.sampled, done.missing, done.duplicated), dict(done.differing), done.report


GOOD = [
    [record_id(0), "Name 0", "0.5", "2020-01-01", ""],
    [record_id(1), "Name 1", "1.5", "2020-01-02", record_id(0)],
    [record_id(2), "Name 2", "2.5", "2020-01-03", record_id(1)],
]


class TestCompare:
    def test_what_arrived_is_equal(self, bench: Bench) -> None:
        counts, differing, report = Loaded(bench).compare(
            *GOOD, [record_id(77), "somebody else's", "", "", ""]
        )
        assert (counts, differing, report.rows) == ((3, 3, 0, 0), {}, 0)

    def test_differences_are_counted_by_field_and_listed(self, bench: Bench) -> None:
        counts, differing, report = Loaded(bench).compare(
            [record_id(0), "=evil()", "0.5", "2020-01-01", "set by the org"],
            [record_id(1), "name 1", "1.51", "2020-01-02", record_id(2)],
            GOOD[2],
        )
        assert (counts, differing) == ((3, 3, 0, 0), {"Amount": 1, "Name": 2, "ParentId": 1})
        assert bench.slice(report) == [
            {
                "source_key": "k1",
                "target_id": record_id(1),
                "field": "Amount",
                "sent": "1.50",
                "found": "1.51",
            },
            {
                "source_key": "k0",
                "target_id": record_id(0),
                "field": "Name",
                "sent": "Name 0",
                "found": "'=evil()",
            },
            {
                "source_key": "k1",
                "target_id": record_id(1),
                "field": "Name",
                "sent": "Name 1",
                "found": "name 1",
            },
            {
                "source_key": "k1",
                "target_id": record_id(1),
                "field": "ParentId",
                "sent": record_id(0),
                "found": record_id(2),
            },
        ]
        assert bench.workspace.path(report).stat().st_mode & 0o777 == 0o600

    def test_missing_and_duplicated_records(self, bench: Bench) -> None:
        counts, differing, report = Loaded(bench).compare(GOOD[0], GOOD[1], GOOD[1])
        assert (counts, differing) == ((3, 2, 1, 1), {})
        assert [row["field"] for row in bench.slice(report)] == ["(record missing)"]

    @pytest.mark.parametrize("sample", [0, None])
    def test_records_that_lost_their_parent_are_found_beyond_the_sample(
        self, bench: Bench, sample: int | None
    ) -> None:
        alone = [*GOOD[1][:4], ""]
        loaded = Loaded(bench)
        counts, differing, report = loaded.compare(GOOD[0], alone, GOOD[2], sample=sample)
        assert (counts[2:], differing, loaded.orphaned) == ((0, 0), {}, {"ParentId": 1})
        (found,) = bench.slice(report)
        assert (found["source_key"], found["sent"]) == ("k1", record_id(0))

    @pytest.mark.parametrize(("case_sensitive", "doubled"), [(False, 1), (True, 0)])
    def test_no_other_record_may_have_the_key_of_a_loaded_one(
        self, bench: Bench, *, case_sensitive: bool, doubled: int
    ) -> None:
        load = bench.load(bench.pages(("Id", *COLUMNS), [["k0", "Name 0", "0.50", "2020-01-01"]]), COLUMNS)
        outcomes = (bench.engine.settle(bench.answer(load, COLUMNS)).outcomes,)
        found = bench.pages(
            ("Id", *COLUMNS),
            [[record_id(0), "Name 0", "0.5", "2020-01-01"], [record_id(9), "NAME 0 ", "", ""]],
        )
        job = CompareJob(
            "verify", (load.rows,), outcomes, found, SENT, key="Name", key_case_sensitive=case_sensitive
        )
        compared = bench.engine.compare(job)
        assert (compared.duplicated, compared.duplicate_keys) == (doubled, doubled)

    @pytest.mark.parametrize(("sample", "sampled"), [(0, 0), (2, 2), (100, 3), (None, 3)])
    def test_the_sample_is_as_asked_and_always_the_same(
        self, bench: Bench, sample: int | None, sampled: int
    ) -> None:
        loaded = Loaded(bench)
        wrong = [[*row[:1], "wrong", *row[2:]] for row in GOOD]
        first, second = loaded.compare(*wrong, sample=sample), loaded.compare(*wrong[::-1], sample=sample)
        assert first[0] == (3, sampled, 0, 0)
        assert first[1].get("Name", 0) == sampled
        assert first[2].sha256 == second[2].sha256

    def test_a_field_set_to_null_must_be_empty(self, bench: Bench) -> None:
        pages = bench.pages(("Id", "Name"), [[record_id(0), ""], [record_id(1), ""]])
        load = bench.load(pages, ("Id", "Name"), operation=Operation.UPDATE, clear_nulls=True)
        outcomes = bench.id_map({record_id(n): record_id(n) for n in range(2)}, outcome="updated").files
        found = bench.pages(("Id", "Name"), [[record_id(0), "still here"], [record_id(1), ""]])
        done = bench.engine.compare(CompareJob("verify", (load.rows,), outcomes, found, SENT))
        assert dict(done.differing) == {"Name": 1}

    def test_nothing_loaded_nothing_compared(self, bench: Bench) -> None:
        load = bench.load(bench.pages(("Id", *COLUMNS), []), COLUMNS)
        done = bench.engine.compare(
            CompareJob("verify", (load.rows,), (), Pages((bench.csv(("Id", *COLUMNS), []),)), SENT)
        )
        assert (done.rows, done.missing, dict(done.differing), done.report.rows) == (0, 0, {}, 0)


def test_the_export_is_for_people(bench: Bench) -> None:
    pages = bench.pages(("Id", "V"), [["=k0", "v"], ["k1", "w"], ["k2", "#N/A"]])
    load = bench.load(pages, ("V",))
    settled = bench.engine.settle(bench.answer(load, ("V",), bad={1: "X_Y:+no:V --"}))
    assert load.outcomes is not None
    ref = bench.engine.export_outcomes("Account", [settled.outcomes, load.outcomes])
    assert bench.slice(ref) == [
        {
            "source_key": "'=k0",
            "target_id": record_id(0),
            "outcome": "created",
            "code": "",
            "message": "",
            "fields": "",
        },
        {
            "source_key": "k1",
            "target_id": "",
            "outcome": "failed",
            "code": "X_Y",
            "message": "'+no",
            "fields": "V",
        },
        {
            "source_key": "k2",
            "target_id": "",
            "outcome": "failed",
            "code": "DATA_NA",
            "message": "the value is the text that means null in Bulk API; give it another one with `values`",
            "fields": "V",
        },
    ]
    assert bench.slice(bench.engine.export_outcomes("None", [])) == []
