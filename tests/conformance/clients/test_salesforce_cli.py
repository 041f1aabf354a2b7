"""Salesforce CLI, over plain http: logged in as `migrator simulate --clients` says."""

import csv
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.clients import settings
from migrator.simulator.records.truth import Change
from migrator.simulator.sharing import Deferral, Sharing
from tests.conformance.clients.conftest import NODE, NODE_MODULES
from tests.conformance.clients.playground import Playground, environment

Sf = Callable[..., Any]


@pytest.fixture
def sf(playground: Playground, tmp_path: Path) -> Sf:
    """Run a command of `sf` and give its JSON result."""
    token = re.search(r"SF_ACCESS_TOKEN='(.*)'", settings(playground.endpoint("sim")))
    assert token
    assert NODE.exists(), "Salesforce CLI is not installed: `make test-clients` installs it"
    env = environment(playground, tmp_path) | {"SF_ACCESS_TOKEN": token[1]}
    env["PATH"] = f"{NODE.parent}:{env['PATH']}"

    def run(command: str, *more: str, code: int = 0) -> Any:
        done = subprocess.run(
            [
                NODE,
                NODE_MODULES / "@salesforce" / "cli" / "bin" / "run.js",
                *command.split(),
                *more,
                "--json",
            ],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        told = json.loads(done.stdout)
        return told if code else told["result"]

    run(f"org login access-token --instance-url {playground.http} --no-prompt --alias sim")
    return run


def test_records(playground: Playground, sf: Sf) -> None:
    made = sf("data create record -o sim -s Account -v", "Name='Ärger & Söhne' Ext_Id__c=s-1")
    sf("data update record -o sim -s Account -i", made["id"], "-v", "Industry=Banking")
    got = sf("data get record -o sim -s Account -w Ext_Id__c=s-1")
    found = sf("data query -o sim -q", "SELECT Id, Name, Industry FROM Account")
    gone = sf("data create record -o sim -s Contact -v LastName=Gone")
    sf("data delete record -o sim -s Contact -i", gone["id"])
    assert got["Industry"] == "Banking"
    assert [row["Name"] for row in found["records"]] == ["Ärger & Söhne"]
    assert playground.org.truth.created("Account") == [made["id"]]
    assert playground.org.truth.ids("Contact", Change.DELETED) == [gone["id"]]


def test_bulk(playground: Playground, sf: Sf, tmp_path: Path) -> None:
    rows = [f"A{n},s-{n}" for n in range(300)]
    (tmp_path / "a.csv").write_text("\n".join(["Name,Ext_Id__c", *rows, ""]))
    sf("data import bulk -o sim -s Account -f a.csv -w 5")
    (tmp_path / "c.csv").write_text(
        "\n".join(["LastName,Ext_Id__c,Account.Ext_Id__c", *(f"L{n},c-{n},s-{n}" for n in range(40)), ""])
    )
    sf("data upsert bulk -o sim -s Contact -i Ext_Id__c -f c.csv -w 5")
    sf(
        "data export bulk -o sim -w 5 -r csv --output-file out.csv -q",
        "SELECT Id, Name, Ext_Id__c FROM Account",
    )
    with (tmp_path / "out.csv").open(newline="") as file:
        exported = {row["Ext_Id__c"]: row["Id"] for row in csv.DictReader(file)}
    assert sorted(exported) == sorted(f"s-{n}" for n in range(300))
    (tmp_path / "d.csv").write_text("\n".join(["Id", *(exported[f"s-{n}"] for n in range(200, 220)), ""]))
    sf("data delete bulk -o sim -s Account -f d.csv -w 5")

    truth = playground.org.truth
    assert sorted(truth.created("Account")) == sorted(exported.values())
    assert sorted(truth.ids("Account", Change.DELETED)) == sorted(exported[f"s-{n}"] for n in range(200, 220))
    children = playground.select("SELECT Ext_Id__c, Account.Ext_Id__c FROM Contact")
    assert {row["Ext_Id__c"]: row["Account"]["Ext_Id__c"] for row in children} == {
        f"c-{n}": f"s-{n}" for n in range(40)
    }


def test_a_tree(playground: Playground, sf: Sf, tmp_path: Path) -> None:
    def record(sobject: str, number: int, **fields: str) -> dict[str, Any]:
        return {"attributes": {"type": sobject, "referenceId": f"{sobject}Ref{number}"}, **fields}

    trees = {
        "Account": [record("Account", n, Name=f"A{n}") for n in range(3)],
        "Contact": [record("Contact", n, LastName=f"C{n}", AccountId=f"@AccountRef{n}") for n in range(3)],
    }
    plan = [
        {
            "sobject": name,
            "saveRefs": name == "Account",
            "resolveRefs": name == "Contact",
            "files": [f"{name}.json"],
        }
        for name in trees
    ]
    for name, records in trees.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"records": records}))
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    made = sf("data import tree -o sim --plan plan.json")
    assert len(made) == 6
    assert playground.org.truth.count("Account") == 3
    children = playground.select("SELECT LastName, Account.Name FROM Contact ORDER BY LastName")
    assert children == [{"LastName": f"C{n}", "Account": {"Name": f"A{n}"}} for n in range(3)]


