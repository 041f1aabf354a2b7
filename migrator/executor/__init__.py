"""The executor: begins a run, drives it to its goal, and changes what a run that nobody drives has still to do.

**Invariant:** a run executes the schedule that its ledger holds.
"""

from migrator.executor import mend
from migrator.executor.retry import begin_retry
from migrator.executor.run import Goal, Policy
from migrator.executor.runs import Drive, Result, start
from migrator.executor.undo import Undo

__all__ = ["Drive", "Goal", "Policy", "Result", "Undo", "begin_retry", "mend", "start"]
