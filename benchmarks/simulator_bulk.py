"""How fast a simulated org takes and gives records through Bulk API 2.0 over HTTP, validation on, and what holding them costs.

    python benchmarks/simulator_bulk.py [accounts]

The org runs in a process of its own, on one core (Python's lock); its CPU seconds and memory are measured there. Accounts have ten
columns with a unique external id, a picklist and numbers; half as many contacts find theirs by external id, and
are then upserted again. Beside it, in the same run, the limit of any org in Python: parsing a file with the csv module, keeping its
rows in a dictionary and writing them back, without any checks.
"""

import csv
import http.client
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import psutil

from migrator.simulator import Org, load_schema, serve

ACCOUNT = "Name,Legacy_Id__c,Industry,AnnualRevenue,NumberOfEmployees,Phone,Website,BillingStreet,BillingCity,Description"
CONTACT = "LastName,FirstName,Legacy_Id__c,Email,Phone,Birthdate,MailingCity,Account.Legacy_Id__c"
INDUSTRIES = ("Banking", "Energy", "Retail", "Technology")
MAX_UPLOAD = 100_000_000
READ = 1 << 20


def schema() -> dict[str, object]:
    key = {"type": "text", "length": 18, "unique": True, "external_id": True}
    fields = {"Legacy_Id__c": key}
    return {"objects": {"Account": {"fields": fields}, "Contact": {"fields": fields}}}


def org_process() -> None:
    """The org: says where it is, runs until its input ends, says what it used."""
    org = Org(load_schema(schema()))
    with serve(org) as server:
        print(server.url, org.issue_token(), flush=True)
        for _ in sys.stdin:
            used = resource.getrusage(resource.RUSAGE_SELF)
            held = psutil.Process().memory_info().rss
            print(used.ru_utime + used.ru_stime, held, used.ru_maxrss * 1024, flush=True)


def account(number: int) -> str:
    return (
        f"Account {number},001A{number:011d}AAA,{INDUSTRIES[number % 4]},{number * 37 % 10_000_000},{number % 5000},"
        f"+41 31 {number % 10_000_000:07d},https://www.example-{number}.com,{number % 300} Main Street,City {number % 1000},"
        f"Customer number {number} since {1990 + number % 30}"
    )


def contact(number: int) -> str:
    return (
        f"Last{number % 5000},First{number % 700},003A{number:011d}AAA,person{number}@example.com,"
        f"+41 79 {number % 10_000_000:07d},{1950 + number % 50}-{number % 12 + 1:02d}-{number % 28 + 1:02d},"
        f"City {number % 1000},001A{number // 3:011d}AAA"
    )


def uploads(rows: int, header: str, make: Callable[[int], str]) -> Iterator[bytes]:
    """Files as large as one job may have."""
    lines, size = [header], len(header)
    for number in range(rows):
        line = make(number)
        if size + len(line) >= MAX_UPLOAD:
            yield "\n".join([*lines, ""]).encode()
            lines, size = [header], len(header)
        lines.append(line)
        size += len(line) + 1
    yield "\n".join([*lines, ""]).encode()


