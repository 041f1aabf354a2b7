"""dlt: a pipeline into DuckDB that reads as dlt's Salesforce source does, twice, the second time what changed."""

from datetime import datetime

from tests.conformance.clients.playground import Playground, Run
from tests.conformance.clients.test_tap_salesforce import ROWS, seed


def test_a_pipeline_reads_everything_and_then_nothing(playground: Playground, run: Run) -> None:
    seed(playground)
    told = run("dlt", "dlt_work.py")
    assert told["read"] == [[ROWS, ROWS], [0, 0]]
    rows = {row[0]: row[1:] for row in told["rows"]}
    assert sorted(rows) == sorted(playground.org.truth.created("Contact"))
    fields = "Id, LastName, Account.Name, Account.AnnualRevenue, SystemModstamp"
    for row in playground.select(f"SELECT {fields} FROM Contact"):
        last_name, account, revenue, stamp = rows[row["Id"]]
        assert (last_name, account) == (row["LastName"], row["Account"]["Name"])
        assert revenue == row["Account"]["AnnualRevenue"]
        assert stamp / 1000 == datetime.fromisoformat(row["SystemModstamp"]).timestamp()
