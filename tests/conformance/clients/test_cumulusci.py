"""CumulusCI: a dataset into the org, out of it, and away, by a real mapping, over Bulk API v1 and over REST."""

import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.cli.clients import settings
from migrator.simulator.records.truth import Change
from tests.conformance.clients.conftest import VENVS
from tests.conformance.clients.playground import Playground, environment

ROWS = 120
PROJECT = """\
minimum_cumulusci_version: '3.0.0'
project: {name: simulated, package: {name: simulated, api_version: '60.0'}, source_format: sfdx}
"""
MAPPING = """\
Insert Account:
  {sf_object: Account, table: Account, api: API, fields: [Name, Industry, AnnualRevenue, Ext_Id__c]}
Insert Contact:
  sf_object: Contact
  table: Contact
  api: API
  fields: [FirstName, LastName, Email, Ext_Id__c]
  lookups: {AccountId: {table: Account}}
Insert Opportunity:
  sf_object: Opportunity
  table: Opportunity
  api: API
  fields: [Name, StageName, CloseDate, Amount, Ext_Id__c]
  lookups: {AccountId: {table: Account}}
"""
TABLES = {
    "Account": ("Name", "Industry", "AnnualRevenue", "Ext_Id__c"),
    "Contact": ("FirstName", "LastName", "Email", "Ext_Id__c", "AccountId"),
    "Opportunity": ("Name", "StageName", "CloseDate", "Amount", "Ext_Id__c", "AccountId"),
}
Cci = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A CumulusCI project: a repository with mappings and a dataset."""
    (tmp_path / "cumulusci.yml").write_text(PROJECT)
    (tmp_path / "bulk.yml").write_text(MAPPING.replace("API", "bulk"))
    (tmp_path / "rest.yml").write_text(MAPPING.replace("API", "rest"))
    for api in ("bulk", "rest"):
        upsert = MAPPING.replace("api: API", f"api: {api}, action: upsert, update_key: Ext_Id__c", 1)
        upsert = upsert.replace("  api: API", f"  api: {api}\n  action: upsert\n  update_key: Ext_Id__c")
        (tmp_path / f"upsert-{api}.yml").write_text(upsert)
    for command in (
        "init --quiet",
        "-c user.name=a -c user.email=a@b.example commit --quiet --allow-empty --message start",
        "remote add origin https://github.com/example/simulated.git",
    ):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    with closing(sqlite3.connect(tmp_path / "in.db")) as db:
        for table, columns in TABLES.items():
            db.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, {', '.join(columns)})")
            marks = ", ".join("?" * (len(columns) + 1))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", _rows(table))
        db.commit()
    return tmp_path


def _rows(table: str) -> Iterator[tuple[str, ...]]:
    for n in range(ROWS):
        parent = f"Account-{n // 2}"
        match table:
            case "Account":
                yield f"Account-{n}", f'Name "{n}", Ltd', "Banking", f"{n}.5", f"a-{n}"
            case "Contact":
                yield f"Contact-{n}", f"F{n}", f"L{n}", f"c{n}@example.com", f"c-{n}", parent
            case _:
                yield f"Opportunity-{n}", f"O{n}", "Prospecting", "2026-03-01", str(n), f"o-{n}", parent


@pytest.fixture
def cci(playground: Playground, project: Path) -> Cci:
    """Run a task of CumulusCI; the org is set up as `migrator simulate --clients` says."""
    pasted = re.search(r"export CUMULUSCI_ORG_SIM='(.*)'", settings(playground.endpoint("sim", secure=True)))
    assert pasted
    env = environment(playground, project) | {"CUMULUSCI_ORG_SIM": pasted[1]}

    def task(name: str, *options: str, code: int = 0) -> str:
        cci = VENVS / "cumulusci" / "bin" / "cci"
        assert cci.exists(), "CumulusCI is not installed: `make test-clients` installs it"
        done = subprocess.run(
            [cci, "task", "run", name, "--org", "sim", "--no-prompt", *options],
            env=env,
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return task


@pytest.mark.parametrize("api", ["bulk", "rest"])
def test_a_dataset_in_out_and_away(playground: Playground, cci: Cci, project: Path, api: str) -> None:
    truth = playground.org.truth
    cci("load_dataset", "-o", "mapping", f"{api}.yml", "-o", "database_url", "sqlite:///in.db")
    for sobject in TABLES:
        assert truth.count(sobject) == ROWS
        assert all(
            origin.startswith("750" if api == "bulk" else "POST /services/data/")
            for origin in truth.origins(sobject)
        )
    accounts = playground.select("SELECT Name, Industry, AnnualRevenue, Ext_Id__c FROM Account")
    assert {row["Ext_Id__c"]: (row["Name"], row["Industry"], row["AnnualRevenue"]) for row in accounts} == {
        f"a-{n}": (f'Name "{n}", Ltd', "Banking", n + 0.5) for n in range(ROWS)
    }
    for sobject, prefix in (("Contact", "c"), ("Opportunity", "o")):
        children = playground.select(f"SELECT Ext_Id__c, Account.Ext_Id__c FROM {sobject}")
        assert {row["Ext_Id__c"]: row["Account"]["Ext_Id__c"] for row in children} == {
            f"{prefix}-{n}": f"a-{n // 2}" for n in range(ROWS)
        }

    cci("extract_dataset", "-o", "mapping", f"{api}.yml", "-o", "database_url", "sqlite:///out.db")
    with closing(sqlite3.connect(project / "out.db")) as db:
        joined = db.execute(
            "SELECT Contact.Ext_Id__c, Email, Account.Name FROM Contact JOIN Account ON Account.id = Contact.AccountId"
        ).fetchall()
    assert sorted(joined) == sorted(
        (f"c-{n}", f"c{n}@example.com", f'Name "{n // 2}", Ltd') for n in range(ROWS)
    )

    cci("delete_data", "-o", "objects", "Opportunity,Contact,Account")
    for sobject in TABLES:
        assert truth.count(sobject, Change.DELETED) == ROWS
        assert playground.select(f"SELECT Id FROM {sobject}") == []


@pytest.mark.parametrize("api", ["bulk", "rest"])
def test_a_dataset_twice_by_upsert(playground: Playground, cci: Cci, api: str) -> None:
    for _ in range(2):
        cci("load_dataset", "-o", "mapping", f"upsert-{api}.yml", "-o", "database_url", "sqlite:///in.db")
    truth = playground.org.truth
    for sobject in TABLES:
        assert truth.count(sobject) == ROWS
        assert truth.count(sobject, Change.UPDATED) == ROWS
    children = playground.select("SELECT Ext_Id__c, Account.Ext_Id__c FROM Contact")
    assert {row["Ext_Id__c"]: row["Account"]["Ext_Id__c"] for row in children} == {
        f"c-{n}": f"a-{n // 2}" for n in range(ROWS)
    }


def test_a_row_that_fails(playground: Playground, cci: Cci, project: Path) -> None:
    with closing(sqlite3.connect(project / "in.db")) as db:
        db.execute("UPDATE Account SET Ext_Id__c = 'a-0' WHERE id = 'Account-1'")
        db.commit()
    options = ("-o", "mapping", "bulk.yml", "-o", "database_url", "sqlite:///in.db")
    assert "DUPLICATE_VALUE" in cci("load_dataset", *options, code=1)
    truth = playground.org.truth
    assert [truth.count(sobject) for sobject in TABLES] == [ROWS - 1, 0, 0]

    cci("delete_data", "-o", "objects", "Account")
    cci("load_dataset", *options, "-o", "ignore_row_errors", "True")
    contacts = playground.select("SELECT Ext_Id__c FROM Contact WHERE AccountId = null")
    assert {row["Ext_Id__c"] for row in contacts} == {"c-2", "c-3"}
    assert truth.count("Contact") == ROWS