class Client:
    """Just enough of a client."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"))
        self._token = token

    def ask(self, method: str, path: str, body: bytes | dict[str, str] = b"") -> http.client.HTTPResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/csv" if isinstance(body, bytes) else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        self._connection.request(method, f"/services/data/v60.0/jobs/{path}", data, headers)
        return self._connection.getresponse()

    def job(self, path: str, body: dict[str, str]) -> str:
        return str(json.loads(self.ask("POST", path, body).read())["id"])

    def wait(self, path: str) -> Mapping[str, object]:
        while True:
            shown: dict[str, object] = json.loads(self.ask("GET", path).read())
            if shown["state"] in {"JobComplete", "Failed"}:
                return shown
            time.sleep(0.2)

    def drain(self, path: str) -> str:
        answer = self.ask("GET", path)
        while answer.read(READ):
            pass
        return answer.headers.get("Sforce-Locator", "null")


def ingest(client: Client, data: bytes, asked: dict[str, str]) -> int:
    """Load one file, fetch its results, delete the job; how many rows made it."""
    job = client.job("ingest", asked)
    client.ask("PUT", f"ingest/{job}/batches", data).read()
    client.ask("PATCH", f"ingest/{job}", {"state": "UploadComplete"}).read()
    shown = client.wait(f"ingest/{job}")
    for kind in ("successfulResults", "failedResults", "unprocessedrecords"):
        client.drain(f"ingest/{job}/{kind}")
    client.ask("DELETE", f"ingest/{job}").read()
    return int(str(shown["numberRecordsProcessed"])) - int(str(shown["numberRecordsFailed"]))


def query(client: Client) -> None:
    text = "SELECT Id, Name, Legacy_Id__c, Industry, AnnualRevenue, CreatedDate FROM Account"
    job = client.job("query", {"operation": "query", "query": text})
    client.wait(f"query/{job}")
    locator = client.drain(f"query/{job}/results")
    while locator != "null":
        locator = client.drain(f"query/{job}/results?locator={locator}")


class Meter:
    """Asks the org's process what it used, and prints it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._seconds, _, _ = self._used()

    def _used(self) -> tuple[float, int, int]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("the org's process has no pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds, held, peak = self._process.stdout.readline().split()
        return float(seconds), int(held), int(peak)

    def tell(self, name: str, rows: int, spent: float, records: int) -> None:
        """A line about so many rows that took so long; the org holds so many records by now."""
        seconds, held, peak = self._used()
        cost = seconds - self._seconds
        self._seconds = seconds
        memory = f"holds {records:>10,} records in {held / 2**20:>6,.0f} MiB, peak {peak / 2**20:,.0f} MiB"
        print(
            f"{name:26} {rows / spent:>8,.0f} rows/s  {rows / cost:>8,.0f} rows/CPU s  {cost / rows * 1e6:5.1f} CPU s/M  {memory}",
            flush=True,
        )


def load(
    client: Client,
    meter: Meter,
    name: str,
    files: Iterator[bytes],
    asked: dict[str, str],
    held: int,
    *,
    new: bool,
) -> int:
    """Load files, one job each; how many records the org holds then."""
    rows = 0
    spent = 0.0
    for data in files:
        start = time.perf_counter()
        rows += ingest(client, data, asked)
        spent += time.perf_counter() - start
    held += rows if new else 0
    meter.tell(name, rows, spent, held)
    return held


def limit(data: bytes) -> None:
    """What any org in Python has to do at least with such a file."""
    start = time.process_time()
    kept = {row[1]: row for row in csv.reader(io.StringIO(data.decode(), newline=""))}
    csv.writer(io.StringIO(newline=""), quoting=csv.QUOTE_ALL).writerows(kept.values())
    spent = time.process_time() - start
    print(
        f"{'limit: csv, dict, csv':26} {'':>15}  {len(kept) / spent:>8,.0f} rows/CPU s  {spent / len(kept) * 1e6:5.1f} CPU s/M"
    )


def main(rows: int) -> None:
    command = [sys.executable, __file__, "org"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the org's process has no pipes")
        client = Client(*process.stdout.readline().split())
        meter = Meter(process)
        insert = {"object": "Account", "operation": "insert"}
        held = load(client, meter, "insert Account", uploads(rows, ACCOUNT, account), insert, 0, new=True)
        start = time.perf_counter()
        query(client)
        meter.tell("query Account, 6 columns", rows, time.perf_counter() - start, held)
        upsert = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"}
        for name, new in (("upsert Contact, new", True), ("upsert Contact, again", False)):
            held = load(client, meter, name, uploads(rows // 2, CONTACT, contact), upsert, held, new=new)
        process.stdin.close()
    limit(next(uploads(min(rows, 300_000), ACCOUNT, account)))


if __name__ == "__main__":
    if sys.argv[1:] == ["org"]:
        org_process()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
