"""Faults of jobs and of their results."""

from migrator.simulator import OrgSettings
from tests.unit.simulator.faults.client import DATA, INGEST, ROWS, Client, check, status_of


@check("H12", "H13")
def job_gone(client: Client) -> None:
    job = client.done()
    assert status_of(client.ask("GET", f"{INGEST}/{job}/successfulResults")) == 404
    assert status_of(client.ask("GET", f"{INGEST}/{job}")) == 404
    assert client.accounts() == ROWS


@check("H14")
def empty_results(client: Client) -> None:
    job = client.done()
    found = client.ask("GET", f"{INGEST}/{job}/successfulResults")
    assert (status_of(found), found.read()) == (200, b"")  # type: ignore[union-attr]
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
    assert status_of(client.put(job)) == 201
    assert client.job(job)["state"] == "Aborted"
    assert status_of(client.close(job)) == 400


@check("H18", "H19")
def aborted_at_work(client: Client) -> None:
    job = client.done()
    shown = client.job(job)
    assert (shown["state"], shown["numberRecordsProcessed"]) == ("Aborted", 200)
    found = client.ask("GET", f"{INGEST}/{job}/unprocessedrecords")
    assert status_of(found) in {200, 404}
    if status_of(found) == 200:
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
    planted = client.org.faults.copy()
    client.org.faults.clear()
    job = client.done()
    before = client.rows(job)
    client.org.faults += planted
    after = client.rows(job)
    assert after != before
    assert sorted(after) == sorted(before)


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
