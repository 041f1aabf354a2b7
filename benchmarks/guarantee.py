"""What the guarantee withstands and what it costs.

    python benchmarks/guarantee.py [--rows 1000000] [--kills 5] [--faults 2] [--overhead-rows 100000] [--rounds 4]

Prints: kills survived (a real process, real HTTP, random instants), schedules explored, faults of the catalogue that tests cover, seconds from the
start of a resumed run of many rows to its first useful request, outcomes a second that the ledger takes, and the time and CPU that a migration takes with
the durable ledger beside the same one with a ledger in memory.
"""

import argparse
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import migrator.executor.runs as runs_module
from migrator.cli.driving import DEFAULT_WORKERS
from migrator.clock import Clock, SystemClock, VirtualClock
from migrator.executor import Drive, Goal, Policy
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    Event,
    FileRef,
    LedgerRow,
    LedgerState,
    Outcome,
    Page,
    RunRow,
    RunStatus,
    Slice,
    StepRow,
)
from migrator.state import Ledger, open_ledger, read_ledger
from migrator.state.ballast import Ballast
from migrator.state.beacon import Beacon
from migrator.state.chain import Stored, first_hash
from migrator.state.rows import dumps
from migrator.state.runstore import Head, RunStore
from tests.executor.orgs import Lab, make_lab
from tests.faults.catalogue import FAULTS, covered
from tests.plans import SCHEMA
from tests.protocol.explorer import explore
from tests.resume.outside import orgs_outside

PLAN = """
version: 1
name: bench
source: {files: data}
target: {org: merged}
objects:
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    key: [Id]
    fields: {include: [Name, Description]}
    map: {Legacy_Id__c: Id}
"""


class MemoryStore:
    """A ledger that nothing survives: what durability costs is measured against it."""

    place = "memory"

    def __init__(self, state: LedgerState) -> None:
        self._run = state.run
        self._rows: dict[tuple[str, ...], LedgerRow] = {}
        self._stored: list[Stored] = []
        self._head = Head(first_hash(state.run.run_id), 0, "")
        everything: list[LedgerRow] = [*state.steps.values(), *state.slices, *state.attempts, *state.pages]
        for row in everything:
            self._rows[_key(row)] = row

    def take_over(self) -> int:
        """A new epoch."""
        return 1

    def head(self) -> Head:
        """Where it stands."""
        return self._head

    def state(self) -> LedgerState:
        """Everything."""
        rows = self._rows.values()
        return LedgerState(
            self._run,
            {one.step: one for one in rows if isinstance(one, StepRow)},
            tuple(one for one in rows if isinstance(one, Slice)),
            tuple(one for one in rows if isinstance(one, Attempt)),
            tuple(one for one in rows if isinstance(one, Page)),
        )

    def stored(self, after: int = 0) -> tuple[Stored, ...]:
        """The events behind number `after`."""
        return tuple(self._stored[after:])

    def write(self, rows: Sequence[LedgerRow], events: Sequence[Event], before: Head, after: Head) -> None:
        """Keep them."""
        del before
        for row in rows:
            if isinstance(row, RunRow):
                self._run = row
            else:
                self._rows[_key(row)] = row
        self._stored += [(one.seq, one.at, one.kind, dumps(one.facts), one.hash) for one in events]
        self._head = after

    def hold(self, scopes: Sequence[str]) -> None:
        """Nobody else is here."""

    def close(self) -> None:
        """Forget it."""


def _key(row: LedgerRow) -> tuple[str, ...]:
    match row:
        case StepRow():
            return ("step", row.step)
        case Slice():
            return ("slice", row.step, str(row.no))
        case Attempt():
            return ("attempt", str(row.id))
        case Page():
            return ("page", str(row.attempt), str(row.seq))
        case _:
            return ("run",)


def files_lab(folder: Path, rows: int, clock: Clock | None = None) -> Lab:
    """An empty simulated target and a file of so many rows."""
    folder.mkdir(parents=True)
    lab = make_lab(folder, SCHEMA, clock=clock)
    lab.from_files = True
    (folder / "data").mkdir()
    with (folder / "data" / "Account.csv").open("w", encoding="utf-8") as file:
        file.write("Id,Name,Description\n")
        file.writelines(f'r{n},Account {n},"a line, and {n}"\n' for n in range(rows))
    lab.begin(PLAN, max_slice_rows=10_000)
    return lab


