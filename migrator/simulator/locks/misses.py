"""What a transaction says that could not get its locks."""

from collections.abc import Sequence

from migrator.simulator.locks.keys import GROUP
from migrator.simulator.records.results import ChunkResult, RowError

NAMED = 10  # ids in the text; the others are counted
_CODE = "UNABLE_TO_LOCK_ROW"
# an org-wide lock has no record to name; Designing Record Access, "Group Membership Locking"
_GROUP_MISS = RowError("UNKNOWN_EXCEPTION", "group membership operation already in progress")


def miss(keys: Sequence[str]) -> RowError:
    """The error of all rows of a transaction that could not get these locks."""
    if GROUP in keys:
        return _GROUP_MISS
    listed = ",".join(keys[:NAMED])
    more = f", ... ({len(keys) - NAMED} more)" if len(keys) > NAMED else ""
    text = f"unable to obtain exclusive access to this record or {len(keys)} records: {listed}{more}"
    return RowError(_CODE, text)


def misses(result: ChunkResult) -> int:
    """How many rows were refused because somebody else had something locked."""
    return sum(
        errors[0].status_code == _CODE or errors[0] == _GROUP_MISS for errors in result.errors.values()
    )
