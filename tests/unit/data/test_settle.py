"""What the org wrote down is believed only when it accounts for every row."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from migrator.data import ResultsMismatch
from migrator.data.correlate import Correlated, Pairing, correlated
from migrator.data.jobs import Prepared, Reply, RestJob, SentColumn, SettleJob, SqlColumn, WholeJob
from migrator.data.pairs import Finish
from migrator.data.session import Database
from migrator.model.plan import Operation
from migrator.model.run import Outcome
from migrator.salesforce import LIMIT_TEXTS
from tests.unit.data.bench import Bench, a_load, record_id

COLUMNS = ("Name", "Amount")
ROWS = [
    ["k0", "zero", "1.50"],
    ["k1", "one, or 1", "9.12260031E8"],
    ["k2", "two\nlines", ""],
    ["k3", 'th"ree', "-3"],
]


def prepared(bench: Bench, rows: list[list[str]] | None = None, **settings: Any) -> Prepared:
    return bench.load(bench.pages(("Id", *COLUMNS), rows or ROWS), COLUMNS, **settings)


def test_rows_are_known_by_what_was_sent_not_by_their_place(bench: Bench) -> None:
    done = prepared(bench)
    settled = bench.engine.settle(
        bench.answer(done, COLUMNS, bad={1: "DUPLICATE_VALUE:dup: x:Name,Amount --"})
    )
    assert bench.outcomes(settled) == {
        "k0": ("created", record_id(0), ""),
        "k1": ("failed", "", "DUPLICATE_VALUE"),
        "k2": ("created", record_id(2), ""),
        "k3": ("created", record_id(3), ""),
    }
    failed = next(row for row in bench.parquet(settled.outcomes) if row["source_key"] == "k1")
    assert (failed["message"], failed["fields"]) == ("dup: x", "Name,Amount")
    assert (settled.tallies, settled.waiting, settled.faults) == (
        {Outcome.CREATED: 3, Outcome.FAILED: 1},
        0,
        {"DUPLICATE_VALUE": 1},
    )
    assert settled.outcomes.path == "outcomes/load/1-7.parquet"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
            ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", "Name"),
        ),
        (
            "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: 0013000000ABCDeAAF:--",
            (
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access to this record or 1 records: 0013000000ABCDeAAF",
                "",
            ),
        ),
        (
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:Trigger:\nline 2: no:A,B --",
            ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Trigger:\nline 2: no", "A,B"),
        ),
        ("SOMETHING odd", ("SOMETHING", "SOMETHING odd", "")),
        ("", ("UNKNOWN", "", "")),
    ],
)
def test_error_grammar(bench: Bench, error: str, expected: tuple[str, str, str]) -> None:
    settled = bench.engine.settle(bench.answer(prepared(bench), COLUMNS, bad={0: error}))
    row = next(one for one in bench.parquet(settled.outcomes) if one["source_key"] == "k0")
    assert (row["code"], row["message"], row["fields"]) == expected


def test_rows_that_ran_out_of_cpu_time_wait_once(bench: Bench) -> None:
    slow = (
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:Rollup: System.LimitException: Apex CPU time limit exceeded:--"
    )
    job = replace(bench.answer(prepared(bench), COLUMNS, bad={0: slow}), limits=LIMIT_TEXTS)
    first = bench.engine.settle(replace(job, first_round=True))
    assert (first.waiting, first.limited) == (1, 1)
    again = bench.engine.settle(replace(job, attempt=8))
    assert (again.waiting, again.tallies) == (0, {Outcome.CREATED: 3, Outcome.FAILED: 1})


def test_retryable_and_unprocessed_rows_wait(bench: Bench) -> None:
    done = prepared(bench)
    job = bench.answer(
        done,
        COLUMNS,
        bad={0: "UNABLE_TO_LOCK_ROW:x:--", 1: "OTHER:x:--"},
        unprocessed=[2],
        retryable=frozenset({"UNABLE_TO_LOCK_ROW"}),
    )
    settled = bench.engine.settle(job)
    assert {key: one[0] for key, one in bench.outcomes(settled).items()} == {
        "k0": "waits",
        "k1": "failed",
        "k2": "waits",
        "k3": "created",
    }
    assert (settled.waiting, settled.faults) == (2, {"UNABLE_TO_LOCK_ROW": 1, "OTHER": 1})

    last = bench.engine.settle(replace(job, last_round=True, attempt=8))
    assert {key: (one[0], one[2]) for key, one in bench.outcomes(last).items()} == {
        "k0": ("failed", "UNABLE_TO_LOCK_ROW"),
        "k1": ("failed", "OTHER"),
        "k2": ("failed", "UNPROCESSED"),
        "k3": ("created", ""),
    }
    assert last.waiting == 0


def test_the_created_flag_tells_upserts_apart(bench: Bench) -> None:
    done = bench.load(
        bench.pages(("Id", "Ext"), [["a", "X1"], ["b", "X2"]]),
        ("Ext",),
        operation=Operation.UPSERT,
        external_id="Ext",
    )
    ok = bench.csv(
        ("sf__Id", "sf__Created", "Ext"), [[record_id(2), "false", "X2"], [record_id(1)[:15], "true", "X1"]]
    )
    job = replace(bench.answer(done, ("Ext",), operation=Operation.UPSERT, external_id="Ext"), successful=ok)
    assert bench.outcomes(bench.engine.settle(job)) == {
        "a": ("created", record_id(1), ""),
        "b": ("updated", record_id(2), ""),
    }


def test_an_external_id_is_enough_to_know_a_row(bench: Bench) -> None:
    done = bench.load(
        bench.pages(("Id", "Ext", "V"), [["a", "X1", "v"], ["b", "X2", "v"]]),
        ("Ext", "V"),
        operation=Operation.UPSERT,
        external_id="Ext",
    )
    job = bench.answer(
        done,
        ("Ext", "V"),
        operation=Operation.UPSERT,
        external_id="Ext",
        change=lambda row: [row[0], "truncated by the org"],
    )
    assert {key: one[1] for key, one in bench.outcomes(bench.engine.settle(job)).items()} == {
        "a": record_id(0),
        "b": record_id(1),
    }


def test_reformatted_values_are_recognised(bench: Bench) -> None:
    header = ("D", "N", "T", "B", "R", "X", "P")
    sent = ["2024-02-29", "912260031", "2024-01-01T02:00:00.000+0200", "1", record_id(5)[:15], "a\nb", "b;a"]
    back = ["2024-02-29Z", "9.12260031E8", "2024-01-01T00:00:00.000Z", "true", record_id(5), "a\r\nb", "a;b"]
    types = ("date", "double", "datetime", "boolean", "reference", "textarea", "multipicklist")
    columns = tuple(
        SentColumn(name, type_, numeric=type_ == "double") for name, type_ in zip(header, types, strict=True)
    )
    done = bench.load(bench.pages(("Id", *header), [["k", *sent], ["l", *[""] * 7]]), header)
    job = bench.answer(done, header, sent=columns, change=lambda row: back if row[0] else row)
    assert {key: one[1] for key, one in bench.outcomes(bench.engine.settle(job)).items()} == {
        "k": record_id(0),
        "l": record_id(1),
    }


def test_equal_rows_are_interchangeable_and_said_so(bench: Bench) -> None:
    rows = [["a", "same", "1"], ["b", "other", "1"], ["c", "same", "1.0"], ["d", "same", "1"]]
    done = prepared(bench, rows)
    columns = (SentColumn("Name"), SentColumn("Amount", "double", numeric=True))
    settled = bench.engine.settle(bench.answer(done, COLUMNS, sent=columns, bad={0: "X_Y:x:--"}))
    found = bench.outcomes(settled)
    assert len({one[1] for one in found.values() if one[1]}) == 3
    assert found["b"][1] == record_id(1)
    # successes first, in row order
    assert [found[key][0] for key in "acd"] == ["created", "created", "failed"]
    assert settled.notes == (
        "2 rows equal another one in every sent field: which record is whose does not matter",
    )


def test_cells_cannot_pretend_to_be_other_cells(bench: Bench) -> None:
    rows = [["a", "x\x1fy", ""], ["b", "x", "y"], ["c", "x\x1f", "y"], ["d", "", "x\x1e"]]
    settled = bench.engine.settle(bench.answer(prepared(bench, rows), COLUMNS))
    assert {key: one[1] for key, one in bench.outcomes(settled).items()} == {
        key: record_id(n) for n, key in enumerate("abcd")
    }
    assert settled.notes == ()


def _swap(job: SettleJob, bench: Bench, **rows: list[list[str]]) -> SettleJob:
    headers = {
        "successful": ("sf__Id", "sf__Created", *COLUMNS),
        "failed_results": ("sf__Id", "sf__Error", *COLUMNS),
        "unprocessed": COLUMNS,
    }
    files: dict[str, Any] = {name: bench.csv(headers[name], value) for name, value in rows.items()}
    return replace(job, **files)


OK = [[record_id(n), "true", *row[1:]] for n, row in enumerate(ROWS)]
LIES: dict[str, Callable[[SettleJob, Bench], SettleJob]] = {
    "a row less": lambda job, bench: _swap(job, bench, successful=OK[:3]),
    "a row less, and told so": lambda job, bench: replace(_swap(job, bench, successful=OK[:3]), processed=3),
    "a row twice": lambda job, bench: _swap(job, bench, successful=[*OK[:3], OK[2]]),
    "a row in two files": lambda job, bench: replace(
        _swap(job, bench, successful=OK[:3], failed_results=[["", "X:x:--", *ROWS[0][1:]]]), failed=1
    ),
    "a row that succeeded and failed, and told so": lambda job, bench: replace(
        _swap(job, bench, failed_results=[["", "X:x:--", *ROWS[0][1:]]]), processed=5, failed=1
    ),
    "an id of a row that was created and of one that was updated": lambda job, bench: replace(
        _swap(job, bench, successful=[*OK[:3], [OK[0][0], "false", *OK[3][2:]]]), operation=Operation.UPSERT
    ),
    "another row": lambda job, bench: _swap(
        job, bench, successful=[*OK[:3], [record_id(9), "true", "stranger", ""]]
    ),
    "another value": lambda job, bench: _swap(job, bench, successful=[*OK[:3], [*OK[3][:3], "-3.1"]]),
    "an id twice": lambda job, bench: _swap(job, bench, successful=[*OK[:3], [OK[0][0], *OK[3][1:]]]),
    "an id of another sObject": lambda job, bench: _swap(
        job, bench, successful=[*OK[:3], [record_id(3, "001"), *OK[3][1:]]]
    ),
    "a wrong checksum": lambda job, bench: _swap(
        job, bench, successful=[*OK[:3], [OK[3][0][:15] + "AAA", *OK[3][1:]]]
    ),
    "no id": lambda job, bench: _swap(job, bench, successful=[*OK[:3], ["", *OK[3][1:]]]),
    "other counters": lambda job, _: replace(job, processed=5),
    "a failed row that no file has": lambda job, _: replace(job, failed=1),
    "a lost column": lambda job, bench: replace(
        job, successful=bench.csv(("sf__Id", "sf__Created", "Name"), [row[:3] for row in OK])
    ),
    "a repeated column": lambda job, bench: replace(
        job, successful=bench.csv(("sf__Id", "sf__Created", *COLUMNS, "name"), [[*row, ""] for row in OK])
    ),
    "the files swapped": lambda job, _: replace(
        job, successful=job.failed_results, failed_results=job.successful
    ),
    "an empty file": lambda job, bench: replace(
        job, successful=bench.workspace.publish("empty.csv", [b""], 0)
    ),
    "no rows at all": lambda job, bench: _swap(job, bench, successful=[]),
}


@pytest.mark.parametrize("quick", [True, False], ids=["by quick keys", "by thorough keys"])
@pytest.mark.parametrize("lie", LIES)
def test_results_that_do_not_add_up_settle_nothing(bench: Bench, lie: str, *, quick: bool) -> None:
    # rows were prepared as text, so as numbers they have other quick keys
    columns = (
        SentColumn("Name"),
        SentColumn("Amount") if quick else SentColumn("Amount", "double", numeric=True),
    )
    job = LIES[lie](bench.answer(prepared(bench), COLUMNS, sent=columns), bench)
    with pytest.raises(ResultsMismatch) as caught:
        bench.engine.settle(job)
    assert not any(value in caught.value.reason for value in ("zero", "two", "stranger", "9.12"))
    assert not (bench.workspace.root / "outcomes/load/1-7.parquet").exists()


def test_a_result_file_cut_anywhere_settles_nothing(bench: Bench) -> None:
    job = bench.answer(prepared(bench), COLUMNS)
    whole = bench.workspace.path(job.successful).read_bytes()
    for length in range(len(whole) - 1):
        cut = bench.workspace.publish(f"cut/{length}.csv", [whole[:length]], 0)
        with pytest.raises(ResultsMismatch):
            bench.engine.settle(replace(job, successful=cut))
    # only the last line end may be missing: the last record is whole without it
    bench.engine.settle(replace(job, successful=bench.workspace.publish("cut/last.csv", [whole[:-1]], 0)))


def test_columns_may_come_in_another_order_and_case(bench: Bench) -> None:
    ok = bench.csv(
        ("AMOUNT", "sf__Created", "name", "sf__Id"), [[row[3], row[1], row[2], row[0]] for row in OK]
    )
    settled = bench.engine.settle(replace(bench.answer(prepared(bench), COLUMNS), successful=ok))
    assert {key: one[1] for key, one in bench.outcomes(settled).items()} == {
        row[0]: record_id(n) for n, row in enumerate(ROWS)
    }


class TestRest:
    def job(self, bench: Bench, done: Prepared, replies: list[Reply], **settings: Any) -> RestJob:
        ref = bench.engine.write_replies("load", 1, 3, replies)
        told: dict[str, Any] = {"operation": Operation.UPSERT, "key_prefix": "003"}
        return RestJob("load", 1, 3, done.rows, replies=ref, **(told | settings))

    def test_replies_follow_the_slice(self, bench: Bench) -> None:
        done = prepared(bench)
        replies = [
            Reply(2, record_id(2), success=True, created=True),
            Reply(0, record_id(0), success=True),
            Reply(1, code="DUPLICATE_VALUE", message="du\r\np, x", fields="Name"),
            Reply(3, code="UNABLE_TO_LOCK_ROW"),
        ]
        settled = bench.engine.settle_rest(
            self.job(bench, done, replies, retryable=frozenset({"UNABLE_TO_LOCK_ROW"}))
        )
        assert bench.outcomes(settled) == {
            "k0": ("updated", record_id(0), ""),
            "k1": ("failed", "", "DUPLICATE_VALUE"),
            "k2": ("created", record_id(2), ""),
            "k3": ("waits", "", "UNABLE_TO_LOCK_ROW"),
        }
        assert (settled.waiting, settled.tallies) == (
            1,
            {Outcome.CREATED: 1, Outcome.UPDATED: 1, Outcome.FAILED: 1},
        )

    @pytest.mark.parametrize("positions", [[0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 3, 4], [0, 1, 2, 4], []])
    def test_each_row_has_one_reply(self, bench: Bench, positions: list[int]) -> None:
        replies = [Reply(n, record_id(50 + at), success=True) for at, n in enumerate(positions)]
        with pytest.raises(ResultsMismatch):
            bench.engine.settle_rest(self.job(bench, prepared(bench), replies))

    def test_the_slice_is_read_in_the_order_of_positions(self, bench: Bench) -> None:
        done = bench.load(
            bench.pages(("Id", "V"), [["b", ""], ["a", "x"]]),
            ("V", "Id"),
            operation=Operation.UPSERT,
            external_id="Id",
            clear_nulls=True,
        )
        assert list(bench.engine.read_slice(done.slices[0].file)) == [
            {"V": "x", "Id": "a"},
            {"V": None, "Id": "b"},
        ]


@pytest.mark.parametrize("outcome", [Outcome.QUARANTINED, Outcome.FAILED, None])
def test_a_whole_slice_takes_one_outcome(bench: Bench, outcome: Outcome | None) -> None:
    done = prepared(bench, max_slice_rows=3)
    settled = bench.engine.settle_whole(WholeJob("load", 1, 9, done.rows, outcome, "RESULTS_GONE", "why"))
    assert settled.tallies == ({} if outcome is None else {outcome: 3})
    assert settled.waiting == (3 if outcome is None else 0)
    assert {row["outcome"] for row in bench.parquet(settled.outcomes)} == {outcome.value if outcome else ""}


def test_repeated_target_ids_over_slices_are_found(bench: Bench) -> None:
    done = prepared(bench, max_slice_rows=2)
    first = bench.engine.settle(bench.answer(done, COLUMNS))
    second = bench.engine.settle(bench.answer(done, COLUMNS, no=2))
    assert bench.engine.repeated_ids([first.outcomes]) == 0
    assert bench.engine.repeated_ids([first.outcomes, second.outcomes]) == 2
    assert bench.engine.repeated_ids([]) == 0


def test_many_equal_rows_are_no_product_of_themselves(bench: Bench) -> None:
    rows = [[f"k{n:04d}", "the same", "1"] for n in range(3000)]
    done = prepared(bench, rows)
    settled = bench.engine.settle(bench.answer(done, COLUMNS, bad={1: "X_Y:no:Name --"}))
    assert settled.tallies == {Outcome.CREATED: 2999, Outcome.FAILED: 1}
    assert settled.notes == (
        "2999 rows equal another one in every sent field: which record is whose does not matter",
    )


def test_a_number_told_in_other_words_is_known_at_once(bench: Bench) -> None:
    """A column of numbers must not send every slice through the comparison of all forms of all cells."""
    columns = (SentColumn("Name"), SentColumn("Amount", "double", numeric=True))
    sql = (SqlColumn("Name", '"Name"'), SqlColumn("Amount", '"Amount"', type="double", numeric=True))
    done = bench.engine.prepare_load(
        replace(a_load(bench.pages(("Id", *COLUMNS), ROWS), COLUMNS), columns=sql)
    )

    def told(row: list[str]) -> list[str]:
        return [row[0], {"1.50": "1.5", "-3": "-3.0"}.get(row[1], row[1])]

    job = bench.answer(done, COLUMNS, sent=columns, change=told)
    database = Database(bench.workspace, memory_limit_mb=128, threads=1)
    finish = Finish('SELECT slice, "row", kind, key, id AS target_id FROM answered', ("kind",))
    with (
        database.session() as session,
        correlated(session, bench.workspace, job, finish, Pairing()) as found,
    ):
        assert found == Correlated([("ok", len(ROWS))], equal=0)
        made = {name for (name,) in session.rows("SELECT table_name FROM duckdb_tables()")}
        assert made == {session.folder.name}
    database.close()
