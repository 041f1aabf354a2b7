"""The executor: checks a plan against its ends, starts a run, drives it to its goal, and says what came of it."""

from migrator.executor.approved import (
    Approved,
    approve,
    check_fresh,
    lock_differs,
    parse_saved,
    same_ends,
    saved_text,
)
from migrator.executor.audit import Audit, audit
from migrator.executor.ends import Checked, Ends, check, check_offline
from migrator.executor.gates import BY_HAND
from migrator.executor.identity import check_lock, lock_text, parse_identity
from migrator.executor.neighbours import Neighbours
from migrator.executor.preflight import MAX_SKEW, WARN_SKEW, find_neighbours, overdue
from migrator.executor.progress import Progress, StepProgress
from migrator.executor.resolve import resolve_rows
from migrator.executor.retry import RetryWish, begin_retry
from migrator.executor.run import Goal, Policy
from migrator.executor.runs import (
    Drive,
    Result,
    change_plan,
    load,
    new_run_id,
    peek,
    source_alias,
    start,
    written,
)
from migrator.executor.undo import Undoable, UndoWish, begin_undo, undoable
from migrator.model.summary import Summary, summarize

__all__ = [
    "BY_HAND",
    "MAX_SKEW",
    "WARN_SKEW",
    "Approved",
    "Audit",
    "Checked",
    "Drive",
    "Ends",
    "Goal",
    "Neighbours",
    "Policy",
    "Progress",
    "Result",
    "RetryWish",
    "StepProgress",
    "Summary",
    "UndoWish",
    "Undoable",
    "approve",
    "audit",
    "begin_retry",
    "begin_undo",
    "change_plan",
    "check",
    "check_fresh",
    "check_lock",
    "check_offline",
    "find_neighbours",
    "load",
    "lock_differs",
    "lock_text",
    "new_run_id",
    "overdue",
    "parse_identity",
    "parse_saved",
    "peek",
    "resolve_rows",
    "same_ends",
    "saved_text",
    "source_alias",
    "start",
    "summarize",
    "undoable",
    "written",
]
