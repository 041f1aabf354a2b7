"""What an org allows per rolling 24 hours and at once, and what it has stored.

All figures can be set small (`OrgSettings`); the defaults are the platform's, from "Salesforce Developer Limits", Bulk API and REST API.
"""

import random
from collections import deque
from collections.abc import Mapping, Sequence

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.chunk import Chunk
from migrator.simulator.records.results import RowError
from migrator.simulator.schema.model import FieldType

DAY = 86_400.0
RECORD_KB = 2  # what a record of most sObjects counts against the data storage
STORAGE_FULL = RowError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
_GRAIN = 60.0  # seconds; what is taken within them leaves the window at once
_RECOUNT = 0.4  # how often the usage that answers show is brought up to date
_BEHIND = 3  # how far it may be behind even then
_MB = 1_024 * 1_024


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

    def left(self, now: float) -> int:
        """What may still be taken."""
        return max(0, self.limit - self.used(now))

    def add(self, now: float, count: int = 1) -> None:
        """Take so many, whatever is left."""
        if self._entries and now - self._entries[-1][0] < _GRAIN:
            since, taken = self._entries[-1]
            self._entries[-1] = (since, taken + count)
        else:
            self._entries.append((now, count))
        self._used += count

    def take(self, now: float, count: int = 1) -> bool:
        """Take so many, if they are left."""
        if self.used(now) + count > self.limit:
            return False
        self.add(now, count)
        return True


class Limits:
    """The allocations of one org; `org.part(Limits)`."""

    def __init__(self, org: OrgState) -> None:
        settings = org.settings
        self._org = org
        self.api_requests = Window(settings.api_requests)
        self.batches = Window(settings.bulk_batches)
        self.records = Window(settings.bulk_records)
        self.query_jobs = Window(settings.query_jobs)
        self.query_storage = Window(
            settings.query_storage_mb * _MB
        )  # bytes of results of Bulk API 2.0 queries
        self.occupied_mb = 0  # of the data storage, by things that are no records of ours
        self.file_bytes = 0  # of the file storage, by files that are none of ours
        self._random = random.Random(settings.seed)  # noqa: S311 - deterministic on purpose
        self._shown = 0
        org.dml.refusals.append(self._storage)

    def use_up(self, name: str, left: int, now: float) -> None:
        """Somebody else used an allocation, but for `left` of it (MB for storage)."""
        match name:
            case "data_storage":
                self.occupied_mb += self._org.settings.data_storage_mb - self.data_mb() - left
            case "file_storage":
                self.file_bytes += (self._org.settings.file_storage_mb - self.file_mb() - left) * _MB
            case _:
                window: Window = getattr(self, name)
                window.add(now, window.left(now) - left)

    # --- API requests ------------------------------------------------------------------------------------------

    def count_request(self, now: float) -> bool:
        """Count an API request; False when there are too many."""
        self.api_requests.add(now)
        return self.api_requests.used(now) <= self.api_requests.limit

    def usage(self, now: float) -> str:
        """As `Sforce-Limit-Info` shows it: not always up to date, and at times it goes back by one."""
        used = self.api_requests.used(now)
        if not self._org.settings.fuzzy_usage:
            self._shown = used
        elif self._shown == 0 or self._shown > used or self._random.random() < _RECOUNT:
            self._shown = used - self._random.randint(0, max(0, min(_BEHIND, used - 1)))
        return f"api-usage={self._shown}/{self.api_requests.limit}"

    # --- storage -----------------------------------------------------------------------------------------------

    def data_mb(self) -> int:
        """The data storage that is in use."""
        return self.occupied_mb + sum(len(table) for table in self._org.store.tables()) * RECORD_KB // 1_024

    def file_mb(self) -> int:
        """The file storage that is in use."""
        return (self.file_bytes + self._org.dml.blobs.size) // _MB

    def _storage(self, chunk: Chunk, inserts: Sequence[int]) -> Mapping[int, RowError]:
        """The rows for which there is no room."""
        settings = self._org.settings
        full = inserts and self.data_mb() >= settings.data_storage_mb
        if inserts and not full and self.file_mb() >= settings.file_storage_mb:
            full = any(column.field.type is FieldType.BASE64 for column in chunk.compiled.values)
        return dict.fromkeys(inserts, STORAGE_FULL) if full else {}
