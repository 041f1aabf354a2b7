"""sfbulk2: Bulk API 2.0 in steps and in one multipart request, query, list of query jobs."""

import json
import os
import time

import requests
from sfbulk2 import SFBulk2

asked = requests.post(
    f"{os.environ['ORG_HTTP']}/services/oauth2/token",
    {
        "grant_type": "client_credentials",
        "client_id": os.environ["ORG_CLIENT_ID"],
        "client_secret": os.environ["ORG_CLIENT_SECRET"],
    },
    timeout=30,
).json()
bulk = SFBulk2(asked["access_token"], asked["instance_url"], "v60.0")


def wait(job: str, kind: str) -> dict:
    while (info := bulk.get_job_status(job, kind).json())["state"] not in {
        "JobComplete",
        "Failed",
        "Aborted",
    }:
        time.sleep(0.2)
    return info


job = bulk.create_job("insert", "Account")
url = bulk.get_job_status(job, "ingest").json()["contentUrl"]
put = bulk.put_data(url, "Name,Ext_Id__c\n" + "".join(f"S{n},s-{n}\n" for n in range(60)) + "Twice,s-1\n")
bulk.patch_state(job, "UploadComplete")
info = wait(job, "ingest")
failed = bulk.get_failure_status(job).text
# the client writes this text behind its headers, so the empty line between them is ours to give
whole = bulk.ingest_multipart("insert", "Account", "\nName,Ext_Id__c\nM1,m-1\nM2,m-2").json()
wait(whole["id"], "ingest")
query = bulk.create_query_job("SELECT Name FROM Account ORDER BY Ext_Id__c")
wait(query, "query")
rows = bulk.get_query_results(query).text
listed = [each["id"] for each in bulk.get_all_query_jobs().json()["records"]]
print()
print(
    json.dumps(
        {
            "put": put.status_code,
            "processed": [info["numberRecordsProcessed"], info["numberRecordsFailed"]],
            "failed": failed,
            "jobs": [job, whole["id"]],
            "rows": rows,
            "listed": query in listed,
        }
    )
)
