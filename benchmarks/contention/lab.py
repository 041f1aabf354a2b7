"""An org on virtual time whose locks are real, with the records that children will lock already in it."""

import csv
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import httpx

from benchmarks.contention.sets import PARALLELISM, ROW_SECONDS, DataSet
from migrator.clock import VirtualClock
from migrator.errors import has_errors
from migrator.executor import Drive, Goal, Policy, start
from migrator.model.schedule import LoadStep
from migrator.review import Approved, Ends, check, load
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, Secret, connect
from migrator.simulator import LockSettings, LookupLocks, OrgSettings, load_schema, wsgi_app
from migrator.simulator import Org as SimulatedOrg


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
