"""A dlt pipeline into DuckDB whose source reads as dlt's own Salesforce source does: describe, then Bulk API v1 `queryAll` in JSON.

A second run asks for what changed since the first; moments come as milliseconds.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from simple_salesforce import Salesforce

SINCE = "SystemModstamp"


def records(sf: Salesforce, sobject: str, since: str | None) -> Iterator[dict[str, Any]]:
    described = getattr(sf, sobject).describe()["fields"]
    compound = {field["compoundFieldName"] for field in described if field["compoundFieldName"]}
    names = [field["name"] for field in described if field["name"] not in compound or field["name"] == "Name"]
    moments = [field["name"] for field in described if field["type"] in {"datetime", "date"}]
    where = f" WHERE {SINCE} > {since}" if since else ""
    text = f"SELECT {', '.join(names)} FROM {sobject}{where}"
    for page in getattr(sf.bulk, sobject).query_all(text, lazy_operation=True):
        for record in page:
            record.pop("attributes", None)
            for name in moments:
                if record.get(name) is not None:
                    record[name] = dlt.common.pendulum.from_timestamp(record[name] / 1000).isoformat()
            yield record


@dlt.source(name="salesforce")
def source(sf: Salesforce) -> list[Any]:
    def table(sobject: str) -> Any:
        @dlt.resource(name=sobject, primary_key="Id", write_disposition="merge")
        def read(last: Any = dlt.sources.incremental(SINCE, initial_value=None)) -> Iterator[Any]:  # noqa: B008 - how dlt has it
            yield from records(sf, sobject, last.last_value)

        return read

    return [table(sobject) for sobject in ("Account", "Contact")]


def main() -> None:
    sf = Salesforce(instance_url=os.environ["ORG_HTTPS"], session_id=os.environ["ORG_TOKEN"], version="59.0")
    pipeline = dlt.pipeline(
        "salesforce",
        # beside the rows: for root, dlt remembers pipelines in a folder of the whole machine
        pipelines_dir=str(Path.cwd() / "pipelines"),
        destination=dlt.destinations.duckdb("read.duckdb"),
        dataset_name="org",
    )
    told = []
    for _ in range(2):
        pipeline.run(source(sf))
        counts = pipeline.last_trace.last_normalize_info.row_counts
        told.append([counts.get("account", 0), counts.get("contact", 0)])
        with pipeline.sql_client() as client:
            rows = client.execute_sql(
                "SELECT c.id, c.last_name, a.name, a.annual_revenue, epoch_ms(c.system_modstamp)"
                " FROM contact c JOIN account a ON a.id = c.account_id ORDER BY c.id"
            )
    print(json.dumps({"read": told, "rows": [list(row) for row in rows]}, default=str))


main()
