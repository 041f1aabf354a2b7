"""How fast and how compact the simulator takes records: the DML engine alone, validation on, one thread.

    python benchmarks/simulator_ingest.py [rows]

Prints rows per CPU second and bytes per record for accounts with ten columns, contacts that refer to them by id, and
contacts that refer to them by external id; then updates, upserts that change, details with rules and summaries, and a full read.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import psutil

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.records.compile import Compiled, Operation
from migrator.simulator.records.context import Context

CHUNK = 200
ACCOUNT = ["Name", "Legacy_Id__c", "Industry", "AnnualRevenue", "NumberOfEmployees", "Phone", "Website"]
ACCOUNT += ["BillingStreet", "BillingCity", "Description"]
CONTACT = ["LastName", "FirstName", "Legacy_Id__c", "Email", "Phone", "Birthdate", "Title", "MailingCity"]
INDUSTRIES = ["Banking", "Energy", "Retail", "Technology"]

Row = Sequence[str | None]


def schema() -> dict[str, object]:
    key = {"type": "text", "length": 18, "unique": True, "external_id": True}
    return {
        "objects": {
            "Account": {"fields": {"Legacy_Id__c": key}},
            "Contact": {"fields": {"Legacy_Id__c": key}},
            "Bill__c": {
                "fields": {
                    "Account__c": {"type": "lookup", "to": "Account"},
                    "Lines__c": {"type": "summary", "of": "Line__c.Bill__c", "operation": "count"},
                    "Total__c": {
                        "type": "summary",
                        "of": "Line__c.Bill__c",
                        "operation": "sum",
                        "field": "Amount__c",
                    },
                }
            },
            "Line__c": {
                "validation_rules": [
                    {"name": "Positive", "formula": "Amount__c < 0", "message": "Not below zero."},
                    {
                        "name": "Code",
                        "formula": 'AND(NOT(ISBLANK(Code__c)), NOT(REGEX(Code__c, "[A-Z]+-[0-9]+")))',
                        "message": "A code has letters and a number.",
                        "field": "Code__c",
                    },
                    {
                        "name": "Closed",
                        "formula": 'ISCHANGED(Amount__c) && ISPICKVAL(Stage__c, "Closed")',
                        "message": "Closed lines stay.",
                    },
                ],
                "duplicate_rules": [{"name": "Codes", "fields": ["Code__c"]}],
                "fields": {
                    "Bill__c": {"type": "master_detail", "to": "Bill__c"},
                    "Amount__c": {"type": "currency", "precision": 12, "scale": 2},
                    "Stage__c": {"type": "picklist", "values": ["Open", "Closed"], "restricted": True},
                    "Code__c": {"type": "text", "length": 20},
                },
            },
        }
    }


def account(number: int) -> Row:
    return [
        f"Account {number}",
        f"001A{number:011d}AAA",
        INDUSTRIES[number % 4],
        str(number * 37 % 10_000_000),
        str(number % 5000),
        f"+41 31 {number % 10_000_000:07d}",
        f"https://www.example-{number}.com",
        f"{number % 300} Main Street",
        f"City {number % 1000}",
        f"Customer number {number}, since {1990 + number % 30}",
    ]


def contact(number: int) -> list[str | None]:
    return [
        f"Last{number % 5000}",
        f"First{number % 700}",
        f"003A{number:011d}AAA",
        f"person{number}@example.com",
        f"+41 79 {number % 10_000_000:07d}",
        f"{1950 + number % 50}-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        "Engineer" if number % 2 else "Manager",
        f"City {number % 1000}",
    ]


def chunks(rows: int, make: Callable[[int], Row]) -> Iterator[list[Row]]:
    for first in range(0, rows, CHUNK):
        yield [make(number) for number in range(first, min(rows, first + CHUNK))]


def measure(name: str, org: Org, compiled: Compiled, rows: int, make: Callable[[int], Row]) -> None:
    gc.collect()
    before = psutil.Process().memory_info().rss
    context = Context(org.user_id, org.clock.now(), "benchmark")
    spent = 0.0
    failed = 0
    for chunk in chunks(rows, make):
        start = time.process_time()
        done = org.dml.execute(compiled, chunk, context)
        spent += time.process_time() - start
        failed += len(done.errors)
    gc.collect()
    grown = psutil.Process().memory_info().rss - before
    print(f"{name:34} {rows / spent:>10,.0f} rows/CPU s {grown / rows:>7.0f} bytes/record  {failed} failed")


def ruled(org: Org, rows: int) -> None:
    """Details with three validation rules, a duplicate rule and two summaries of their masters, five each."""
    bills, lines = org.schema.sobject("Bill__c"), org.schema.sobject("Line__c")
    if bills is None or lines is None:
        raise AssertionError("the objects of the benchmark are missing")
    compiled = org.dml.compile(bills, ["Name"], Operation.INSERT)
    measure("insert Bill__c, 1 column", org, compiled, rows // 5 + 1, lambda n: [f"Bill {n}"])
    masters = org.store.table("Bill__c").ids_of(range(1, rows // 5 + 2))
    compiled = org.dml.compile(lines, ["Bill__c", "Amount__c", "Stage__c", "Code__c"], Operation.INSERT)
    measure(
        "insert Line__c, rules, summaries",
        org,
        compiled,
        rows,
        lambda n: [masters[n // 5], str(n % 1000), "Open", f"C-{n}"],
    )
    there = org.store.table("Line__c").ids_of(range(1, rows + 1))
    compiled = org.dml.compile(lines, ["Id", "Amount__c"], Operation.UPDATE)
    measure(
        "update Line__c, rules, summaries", org, compiled, rows, lambda n: [there[n], str((n + 1) % 1000)]
    )


def main(rows: int) -> None:
    org = Org(load_schema(schema()), clock=VirtualClock())
    accounts, contacts = org.schema.sobject("Account"), org.schema.sobject("Contact")
    if accounts is None or contacts is None:
        raise AssertionError("standard objects are missing")
    dml, parents = org.dml, org.store.table("Account")
    measure(
        "insert Account, 10 columns", org, dml.compile(accounts, ACCOUNT, Operation.INSERT), rows, account
    )
    by_id = dml.compile(contacts, [*CONTACT, "AccountId"], Operation.INSERT)
    ids = parents.ids_of(range(1, rows + 1))
    measure("insert Contact, parent by id", org, by_id, rows, lambda n: [*contact(n), ids[n // 3]])
    by_key = dml.compile(
        contacts, [*CONTACT, "Account.Legacy_Id__c"], Operation.UPSERT, external_id="Legacy_Id__c"
    )
    keyed = rows
    measure(
        "upsert Contact, parent by key, new",
        org,
        by_key,
        keyed,
        lambda n: [*contact(n + rows), f"001A{n // 3:011d}AAA"],
    )
    measure(
        "upsert Contact, parent by key, old",
        org,
        by_key,
        keyed,
        lambda n: [*contact(n), f"001A{n // 3:011d}AAA"],
    )
    link = dml.compile(accounts, ["Id", "ParentId"], Operation.UPDATE)
    measure("update Account, one reference", org, link, rows, lambda n: [ids[n], ids[n // 7] if n else ""])
    ruled(org, rows)
    start = time.process_time()
    seen = sum(len(block.seqs) for block in parents.scan_columns(["Id", *ACCOUNT]))
    print(f"{'read Account, 11 columns':34} {seen / (time.process_time() - start):>10,.0f} rows/CPU s")
    print(f"peak {psutil.Process().memory_info().rss / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
