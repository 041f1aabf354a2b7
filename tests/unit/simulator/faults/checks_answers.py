"""Answers that are refusals, redirections or late."""

from email.utils import parsedate_to_datetime

import pytest

from tests.unit.simulator.faults.client import DATA, INGEST, Client, check, status_of


@check("H01")
def session_ends_while_polling(client: Client) -> None:
    job = client.done()
    assert status_of(client.ask("GET", f"{INGEST}/{job}")) == 401
    assert status_of(client.ask("GET", f"{INGEST}/{job}")) == 401, "the old token stays bad"
    client.sign_in()
    assert client.job(job)["state"] == "JobComplete"


@check("H02")
def session_ends_at_an_upload(client: Client) -> None:
    job = client.create()
    assert job
    assert status_of(client.put(job)) == 401
    client.sign_in()
    assert status_of(client.put(job)) == 201


@check("H03")
def session_ends_between_pages(client: Client) -> None:
    client.done()
    job = client.query()
    path = f"{DATA}/jobs/query/{job}/results"
    first = client.ask("GET", path)
    assert first is not None
    following = f"{path}?locator={first.headers['Sforce-Locator']}"
    assert status_of(client.ask("GET", following)) == 401
    client.sign_in()
    assert status_of(client.ask("GET", following)) == 200


@check("H04")
def no_more_signing_in(client: Client) -> None:
    assert status_of(client.ask("GET", f"{DATA}/limits")) == 401
    refused = client.sign_in()
    assert (status_of(refused), refused.json()["error"]) == (400, "invalid_grant")  # type: ignore[union-attr]


@check("H05", "H06")
def refused_for_all(client: Client) -> None:
    refused = client.ask("GET", f"{DATA}/limits")
    assert status_of(refused) == 403
    assert refused.json()[0]["errorCode"] in {"REQUEST_LIMIT_EXCEEDED", "API_DISABLED_FOR_ORG"}  # type: ignore[union-attr]


@check("H07")
def too_many_requests(client: Client) -> None:
    first, second = (client.ask("GET", f"{DATA}/limits") for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.status, first.headers["Retry-After"]) == (429, "30")
    due = parsedate_to_datetime(second.headers["Retry-After"]).timestamp()
    assert due == pytest.approx(client.clock.now() + 30, abs=1)
    assert status_of(client.ask("GET", f"{DATA}/limits")) == 200


@check("H08")
def one_error_behind_the_other(client: Client) -> None:
    found = [status_of(client.ask("GET", f"{DATA}/limits")) for _ in range(5)]
    assert found == [500, 502, 503, 504, 200]


@check("H09")
def errors_behind_the_effect(client: Client) -> None:
    job = client.create()
    assert job
    assert status_of(client.put(job)) == 503
    assert client.job(job)["numberRecordsProcessed"] == 0, "it was uploaded"
    assert status_of(client.close(job)) == 503
    client.work()
    assert client.job(job)["state"] == "JobComplete"


@check("H10")
def several_found(client: Client) -> None:
    found = client.ask("PATCH", f"{DATA}/sobjects/Account/Legacy_Id__c/x", "{}")
    assert (status_of(found), len(found.json())) == (300, 2)  # type: ignore[union-attr]


@check("H11")
def another_version(client: Client) -> None:
    job = client.done()
    assert status_of(client.ask("GET", f"{INGEST}/{job}/successfulResults")) == 409


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
    assert status_of(client.ask("GET", f"{DATA}/limits")) == 403
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
    found = [status_of(client.ask("GET", f"{DATA}/limits"))]
    for _ in range(3):
        client.clock.advance(3_000)
        found.append(status_of(client.ask("GET", f"{DATA}/limits")))
    assert found[:3] == [503, 503, 503]
    client.sign_in()
    assert status_of(client.ask("GET", f"{DATA}/limits")) == 200
