"""The target's daily allowance of Bulk API batches, asked for before a job is closed.

Results of batches beyond the allowance are not recorded (Bulk API guide, "Bulk API Limits"): their rows' fate could not be told. A
tenth of the allowance is left to people.
"""

import threading

from migrator.clock import Clock
from migrator.salesforce import Org, RequestFailed

LIMIT = "DailyBulkApiBatches"
RESERVE = 0.1
#: rows of one internal batch (Bulk API guide, "How Requests Are Processed")
BATCH_ROWS = 10_000
#: seconds for which the org's word is good, less what was closed since
FRESH = 60.0


class Allowance:
    """What is left, as far as is known; safe to use from several threads."""

    def __init__(self, target: Org, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = float("-inf")
        #: None: the org does not tell
        self._left: int | None = None

    def take(self, rows: int) -> bool:
        """Whether a job of so many rows may be closed now; it is counted when it may."""
        batches = -(-max(rows, 1) // BATCH_ROWS)
        with self._lock:
            if self._clock.monotonic() - self._asked > FRESH:
                self._ask()
            if self._left is None:
                return True
            if self._left < batches:
                return False
            self._left -= batches
            return True

    def _ask(self) -> None:
        try:
            found = self._target.limits().get(LIMIT)
        except RequestFailed as failed:
            if failed.status not in {401, 403, 404}:
                raise
            found = None  # the user may not see limits: the org's own refusals are all there is
        self._left = None if found is None else found.remaining - int(found.maximum * RESERVE)
        self._asked = self._clock.monotonic()
