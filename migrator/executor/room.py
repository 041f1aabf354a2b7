"""Room on the disk, looked at before anything new is begun: a run without room for its answers does not ask.

**Invariant:** pure; nothing that is under way is stopped, only what would be begun.
"""

from migrator.errors import ExitCode
from migrator.executor.actions import (
    Action,
    BeginLookUp,
    BeginQuery,
    BeginSlice,
    CutAgain,
    PrepareAgain,
    PrepareStep,
)
from migrator.executor.run import Run, Stop
from migrator.model.run import AttemptKind
from migrator.model.schedule import LinkStep, LoadStep

#: what must stay free whatever is begun: pages that are being read, commits, and some thousand outcomes
FLOOR = 64 * 1024 * 1024
#: results repeat every cell of a slice, and outcomes and the results' copies in DuckDB's hands take about as much again
ANSWERS = 2


def room_needed(run: Run, action: Action) -> int:
    """Bytes that must be free for the action to be begun; 0: it needs none, or what it needs was counted when it was begun."""
    match action:
        case BeginSlice():
            mine = run.slices[(action.step, action.slice)].file.size
            under_way = (
                run.slices[(one.step, one.slice)].file.size
                for one in run.live.values()
                if one.slice >= 0 and one.kind is not AttemptKind.GATE
            )
            return FLOOR + ANSWERS * (mine + sum(under_way))
        case PrepareStep() | PrepareAgain() | CutAgain():
            return FLOOR + ANSWERS * _read(run, action.step)
        case BeginQuery() | BeginLookUp():
            return FLOOR
        case _:
            return 0


def _read(run: Run, step_id: str) -> int:
    """Bytes of the extract that the step's rows are made from."""
    step = run.schedule.step(step_id)
    load = run.schedule.step(step.load_step) if isinstance(step, LinkStep) else step
    return (
        sum(file.size for file in run.extract_files(load.source_extract)) if isinstance(load, LoadStep) else 0
    )


def out_of_room(place: str, needed: int, free: int) -> Stop:
    """Why the run pauses."""
    what = (
        f"the disk of {place} has {free / 1e6:,.0f} MB free, and going on takes up to {needed / 1e6:,.0f} MB"
    )
    return Stop("disk-full", what, "make room there, then resume; nothing is lost", ExitCode.PAUSED)


def ran_out(place: str) -> Stop:
    """Why the run pauses that wrote its last events into the room that was kept for them."""
    what = f"the disk of {place} is full; what was under way is in the ledger"
    return Stop("disk-full", what, "make room there, then resume; nothing is lost", ExitCode.PAUSED)
