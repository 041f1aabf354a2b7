"""Plan and schemas in, schedule out: names checked, fields chosen, steps ordered, cycles opened, lanes and slices decided.

**Invariant:** pure. Nothing here asks an org or reads a file, and equal input gives equal bytes.
"""

from migrator.planner.apart import shared_locks
from migrator.planner.explain import Explanation
from migrator.planner.readable import FileColumns
from migrator.planner.schedule import make_schedule
from migrator.planner.undo import Taken, UndoneRun, restorable, undo_schedule

__all__ = [
    "Explanation",
    "FileColumns",
    "Taken",
    "UndoneRun",
    "make_schedule",
    "restorable",
    "shared_locks",
    "undo_schedule",
]
