"""Run by `test_small_disk` on a disk of its own, which it fills: `python -m tests.simulation.small_disk FOLDER WHAT`; prints what came of it as JSON."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from migrator.errors import MigratorError
from migrator.state import read_audited
from tests.executor.orgs import Lab
from tests.simulation.small import Fuse, go, judge, small_lab

#: at how many points of the protocol the disk fills up
POINTS = 14


class Filling:
    """Takes all room that is left at the `at`-th point."""

    def __init__(self, filler: Path, at: int) -> None:
        self._filler = filler
        self._at = at
        self.seen = 0
        self.point = ""

    def __call__(self, point: str) -> None:
        self.seen += 1
        if self.seen == self._at:
            self.point = point
            fill(self._filler)


def fill(filler: Path) -> None:
    """Leave nothing free."""
    with filler.open("wb") as file:
        for size in (1 << 20, 1 << 12):
            block = bytes(size)
            while True:
                try:
                    os.write(file.fileno(), block)
                except OSError:
                    break


def at_every_point(folder: Path) -> dict[str, Any]:
    """The disk fills up at points all over a run; it pauses, says so in its own ledger, and goes on when there is room."""
    lab = small_lab(folder / "counted")
    counted = Fuse()
    judge(lab, go(lab, counted))
    shutil.rmtree(folder / "counted")
    told = []
    for nth in range(1, len(counted.seen) + 1, max(1, len(counted.seen) // POINTS)):
        lab = small_lab(folder / str(nth))
        filling = Filling(folder / "filler", nth)
        told.append({"point": "", **_met(lab, filling)} | {"point": filling.point})
        (folder / "filler").unlink(missing_ok=True)
        judge(lab, go(lab, Fuse()))
        shutil.rmtree(folder / str(nth))
    return {"points": told}


def _met(lab: Lab, fuse: Callable[[str], None]) -> dict[str, Any]:
    try:
        stop = go(lab, fuse).stop
        code = "" if stop is None else stop.code
        raised = False
    except MigratorError as fault:
        code, raised = fault.code, True
    state, events = read_audited(lab.folder)
    return {
        "code": code,
        "raised": raised,
        "status": state.run.status.value,
        "last": [one.kind for one in events][-4:],
        "ballast": (lab.folder / "ballast").exists(),
    }


def too_small(folder: Path) -> dict[str, Any]:
    """There is less room than a run keeps free: nothing is sent."""
    lab = small_lab(folder / "lab")
    return {**_met(lab, Fuse()), "made": lab.target.truth.count("Account")}


def read_only(folder: Path) -> dict[str, Any]:
    """The disk turns read-only before the run is driven."""
    lab = small_lab(folder / "lab")
    subprocess.run(["/bin/mount", "-o", "remount,ro", str(folder)], check=True)  # noqa: S603 - in a name space of its own
    try:
        go(lab, Fuse())
    except MigratorError as fault:
        return {"code": fault.code, "exit": int(fault.exit_code), "made": lab.target.truth.count("Account")}
    return {"code": ""}


if __name__ == "__main__":
    place, what = Path(sys.argv[1]), sys.argv[2]
    print(json.dumps({"full": at_every_point, "small": too_small, "read-only": read_only}[what](place)))
