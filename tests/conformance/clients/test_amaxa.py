"""amaxa: a load and an extraction with lookups by old ids, over Bulk API v1 with XML jobs and JSON batches."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.clients.conftest import HERE, VENVS
from tests.conformance.clients.playground import Playground, environment

OBJECTS = {"Account": ["Name", "ParentId", "Ext_Id__c"], "Contact": ["LastName", "AccountId", "Ext_Id__c"]}
Amaxa = Callable[..., None]


@pytest.fixture
def amaxa(playground: Playground, tmp_path: Path) -> Amaxa:
    """Run it."""
    program = VENVS / "amaxa" / "bin" / "amaxa"
    assert program.exists(), "amaxa is not installed: `make test-clients` installs it"
    token = {"access-token": playground.token, "instance-url": "https://simulated.my.salesforce.com"}
    credentials = {"version": 2, "credentials": {"sandbox": False, "token": token}}
    (tmp_path / "credentials.yml").write_text(json.dumps(credentials))
    env = environment(playground, tmp_path) | {"PYTHONPATH": str(HERE / "scripts" / "redirect")}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [program, *arguments, "-c", "credentials.yml"],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_a_load_and_an_extraction(playground: Playground, amaxa: Amaxa, tmp_path: Path) -> None:
    options = {"bulk-api-poll-interval": 1, "api-version": "60.0"}
    load = [{"sobject": name, "fields": fields, "file": f"{name}-in.csv"} for name, fields in OBJECTS.items()]
    (tmp_path / "load.yml").write_text(json.dumps({"version": 2, "options": options, "operation": load}))
    # the first five accounts are the others' parents; the file has children first
    accounts = [[f"001{n:012}", f"A{n}", f"001{n % 5:012}" if n >= 5 else "", f"a-{n}"] for n in range(40)]
    contacts = [[f"003{n:012}", f"C{n}", f"001{n % 40:012}", f"c-{n}"] for n in range(120)]
    for name, rows in (("Account", accounts[::-1]), ("Contact", contacts)):
        with (tmp_path / f"{name}-in.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["Id", *OBJECTS[name]], *rows])
    amaxa("--load", "load.yml")

    assert playground.org.truth.count("Account") == 40
    assert playground.org.truth.count("Contact") == 120
    found = playground.select("SELECT Ext_Id__c, Parent.Ext_Id__c FROM Account")
    assert {row["Ext_Id__c"]: row["Parent"] and row["Parent"]["Ext_Id__c"] for row in found} == {
        f"a-{n}": f"a-{n % 5}" if n >= 5 else None for n in range(40)
    }
    children = playground.select("SELECT Ext_Id__c, Account.Ext_Id__c FROM Contact")
    assert {row["Ext_Id__c"]: row["Account"]["Ext_Id__c"] for row in children} == {
        f"c-{n}": f"a-{n % 40}" for n in range(120)
    }

    extract = [
        {"sobject": name, "fields": fields, "file": f"{name}-out.csv", "extract": {"all": True}}
        for name, fields in OBJECTS.items()
    ]
    (tmp_path / "out.yml").write_text(json.dumps({"version": 2, "options": options, "operation": extract}))
    amaxa("out.yml")
    with (tmp_path / "Contact-out.csv").open(newline="") as file:
        extracted = {row["Ext_Id__c"]: (row["Id"], row["AccountId"]) for row in csv.DictReader(file)}
    assert extracted == {
        row["Ext_Id__c"]: (row["Id"], row["AccountId"])
        for row in playground.select("SELECT Id, Ext_Id__c, AccountId FROM Contact")
    }
