"""Rows that are refused, and what people do."""

from migrator.simulator.acts import ORIGIN
from migrator.simulator.records.truth import Change
from tests.unit.simulator.faults.client import INGEST, ROWS, Client, check, status_of


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
    assert status_of(client.ask("GET", f"{INGEST}/{job}")) == 401
    assert status_of(client.sign_in()) == 400


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
    assert status_of(client.ask("GET", f"{INGEST}/{job}")) == 401
    client.sign_in()
    assert status_of(client.ask("GET", f"{INGEST}/{job}")) == 404
    assert client.accounts() == 0