class Reached(BaseException):
    """The measured point."""


def drive(lab: Lab, fuse: Callable[[str], None] = lambda _: None, *, workers: int = 0) -> None:
    """Drive the run, in this thread or with workers as the command line does."""
    Drive(
        lab.folder, lab.ends(), clock=lab.clock, workers=workers, policy=Policy(), memory_mb=512, fuse=fuse
    ).go(Goal.LOAD, lambda _: None)


def stop_at(wanted: str) -> Callable[[str], None]:
    """A fuse that ends the run at the first such point."""

    def fuse(point: str) -> None:
        if point == wanted:
            raise Reached

    return fuse


def kills(count: int) -> tuple[int, bool]:
    """Kill a real process at random instants; how many kills met a run that was under way, and whether source and target are equal afterwards."""
    draw = random.Random(11)  # noqa: S311 - the instants
    with tempfile.TemporaryDirectory() as folder, orgs_outside(Path(folder)) as outside:
        command: tuple[str, ...] = ("run", str(outside.folder / "plan.yaml"))
        killed = 0
        for _ in range(count):
            code = outside.kill_after(draw.uniform(0.0, 1.2), *command)
            (run,) = (outside.folder / "runs").glob("2*")
            if code != -9 or read_ledger(run).run.status is RunStatus.COMPLETE:
                break
            killed += 1
            command = ("resume",)
        code, _ = outside.finish("resume")
        return killed, code == 0 and outside.truth("merged") == outside.truth("legacy")


def resume_seconds(rows: int) -> float:
    """Seconds from the start of a resumed run to the first upload, all rows being prepared."""
    with tempfile.TemporaryDirectory() as name:
        lab = files_lab(Path(name) / "lab", rows, SystemClock())
        _until(lab, "after:result:PrepareStep")
        began = time.perf_counter()
        _until(lab, "after:intent:Upload")
        return time.perf_counter() - began


def _until(lab: Lab, point: str) -> None:
    try:
        drive(lab, stop_at(point))
    except Reached:
        return
    raise RuntimeError(f"{point} was never reached")


def outcomes_per_second(jobs: int = 2_000, rows: int = 10_000) -> float:
    """Outcomes that the ledger takes in a second, one commit for each job of 10,000 rows, synced."""
    run = RunRow("r", "p", "p.yaml", "d", "{}", "0", "66.0", "a", "b", "o1", "o2", "u", 1.0)
    file = FileRef("outcomes/load.Account/00001-1.parquet", "ab" * 32, 123_456, rows)
    with (
        tempfile.TemporaryDirectory() as name,
        open_ledger(Path(name) / "run", VirtualClock(), create=run) as ledger,
    ):
        step = StepRow("load.Account", total=jobs * rows)
        ledger.commit([step])
        terminal = _planned(ledger, jobs, rows)
        began = time.perf_counter()
        for number, one in enumerate(terminal, start=1):
            done = replace(one, state=AttemptState.HARVESTED, outcomes=file, tallies={Outcome.CREATED: rows})
            step = replace(step, tallies={Outcome.CREATED: number * rows})
            ledger.commit([done, step], [("harvested", {"attempt": one.id, "created": rows})])
        return jobs * rows / (time.perf_counter() - began)


def _planned(ledger: Ledger, jobs: int, rows: int) -> list[Attempt]:
    made = [
        Attempt(n, "load.Account", AttemptKind.BULK2, AttemptState.PLANNED, slice=n, rows=rows)
        for n in range(1, jobs + 1)
    ]
    ledger.commit(made)
    for state in ("created", "uploading", "uploaded", "closing", "closed", "terminal"):
        made = [replace(one, state=AttemptState(state), job_id=f"750{one.id:012d}AAA") for one in made]
        ledger.commit(made)
    return made


@dataclass(frozen=True, slots=True)
class Taken:
    """What one migration took, in seconds; `commits`: of the ledger, each."""

    wall: float
    cpu: float
    commits: tuple[float, ...]


