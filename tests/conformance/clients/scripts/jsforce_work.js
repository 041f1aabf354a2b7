// jsforce: identity, rows, collections, query in pages, Bulk API v1 and 2.0, login over SOAP, Composite.
const jsforce = require("jsforce");

const numbered = (count, make) => Array.from({ length: count }, (_, n) => make(n));

async function main() {
  const conn = new jsforce.Connection({
    instanceUrl: process.env.ORG_HTTP,
    accessToken: process.env.ORG_TOKEN,
    version: "60.0",
  });
  const told = {};
  told.identity = (await conn.identity()).username;
  const one = await conn.sobject("Account").create({ Name: "Ärger & Söhne", Ext_Id__c: "j-1" });
  await conn.sobject("Account").update({ Id: one.id, Industry: "Banking" });
  const many = await conn
    .sobject("Account")
    .create(numbered(450, (n) => ({ Name: `P${n}`, Ext_Id__c: `p-${n}` })), { allowRecursive: true });
  told.created = many.filter((each) => each.success).length;
  const upserted = await conn.sobject("Account").upsert(
    [
      { Ext_Id__c: "p-1", Name: "renamed" },
      { Ext_Id__c: "u-1", Name: "new" },
    ],
    "Ext_Id__c",
  );
  told.upserted = upserted.map((each) => each.created);
  const paged = await conn
    .query("SELECT Id, Name FROM Account WHERE Ext_Id__c LIKE 'p-%' ORDER BY Ext_Id__c")
    .run({ autoFetch: true, maxFetch: 10000 });
  told.paged = [paged.length ?? paged.records.length, paged.totalSize];
  const gone = await conn.sobject("Account").destroy([many[0].id, many[2].id]);
  told.gone = gone.map((each) => each.success);
  told.described = (await conn.sobject("Contact").describe()).fields.some((each) => each.name === "AccountId");
  told.limits = (await conn.request("/limits")).DailyApiRequests.Max;

  conn.bulk.pollInterval = 200;
  conn.bulk.pollTimeout = 60000;
  conn.bulk2.pollInterval = 200;
  conn.bulk2.pollTimeout = 60000;
  const contacts = numbered(300, (n) => ({ LastName: `C${n}`, Ext_Id__c: `c-${n}`, "Account.Ext_Id__c": "j-1" }));
  const v1 = await conn.bulk.load("Contact", "insert", [...contacts, { LastName: "Twice", Ext_Id__c: "c-0" }]);
  told.v1 = [v1.filter((each) => each.success).length, v1.at(-1).errors];
  told.v1ids = v1.slice(0, -1).map((each) => each.id);
  const v1rows = await (await conn.bulk.query("SELECT Id, LastName FROM Contact")).toArray();
  told.v1rows = v1rows.length;
  const v2 = await conn.bulk2.loadAndWaitForResults({
    object: "Contact",
    operation: "upsert",
    externalIdFieldName: "Ext_Id__c",
    input: [
      { Ext_Id__c: "c-1", LastName: "changed" },
      { Ext_Id__c: "d-1", LastName: "added" },
      { Ext_Id__c: "d-2", LastName: "" },
    ],
  });
  told.v2 = [v2.successfulResults.length, v2.failedResults.map((each) => each.Ext_Id__c), v2.unprocessedRecords.length];
  const v2rows = await (await conn.bulk2.query("SELECT Id, LastName, Account.Name FROM Contact")).toArray();
  told.v2rows = [v2rows.length, v2rows.filter((each) => each["Account.Name"] === "Ärger & Söhne").length];
  const soap = new jsforce.Connection({ loginUrl: process.env.ORG_HTTP, version: "60.0" });
  told.soap = (await soap.login(process.env.ORG_USERNAME, process.env.ORG_PASSWORD)).organizationId;
  const composite = await soap.request({
    method: "POST",
    url: "/composite",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      allOrNone: true,
      compositeRequest: [
        {
          method: "POST",
          url: "/services/data/v60.0/sobjects/Account",
          referenceId: "parent",
          body: { Name: "Composite" },
        },
        {
          method: "POST",
          url: "/services/data/v60.0/sobjects/Contact",
          referenceId: "child",
          body: { LastName: "Child", AccountId: "@{parent.id}", Ext_Id__c: "child" },
        },
      ],
    }),
  });
  told.composite = composite.compositeResponse.map((each) => each.httpStatusCode);
  console.log(JSON.stringify(told));
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