def test_a_row_that_fails(playground: Playground, sf: Sf, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Name,Ext_Id__c\nOne,s-1\nTwice,s-1\n")
    told = sf("data import bulk -o sim -s Account -f a.csv -w 5", code=1)
    assert "1" in told["message"]
    assert playground.org.truth.count("Account") == 1


SHARING = """<?xml version="1.0" encoding="UTF-8"?>
<SharingSettings xmlns="http://soap.sforce.com/2006/04/metadata">
    <deferGroupMembership>{}</deferGroupMembership>
    <deferSharingRules>{}</deferSharingRules>
</SharingSettings>
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An SFDX project, where the CLI is run."""
    described = {"packageDirectories": [{"path": "force-app", "default": True}], "sourceApiVersion": "60.0"}
    (tmp_path / "sfdx-project.json").write_text(json.dumps(described))
    folder = tmp_path / "force-app" / "main" / "default"
    (folder / "settings").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("over", ["SOAP", "REST"])
def test_sharing_is_deferred_by_a_deployment(
    playground: Playground, sf: Sf, project: Path, over: str
) -> None:
    sf(f"config set org-metadata-rest-deploy={str(over == 'REST').lower()}")
    settings = project / "settings" / "Sharing.settings-meta.xml"
    settings.write_text(SHARING.format("true", "true"))
    done = sf("project deploy start -o sim -d force-app")
    assert (done["status"], done["success"]) == ("Succeeded", True)
    assert playground.org.part(Sharing).deferral == Deferral(group_membership=True, sharing_rules=True)
    settings.write_text(SHARING.format("false", "false"))
    refused = sf("project deploy start -o sim -d force-app", code=1)
    assert "deferSharingRules can't be changed" in json.dumps(refused)
    sf("project retrieve start -o sim -m Settings:Sharing")
    assert settings.read_text() == SHARING.format("true", "true")


def test_a_key_is_deployed_and_used(playground: Playground, sf: Sf, project: Path, tmp_path: Path) -> None:
    fields = project / "objects" / "Account" / "fields"
    fields.mkdir(parents=True)
    (fields / "Migration_Key__c.field-meta.xml").write_text(
        """<?xml version="1.0" encoding="UTF-8"?>
<CustomField xmlns="http://soap.sforce.com/2006/04/metadata">
    <fullName>Migration_Key__c</fullName>
    <externalId>true</externalId>
    <label>Migration Key</label>
    <length>64</length>
    <type>Text</type>
    <unique>true</unique>
</CustomField>
"""
    )
    done = sf("project deploy start -o sim -d force-app")
    assert [each["fullName"] for each in done["files"]] == ["Account.Migration_Key__c"]
    (tmp_path / "a.csv").write_text("Name,Migration_Key__c\nOne,m-1\nTwo,m-2\n")
    for _ in range(2):
        sf("data upsert bulk -o sim -s Account -i Migration_Key__c -f a.csv -w 5")
    assert playground.org.truth.count("Account") == 2
    got = sf("project retrieve start -o sim -m CustomField:Account.Migration_Key__c")
    assert [each["state"] for each in got["files"]] == ["Changed"]
