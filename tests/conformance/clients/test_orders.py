"""In which order and in which batches CumulusCI and SFDMU send children, beside what `benchmarks/locks.py` takes them to send.

What a client sent is read back from the org: the request of each batch of Bulk API v1, and the order in which records were made for a job of Bulk API 2.0.
"""

import csv
import io
import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import httpx

from benchmarks.contention.senders import SENDERS
from tests.conformance.clients import test_cumulusci, test_sfdmu
from tests.conformance.clients.playground import Playground
from tests.conformance.clients.test_cumulusci import Cci
from tests.conformance.clients.test_sfdmu import Run, export_json

project = test_cumulusci.project
cci = test_cumulusci.cci
sfdmu = test_sfdmu.sfdmu
#: more than one batch
CONTACTS, ACCOUNTS = 10_400, 300


def children(count: int) -> list[tuple[str, str]]:
    """Account and key of contacts, in no order."""
    rows = [(f"Account-{n % ACCOUNTS}", f"c-{n}") for n in range(count)]
    return random.Random(5).sample(rows, len(rows))  # noqa: S311 - deterministic on purpose


def write(path: Path, header: str, rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def posted(playground: Playground, job: str) -> tuple[str, list[list[dict[str, str]]]]:
    """The mode of a job of Bulk API v1, and the rows of its batches in the order in which they were posted."""
    path = f"/services/async/60.0/job/{job}"
    with httpx.Client(base_url=playground.http, trust_env=False) as http:
        http.headers["X-SFDC-Session"] = playground.org.issue_token()
        mode = http.get(path).raise_for_status().text.partition("<concurrencyMode>")[2].partition("<")[0]
        listed = http.get(f"{path}/batch").raise_for_status().text.split("<batchInfo>")[1:]
        ids = [one.partition("<id>")[2].partition("<")[0] for one in listed]
        requests = [http.get(f"{path}/batch/{one}/request").raise_for_status().text for one in sorted(ids)]
    return mode, [list(csv.DictReader(io.StringIO(one, newline=""))) for one in requests]


def test_cumulusci_sorts_by_lookups_and_cuts_every_ten_thousand(
    playground: Playground, cci: Cci, project: Path
) -> None:
    rows = children(CONTACTS)
    with closing(sqlite3.connect(project / "in.db")) as db:
        for table in ("Account", "Contact", "Opportunity"):
            db.execute(f"DELETE FROM {table}")
        db.executemany(
            "INSERT INTO Account VALUES (?, ?, 'Banking', '1', ?)",
            [(f"Account-{n}", f"A{n}", f"a-{n}") for n in range(ACCOUNTS)],
        )
        db.executemany(
            "INSERT INTO Contact VALUES (?, 'F', 'L', 'c@example.com', ?, ?)",
            [(f"Contact-{place}", key, account) for place, (account, key) in enumerate(rows)],
        )
        db.commit()
    cci("load_dataset", "-o", "mapping", "bulk.yml", "-o", "database_url", "sqlite:///in.db")
    (job,) = set(playground.org.truth.origins("Contact"))
    mode, batches = posted(playground, job)
    accounts = {f"A{n}": f"Account-{n}" for n in range(ACCOUNTS)}
    found = playground.select("SELECT Id, Name FROM Account")
    local = {one["Id"][:15]: accounts[one["Name"]] for one in found}
    expected = list(SENDERS["CumulusCI"].batches([(account,) for account, _ in rows]))
    assert mode == SENDERS["CumulusCI"].mode
    # rows of one account are in no order that CumulusCI would promise
    assert [[(local[row["AccountId"][:15]],) for row in batch] for batch in batches] == [
        list(batch) for batch in expected
    ]


def test_sfdmu_sends_one_job_in_the_order_of_its_input(
    playground: Playground, sfdmu: Run, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    rows = children(1_200)
    accounts = [(f"A{n}", "Banking", "1", f"Account-{n}") for n in range(ACCOUNTS)]
    contacts = [("F", "L", f"{key}@example.com", account, key) for account, key in rows]
    write(files / "Account.csv", "Name,Industry,AnnualRevenue,Ext_Id__c", accounts)
    write(files / "Contact.csv", "FirstName,LastName,Email,Account.Ext_Id__c,Ext_Id__c", contacts)
    write(files / "Opportunity.csv", "Name,StageName,CloseDate,Amount,Account.Ext_Id__c,Ext_Id__c", [])
    export_json(files, {"first": playground}, "2.0", 200)
    target = test_sfdmu._pasted("first", playground)["name"]
    sfdmu("sfdmu", "run", "-p", files, "-s", "csvfile", "-u", target, "--noprompt")
    (job,) = set(playground.org.truth.origins("Contact"))
    assert job.startswith("750")
    made = playground.select("SELECT Id, Ext_Id__c, Account.Ext_Id__c FROM Contact")
    made.sort(
        key=lambda one: str(one["Id"])
    )  # digits, capitals, small letters: the order in which ids are given
    (batch,) = SENDERS["SFDMU"].batches(rows)
    assert [(one["Account"]["Ext_Id__c"], one["Ext_Id__c"]) for one in made] == list(batch)
