"""What is asked of both orgs and of the disk each time before a run is driven, and by `doctor` at any time.

**Invariant:** reads only; a refusal comes before anything is sent.
"""

from migrator.preflight.checks import accepted_until, check_clock, check_neighbours, find_neighbours, overdue
from migrator.preflight.neighbours import Neighbours
from migrator.preflight.room import check_room, room_for

__all__ = [
    "Neighbours",
    "accepted_until",
    "check_clock",
    "check_neighbours",
    "check_room",
    "find_neighbours",
    "overdue",
    "room_for",
]