class TimedStore:
    """A ledger's store that times what it writes."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self.commits: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, rows: Sequence[LedgerRow], events: Sequence[Event], before: Head, after: Head) -> None:
        """Write and look at the clock."""
        began = time.perf_counter()
        self._store.write(rows, events, before, after)
        self.commits.append(time.perf_counter() - began)


def migration(rows: int, *, durable: bool) -> Taken:
    """One migration as the command line drives it (real time, as many workers), with either ledger."""
    stores: list[TimedStore] = []

    def opened(folder: Path, clock: Clock, **_: object) -> Ledger:
        ledger = open_ledger(folder, clock)
        if not durable:
            state = ledger.state()
            ledger.close()
            return Ledger(MemoryStore(state), Beacon(folder / "none" / "run"), clock, Ballast(folder), folder)
        stores.append(TimedStore(ledger._store))  # noqa: SLF001 - nobody else may look behind a ledger
        ledger._store = stores[0]  # noqa: SLF001
        return ledger

    with tempfile.TemporaryDirectory() as name:
        lab = files_lab(Path(name) / "lab", rows, SystemClock())
        gc.collect()
        real, runs_module.open_ledger = runs_module.open_ledger, opened  # type: ignore[attr-defined]
        try:
            wall, cpu = time.perf_counter(), time.process_time()
            drive(lab, workers=DEFAULT_WORKERS)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        finally:
            runs_module.open_ledger = real  # type: ignore[attr-defined]
    return Taken(wall, cpu, tuple(stores[0].commits if stores else ()))


def overhead(rows: int, rounds: int) -> str:
    """What durability costs: migrations with both ledgers in the order A B B A, so that a load that grows or falls meets both alike; medians."""
    pairs: list[tuple[Taken, Taken]] = []
    for number in range(2 * rounds):
        order = (True, False) if number % 2 == 0 else (False, True)
        found = {one: migration(rows, durable=one) for one in order}
        pairs.append((found[True], found[False]))
    commits = [each for one, _ in pairs for each in one.commits]
    lines = [
        _beside("wall", [(one.wall, other.wall) for one, other in pairs]),
        _beside("CPU", [(one.cpu, other.cpu) for one, other in pairs]),
    ]
    each = sum(commits) / len(commits)
    share = 100 * sum(commits) / sum(one.wall for one, _ in pairs)
    lines.append(
        f"{len(commits) // len(pairs)} commits a run, {1000 * median(commits):.1f} ms in the median and {1000 * each:.1f} ms on average,"
        f" {share:.1f} % of the wall time if nothing ran beside them; a bare fsync takes {1000 * _fsync():.1f} ms"
    )
    return "\n  ".join([f"overhead of the durable ledger, {rows:,} rows, {len(pairs)} pairs:", *lines])


def _beside(what: str, pairs: Sequence[tuple[float, float]]) -> str:
    ratios = sorted(100 * (one / other - 1) for one, other in pairs)
    first, third = ratios[len(ratios) // 4], ratios[(3 * len(ratios)) // 4]
    durable, memory = median(one for one, _ in pairs), median(other for _, other in pairs)
    return (
        f"{what} {durable:.2f} s beside {memory:.2f} s in memory, {median(ratios):+.1f} % in the median pair"
        f" (half of the pairs between {first:+.1f} and {third:+.1f} %)"
    )


def _fsync() -> float:
    """Seconds that this disk takes for a few pages more of a file, in the median."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(50):
            began = time.perf_counter()
            os.write(file.fileno(), bytes(16_384))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return median(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--faults", type=int, default=2)
    parser.add_argument("--overhead-rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=4, help="of four migrations each: A B B A")
    given = parser.parse_args()
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    print(f"faults covered: {len(covered())} of {len(FAULTS)}", flush=True)
    began = time.perf_counter()
    executions, wrong = explore(given.faults)
    took = time.perf_counter() - began
    print(
        f"schedules explored: {executions:,} with up to {given.faults} faults, {len(wrong)} wrong, {took:.1f} s",
        flush=True,
    )
    print(f"ledger: {outcomes_per_second():,.0f} outcomes/s, one synced commit for 10,000", flush=True)
    print(overhead(given.overhead_rows, given.rounds), flush=True)
    print(
        f"resume at {given.rows:,} rows: {resume_seconds(given.rows):.2f} s until the first useful request",
        flush=True,
    )
    killed, whole = kills(given.kills)
    print(f"kills survived: {killed} of {killed}, source and target {'equal' if whole else 'DIFFER'}")


if __name__ == "__main__":
    main()
