"""Each fault of the catalogue does what it says, as a client sees it and as the truth log has it."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import CATALOGUE, Org, OrgSettings, load_schema, preset
from migrator.simulator.acts import ORIGIN
from migrator.simulator.http import Headers, Request, Response
from migrator.simulator.records.truth import Change
from migrator.simulator.strikes import Dropped

ROWS = 600
DATA = "/services/data/v66.0"
INGEST = f"{DATA}/jobs/ingest"


@dataclass
class Client:
    """A client of an org that asks until something goes wrong."""

    org: Org
    clock: VirtualClock
    token: str = ""

    def __post_init__(self) -> None:
        self.token = self.org.issue_token()

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Response | None:
        """The answer; None for a connection that ended without one."""
        given = {
            "Authorization": f"Bearer {self.token}",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        query = {}
        if "?" in path:
            path, _, rest = path.partition("?")
            query = dict(each.split("=", 1) for each in rest.split("&"))
        try:
            response = self.org.handle(Request(method, path, query, Headers(given), body.encode()))
        except Dropped:
            return None
        if response.delivery is not None and response.delivery.silent:
            return None
        return response

    def sign_in(self) -> Response | None:
        form = (
            f"grant_type=client_credentials&client_id={self.org.settings.client_id}"
            f"&client_secret={self.org.settings.client_secret}"
        )
        given = self.ask(
            "POST", "/services/oauth2/token", form, Content_Type="application/x-www-form-urlencoded"
        )
        if given is not None and given.status == 200:
            self.token = given.json()["access_token"]
        return given

    def create(self, sobject: str = "Account", operation: str = "insert") -> str | None:
        made = self.ask("POST", INGEST, f'{{"object":"{sobject}","operation":"{operation}"}}')
        return None if made is None or made.status != 200 else str(made.json()["id"])

    def put(self, job: str, rows: int = ROWS) -> Response | None:
        lines = "".join(f'"row {number}","{number}"\n' for number in range(rows))
        return self.ask(
            "PUT", f"{INGEST}/{job}/batches", f"Name,AccountNumber\n{lines}", Content_Type="text/csv"
        )

    def close(self, job: str) -> Response | None:
        return self.ask("PATCH", f"{INGEST}/{job}", '{"state":"UploadComplete"}')

    def job(self, job: str) -> dict[str, Any]:
        shown = self.ask("GET", f"{INGEST}/{job}")
        assert shown is not None
        assert shown.status == 200, shown.read()
        return dict(shown.json())

    def work(self, seconds: float = 0.0) -> None:
        """Let the org work until it has nothing to do."""
        self.clock.advance(seconds)
        while self.org.advance(self.clock.now()):
            pass

    def done(self, rows: int = ROWS) -> str:
        """A job that was carried out, whatever came of it."""
        job = self.create()
        assert job
        assert self.put(job, rows)
        assert self.close(job)
        self.work()
        return job

    def rows(self, job: str, kind: str = "successfulResults") -> list[list[str]]:
        found = self.ask("GET", f"{INGEST}/{job}/{kind}")
        assert found is not None
        assert found.status == 200, found.read()
        return list(csv.reader(io.StringIO(found.read().decode(), newline="")))[1:]

    def query(self) -> str:
        """A query job over the accounts that are there, complete."""
        made = self.ask(
            "POST", f"{DATA}/jobs/query", '{"operation":"query","query":"SELECT Id, Name FROM Account"}'
        )
        assert made is not None
        self.work()
        return str(made.json()["id"])

    def accounts(self) -> int:
        return len(self.org.store.table("Account"))


Check = Callable[[Client], None]
CHECKS: dict[str, Check] = {}


def check(*names: str) -> Callable[[Check], Check]:
    """The check of these faults."""

    def keep(found: Check) -> Check:
        CHECKS.update(dict.fromkeys(names, found))
        return found

    return keep


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_fault_of_the_catalogue(name: str) -> None:
    clock = VirtualClock()
    org = Org(load_schema(), OrgSettings(bulk_page=200), clock)
    org.plant(*preset(name))
    CHECKS[name](Client(org, clock))


def _status(found: Response | None) -> int:
    assert found is not None
    return found.status


# --- network -----------------------------------------------------------------------------------------------------


@check("N05")
def creation_cut(client: Client) -> None:
    assert client.create() is None
    assert client.create()
    assert len(client.ask("GET", INGEST).json()["records"]) == 1  # type: ignore[union-attr]


@check("N06")
def creation_unanswered(client: Client) -> None:
    assert client.create() is None
    assert client.create()
    assert len(client.ask("GET", INGEST).json()["records"]) == 2  # type: ignore[union-attr]


@check("N07")
def upload_cut(client: Client) -> None:
    job = client.create()
    assert job
    assert client.put(job) is None
    assert "numberRecordsProcessed" not in client.job(job), "nothing was uploaded"


@check("N08")
def upload_unanswered(client: Client) -> None:
    job = client.create()
    assert job
    assert client.put(job) is None
    assert client.job(job)["numberRecordsProcessed"] == 0, "it was uploaded"
    assert client.job(job)["state"] == "Open"


@check("N09")
def closing_unanswered(client: Client) -> None:
    job = client.create()
    assert job
    client.put(job)
    assert client.close(job) is None
    client.work()
    assert client.job(job)["state"] == "JobComplete"


@check("N10")
def closing_late(client: Client) -> None:
    job = client.create()
    assert job
    client.put(job)
    assert client.close(job) is None
    assert client.job(job)["state"] == "Open"
    assert _status(client.close(job)) == 200, "another one gets through before it"
    client.work()
    client.work(700)
    assert client.job(job)["state"] == "JobComplete"
    assert client.accounts() == ROWS


@check("N11")
def upload_late(client: Client) -> None:
    job = client.create()
    assert job
    assert client.put(job) is None
    client.ask("PATCH", f"{INGEST}/{job}", '{"state":"Aborted"}')
    client.work(700)
    assert client.job(job)["numberRecordsProcessed"] == 0


@check("N12")
def ends_behind_a_row(client: Client) -> None:
    job = client.done()
    cut = client.rows(job)
    assert 0 < len(cut) < ROWS
    assert {len(row) for row in cut} == {4}
    assert len(client.rows(job)) == ROWS


@check("N13")
def ends_inside_a_cell(client: Client) -> None:
    job = client.done()
    cut = client.ask("GET", f"{INGEST}/{job}/successfulResults")
    assert cut is not None
    assert cut.read().count(b'"') % 2 == 1
    assert len(client.rows(job)) == ROWS


@check("N14")
def ends_inside_gzip(client: Client) -> None:
    import gzip

    job = client.done()
    cut = client.ask("GET", f"{INGEST}/{job}/successfulResults", Accept_Encoding="gzip")
    assert cut is not None
    with pytest.raises(EOFError):
        gzip.decompress(cut.read())


@check("N15")
def slow(client: Client) -> None:
    job = client.done()
    found = client.ask("GET", f"{INGEST}/{job}/successfulResults")
    assert found is not None
    assert found.delivery is not None
    assert found.delivery.bytes_per_second == 10_000


@check("N16")
def hole(client: Client) -> None:
    assert client.create() is None
    assert client.create()


@check("N17")
def segments(client: Client) -> None:
    found = client.ask("GET", f"{DATA}/limits")
    assert found is not None
    assert found.delivery is not None
    assert found.delivery.segment == 1


@check("N18")
def creation_twice(client: Client) -> None:
    assert client.create()
    assert len(client.ask("GET", INGEST).json()["records"]) == 2  # type: ignore[union-attr]


@check("N19")
def upload_twice(client: Client) -> None:
    job = client.create()
    assert job
    assert _status(client.put(job)) == 201
    refused = client.close(job)
    assert _status(refused) == 400
    assert "multipe contents" in refused.json()[0]["message"]  # type: ignore[union-attr]
    client.ask("PATCH", f"{INGEST}/{job}", '{"state":"Aborted"}')
    assert (client.job(job)["state"], client.accounts()) == ("Aborted", 0)


@check("N20")
def page_of_a_proxy(client: Client) -> None:
    found = client.ask("GET", f"{DATA}/limits")
    assert found is not None
    assert (found.status, found.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")


@check("N21")
def hangs_up(client: Client) -> None:
    found = client.ask("GET", f"{DATA}/limits")
    assert found is not None
    assert found.delivery is not None
    assert found.delivery.hang_up


@check("N22")
def some_hang(client: Client) -> None:
    waits = []
    for _ in range(60):
        before = client.clock.now()
        assert _status(client.ask("GET", f"{DATA}/limits")) == 200
        waits.append(client.clock.now() - before)
    assert sum(each == 20 for each in waits) == 8
    assert waits[:8] != [20.0] * 8, "by chance, not one behind the other"


# --- answers -----------------------------------------------------------------------------------------------------


@check("H01")
def session_ends_while_polling(client: Client) -> None:
    job = client.done()
    assert _status(client.ask("GET", f"{INGEST}/{job}")) == 401
    assert _status(client.ask("GET", f"{INGEST}/{job}")) == 401, "the old token stays bad"
    client.sign_in()
    assert client.job(job)["state"] == "JobComplete"


@check("H02")
def session_ends_at_an_upload(client: Client) -> None:
    job = client.create()
    assert job
    assert _status(client.put(job)) == 401
    client.sign_in()
    assert _status(client.put(job)) == 201


@check("H03")
def session_ends_between_pages(client: Client) -> None:
    client.done()
    job = client.query()
    path = f"{DATA}/jobs/query/{job}/results"
    first = client.ask("GET", path)
    assert first is not None
    following = f"{path}?locator={first.headers['Sforce-Locator']}"
    assert _status(client.ask("GET", following)) == 401
    client.sign_in()
    assert _status(client.ask("GET", following)) == 200


@check("H04")
def no_more_signing_in(client: Client) -> None:
    assert _status(client.ask("GET", f"{DATA}/limits")) == 401
    refused = client.sign_in()
    assert (_status(refused), refused.json()["error"]) == (400, "invalid_grant")  # type: ignore[union-attr]


@check("H05", "H06")
def refused_for_all(client: Client) -> None:
    refused = client.ask("GET", f"{DATA}/limits")
    assert _status(refused) == 403
    assert refused.json()[0]["errorCode"] in {"REQUEST_LIMIT_EXCEEDED", "API_DISABLED_FOR_ORG"}  # type: ignore[union-attr]


@check("H07")
def too_many_requests(client: Client) -> None:
    from email.utils import parsedate_to_datetime

    first, second = (client.ask("GET", f"{DATA}/limits") for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.status, first.headers["Retry-After"]) == (429, "30")
    due = parsedate_to_datetime(second.headers["Retry-After"]).timestamp()
    assert due == pytest.approx(client.clock.now() + 30, abs=1)
    assert _status(client.ask("GET", f"{DATA}/limits")) == 200


@check("H08")
def one_error_behind_the_other(client: Client) -> None:
    found = [_status(client.ask("GET", f"{DATA}/limits")) for _ in range(5)]
    assert found == [500, 502, 503, 504, 200]


@check("H09")
def errors_behind_the_effect(client: Client) -> None:
    job = client.create()
    assert job
    assert _status(client.put(job)) == 503
    assert client.job(job)["numberRecordsProcessed"] == 0, "it was uploaded"
    assert _status(client.close(job)) == 503
    client.work()
    assert client.job(job)["state"] == "JobComplete"


@check("H10")
def several_found(client: Client) -> None:
    found = client.ask("PATCH", f"{DATA}/sobjects/Account/Legacy_Id__c/x", "{}")
    assert (_status(found), len(found.json())) == (300, 2)  # type: ignore[union-attr]


@check("H11")
def another_version(client: Client) -> None:
    job = client.done()
    assert _status(client.ask("GET", f"{INGEST}/{job}/successfulResults")) == 409


@check("H33")
def composite_late(client: Client) -> None:
    body = '{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"Name":"late"}]}'
    assert client.ask("POST", f"{DATA}/composite/sobjects", body) is None
    assert client.accounts() == 0
    client.work(120)
    assert client.accounts() == 1


@check("H34")
def moved(client: Client) -> None:
    found = client.ask("GET", f"{DATA}/limits")
    assert found is not None
    assert (found.status, found.headers["Location"]) == (301, f"https://moved.my.salesforce.com{DATA}/limits")


@check("H35")
def field_gone(client: Client) -> None:
    def fields() -> set[str]:
        described = client.ask("GET", f"{DATA}/sobjects/Account/describe")
        assert described is not None
        return {each["name"] for each in described.json()["fields"]}

    before = fields()
    client.done(3)
    assert before - fields() == {"Description"}


@check("H36")
def no_limits(client: Client) -> None:
    assert _status(client.ask("GET", f"{DATA}/limits")) == 403
    assert client.create()


@check("H38")
def classic_batches_in_doubt(client: Client) -> None:
    made = client.ask(
        "POST",
        "/services/async/66.0/job",
        '{"operation":"insert","object":"Account","contentType":"CSV"}',
        Content_Type="application/json",
    )
    assert made is not None
    path = f"/services/async/66.0/job/{made.json()['id']}/batch"
    for there in (0, 1, 1):
        assert client.ask("POST", path, "Name\nx\n", Content_Type="text/csv") is None
        client.work()
        assert client.accounts() == there
    client.work(60)
    client.work()
    assert client.accounts() == 2


@check("H39")
def maintenance(client: Client) -> None:
    found = [_status(client.ask("GET", f"{DATA}/limits"))]
    for _ in range(3):
        client.clock.advance(3_000)
        found.append(_status(client.ask("GET", f"{DATA}/limits")))
    assert found[:3] == [503, 503, 503]
    client.sign_in()
    assert _status(client.ask("GET", f"{DATA}/limits")) == 200


# --- jobs --------------------------------------------------------------------------------------------------------


@check("H12", "H13")
def job_gone(client: Client) -> None:
    job = client.done()
    assert _status(client.ask("GET", f"{INGEST}/{job}/successfulResults")) == 404
    assert _status(client.ask("GET", f"{INGEST}/{job}")) == 404
    assert client.accounts() == ROWS


@check("H14")
def empty_results(client: Client) -> None:
    job = client.done()
    found = client.ask("GET", f"{INGEST}/{job}/successfulResults")
    assert (_status(found), found.read()) == (200, b"")  # type: ignore[union-attr]
    assert len(client.rows(job)) == ROWS


@check("H15")
def counters_move(client: Client) -> None:
    job = client.done()
    counted = [client.job(job)["numberRecordsProcessed"] for _ in range(3)]
    assert counted == [540, 540, 600]


@check("H16")
def unheard_of(client: Client) -> None:
    job = client.done()
    states = [client.job(job)["state"] for _ in range(3)]
    assert states[2] == "JobComplete"
    assert not {"Open", "UploadComplete", "InProgress", "JobComplete", "Aborted", "Failed"} & set(states[:2])


@check("H17")
def aborted_open(client: Client) -> None:
    job = client.create()
    assert job
    assert _status(client.put(job)) == 201
    assert client.job(job)["state"] == "Aborted"
    assert _status(client.close(job)) == 400


@check("H18", "H19")
def aborted_at_work(client: Client) -> None:
    job = client.done()
    shown = client.job(job)
    assert (shown["state"], shown["numberRecordsProcessed"]) == ("Aborted", 200)
    found = client.ask("GET", f"{INGEST}/{job}/unprocessedrecords")
    assert _status(found) in {200, 404}
    if _status(found) == 200:
        assert len(client.rows(job, "unprocessedrecords")) == 400
        assert len(client.rows(job)) == 200


@check("H20")
def header_fault(client: Client) -> None:
    job = client.done()
    shown = client.job(job)
    assert (shown["state"], shown["numberRecordsProcessed"], shown["numberRecordsFailed"]) == ("Failed", 0, 0)
    assert shown["errorMessage"].startswith("InvalidBatch : ")


@check("H21", "H37")
def locks_until_it_fails(client: Client) -> None:
    job = client.done(10_000)
    shown = client.job(job)
    assert (shown["state"], shown["retries"]) == ("Failed", 21)
    assert shown["errorMessage"].startswith("TooManyLockFailure")


@check("H22")
def results_lost(client: Client) -> None:
    client.org.settings = OrgSettings(batch_parallelism=1)
    job = client.done(25_000)
    assert client.job(job)["state"] == "Failed"
    kinds = ("successfulResults", "failedResults", "unprocessedrecords")
    told = sum(len(client.rows(job, kind)) for kind in kinds)
    assert 0 < told <= 10_000, "nothing is told about what was not begun"


@check("H23")
def no_records_left(client: Client) -> None:
    job = client.done()
    assert client.job(job)["errorMessage"].startswith("ExceededQuota")
    client.clock.advance(86_400)
    client.sign_in()
    made = client.ask("POST", INGEST, '{"object":"Account","operation":"insert"}')
    assert made is not None
    after = str(made.json()["id"])
    client.put(after)
    client.close(after)
    client.work()
    assert client.job(after)["state"] == "JobComplete", "the window rolled"


@check("H24")
def storage_full(client: Client) -> None:
    job = client.done()
    assert {row[1] for row in client.rows(job, "failedResults")} == {
        "STORAGE_LIMIT_EXCEEDED:storage limit exceeded:--"
    }


@check("H25")
def waits_for_hours(client: Client) -> None:
    job = client.done()
    client.sign_in()
    assert client.job(job)["state"] == "UploadComplete"
    client.work(21_500)
    client.sign_in()
    assert client.job(job)["state"] == "UploadComplete"
    client.work(200)
    assert client.job(job)["state"] == "JobComplete"


@check("H26")
def shuffled(client: Client) -> None:
    client.org.faults, planted = [], list(client.org.faults)
    job = client.done()
    before = client.rows(job)
    client.org.faults[:] = planted
    assert sorted(client.rows(job)) == sorted(before)


@check("H27")
def twice_among_the_good(client: Client) -> None:
    job = client.done()
    found = client.rows(job)
    assert (len(found), len({row[0] for row in found})) == (ROWS + 1, ROWS)


@check("H28")
def in_both(client: Client) -> None:
    job = client.done()
    bad = client.rows(job, "failedResults")
    assert len(bad) == 1
    assert bad[0][0] in {row[0] for row in client.rows(job)}


@check("H29")
def foreign_ids(client: Client) -> None:
    found = client.rows(client.done())
    assert {row[0][:3] for row in found} == {"00Q"}


@check("H29b")
def short_ids(client: Client) -> None:
    found = client.rows(client.done())
    assert {(row[0][:3], len(row[0])) for row in found} == {("001", 15)}


@check("H30")
def endless_pages(client: Client) -> None:
    client.done()
    path = f"{DATA}/jobs/query/{client.query()}/results"
    first = client.ask("GET", path)
    assert first is not None
    locator = first.headers["Sforce-Locator"]
    again = client.ask("GET", f"{path}?locator={locator}")
    assert again is not None
    assert again.headers["Sforce-Locator"] == locator


@check("H31")
def wrong_number(client: Client) -> None:
    client.done()
    page = client.ask("GET", f"{DATA}/jobs/query/{client.query()}/results")
    assert page is not None
    assert int(page.headers["Sforce-NumberOfRecords"]) == page.read().count(b"\n")  # one too many: the header


@check("H32")
def some_of_a_composite(client: Client) -> None:
    records = ",".join(f'{{"attributes":{{"type":"Account"}},"Name":"n{number}"}}' for number in range(200))
    done = client.ask("POST", f"{DATA}/composite/sobjects", f'{{"allOrNone":false,"records":[{records}]}}')
    assert done is not None
    good = sum(each["success"] for each in done.json())
    assert 0 < 200 - good < 100


@check("H40")
def guilty_row(client: Client) -> None:
    job = client.done()
    refused = client.job(job)["numberRecordsFailed"]
    assert refused in {200, 400, 600}
    again = client.done()
    assert client.job(again)["numberRecordsFailed"] == 0, "once"


# --- rows and people ---------------------------------------------------------------------------------------------


@check("D01", "D02", "D03")
def rows_refused(client: Client) -> None:
    first, second = client.done(), client.done()
    bad = client.rows(first, "failedResults")
    assert 0 < len(bad) < ROWS / 5
    again = client.rows(second, "failedResults")
    assert sorted(row[2] for row in again) in ([], sorted(row[2] for row in bad)), "the same ones, or none"


@check("D06", "U04")
def somebody_else(client: Client) -> None:
    client.done()
    client.work(61)
    edited = client.org.truth.count("Account", Change.UPDATED, origin=ORIGIN)
    deleted = client.org.truth.count("Account", Change.DELETED, origin=ORIGIN)
    assert min(edited, deleted) == 0
    assert 20 < edited + deleted < 120


@check("D07")
def somebody_was_first(client: Client) -> None:
    assert client.create()
    assert client.org.truth.count("Account", origin=ORIGIN) == 1


@check("U05")
def user_deactivated(client: Client) -> None:
    job = client.done()
    assert _status(client.ask("GET", f"{INGEST}/{job}")) == 401
    assert _status(client.sign_in()) == 400


@check("U06")
def rule_switched_on(client: Client) -> None:
    job = client.done()
    assert 250 < client.job(job)["numberRecordsFailed"] <= 400


@check("U07")
def all_aborted(client: Client) -> None:
    jobs = [client.create(), client.create("Contact")]
    assert client.job(str(jobs[0]))["state"] == "Aborted"
    assert client.job(str(jobs[1]))["state"] == "Aborted"


@check("U11")
def refreshed(client: Client) -> None:
    job = client.done()
    assert client.job(job)["state"] == "JobComplete"
    assert _status(client.ask("GET", f"{INGEST}/{job}")) == 401
    client.sign_in()
    assert _status(client.ask("GET", f"{INGEST}/{job}")) == 404
    assert client.accounts() == 0
