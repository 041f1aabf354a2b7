"""aiosalesforce: client credentials, rows, query in pages, limits, Batch, Composite, Bulk API 2.0 with all three results."""

import asyncio
import json
import os
from urllib.parse import urlsplit

import httpx
from aiosalesforce import Salesforce
from aiosalesforce.auth import ClientCredentialsFlow

ORG = urlsplit(os.environ["ORG_HTTPS"])


class ToSimulator(httpx.AsyncHTTPTransport):
    """The client insists on a My Domain; this resolves it to where the org is."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host=ORG.hostname, port=ORG.port)
        return await super().handle_async_request(request)


async def main() -> None:
    auth = ClientCredentialsFlow(os.environ["ORG_CLIENT_ID"], os.environ["ORG_CLIENT_SECRET"])
    async with httpx.AsyncClient(transport=ToSimulator()) as http:
        sf = Salesforce(http, "https://simulated.my.salesforce.com", auth, version="60.0")
        account = await sf.sobject.create("Account", {"Name": "By aiosalesforce", "Ext_Id__c": "i-1"})
        upserts = [
            (await sf.sobject.upsert("Account", "i-2", "Ext_Id__c", {"Name": name})).created
            for name in ("First", "Again")
        ]
        contacts = [
            {"LastName": f"L{n}", "Ext_Id__c": f"c-{n}", "Account": {"Ext_Id__c": "i-1"}} for n in range(300)
        ]
        contacts += [{"LastName": "Lost", "Ext_Id__c": "c-lost", "Account": {"Ext_Id__c": "none"}}]
        done = await sf.bulk_v2.upsert("Contact", contacts, external_id_field="Ext_Id__c")
        names = [row["LastName"] async for row in sf.query("SELECT LastName FROM Contact ORDER BY Id")]
        limits = await sf.get_limits()
        jobs = [job.id async for job in sf.bulk_v2.ingest.list_jobs()]
        first = done.successful_results[0]["sf__Id"]
        await sf.sobject.delete("Contact", first)
        async with sf.composite.batch(halt_on_error=True) as batch:
            asked = batch.query("SELECT Name FROM Account WHERE Ext_Id__c = 'i-1'")
            changed = batch.sobject.upsert("Account", "i-3", "Ext_Id__c", {"Name": "By batch"})
        async with sf.composite(all_or_none=True) as composite:
            parent = composite.sobject.create("Account", {"Name": "Composite"})
            deal = composite.sobject.create(
                "Opportunity",
                {
                    "Name": "Deal",
                    "StageName": "Prospecting",
                    "CloseDate": "2026-03-01",
                    "AccountId": str(parent.reference.id),
                },
            )
        everything = [row async for row in sf.query("SELECT Id FROM Contact", include_all_records=True)]
    print(
        json.dumps(
            {
                "account": account,
                "upserts": upserts,
                "results": [
                    len(done.successful_results),
                    [row["Ext_Id__c"] for row in done.failed_results],
                    len(done.unprocessed_records),
                ],
                "names": names,
                "batch": [asked.records[0]["Name"], changed.created],
                "composite": [parent.status_code, deal.status_code],
                "max": limits["DailyApiRequests"]["Max"],
                "jobs": jobs,
                "job": done.jobs[0].id,
                "deleted": first,
                "everything": len(everything),
            }
        )
    )


asyncio.run(main())
