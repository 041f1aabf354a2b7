"""Plan and schemas in, schedule out: names checked, fields chosen, steps ordered, cycles opened, lanes and slices decided.

**Invariant:** pure. Nothing here asks an org or reads a file, and equal input gives equal bytes.
"""

from migrator.planner.apart import SharedLock, shared_locks
from migrator.planner.codec import dump_schedule, parse_schedule
from migrator.planner.drift import Drift, Harm, drift, used_schema, uses
from migrator.planner.ends import Needs, check_ends, count_queries, needs
from migrator.planner.explain import explain_json, explain_mermaid, explain_text
from migrator.planner.fingerprint import Difference, compare, differences, fingerprint, leaves, merged
from migrator.planner.forecast import PARALLELISM, TOP, Spread, forecasts, skew_warnings
from migrator.planner.forecast import wanted as spreads_wanted
from migrator.planner.lanes import choose_lane
from migrator.planner.lockset import strong
from migrator.planner.queries import largest_soql, records_soql, select_soql
from migrator.planner.readable import FileColumns
from migrator.planner.schedule import make_schedule
from migrator.planner.undo import Taken, UndoneRun, restorable, undo_schedule

__all__ = [
    "PARALLELISM",
    "TOP",
    "Difference",
    "Drift",
    "FileColumns",
    "Harm",
    "Needs",
    "SharedLock",
    "Spread",
    "Taken",
    "UndoneRun",
    "check_ends",
    "choose_lane",
    "compare",
    "count_queries",
    "differences",
    "drift",
    "dump_schedule",
    "explain_json",
    "explain_mermaid",
    "explain_text",
    "fingerprint",
    "forecasts",
    "largest_soql",
    "leaves",
    "make_schedule",
    "merged",
    "needs",
    "parse_schedule",
    "records_soql",
    "restorable",
    "select_soql",
    "shared_locks",
    "skew_warnings",
    "spreads_wanted",
    "strong",
    "undo_schedule",
    "used_schema",
    "uses",
]
