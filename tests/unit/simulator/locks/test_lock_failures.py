"""What clients see of transactions that could not get their locks: row errors, counters, batches that wait again."""

import csv
import io
from typing import Any

from migrator.simulator.locks.keys import GROUP
from migrator.simulator.locks.misses import miss
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.locks.table import Claim
from migrator.simulator.settings import LockSettings
from tests.unit.simulator.bulk.bulk1_client import CSV, Bulk1, element
from tests.unit.simulator.conftest import Caller
from tests.unit.simulator.locks.loads import Load

SLOW = 0.01  # seconds of a row
FOREVER = 10_000.0


def hold(load: Load, keys: list[str], seconds: float = FOREVER) -> None:
    """Somebody locks these records now, for so long."""
    locks = load.org.part(Locks)
    claim = Claim(keys, lambda _: None, lambda _, __: 0)
    now = load.clock.now()
    locks.table.claim(claim, now)

    def end(then: float) -> int:
        locks.table.release(claim, then)
        return 0

    load.agenda.at(now + seconds, end)


def contacts(load: Load, accounts: list[str], count: int) -> list[list[str]]:
    return [[f"L{n}", accounts[n % len(accounts)]] for n in range(count)]


def failures(load: Load, job: Any) -> list[str]:
    call = Caller(load.org, load.org.issue_token())
    text = call("GET", f"/jobs/ingest/{job.id}/failedResults").read().decode()
    return [row["sf__Error"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def test_the_text_names_ten_records_and_counts_the_others() -> None:
    ids = [f"001000000000{n:03}AAA" for n in range(12)]
    one, many = miss(ids[:1]), miss(ids)
    start = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or"
    assert one.bulk() == f"{start} 1 records: {ids[0]}:--"
    assert many.bulk() == f"{start} 12 records: {','.join(ids[:10])}, ... (2 more):--"
    assert miss(["a", GROUP]).bulk() == "UNKNOWN_EXCEPTION:group membership operation already in progress:--"


def test_a_miss_fails_its_transaction_and_no_other() -> None:
    load = Load(row_seconds=SLOW)
    free, held = load.seed("Account", ["Name"], [["free"], ["held"]])
    hold(load, [held])
    rows = contacts(load, [free], 600)
    rows[250][1] = held
    job = load.start("Contact", "LastName,AccountId", rows)
    done = load.finish(job, look=1.0)
    assert (done.failed, done.retries, dict(done.states)) == (200, 1, {"JobComplete": 1})
    assert len(load.org.store.table("Contact")) == 400
    (error,) = set(failures(load, job))
    assert (
        error
        == f"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: {held}:--"
    )
    assert done.seconds == 4 + 10  # two transactions, and the wait of the one that missed


def test_a_short_wait_costs_time_and_nothing_else() -> None:
    load = Load(row_seconds=SLOW)
    (account,) = load.seed("Account", ["Name"], [["A"]])
    hold(load, [account], 9.0)
    job = load.start("Contact", "LastName,AccountId", contacts(load, [account], 200))
    done = load.finish(job, look=1.0)
    assert (done.failed, done.seconds) == (0, 9.0 + 2.0)
    assert job.milliseconds == 11_000


def test_the_wait_can_be_set() -> None:
    load = Load(row_seconds=SLOW, locks=LockSettings(wait=3.0))
    (account,) = load.seed("Account", ["Name"], [["A"]])
    hold(load, [account], 9.0)
    done = load.finish(load.start("Contact", "LastName,AccountId", contacts(load, [account], 200)), look=1.0)
    assert (done.failed, done.seconds) == (200, 3.0)


def test_a_job_that_meets_locks_too_often_fails_with_rows_unprocessed() -> None:
    load = Load(row_seconds=SLOW)
    free, held = load.seed("Account", ["Name"], [["free"], ["held"]])
    hold(load, [held], FOREVER)
    rows = contacts(load, [free], 200) + contacts(load, [held], 5_000)
    job = load.start("Contact", "LastName,AccountId", rows)
    done = load.finish(job)
    assert (job.state.value, job.error) == (
        "Failed",
        "TooManyLockFailure : Too many lock failure 200 Trying again later.",
    )
    assert (done.retries, done.failed) == (21, 21 * 200)
    assert (done.rows, done.unprocessed) == (5_200, 5_200 - 200 - 21 * 200)
    assert len(load.org.store.table("Contact")) == 200
    call = Caller(load.org, load.org.issue_token())
    parts = ("successfulResults", "failedResults", "unprocessedrecords")
    counts = [
        len(list(csv.DictReader(io.StringIO(call("GET", f"/jobs/ingest/{job.id}/{part}").read().decode()))))
        for part in parts
    ]
    assert counts == [200, 21 * 200, 800]


def test_a_batch_of_bulk_v1_waits_again_ten_times() -> None:
    load = Load(row_seconds=SLOW)
    (held,) = load.seed("Account", ["Name"], [["held"]])
    hold(load, [held], FOREVER)
    bulk1 = Bulk1(load.org)
    job = bulk1.create("insert", "Contact", more=CSV)
    rows = "".join(f"L{n},{held}\n" for n in range(3_000))
    batch = bulk1.post(job, f"LastName,AccountId\n{rows}")
    load.clock.advance(25)
    shown = bulk1("GET", f"/{job}/batch/{batch}")
    assert (element(shown, "state"), element(shown, "numberRecordsFailed")) == ("InProgress", "400")
    assert element(bulk1("GET", f"/{job}"), "numberRetries") == "2"
    load.clock.advance(1_000)
    shown = bulk1("GET", f"/{job}/batch/{batch}")
    assert element(shown, "state") == "Failed"
    assert element(shown, "stateMessage").startswith("TooManyLockFailure : ")
    assert element(shown, "numberRecordsProcessed") == "2200"
    assert element(bulk1("GET", f"/{job}"), "numberRetries") == "10"
    assert len(bulk1.result(job, batch).split("\n")) == 1 + 2_200 + 1


def test_serial_batches_of_two_jobs_are_not_in_each_other_s_way() -> None:
    for mode in ("Serial", "Parallel"):
        load = Load(row_seconds=0.06)
        (account,) = load.seed("Account", ["Name"], [["A"]])
        bulk1 = Bulk1(load.org)
        rows = "".join(f"L{n},{account}\n" for n in range(1_000))
        more = f"<concurrencyMode>{mode}</concurrencyMode>{CSV}"
        jobs = [bulk1.create("insert", "Contact", more=more) for _ in range(2)]
        batches = [bulk1.post(job, f"LastName,AccountId\n{rows}") for job in jobs]
        load.clock.advance(1_000)
        failed = [
            int(element(bulk1("GET", f"/{job}/batch/{batch}"), "numberRecordsFailed"))
            for job, batch in zip(jobs, batches, strict=True)
        ]
        assert (sum(failed) > 0) is (mode == "Parallel")


def test_one_job_contends_with_itself() -> None:
    failed = []
    for parallelism in (1, 3):
        load = Load(sobject_seconds={"Contact": 0.03}, batch_parallelism=parallelism)
        (account,) = load.seed("Account", ["Name"], [["A"]])
        done = load.finish(load.start("Contact", "LastName,AccountId", contacts(load, [account], 20_400)))
        failed.append(done.failed)
    assert failed[0] == 0
    assert failed[1] > 0  # the third of three batches waits for two transactions of six seconds


def test_groups_are_changed_one_at_a_time() -> None:
    load = Load(row_seconds=SLOW)
    hold(load, [GROUP], 60.0)
    job = load.start("Group", "Name,DeveloperName,Type", [[f"G{n}", f"G{n}", "Regular"] for n in range(10)])
    done = load.finish(job, look=1.0)
    assert done.failed == 10
    assert set(failures(load, job)) == {"UNKNOWN_EXCEPTION:group membership operation already in progress:--"}


def test_a_batch_that_takes_too_long_waits_again() -> None:
    load = Load(row_seconds=1.0)
    job = load.start("Account", "Name", [[f"A{n}"] for n in range(1_000)])
    done = load.finish(job)
    assert (done.failed, dict(done.states), done.seconds) == (0, {"JobComplete": 1}, 1_000)
    assert done.retries == 2  # after 400 and 800 seconds: a transaction is not cut


def test_a_batch_that_never_gets_ready_fails_its_job() -> None:
    load = Load(row_seconds=2.0)
    job = load.start("Account", "Name", [[f"A{n}"] for n in range(5_000)])
    done = load.finish(job)
    assert (job.state.value, job.error) == ("Failed", "Timeout : Retried more than 20 times")
    assert (done.failed, done.unprocessed, done.retries) == (0, 800, 21)


def test_time_of_an_sobject_is_its_own() -> None:
    load = Load(row_seconds=0.0, sobject_seconds={"contact": 0.1})
    fast = load.finish(load.start("Account", "Name", [["A"]] * 200), look=1.0)
    slow = load.finish(load.start("Contact", "LastName", [["A"]] * 200), look=1.0)
    assert (fast.seconds, slow.seconds) == (0.0, 20.0)


def test_an_aborted_job_lets_go_of_its_locks() -> None:
    load = Load(row_seconds=SLOW)
    (account,) = load.seed("Account", ["Name"], [["A"]])
    first = load.start("Contact", "LastName,AccountId", contacts(load, [account], 400))
    second = load.start("Contact", "LastName,AccountId", contacts(load, [account], 200))
    load.org.advance(load.clock.now())
    call = Caller(load.org, load.org.issue_token())
    load.clock.advance(1)
    assert call("PATCH", f"/jobs/ingest/{first.id}", {"state": "Aborted"}).status == 200
    done = load.finish(second, look=1.0)
    assert (done.failed, done.seconds) == (0, 2.0)
