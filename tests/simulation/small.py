"""The smallest migration that has everything: rows by Bulk API without a key, a second pass over REST, from files into a simulated org."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from migrator.executor import Drive, Goal, Policy, Result
from migrator.model.run import Outcome
from tests.executor.orgs import Lab, make_lab
from tests.plans import BY_ID, FILES, HIERARCHY, SCHEMA, inserted, plan_of

PLAN = plan_of(inserted("Account", "Name, ParentId", f"{BY_ID}\n{HIERARCHY}"), source=FILES)
ROWS = 6


class Crash(BaseException):
    """The process is gone; nothing of ours catches it."""


@dataclass
class Fuse:
    """Ends the process when it is told of the `at`-th point of the protocol (from 0); without `at` it only counts.

    What a worker is about to do is no point of its own: nothing has happened since the intent was committed.
    """

    at: int | None = None
    seen: list[str] = field(default_factory=list)

    def __call__(self, point: str) -> None:
        if point.startswith("perform:"):
            return
        self.seen.append(point)
        if self.at is not None and len(self.seen) == self.at + 1:
            raise Crash(point)


def small_lab(folder: Path) -> Lab:
    """An empty target and six accounts in a file, each the child of another one."""
    folder.mkdir(parents=True, exist_ok=True)
    lab = make_lab(folder, SCHEMA)
    lab.from_files = True
    (folder / "data").mkdir()
    lines = ["Id,Name,ParentId", *(f"a{n},Account {n},{f'a{n - 1}' if n else ''}" for n in range(ROWS))]
    (folder / "data" / "Account.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lab.begin(PLAN, max_slice_rows=4)
    return lab


def go(lab: Lab, fuse: Callable[[str], None], policy: Policy | None = None) -> Result:
    """Drive the run as one process does, until it ends or the fuse ends it."""
    drive = Drive(
        lab.folder,
        lab.ends(),
        clock=lab.clock,
        workers=0,
        policy=policy or Policy(),
        memory_mb=128,
        fuse=fuse,
    )
    return drive.go(Goal.LOAD, lambda _: None)


def judge(lab: Lab, result: Result) -> None:
    """Every row is there once, with its parent, and the run says so."""
    assert result.exit_code == 0, result.stop
    assert {one.step: dict(one.tallies) for one in result.summary.steps} == {
        "load.Account": {Outcome.CREATED: ROWS},
        "link.Account": {Outcome.UPDATED: ROWS - 1, Outcome.SKIPPED: 1},
    } or result.summary.complete
    names: dict[str, str] = {}
    parents: Counter[tuple[str, str]] = Counter()
    for block in lab.target.store.table("Account").scan_columns(("Id", "Name", "ParentId")):
        for found, name, parent in zip(*block.columns, strict=True):
            names[str(found)] = str(name)
            parents[str(name), str(parent or "")] += 1
    counted = Counter(
        (name, names.get(parent, "")) for (name, parent), n in parents.items() for _ in range(n)
    )
    assert counted == Counter((f"Account {n}", f"Account {n - 1}" if n else "") for n in range(ROWS))
    assert lab.target.truth.count("Account") == ROWS
