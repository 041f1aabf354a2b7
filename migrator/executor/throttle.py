"""Whether a run is held back: the plan's window, its file, its query and the org's allowance are looked at.

What is under way goes on; slices that have not begun wait, and begin by themselves when nothing holds them back any more.

**Invariant:** what cannot be asked holds back too; nothing here can make a run faster.
"""

from datetime import UTC, datetime
from pathlib import Path

from migrator.model.throttle import Throttle, clock_time
from migrator.salesforce import Org, RequestFailed

#: seconds between two looks
LOOK_EVERY = 30.0
_REQUESTS = "DailyApiRequests"


def held_back(throttle: Throttle, now: float, target: Org, folder: Path) -> str:
    """Why no slice may begin now; empty: it may. A relative file is looked for in `folder`."""
    if throttle.window and not in_window(throttle.window, now):
        first, last = throttle.window
        return f"it is not {clock_time(first)}-{clock_time(last)} UTC"
    if throttle.file and (folder / throttle.file).exists():
        return f"the file {throttle.file} is there"
    try:
        if throttle.soql and target.count(throttle.soql):
            return "the plan's query finds records in the target"
        if throttle.api_requests:
            limit = target.limits().get(_REQUESTS)
            if limit is None or limit.remaining <= (1.0 - throttle.api_requests) * limit.maximum:
                return f"{throttle.api_requests:.0%} of the target's daily API requests are spent"
    except RequestFailed as failed:
        return f"the target does not say whether it may go on: {failed.code}"
    return ""


def in_window(window: tuple[int, ...], now: float) -> bool:
    """Whether the minute of the UTC day is in it: its first one is, its last one is not."""
    first, last = window
    time = datetime.fromtimestamp(now, UTC)
    minute = time.hour * 60 + time.minute
    return first <= minute < last if first <= last else minute >= first or minute < last
