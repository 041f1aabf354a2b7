"""Faults of the network, as a client sees them."""

import gzip

import pytest

from tests.unit.simulator.faults.client import DATA, INGEST, ROWS, Client, check, status_of


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
    assert status_of(client.close(job)) == 200, "another one gets through before it"
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
    assert status_of(client.put(job)) == 201
    refused = client.close(job)
    assert status_of(refused) == 400
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
        assert status_of(client.ask("GET", f"{DATA}/limits")) == 200
        waits.append(client.clock.now() - before)
    assert sum(each == 20 for each in waits) == 8
    assert waits[:8] != [20.0] * 8, "by chance, not one behind the other"
