"""salesforce-bulk over Bulk API v1: XML jobs with CSV, a JSON query, failed rows, request read-back, abort."""

import csv
import io
import json
import os

from salesforce_bulk import CsvDictsAdapter, SalesforceBulk

bulk = SalesforceBulk(sessionId=os.environ["ORG_TOKEN"], host=os.environ["ORG_HTTP"], API_version="60.0")


def done(job: str, batch: str) -> None:
    bulk.wait_for_batch(job, batch, sleep_interval=0.2)


job = bulk.create_insert_job("Account", contentType="CSV", concurrency="Parallel")
rows = [{"Name": f"A{n}", "Ext_Id__c": f"a-{n}"} for n in range(250)] + [
    {"Name": "Twice", "Ext_Id__c": "a-0"}
]
batch = bulk.post_batch(job, CsvDictsAdapter(iter(rows)))
bulk.close_job(job)
done(job, batch)
results = bulk.get_batch_results(batch, job)
listed = bulk.get_batch_list(job)

job2 = bulk.create_upsert_job("Contact", "Ext_Id__c", contentType="CSV", concurrency="Serial")
text = "LastName,Ext_Id__c,Account.Ext_Id__c\n" + "".join(f"C{n},c-{n},a-{n}\n" for n in range(40))
batch2 = bulk.post_batch(job2, io.BytesIO(text.encode()))
bulk.close_job(job2)
done(job2, batch2)

asked = bulk.create_query_job("Contact", contentType="CSV")
query = bulk.query(asked, "SELECT Id, LastName, Account.Name FROM Contact ORDER BY Ext_Id__c")
bulk.close_job(asked)
done(asked, query)
found = [
    row
    for part in bulk.get_all_results_for_query_batch(query, asked)
    for row in csv.DictReader(io.TextIOWrapper(io.BytesIO(part.read()), encoding="utf-8"))
]
asked_json = bulk.create_query_job("Account", contentType="JSON")
query_json = bulk.query(asked_json, "SELECT Id, Name FROM Account", contentType="JSON")
done(asked_json, query_json)
as_json = [
    row for part in bulk.get_all_results_for_query_batch(query_json, asked_json) for row in json.load(part)
]

aborted = bulk.create_insert_job("Account", contentType="CSV")
bulk.abort_job(aborted)
print(
    json.dumps(
        {
            "results": [[each.id, each.success, each.created, each.error] for each in results],
            "listed": [each["state"] for each in listed],
            "jobs": [job, job2],
            "found": [[row["LastName"], row["Account.Name"]] for row in found],
            "json": len(as_json),
            "aborted": bulk.job_status(aborted)["state"],
        }
    )
)
