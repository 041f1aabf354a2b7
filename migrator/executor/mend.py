"""What a person does about a run that cannot go on by itself: quarantined rows are settled, a damaged ledger is made anew."""

from migrator.executor.rescue import Rescued, rescue
from migrator.executor.resolve import resolve_rows

__all__ = ["Rescued", "rescue", "resolve_rows"]
