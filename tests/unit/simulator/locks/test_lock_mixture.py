"""Jobs of both Bulk APIs and requests, all at once and by chance: every row is accounted for and no lock stays behind."""

import random
from typing import Any

import pytest

from migrator.simulator.bulk.v2.job import IngestJob
from migrator.simulator.locks.orglocks import Locks
from migrator.simulator.records.truth import Change
from migrator.simulator.settings import LockOrder, LockSettings
from tests.unit.simulator.bulk.bulk1_client import CSV, Bulk1, element
from tests.unit.simulator.conftest import Caller
from tests.unit.simulator.locks.loads import Load

ACCOUNTS = 60


class Mixture:
    """What a seed makes happen."""

    def __init__(self, seed: int, order: LockOrder) -> None:
        self.load = Load(row_seconds=0.02, batch_parallelism=6, locks=LockSettings(order=order, wait=5.0))
        self.accounts = self.load.seed("Account", ["Name"], [[f"A{n}"] for n in range(ACCOUNTS)])
        self.choose = random.Random(seed)  # noqa: S311 - deterministic on purpose
        self.call = Caller(self.load.org, self.load.org.issue_token())
        self.bulk1 = Bulk1(self.load.org)
        self.jobs: list[IngestJob] = []
        self.batches: list[tuple[str, str]] = []
        self.made = 0  # contacts that answers said were made

    def run(self) -> None:
        """Things happen until all of them are over."""
        steps = [
            self.insert,
            self.update,
            self.delete,
            self.old_api,
            self.row,
            self.collection,
            self.composite,
        ]
        for _ in range(40):
            self.choose.choice(steps)()
            self.load.clock.advance(self.choose.choice([0.0, 0.3, 2.0]))
        self.load.finish(*self.jobs, look=7.0)
        self.load.clock.advance(3_600)
        self.load.org.advance(self.load.clock.now())

    def contacts(self, count: int) -> list[list[str]]:
        return [[f"L{n}", self.choose.choice(self.accounts)] for n in range(count)]

    def insert(self) -> None:
        self.jobs.append(self.load.start("Contact", "LastName,AccountId", self.contacts(450)))

    def update(self) -> None:
        rows = [[account, "B"] for account in self.choose.sample(self.accounts, 30)]
        self.jobs.append(self.load.start("Account", "Id,Name", rows, "update"))

    def delete(self) -> None:
        ids = self.load.org.truth.created("Contact")
        rows = [[each] for each in self.choose.sample(ids, min(len(ids), 20))]
        self.jobs.append(self.load.start("Contact", "Id", rows, "delete"))

    def old_api(self) -> None:
        mode = self.choose.choice(["Serial", "Parallel"])
        job = self.bulk1.create("insert", "Contact", more=f"<concurrencyMode>{mode}</concurrencyMode>{CSV}")
        lines = "".join(f"{','.join(row)}\n" for row in self.contacts(300))
        self.batches.append((job, self.bulk1.post(job, f"LastName,AccountId\n{lines}")))

    def body(self) -> dict[str, Any]:
        return {"LastName": "R", "AccountId": self.choose.choice(self.accounts)}

    def row(self) -> None:
        self.made += self.call("POST", "/sobjects/Contact", self.body()).status == 201

    def collection(self) -> None:
        records = [{"attributes": {"type": "Contact"}, **self.body()} for _ in range(20)]
        whole = self.choose.random() < 0.5
        done = self.call("POST", "/composite/sobjects", {"allOrNone": whole, "records": records}).json()
        self.made += sum(each["success"] for each in done)

    def composite(self) -> None:
        url = "/services/data/v60.0/sobjects/Contact"
        subs = [
            {"method": "POST", "url": url, "referenceId": f"r{place}", "body": self.body()}
            for place in range(5)
        ]
        whole = self.choose.random() < 0.5
        done = self.call("POST", "/composite", {"allOrNone": whole, "compositeRequest": subs}).json()
        self.made += sum(each["httpStatusCode"] == 201 for each in done["compositeResponse"])

    def by_old_api(self) -> int:
        """Rows that batches of Bulk API v1 said were made."""
        made = 0
        for job, batch in self.batches:
            shown = self.bulk1("GET", f"/{job}/batch/{batch}")
            assert element(shown, "state") in {"Completed", "Failed"}
            made += int(element(shown, "numberRecordsProcessed")) - int(element(shown, "numberRecordsFailed"))
        return made

    def history(self) -> list[tuple[float, str, str, int]]:
        """Everything that happened."""
        events = self.load.org.truth.events()
        return [(event.time, event.origin, event.change.value, len(event)) for event in events]


@pytest.mark.parametrize("order", list(LockOrder))
@pytest.mark.parametrize("seed", range(3))
def test_everything_is_accounted_for(seed: int, order: LockOrder) -> None:
    mixture = Mixture(seed, order)
    mixture.run()
    assert len(mixture.load.org.part(Locks).table) == 0
    inserted = sum(job.processed - job.failed for job in mixture.jobs if job.spec.operation == "insert")
    created = mixture.load.org.truth.count("Contact", Change.CREATED)
    assert created == inserted + mixture.by_old_api() + mixture.made
    assert sum(job.failed for job in mixture.jobs) > 0  # there was contention
    again = Mixture(seed, order)
    again.run()
    assert again.history() == mixture.history()
