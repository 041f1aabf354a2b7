"""simple-salesforce over Bulk API v1 with JSON: insert in batches, upsert with nested lookups, query, delete."""

import json
import os

from simple_salesforce import Salesforce

sf = Salesforce(instance_url=os.environ["ORG_HTTPS"], session_id=os.environ["ORG_TOKEN"], version="60.0")
accounts = [{"Name": f'A{n}, "quoted"\nline', "Ext_Id__c": f"a-{n}", "AnnualRevenue": n} for n in range(450)]
inserted = sf.bulk.Account.insert(accounts, batch_size=200)
contacts = [
    {"LastName": f"C{n}", "Ext_Id__c": f"c-{n}", "Account": {"Ext_Id__c": f"a-{n}"}} for n in range(30)
]
contacts += [{"LastName": "Lost", "Ext_Id__c": "c-lost", "Account": {"Ext_Id__c": "none"}}]
upserted = sf.bulk.Contact.upsert(contacts, "Ext_Id__c", batch_size=10_000, use_serial=True)
rows = sf.bulk.Account.query("SELECT Id, Name, Ext_Id__c, AnnualRevenue, CreatedDate FROM Account")
keys = {row["Ext_Id__c"]: row["Id"] for row in rows}
renamed = sf.bulk.Account.update([{"Id": keys["a-7"], "Name": "renamed"}])
deleted = sf.bulk.Account.delete([{"Id": keys[f"a-{n}"]} for n in range(440, 450)])
none = sf.bulk.Account.query("SELECT Id FROM Account WHERE Name = 'nobody'")
print(
    json.dumps(
        {
            "inserted": [[each["success"], each["created"], each["id"]] for each in inserted],
            "upserted": [[each["success"], each["errors"]] for each in upserted],
            "keys": keys,
            "row": next(row for row in rows if row["Ext_Id__c"] == "a-3"),
            "renamed": renamed,
            "deleted": [each["success"] for each in deleted],
            "none": none,
        }
    )
)
