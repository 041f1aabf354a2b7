"""What an org allows its asynchronous jobs per rolling 24 hours, Bulk API v1 and 2.0 together."""

from collections import deque

from migrator.simulator.orgstate import OrgState

DAY = 86_400.0
MAX_RECORDS = 150_000_000  # records of Bulk API 2.0 ingest per 24 h; "Limits"
MAX_QUERY_JOBS = 10_000  # Bulk API 2.0 query jobs per 24 h; "Limits"


class Window:
    """A count over the last 24 hours."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._entries: deque[tuple[float, int]] = deque()

    def used(self, now: float) -> int:
        """What was taken in the last 24 hours."""
        while self._entries and self._entries[0][0] <= now - DAY:
            self._used -= self._entries.popleft()[1]
        return self._used

    def take(self, now: float, count: int = 1) -> bool:
        """Take so many, if they are left."""
        if self.used(now) + count > self.limit:
            return False
        self._entries.append((now, count))
        self._used += count
        return True


class BulkLimits:
    """The allocations of one org; `org.part(BulkLimits)`."""

    def __init__(self, org: OrgState) -> None:
        self.batches = Window(org.settings.bulk_batches)
        self.records = Window(MAX_RECORDS)
        self.query_jobs = Window(MAX_QUERY_JOBS)
