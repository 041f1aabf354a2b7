// jsforce: sharing settings read and updated, a package deployed and retrieved.
const jsforce = require("jsforce");

async function main() {
  const conn = new jsforce.Connection({
    instanceUrl: process.env.ORG_HTTP,
    accessToken: process.env.ORG_TOKEN,
    version: "60.0",
  });
  const metadata = conn.metadata;
  metadata.pollInterval = 200;
  metadata.pollTimeout = 60000;
  const told = {};
  const read = async () => {
    const found = await metadata.read("SharingSettings", "Sharing");
    return [found.deferGroupMembership, found.deferSharingRules];
  };
  told.before = await read();
  const on = { fullName: "Sharing", deferSharingRules: true, deferGroupMembership: true };
  told.updated = (await metadata.update("SharingSettings", on)).success;
  told.read = await read();
  const refused = await metadata.update("SharingSettings", { fullName: "Sharing", deferSharingRules: false });
  told.refused = refused.errors[0].message;
  const zip = Buffer.from(process.env.PACKAGE, "base64");
  const done = await metadata.deploy(zip, { rollbackOnError: true, singlePackage: true }).complete(true);
  const changed = done.details.componentSuccesses.map((each) => `${each.componentType}:${each.fullName}`);
  told.deployed = [done.status, done.success, changed];
  const unpackaged = { types: [{ members: ["Sharing"], name: "Settings" }], version: "60.0" };
  const got = await metadata.retrieve({ apiVersion: "60.0", singlePackage: true, unpackaged }).complete();
  told.retrieved = Buffer.from(got.zipFile, "base64").length;
  told.described = (await metadata.describe("60.0")).metadataObjects.map((each) => each.xmlName);
  told.listed = (await metadata.list([{ type: "Settings" }], "60.0")).map((each) => each.fileName);
  console.log(JSON.stringify(told));
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
