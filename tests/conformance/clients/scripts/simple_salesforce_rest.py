"""simple-salesforce over REST: rows, upserts, queries in pages, describe, limits."""

import json
import os

from simple_salesforce import Salesforce, SalesforceResourceNotFound

sf = Salesforce(instance_url=os.environ["ORG_HTTPS"], session_id=os.environ["ORG_TOKEN"], version="60.0")
made = sf.Account.create({"Name": "Ärger & Söhne", "Ext_Id__c": "a-1", "AnnualRevenue": 12.5})
sf.Account.update(made["id"], {"Industry": "Banking"})
created = sf.Account.upsert("Ext_Id__c/a-2", {"Name": "Second"})
updated = sf.Account.upsert("Ext_Id__c/a-2", {"Name": "Second, renamed"})
got = sf.Account.get_by_custom_id("Ext_Id__c", "a-1")
child = sf.Contact.create({"LastName": "O'Hara", "AccountId": made["id"], "Ext_Id__c": "c-1"})
gone = sf.Account.create({"Name": "Gone"})
sf.Account.delete(gone["id"])
try:
    sf.Account.get(gone["id"])
    found_again = True
except SalesforceResourceNotFound:
    found_again = False
for number in range(450):
    if number % 150 == 0:
        batch = [{"Name": f"P{n:03}", "attributes": {"type": "Account"}} for n in range(number, number + 150)]
        sf.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": batch})
paged = sf.query_all("SELECT Id, Name FROM Account WHERE Name LIKE 'P%' ORDER BY Name")
first = sf.query("SELECT Id FROM Account WHERE Name LIKE 'P%'")
lazy = [
    row["Name"] for row in sf.query_all_iter("SELECT Name FROM Account WHERE Name LIKE 'P00%' ORDER BY Name")
]
parent = sf.query("SELECT LastName, Account.Name FROM Contact")["records"][0]
print(
    json.dumps(
        {
            "created": created,
            "updated": updated,
            "industry": got["Industry"],
            "child": child["id"],
            "found_again": found_again,
            "paged": [row["Name"] for row in paged["records"]],
            "first_page": [len(first["records"]), first["done"], first["totalSize"]],
            "lazy": lazy,
            "parent": parent["Account"]["Name"],
            "fields": sorted(each["name"] for each in sf.Contact.describe()["fields"]),
            "objects": [each["name"] for each in sf.describe()["sobjects"]],
            "limits": sf.limits()["DailyApiRequests"],
            "usage": sf.api_usage["api-usage"].total,
        }
    )
)
