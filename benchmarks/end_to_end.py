"""Org to org: Account → Contact → Opportunity between two simulated orgs, each process measured by itself.

Prints rows/s, the client's CPU seconds per million rows, its peak memory and its API requests, beside the limit that no client can pass:
an org takes 150,000,000 records in any 24 hours, which is 1,736 rows/s.

    python benchmarks/end_to_end.py [--rows 100000,1000000] [--keep]
"""

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ORG_ROWS_PER_SECOND = 150_000_000 / 86_400
SCHEMA = """
name: {name}
organization: {{id: {id}, sandbox: true}}
objects:
  Account: {{fields: {{Legacy_Id__c: {{type: text, length: 18, unique: true, external_id: true}}}}}}
"""
PLAN = """
version: 1
name: benchmark
source: {org: source}
target: {org: target}
objects:
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    fields: {include: [Name, Phone, Industry, AnnualRevenue, BillingCity, Description]}
    map: {Legacy_Id__c: Id}
  - object: Contact
    operation: insert
    fields: {include: [FirstName, LastName, Email, Phone, Title, MailingCity, Description, AccountId]}
    locks: {group_by: AccountId}
  - object: Opportunity
    operation: insert
    fields: {include: [Name, StageName, CloseDate, Amount, NextStep, Description, AccountId]}
    locks: {group_by: AccountId}
"""
SECRET = "MIGRATOR_SIMULATOR_SECRET"  # noqa: S105 - the name of a variable


def write_data(folder: Path, rows: int) -> None:
    """A tenth accounts, half contacts, the rest opportunities; quotes, newlines and unicode in the texts."""
    folder.mkdir(parents=True)
    accounts, contacts = rows // 10, rows // 2
    note = 'Asked for a "firm" offer;\ncall back, in writing — 電話不可'
    with (folder / "Account.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["Id", "Name", "Phone", "Industry", "AnnualRevenue", "BillingCity", "Description"])
        write.writerows(
            [f"A{n}", f"Account {n}", f"+49 30 {n:07}", "Banking", f"{n * 13}.5", "São Paulo", note]
            for n in range(accounts)
        )
    with (folder / "Contact.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(
            [
                "Id",
                "FirstName",
                "LastName",
                "Email",
                "Phone",
                "Title",
                "MailingCity",
                "Description",
                "AccountId",
            ]
        )
        write.writerows(
            [
                f"C{n}",
                "Ada",
                f"Łaska {n}",
                f"ada{n}@example.com",
                f"+48 {n:07}",
                "Owner",
                "Kraków",
                note,
                f"A{n * 7 % accounts}",
            ]
            for n in range(contacts)
        )
    with (folder / "Opportunity.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(
            ["Id", "Name", "StageName", "CloseDate", "Amount", "NextStep", "Description", "AccountId"]
        )
        write.writerows(
            [
                f"O{n}",
                f"Deal {n}",
                "Prospecting",
                "2026-12-31",
                f"{n}.25",
                "call",
                note,
                f"A{n * 11 % accounts}",
            ]
            for n in range(rows - accounts - contacts)
        )


@contextmanager
def simulated(folder: Path, name: str, org_id: str, data: Path | None) -> Iterator[str]:
    """A simulated org in a process of its own; its URL."""
    schema = folder / f"{name}.yaml"
    schema.write_text(SCHEMA.format(name=name, id=org_id), encoding="utf-8")
    ready = folder / f"{name}.json"
    command = [
        sys.executable,
        "-m",
        "migrator",
        "simulate",
        "--schema",
        str(schema),
        "--ready-file",
        str(ready),
        "--json",
    ]
    command += ["--data", str(data)] if data else []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not ready.exists():
            if process.poll() is not None:
                sys.exit(f"the simulated org {name} did not start")
            time.sleep(0.1)
        yield str(json.loads(ready.read_text(encoding="utf-8"))["orgs"][0]["url"])
    finally:
        process.terminate()
        process.wait(timeout=30)


def requests_of(url: str) -> int:
    """How many API requests an org has counted."""
    form = {
        "grant_type": "client_credentials",
        "client_id": "migrator-simulator",
        "client_secret": "simulator-secret",
    }
    token = httpx.post(f"{url}/services/oauth2/token", data=form).json()["access_token"]
    limits = httpx.get(
        f"{url}/services/data/v66.0/limits", headers={"Authorization": f"Bearer {token}"}
    ).json()
    return int(limits["DailyApiRequests"]["Max"]) - int(limits["DailyApiRequests"]["Remaining"])


def child(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; wall seconds, CPU seconds, peak memory in MiB, of that process alone."""
    began = time.perf_counter()
    pid = os.spawnve(os.P_NOWAIT, sys.executable, [sys.executable, *command], environment)  # noqa: S606 - ours
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"`{' '.join(command)}` ended with {os.waitstatus_to_exitcode(status)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(rows: int, folder: Path, memory: int) -> None:
    """One whole migration of `rows` rows, verified."""
    write_data(folder / "data", rows)
    with (
        simulated(folder, "source", "00D000000000001EAA", folder / "data") as source,
        simulated(folder, "target", "00D000000000002EAA", None) as target,
    ):
        plan, orgs = folder / "plan.yaml", folder / "orgs.yaml"
        plan.write_text(PLAN, encoding="utf-8")
        auth = {
            "flow": "client_credentials",
            "client_id": "migrator-simulator",
            "client_secret": {"env": SECRET},
        }
        ends = {
            name: {"url": url, "simulator": True, "auth": auth}
            for name, url in (("source", source), ("target", target))
        }
        orgs.write_text(json.dumps({"orgs": ends}), encoding="utf-8")
        environment = {**os.environ, SECRET: "simulator-secret"}
        state = ["--orgs", str(orgs), "--state-dir", str(folder / "runs"), "--memory", str(memory)]
        before = requests_of(source) + requests_of(target)
        wall, cpu, peak = child(["-m", "migrator", "run", str(plan), *state], environment)
        requests = requests_of(source) + requests_of(target) - before - 2
        verify_wall, verify_cpu, verify_peak = child(["-m", "migrator", "verify", *state], environment)
    rate = rows / wall
    print(f"{rows:>12,} rows: {rate:,.0f} rows/s ({rate / ORG_ROWS_PER_SECOND:.1f} x what an org takes), "
          f"client {cpu / rows * 1e6:.1f} CPU s per million, peak {peak:.0f} MiB, {requests:,} requests")  # fmt: skip
    print(f"{'verify':>12}      : {rows / verify_wall:,.0f} rows/s, client {verify_cpu / rows * 1e6:.1f} CPU s per million, "
          f"peak {verify_peak:.0f} MiB")  # fmt: skip


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument(
        "--memory", type=int, default=192, help="MB of the data plane, as `migrator run --memory`"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    given = parser.parse_args()
    print(
        f"limit: an org takes {ORG_ROWS_PER_SECOND:,.0f} rows/s; {os.cpu_count()} cores for client and both orgs"
    )
    for rows in (int(one) for one in given.rows.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="migrator-bench-"))
        measure(rows, folder, given.memory)
        if not given.keep:
            shutil.rmtree(folder)
    print(
        f"largest child of all: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB (a simulated org, mostly)"
    )


if __name__ == "__main__":
    main()
