"""simple-salesforce over Bulk API 2.0: insert, upsert, update, delete, hard delete, query in pages, results."""

import csv
import io
import json
import os

from simple_salesforce import Salesforce

sf = Salesforce(instance_url=os.environ["ORG_HTTPS"], session_id=os.environ["ORG_TOKEN"], version="60.0")
accounts = [{"Name": f'A{n:04}, "quoted"\nsecond line', "Ext_Id__c": f"a-{n}"} for n in range(500)]
inserted = sf.bulk2.Account.insert(records=accounts)
again = sf.bulk2.Account.insert(
    records=[{"Name": "twice", "Ext_Id__c": "a-1"}, {"Name": "new", "Ext_Id__c": "b-1"}]
)
results = sf.bulk2.Account.get_all_ingest_records(again[0]["job_id"])
contacts = [
    {"LastName": f"C{n}", "Ext_Id__c": f"c-{n}", "Account.Ext_Id__c": f"a-{n % 500}"} for n in range(700)
]
upserted = sf.bulk2.Contact.upsert(records=contacts, external_id_field="Ext_Id__c")
changed = sf.bulk2.Contact.upsert(
    records=[{"LastName": "changed", "Ext_Id__c": "c-7"}, {"LastName": "added", "Ext_Id__c": "c-9999"}],
    external_id_field="Ext_Id__c",
)
pages = list(sf.bulk2.Account.query("SELECT Id, Name, Ext_Id__c FROM Account ORDER BY Id", max_records=200))
rows = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
keys = {row["Ext_Id__c"]: row["Id"] for row in rows}
renamed = sf.bulk2.Account.update(records=[{"Id": keys["a-2"], "Name": "renamed"}])
deleted = sf.bulk2.Account.delete(records=[{"Id": keys[f"a-{n}"]} for n in range(400, 450)])
purged = sf.bulk2.Account.hard_delete(records=[{"Id": keys["a-450"]}])
print(
    json.dumps(
        {
            "counts": [
                [job["numberRecordsProcessed"], job["numberRecordsFailed"]]
                for done in (inserted, again, upserted, changed, renamed, deleted, purged)
                for job in done
            ],
            "jobs": {"insert": inserted[0]["job_id"], "upsert": upserted[0]["job_id"]},
            "again": {kind: list(rows) for kind, rows in results.items()},
            "pages": len(pages),
            "names": sorted({row["Name"] for row in rows})[:2],
            "rows": len(rows),
        }
    )
)
