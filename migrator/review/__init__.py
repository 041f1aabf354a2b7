"""A plan against its two ends: checked, approved, locked or saved, and held against what it and they were.

**Invariant:** what was reviewed is what runs; nothing here sends or starts anything.
"""

from migrator.review.approved import Approved
from migrator.review.changed import follow_plan
from migrator.review.ends import Checked, Ends, check, check_offline, load
from migrator.review.schema_watch import SchemaWatch

__all__ = ["Approved", "Checked", "Ends", "SchemaWatch", "check", "check_offline", "follow_plan", "load"]
