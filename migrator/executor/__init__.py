"""The executor: checks a plan against its ends, starts a run, drives it to its goal, and says what came of it."""

from migrator.executor.ends import Checked, Ends, check, check_offline
from migrator.executor.progress import Progress, StepProgress
from migrator.executor.run import Goal, Policy
from migrator.executor.runs import Drive, Result, load, new_run_id, peek, start
from migrator.model.summary import Summary, summarize

__all__ = [
    "Checked",
    "Drive",
    "Ends",
    "Goal",
    "Policy",
    "Progress",
    "Result",
    "StepProgress",
    "Summary",
    "check",
    "check_offline",
    "load",
    "new_run_id",
    "peek",
    "start",
    "summarize",
]
