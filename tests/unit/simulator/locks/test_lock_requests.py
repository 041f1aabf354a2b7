"""Requests that meet locks: they wait, hold, miss; row by row, in collections, in composites; and background writers."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from migrator.clock import SystemClock
from migrator.simulator import Org, OrgSettings, load_schema, serve
from migrator.simulator.http import Response
from migrator.simulator.records.truth import Change
from migrator.simulator.settings import BackgroundWriter, LockSettings
from tests.unit.simulator.conftest import Caller
from tests.unit.simulator.locks.loads import Load
from tests.unit.simulator.locks.test_lock_failures import hold

ROW = 0.5  # seconds of a row


class Rest:
    """A client of an org in which every row takes half a second."""

    def __init__(self, **settings: Any) -> None:
        self.load = Load(row_seconds=ROW, **settings)
        self.call = Caller(self.load.org, self.load.org.issue_token())
        self._start = self.load.clock.now()

    def seconds(self) -> float:
        """Since the beginning."""
        return round(self.load.clock.now() - self._start, 3)

    def accounts(self, count: int) -> list[str]:
        return self.load.seed("Account", ["Name"], [[f"A{n}"] for n in range(count)])

    def composite(self, *subs: tuple[str, str, dict[str, Any]], whole: bool) -> Response:
        listed = [
            {
                "method": method,
                "url": f"/services/data/v60.0/sobjects/{path}",
                "referenceId": f"r{n}",
                "body": body,
            }
            for n, (method, path, body) in enumerate(subs)
        ]
        return self.call("POST", "/composite", {"allOrNone": whole, "compositeRequest": listed})


@pytest.fixture
def rest() -> Rest:
    return Rest()


def contact(account: str) -> dict[str, Any]:
    return {"attributes": {"type": "Contact"}, "LastName": "L", "AccountId": account}


def test_a_request_takes_as_long_as_its_rows(rest: Rest) -> None:
    (account,) = rest.accounts(1)
    assert rest.call("PATCH", f"/sobjects/Account/{account}", {"Name": "B"}).status == 204
    assert rest.seconds() == ROW
    done = rest.call("POST", "/composite/sobjects", {"records": [contact(account)] * 10})
    assert [each["success"] for each in done.json()] == [True] * 10
    assert rest.seconds() == 11 * ROW


def test_a_request_waits_for_a_lock(rest: Rest) -> None:
    (account,) = rest.accounts(1)
    hold(rest.load, [account], 4.0)
    assert rest.call("PATCH", f"/sobjects/Account/{account}", {"Name": "B"}).status == 204
    assert rest.seconds() == 4.0 + ROW
    modified = rest.load.org.store.table("Account").cell(1, "LastModifiedDate")
    made = rest.load.org.store.table("Account").cell(1, "CreatedDate")
    assert modified > made  # when it was done, not when it was asked for


def test_a_request_that_waits_too_long_says_so(rest: Rest) -> None:
    (account,) = rest.accounts(1)
    hold(rest.load, [account])
    done = rest.call("PATCH", f"/sobjects/Account/{account}", {"Name": "B"})
    text = f"unable to obtain exclusive access to this record or 1 records: {account}"
    assert (done.status, done.json()) == (
        400,
        [{"message": text, "errorCode": "UNABLE_TO_LOCK_ROW", "fields": []}],
    )
    assert rest.seconds() == 10.0
    assert rest.load.org.store.table("Account").cell(1, "Name") == "A0"


def test_a_collection_fails_as_a_whole_when_one_row_s_parent_is_locked(rest: Rest) -> None:
    free, held = rest.accounts(2)
    hold(rest.load, [held])
    body = {"allOrNone": False, "records": [contact(free), contact(held), contact(free)]}
    done = rest.call("POST", "/composite/sobjects", body).json()
    text = f"unable to obtain exclusive access to this record or 1 records: {held}"
    error = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": text, "fields": []}
    assert done == [{"success": False, "errors": [error]}] * 3
    assert len(rest.load.org.store.table("Contact")) == 0


def test_a_deletion_waits_and_misses_too(rest: Rest) -> None:
    free, held = rest.accounts(2)
    hold(rest.load, [held])
    done = rest.call("DELETE", "/composite/sobjects", query={"ids": f"{free},{held}"}).json()
    assert [each["errors"][0]["statusCode"] for each in done] == ["UNABLE_TO_LOCK_ROW"] * 2
    assert len(rest.load.org.store.table("Account")) == 2
    assert rest.call("DELETE", f"/sobjects/Account/{free}").status == 204


def test_a_composite_keeps_what_was_done_before_a_lock_unless_it_is_all_or_none(rest: Rest) -> None:
    free, held = rest.accounts(2)
    hold(rest.load, [held])
    subs = [("PATCH", f"Account/{account}", {"Name": "B"}) for account in (free, held)]
    codes = [
        each["httpStatusCode"] for each in rest.composite(*subs, whole=False).json()["compositeResponse"]
    ]
    assert codes == [204, 400]
    assert rest.load.org.store.table("Account").cell(1, "Name") == "B"
    again = [("PATCH", f"Account/{account}", {"Name": "C"}) for account in (free, held)]
    shown = rest.composite(*again, whole=True).json()["compositeResponse"]
    assert [each["body"][0]["errorCode"] for each in shown] == ["PROCESSING_HALTED", "UNABLE_TO_LOCK_ROW"]
    assert rest.load.org.store.table("Account").cell(1, "Name") == "B"


def test_a_composite_that_waits_in_the_middle_is_done_once(rest: Rest) -> None:
    free, held = rest.accounts(2)
    hold(rest.load, [held], 3.0)
    made = ("POST", "Account", {"Name": "new"})
    subs = [made, ("PATCH", f"Account/{free}", {"Name": "B"}), ("PATCH", f"Account/{held}", {"Name": "B"})]
    codes = [each["httpStatusCode"] for each in rest.composite(*subs, whole=True).json()["compositeResponse"]]
    assert codes == [201, 204, 204]
    assert rest.load.org.truth.count("Account", Change.CREATED) == 3
    assert rest.load.org.truth.count("Account", Change.UPDATED) == 2
    assert rest.seconds() == 3.0 + 3 * ROW


def test_a_tree_waits_for_its_parents_locks(rest: Rest) -> None:
    (account,) = rest.accounts(1)
    hold(rest.load, [account], 2.0)
    record = {"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "L", "AccountId": account}
    assert rest.call("POST", "/composite/tree/Contact", {"records": [record]}).status == 201
    assert rest.seconds() == 2.0 + ROW


def test_a_request_and_a_job_wait_for_each_other(rest: Rest) -> None:
    (account,) = rest.accounts(1)
    job = rest.load.start("Contact", "LastName,AccountId", [["L", account]] * 10)
    rest.load.org.advance(rest.load.clock.now())
    assert rest.call("PATCH", f"/sobjects/Account/{account}", {"Name": "B"}).status == 204
    assert rest.seconds() == 10 * ROW + ROW
    assert (job.state.value, job.failed) == ("JobComplete", 0)


def test_an_invalid_request_leaves_no_lock_behind(rest: Rest) -> None:
    (account,) = rest.accounts(1)
    bad = {"attributes": {"type": "Contact"}, "Nonsense": "x"}
    rest.call("POST", "/composite/sobjects", {"records": [contact(account), {**bad, "AccountId": account}]})
    before = rest.seconds()
    assert rest.call("PATCH", f"/sobjects/Account/{account}", {"Name": "B"}).status == 204
    assert rest.seconds() == before + ROW


def test_others_are_served_while_a_request_waits() -> None:
    org = Org(load_schema(), OrgSettings(row_seconds=0.4), SystemClock())
    call = Caller(org, org.issue_token())
    with serve(org):
        start = org.clock.monotonic()
        account = call.create("Account", Name="A")
        waiting = [
            threading.Thread(target=call, args=("PATCH", f"/sobjects/Account/{account}", {"Name": f"B{n}"}))
            for n in range(2)
        ]
        for thread in waiting:
            thread.start()
        assert call("GET", "/limits").status == 200
        assert org.clock.monotonic() - start < 0.9  # the creation, and nothing of the two changes
        for thread in waiting:
            thread.join()
        assert org.clock.monotonic() - start >= 3 * 0.4
    assert org.truth.count("Account", Change.UPDATED) == 2


# --- background writers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Noise:
    """What background writers did while a job ran, and what they did to it."""

    changes: list[tuple[float, list[int]]]  # seconds since its beginning, numbers of the records
    failed: int
    seconds: float


def noisy(writer: BackgroundWriter, look: float = 60.0) -> Noise:
    load = Load(row_seconds=0.01, locks=LockSettings(writers=(writer,)))
    start = load.clock.now()
    accounts = load.seed("Account", ["Name"], [[f"A{n}"] for n in range(400)])
    rows = [[f"L{n}", accounts[n % 400]] for n in range(4_000)]
    job = load.start("Contact", "LastName,AccountId", rows)
    load.finish(job, look=look)
    events = load.org.truth.events(sobject="Account", change=Change.UPDATED)
    changes = [(event.time - start, list(event.seqs)) for event in events if event.time < job.ended]
    return Noise(changes, job.failed, job.ended - start)


def test_background_writers_are_in_the_way_and_change_records() -> None:
    slow = noisy(BackgroundWriter("Account", every=2.0, rows=5, seconds=11.0))
    quick = noisy(BackgroundWriter("Account", every=2.0, rows=5, seconds=0.0))
    assert slow.failed > 0
    assert quick.failed == 0
    assert slow.seconds > quick.seconds
    assert {len(seqs) for _, seqs in quick.changes} == {5}
    assert len(quick.changes) == pytest.approx(quick.seconds / 2.0, rel=0.5)


def test_the_same_seed_makes_the_same_noise_whenever_somebody_looks() -> None:
    writer = BackgroundWriter("Account", every=2.0, rows=5, seconds=11.0)
    assert noisy(writer, look=0.7) == noisy(writer, look=5_000.0)
    assert noisy(writer) != noisy(BackgroundWriter("Account", every=2.0, rows=5, seconds=11.0, seed=2))


def test_writers_of_listed_records_leave_others_alone() -> None:
    load = Load(locks=LockSettings(writers=(BackgroundWriter("Account", 1.0, ids=("001000000000001AAA",)),)))
    accounts = load.seed("Account", ["Name"], [["A"], ["B"]])
    listed = Load(locks=LockSettings(writers=(BackgroundWriter("Account", 1.0, ids=(accounts[1],)),)))
    assert listed.seed("Account", ["Name"], [["A"], ["B"]]) == accounts
    for each in (load, listed):
        each.clock.advance(100)
        each.org.advance(each.clock.now())
    assert load.org.truth.count("Account", Change.UPDATED) == 0  # no such record
    assert set(listed.org.truth.ids("Account", Change.UPDATED)) == {accounts[1]}
