"""salesforce-api: client credentials by HTTP Basic, rows, query in pages, Bulk API 2.0 and v1 in JSON."""

import json
import os

from salesforce_api import Salesforce, config, login

config.BULK_SLEEP_SECONDS = 0.5
connection = login.oauth2(
    os.environ["ORG_HTTP"], os.environ["ORG_CLIENT_ID"], os.environ["ORG_CLIENT_SECRET"], api_version="60.0"
)
connection.session.headers["Authorization"] = f"Bearer {connection.access_token}"
sf = Salesforce(connection=connection)
versions = sf.basic.versions()
made = sf.sobjects.Account.insert({"Name": "By salesforce-api", "Ext_Id__c": "p-1"})
sf.sobjects.Account.update(made["id"], {"Industry": "Media"})
sf.sobjects.Account.upsert("Ext_Id__c", "p-2", {"Name": "Upserted"})
basics = sf.sobjects.Account.metadata()
inserted = sf.bulk_v2.insert("Contact", [{"LastName": f"L{n}", "Ext_Id__c": f"c-{n}"} for n in range(450)])
rows = sf.sobjects.query("SELECT Id, LastName FROM Contact ORDER BY Id")
upserted = sf.bulk_v2.upsert("Contact", [{"LastName": "U", "Ext_Id__c": "c-3"}], "Ext_Id__c")
deleted = sf.bulk_v2.delete("Contact", [row["Id"] for row in rows[:20]])
opportunities = [
    {"Name": f"O{n}", "StageName": "Prospecting", "CloseDate": "2026-03-01", "Account": {"Ext_Id__c": "p-1"}}
    for n in range(50)
]
v1 = sf.bulk_v1.insert("Opportunity", opportunities)
print(
    json.dumps(
        {
            "newest": versions[-1]["version"],
            "name": basics["objectDescribe"]["name"],
            "inserted": [len(inserted), all(each.success for each in inserted)],
            "names": [row["LastName"] for row in rows],
            "upserted": [each.success for each in upserted],
            "deleted": len(deleted),
            "v1": [len(v1), all(each.success for each in v1)],
        }
    )
)
