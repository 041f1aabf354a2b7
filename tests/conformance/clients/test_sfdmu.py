"""SFDMU: three objects with lookups by external id, from files to an org and from there to another."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.clients import settings
from migrator.simulator import Org, OrgSettings, load_schema, serve
from migrator.simulator.records.truth import Change
from tests.conformance.clients.conftest import NODE, NODE_MODULES, SCHEMA
from tests.conformance.clients.playground import Playground, environment

OBJECTS = {
    "Account": "Name, Industry, AnnualRevenue, Ext_Id__c",
    "Contact": "FirstName, LastName, Email, AccountId, Ext_Id__c",
    "Opportunity": "Name, StageName, CloseDate, Amount, AccountId, Ext_Id__c",
}
Run = Callable[..., str]


@pytest.fixture
def other(playground: Playground) -> Iterator[Playground]:
    """A second org, empty."""
    org = Org(load_schema(SCHEMA), OrgSettings(organization_id="00D000000000002EAA", name="other"))
    with serve(org) as http:
        yield Playground(org, http.url, "", org.issue_token(), playground.ca_file)


@pytest.fixture
def sfdmu(playground: Playground, tmp_path: Path) -> Run:
    """Run SFDMU as a plugin of Salesforce CLI."""
    assert NODE.exists(), "SFDMU is not installed: `make test-clients` installs it"
    env = environment(playground, tmp_path)
    env["PATH"] = f"{NODE.parent}:{env['PATH']}"

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [NODE, NODE_MODULES / "@salesforce" / "cli" / "bin" / "run.js", *command],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("plugins", "link", NODE_MODULES / "sfdmu", "--no-install")
    return run


def export_json(folder: Path, orgs: dict[str, Playground], bulk: str, threshold: int) -> None:
    """Its plan; the orgs as `migrator simulate --clients` says."""
    entries = [_pasted(name, org) for name, org in orgs.items()]
    (folder / "export.json").write_text(
        json.dumps(
            {
                "orgs": entries,
                "apiVersion": "60.0",
                "bulkApiVersion": bulk,
                "bulkThreshold": threshold,
                "pollingIntervalMs": 500,
                "promptOnMissingParentObjects": False,
                "promptOnIssuesInCSVFiles": False,
                "excludeIdsFromCSVFiles": True,
                "objects": [
                    {
                        "query": f"SELECT {fields} FROM {name}",
                        "operation": "Upsert",
                        "externalId": "Ext_Id__c",
                    }
                    for name, fields in OBJECTS.items()
                ],
            }
        )
    )


def _pasted(name: str, org: Playground) -> Any:
    found = re.search(r'"orgs": \[(.*)\]', settings(org.endpoint(name)))
    assert found
    return json.loads(found[1])


def write_csv(folder: Path, count: int) -> None:
    """Its source files."""
    header = {
        "Account": ["Name", "Industry", "AnnualRevenue", "Ext_Id__c"],
        "Contact": ["FirstName", "LastName", "Email", "Account.Ext_Id__c", "Ext_Id__c"],
        "Opportunity": ["Name", "StageName", "CloseDate", "Amount", "Account.Ext_Id__c", "Ext_Id__c"],
    }
    rows = {
        "Account": [[f'Name "{n}"', "Banking", str(n), f"a-{n}"] for n in range(count)],
        "Contact": [[f"F{n}", f"L{n}", f"c{n}@example.com", f"a-{n // 2}", f"c-{n}"] for n in range(count)],
        "Opportunity": [
            [f"O{n}", "Prospecting", "2026-03-01", str(n), f"a-{n // 3}", f"o-{n}"] for n in range(count)
        ],
    }
    for name in OBJECTS:
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header[name], *rows[name]])


def judge(org: Playground, count: int) -> None:
    """Every record is there once, with its values and its parent."""
    for sobject in OBJECTS:
        assert org.org.truth.count(sobject) == count, sobject
    accounts = org.select("SELECT Name, Industry, AnnualRevenue, Ext_Id__c FROM Account")
    assert {row["Ext_Id__c"]: (row["Name"], row["Industry"], row["AnnualRevenue"]) for row in accounts} == {
        f"a-{n}": (f'Name "{n}"', "Banking", n) for n in range(count)
    }
    for sobject, prefix, share in (("Contact", "c", 2), ("Opportunity", "o", 3)):
        children = org.select(f"SELECT Ext_Id__c, Account.Ext_Id__c FROM {sobject}")
        assert {row["Ext_Id__c"]: row["Account"]["Ext_Id__c"] for row in children} == {
            f"{prefix}-{n}": f"a-{n // share}" for n in range(count)
        }


@pytest.mark.parametrize(
    ("bulk", "threshold"), [("2.0", 10), ("1.0", 10), ("2.0", 10_000)], ids=["bulk 2", "bulk 1", "rest"]
)
def test_files_to_an_org_and_on_to_another(
    playground: Playground, other: Playground, sfdmu: Run, tmp_path: Path, bulk: str, threshold: int
) -> None:
    files, onward = tmp_path / "files", tmp_path / "onward"
    files.mkdir()
    onward.mkdir()
    write_csv(files, 60)
    export_json(files, {"first": playground}, bulk, threshold)
    target = _pasted("first", playground)["name"]
    sfdmu("sfdmu", "run", "-p", files, "-s", "csvfile", "-u", target, "--noprompt")
    judge(playground, 60)
    jobs = playground.org.truth.origins("Contact")
    assert all(job.startswith("750") for job in jobs) == (threshold == 10)

    export_json(onward, {"first": playground, "second": other}, bulk, threshold)
    second = _pasted("second", other)["name"]
    sfdmu("sfdmu", "run", "-p", onward, "-s", target, "-u", second, "--noprompt")
    judge(other, 60)
    # the same again finds nothing to do
    shutil.rmtree(onward / "target", ignore_errors=True)
    sfdmu("sfdmu", "run", "-p", onward, "-s", target, "-u", second, "--noprompt")
    judge(other, 60)
    assert other.org.truth.count("Contact", Change.UPDATED) == 0
