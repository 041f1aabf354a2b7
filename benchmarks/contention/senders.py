"""What is sent, by ours and by others: the real thing, orders that people try, and what other tools' sources say that they send.

- **SFDMU** (`src/modules/constants/Constants.ts` and `src/modules/api/engines/BulkApiV2Engine.ts` of forcedotcom/SFDX-Data-Move-Utility): from 200 rows on one
  Bulk API 2.0 job in the order of its input (`parallelBulkJobs`, 1 unless told otherwise, cuts it into as many equal runs); the org cuts batches of 10,000.
- **CumulusCI** (`cumulusci/tasks/bulkdata/load.py`, `_sort_by_lookups`, and `cumulusci/tasks/bulkdata/step.py` of SFDO-Tooling/CumulusCI): Bulk API v1, `Parallel`, rows
  ordered by the local ids of each lookup in turn, batches of 10,000 rows.
- **Data Loader** (`src/main/java/com/salesforce/dataloader/config/AppConfig.java` and `action/visitor/bulk/BulkLoadVisitor.java` of forcedotcom/dataloader): with its
  Bulk API switched on v1, `Parallel`, batches of 2,000 rows in the order of the file.

None of them sends a refused row again. `tests/conformance/clients/test_orders.py` holds the first two against the real clients.
"""

import csv
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.contention.lab import Lab
from benchmarks.contention.sets import DataSet, Row
from migrator.model.run import Outcome
from migrator.simulator import wsgi_app
from migrator.state import read_ledger

#: rows of a batch in which Salesforce works at a job, unless it was posted as one
BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Measured:
    """What a strategy came to. `refusals`: rows that were refused for a lock on the way; `lost`: rows that are not there in the end."""

    seconds: float
    refusals: int
    lost: int
    jobs: int


@dataclass(frozen=True)
class Sender:
    """How somebody sends rows: in which order, in batches of how many rows, in which of Bulk API v1's modes."""

    arrange: Callable[[Sequence[Row]], Sequence[Row]]
    batch_rows: int = BATCH_ROWS
    mode: str = "Parallel"

    def batches(self, rows: Sequence[Row], *, scale: float = 1.0) -> Iterator[Sequence[Row]]:
        """What is sent, batch by batch. `scale`: of the batches, as data sets are scaled."""
        arranged = self.arrange(rows)
        step = max(1, round(self.batch_rows * scale))
        for first in range(0, len(arranged), step):
            yield arranged[first : first + step]


def _as_given(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def _at_random(rows: Sequence[Row]) -> Sequence[Row]:
    return random.Random(1).sample(rows, len(rows))  # noqa: S311 - deterministic on purpose


def _by_first_key(rows: Sequence[Row]) -> Sequence[Row]:
    return sorted(rows, key=lambda row: row[0])


def _by_all_keys(rows: Sequence[Row]) -> Sequence[Row]:
    return sorted(rows)


SENDERS = {
    "random": Sender(_at_random),
    "sorted": Sender(_by_first_key),
    "serial": Sender(_as_given, mode="Serial"),
    "SFDMU": Sender(_as_given),
    "CumulusCI": Sender(_by_all_keys),
    "Data Loader": Sender(_as_given, batch_rows=2_000),
}
#: ours, by what the plan prefers
OURS = {"ours": "time", "ours, batches first": "batches"}
STRATEGIES = (*OURS, *SENDERS)


def applies(name: str, data: DataSet) -> bool:
    """Whether a strategy is another one than those before it: rows with one lock key fill slices as they are."""
    return name not in OURS or OURS[name] == "time" or len(data.parents) > 1


def measure(name: str, data: DataSet, folder: Path) -> Measured:
    """One strategy on an org of its own."""
    return _ours(data, folder, OURS[name]) if name in OURS else _sent(SENDERS[name], data, folder)


def _ours(data: DataSet, folder: Path, prefer: str) -> Measured:
    """The plan names what rows lock, what it prefers, and nothing else."""
    lab = Lab(data, folder)
    keys = ", ".join(data.parents)
    run = lab.run(children=True, locks=f", locks: {{keys: [{keys}], prefer: {prefer}}}")
    state = read_ledger(run)
    step = state.steps[f"load.{data.child}"]
    attempts = [one for one in state.attempts if one.step == step.step]
    created = step.tallies.get(Outcome.CREATED, 0)
    seconds = (step.finished or 0.0) - (step.started or 0.0)
    return Measured(seconds, sum(one.locked for one in attempts), len(data.rows) - created, len(attempts))


def _sent(sender: Sender, data: DataSet, folder: Path) -> Measured:
    """One job with a batch for every so many rows of the arranged ones; rows that are refused stay refused."""
    lab = Lab(data, folder)
    lab.run(children=False)
    ids = lab.target_ids()
    batches = [
        [
            tuple(ids[sobject][cell] for cell, sobject in zip(row, data.parents.values(), strict=True))
            for row in batch
        ]
        for batch in sender.batches(data.rows, scale=data.batch / BATCH_ROWS)
    ]
    return _post(lab, batches, sender.mode)


def _post(lab: Lab, batches: Sequence[Sequence[Row]], mode: str) -> Measured:
    data = lab.data
    client = httpx.Client(transport=httpx.WSGITransport(app=wsgi_app(lab.org)), base_url="http://127.0.0.1")
    credentials = {
        "grant_type": "client_credentials",
        "client_id": lab.org.settings.client_id,
        "client_secret": lab.org.settings.client_secret,
    }
    token = client.post("/services/oauth2/token", data=credentials).json()["access_token"]
    client.headers["X-SFDC-Session"] = token
    jobs = "/services/async/66.0/job"
    form = '<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
    made = f"<operation>insert</operation><object>{data.child}</object><concurrencyMode>{mode}</concurrencyMode><contentType>CSV</contentType>"
    xml = {"Content-Type": "application/xml"}
    job = _between(client.post(jobs, content=f"{form}{made}</jobInfo>", headers=xml).text, "id")
    began = lab.clock.now()
    own = {"Contact": {"LastName": "P"}}.get(data.child, {})
    for batch in batches:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(
            [[*data.parents, *own], *([*row, *own.values()] for row in batch)]
        )
        client.post(
            f"{jobs}/{job}/batch", content=text.getvalue(), headers={"Content-Type": "text/csv"}
        ).raise_for_status()
    client.post(
        f"{jobs}/{job}", content=f"{form}<state>Closed</state></jobInfo>", headers=xml
    ).raise_for_status()
    while True:
        told = client.get(f"{jobs}/{job}").text
        waiting = int(_between(told, "numberBatchesQueued")) + int(_between(told, "numberBatchesInProgress"))
        if not waiting:
            break
        lab.clock.wait(1.0)
    seconds = lab.clock.now() - began
    listed = client.get(f"{jobs}/{job}/batch").text.split("<batchInfo>")[1:]
    created = refused = 0
    for one in listed:
        answer = client.get(f"{jobs}/{job}/batch/{_between(one, 'id')}/result")
        if answer.status_code == 200:
            results = list(csv.DictReader(io.StringIO(answer.text, newline="")))
            created += sum(each["Success"] == "true" for each in results)
            refused += sum("UNABLE_TO_LOCK_ROW" in each["Error"] for each in results)
    return Measured(seconds, refused, len(data.rows) - created, len(listed))


def _between(text: str, name: str) -> str:
    return text.partition(f"<{name}>")[2].partition("<")[0]
