"""How fast a simulated org takes and gives records through Bulk API 2.0 over HTTP, validation on.

    python benchmarks/simulator_bulk.py [rows]

The org runs in a process of its own; its CPU seconds and peak memory are measured there. Beside it, in the same run: what
parsing the same files with Python's csv module and keeping the rows in a dictionary costs, without any checks.
"""

import csv
import http.client
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

from migrator.simulator import Org, load_schema, serve
from migrator.simulator.auth.oauth import Tokens

HEADER = "Name,Legacy_Id__c,Industry,AnnualRevenue,NumberOfEmployees,BillingCity,BillingCountry,Phone,Website,Description"
MAX_UPLOAD = 100_000_000
READ = 1 << 20


def schema() -> dict[str, object]:
    key = {"type": "text", "length": 18, "unique": True, "external_id": True}
    return {"objects": {"Account": {"fields": {"Legacy_Id__c": key}}}}


def org_process() -> None:
    """The org: says where it is, runs until its input ends, says what it used."""
    org = Org(load_schema(schema()))
    with serve(org) as server:
        print(server.url, org.part(Tokens).issue(), flush=True)
        for _ in sys.stdin:
            used = resource.getrusage(resource.RUSAGE_SELF)
            print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, flush=True)


def uploads(rows: int) -> Iterator[bytes]:
    """Files as large as one job may have."""
    lines, size = [HEADER], len(HEADER)
    for n in range(rows):
        line = f"Account {n},A{n},Technology,{n * 7 % 1_000_000},{n % 500},Paris,France,+33 1 23 45 67 89,acme.example,Words"
        if size + len(line) >= MAX_UPLOAD:
            yield "\n".join([*lines, ""]).encode()
            lines, size = [HEADER], len(HEADER)
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


def ingest(client: Client, data: bytes) -> int:
    job = client.job("ingest", {"object": "Account", "operation": "insert"})
    client.ask("PUT", f"ingest/{job}/batches", data).read()
    client.ask("PATCH", f"ingest/{job}", {"state": "UploadComplete"}).read()
    shown = client.wait(f"ingest/{job}")
    for kind in ("successfulResults", "failedResults", "unprocessedrecords"):
        client.drain(f"ingest/{job}/{kind}")
    return int(str(shown["numberRecordsProcessed"])) - int(str(shown["numberRecordsFailed"]))


def query(client: Client) -> None:
    text = "SELECT Id, Name, Legacy_Id__c, Industry, AnnualRevenue, CreatedDate FROM Account"
    job = client.job("query", {"operation": "query", "query": text})
    client.wait(f"query/{job}")
    locator = client.drain(f"query/{job}/results")
    while locator != "null":
        locator = client.drain(f"query/{job}/results?locator={locator}")


def main(rows: int) -> None:
    command = [sys.executable, __file__, "org"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the org's process has no pipes")
        client = Client(*process.stdout.readline().split())
        files = list(uploads(rows))

        def used() -> tuple[float, int]:
            process.stdin.write("\n")  # type: ignore[union-attr] # checked above
            process.stdin.flush()  # type: ignore[union-attr] # the same
            seconds, memory = process.stdout.readline().split()  # type: ignore[union-attr] # the same
            return float(seconds), int(memory)

        before, _ = used()
        start = time.perf_counter()
        done = sum(ingest(client, data) for data in files)
        spent = time.perf_counter() - start
        after, memory = used()
        million = (after - before) / done * 1e6
        print(
            f"ingest with results  {done / spent:>10,.0f} rows/s  {million:6.1f} CPU s per M rows  peak {memory} MiB"
        )
        start = time.perf_counter()
        query(client)
        spent = time.perf_counter() - start
        last, memory = used()
        million = (last - after) / done * 1e6
        print(
            f"query with results   {done / spent:>10,.0f} rows/s  {million:6.1f} CPU s per M rows  peak {memory} MiB"
        )
        process.stdin.close()
    start = time.process_time()
    kept = {row[1]: row for data in files for row in csv.reader(io.StringIO(data.decode(), newline=""))}
    spent = time.process_time() - start
    print(
        f"csv + dict, no checks {len(kept) / spent:>9,.0f} rows/s  {spent / len(kept) * 1e6:6.1f} CPU s per M rows"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["org"]:
        org_process()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
