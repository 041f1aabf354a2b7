"""Whether the disk of the run folder has room for what a run will still write.

What is read and sent is estimated from counts of records and widths of fields; results, prepared rows, outcomes and what DuckDB puts aside take
about as much again.

**Invariant:** an estimate refuses a run before anything is sent, and never one that has its room already.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import ExitCode, MigratorError
from migrator.model.run import StepPhase, StepRow
from migrator.model.schedule import ExtractStep, LinkStep, LoadStep, Schedule, Side, Step, VerifyStep

#: bytes in the run folder for a byte that is read or sent, and what is kept free beside when a run begins
FACTOR = 2.2
MARGIN = 256 * 1024 * 1024

#: bytes of a record: side, sObject, columns
Width = Callable[[Side, str, Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Room:
    """`estimated` bytes are still to be read and sent. `unknown`: steps still to be done whose records nobody counted, which are not in it.

    `begun`: some of the run is done; `over`: all of it.
    """

    estimated: int
    unknown: tuple[str, ...] = ()
    begun: bool = False
    over: bool = False

    @property
    def whole(self) -> int:
        """What must be free for a run that has not begun."""
        return round(FACTOR * self.estimated) + MARGIN

    def needed(self, floor: int) -> int:
        """What must be free for the rest of the run, which begins nothing unless `floor` bytes are; nothing at all once it is over.

        Beside a rest that is known to be small there is nothing that could need the margin of a run that begins.
        """
        if self.over:
            return 0
        if self.unknown or not self.begun:
            return self.whole
        rest = round(FACTOR * self.estimated)
        return rest + floor + min(MARGIN - floor, rest)


def room_for(
    schedule: Schedule, width: Width, plan_folder: Path, standing: Mapping[str, StepRow] | None = None
) -> Room:
    """What the run will write, verification included. `plan_folder`: where relative source files are; `standing`: how its steps stand, if it has begun.

    A run that has come to its end writes nothing more, although it may be verified later.
    """
    rows = {step.id: (standing or {}).get(step.id, StepRow(step.id)) for step in schedule.steps}
    if all(isinstance(one, VerifyStep) or rows[one.id].phase is StepPhase.DONE for one in schedule.steps):
        return Room(0, over=True)
    rest, unknown = 0, []
    for step in schedule.steps:
        if rows[step.id].phase is StepPhase.DONE:
            continue
        size = _size_of(step, rows, schedule, width, plan_folder)
        rest += size or 0
        if size is None:
            unknown.append(step.id)
    begun = any(one.phase is not StepPhase.PENDING for one in rows.values())
    return Room(rest, tuple(unknown), begun)


def _size_of(
    step: Step, rows: Mapping[str, StepRow], schedule: Schedule, width: Width, plan_folder: Path
) -> int | None:
    """Bytes that the step has still to read or send; None: nobody knows."""
    match step:
        case ExtractStep():
            if step.file:
                return _size(plan_folder / step.file)
            return _of(step.expected, width(step.side, step.sobject, step.columns))
        case LoadStep():
            columns = [one.rule.target for one in step.columns] + [one.rule.target for one in step.lookups]
            return _of(_unsettled(step, rows), width(Side.TARGET, step.sobject, columns))
        case LinkStep():
            columns = ["Id", *(one.rule.target for one in step.lookups)]
            return _of(_unsettled(step, rows), width(Side.TARGET, step.sobject, columns))
        case VerifyStep():
            loaded = schedule.step(step.load_step)
            expected = loaded.expected if isinstance(loaded, LoadStep) else None
            prepared = rows[loaded.id].total
            each = width(Side.TARGET, step.sobject, step.columns)
            return _of(expected if prepared is None else prepared, each)
        case _:
            return 0


def _unsettled(step: LoadStep | LinkStep, rows: Mapping[str, StepRow]) -> int | None:
    """Rows that have no outcome yet; once they are prepared they are counted."""
    row = rows[step.id]
    if row.total is not None:
        return max(0, row.total - sum(row.tallies.values()))
    if step.expected is None and isinstance(step, LinkStep):
        return rows[step.load_step].total  # at most one row for each that was loaded
    return step.expected


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _of(rows: int | None, each: int) -> int | None:
    return None if rows is None else rows * each


def check_room(folder: Path, room: Room, floor: int) -> None:
    """Raise MigratorError `disk-too-small` (exit code PAUSED) unless what the run will still write fits on the disk of its folder.

    `floor`: what must be free for anything to be begun.
    """
    needed = room.needed(floor)
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
