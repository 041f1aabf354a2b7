"""salesforcepy: username-password login, rows, query, Bulk API 2.0 ingest, logout."""

import json
import os
import time

import SalesforcePy

client = SalesforcePy.client(
    os.environ["ORG_USERNAME"],
    os.environ["ORG_PASSWORD"],
    os.environ["ORG_CLIENT_ID"],
    os.environ["ORG_CLIENT_SECRET"],
    login_url=os.environ["ORG_HTTPS"].removeprefix("https://"),
    version="60.0",
)
given, _ = client.login()
made, _ = client.sobjects(object_type="Account").insert({"Name": "By salesforcepy", "Ext_Id__c": "s-1"})
_, updated = client.sobjects(object_type="Account", id=made["id"]).update({"Industry": "Energy"})
_, upserted = client.sobjects(object_type="Account", id="s-2", external_id="Ext_Id__c").upsert(
    {"Name": "Upserted"}
)
job, _ = client.jobs.ingest.create({"object": "Contact", "operation": "insert", "lineEnding": "LF"})
rows = "LastName,Account.Ext_Id__c\n" + "".join(f"L{n},s-1\n" for n in range(30)) + "Lost,s-none\n"
client.jobs.ingest.batches(job["id"], rows.encode())
client.jobs.ingest.update(job["id"], "UploadComplete")
while (info := client.jobs.ingest.get(job_id=job["id"])[0])["state"] not in {
    "JobComplete",
    "Failed",
    "Aborted",
}:
    time.sleep(0.2)
_, failures = client.jobs.ingest.get(job_id=job["id"], failures=True)
listed, _ = client.jobs.ingest.get()
found, _ = client.query("SELECT COUNT() FROM Contact")
client.logout()
after, refused = client.query("SELECT COUNT() FROM Contact")
print(
    json.dumps(
        {
            "type": given["token_type"],
            "statuses": [updated.status, upserted.status, failures.status],
            "processed": [info["numberRecordsProcessed"], info["numberRecordsFailed"]],
            "job": job["id"],
            "listed": [each["id"] for each in listed["records"]],
            "count": found["totalSize"],
            "after": [refused.status, after[0]["errorCode"]],
        }
    )
)
