"""Whether the disk of the run folder has room for what a run will still write.

What is read and sent is estimated from counts of records and widths of fields; results, prepared rows, outcomes and what DuckDB puts aside take
about as much again.

**Invariant:** an estimate refuses a run before anything is sent, and never one that has its room already.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import ExitCode, MigratorError
from migrator.model.schedule import ExtractStep, LinkStep, LoadStep, Schedule, Side, VerifyStep

#: bytes in the run folder for a byte that is read or sent, and what is kept free beside
FACTOR = 2.2
MARGIN = 256 * 1024 * 1024

#: bytes of a record: side, sObject, columns
Width = Callable[[Side, str, Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Room:
    """`estimated` bytes are read and sent; `unknown`: steps whose records nobody counted, which are not in it."""

    estimated: int
    unknown: tuple[str, ...] = ()

    @property
    def whole(self) -> int:
        """How large the run folder becomes, and what must be free beside it."""
        return round(FACTOR * self.estimated) + MARGIN


def room_for(schedule: Schedule, width: Width, plan_folder: Path) -> Room:
    """What the run will write, verification included. `plan_folder`: where relative source files are."""
    total, unknown = 0, []
    for step in schedule.steps:
        found: int | None = 0
        match step:
            case ExtractStep():
                found = (
                    _size(plan_folder / step.file)
                    if step.file
                    else _of(step.expected, width(step.side, step.sobject, step.columns))
                )
            case LoadStep():
                columns = [one.rule.target for one in step.columns] + [
                    one.rule.target for one in step.lookups
                ]
                found = _of(step.expected, width(Side.TARGET, step.sobject, columns))
            case LinkStep():
                columns = ["Id", *(one.rule.target for one in step.lookups)]
                found = _of(step.expected, width(Side.TARGET, step.sobject, columns))
            case VerifyStep():
                loaded = schedule.step(step.load_step)
                rows = loaded.expected if isinstance(loaded, LoadStep) else None
                found = _of(rows, width(Side.TARGET, step.sobject, step.columns))
            case _:
                pass
        total += found or 0
        if found is None:
            unknown.append(step.id)
    return Room(total, tuple(unknown))


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _of(rows: int | None, each: int) -> int | None:
    return None if rows is None else rows * each


def check_room(folder: Path, room: Room) -> None:
    """Raise MigratorError `disk-too-small` (exit code PAUSED) unless what the run will still write fits on the disk of its folder."""
    used = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    needed = max(room.whole - used, MARGIN)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise MigratorError(
            "disk-too-small",
            f"the run needs about {megabytes(needed)} more on the disk of {folder.absolute()}, and {megabytes(free)} are free",
            hint="make room there and resume, or begin a new run on another disk with --state-dir; nothing is sent before there is room",
            exit_code=ExitCode.PAUSED,
        )


def megabytes(count: int) -> str:
    """For people."""
    return f"{count / 1_000_000:,.0f} MB"
