"""How many slices of a step are under way at once: more while all is well, half as many when the org says that it is too much.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681), for one step: one target org and sObject. A step begins with two slices and
has one more for each that ends well, until something goes wrong for the first time; from then on one more for each window of slices
that all end well. A canary that ends well opens the whole window at once, where the rows are cut so that slices under way lock no record
in common, or lock nothing.

Wrong are: more than one row in 200 met a lock; the org put a batch back into its queue or gave the job up for locks; a row took three times as long
as it did at best. What began before the window was halved says nothing about the new one.

**Invariant:** pure, and kept in the step's row of the ledger by the commit that settles an attempt, so a resumed run goes on with it; never above
the ceiling, never below one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from migrator.model.run import Attempt, AttemptState

START: Final = 2
#: rows that may meet a lock, as a share of a slice's rows
LOCKED_SHARE: Final = 0.005
#: how much longer a row may take than it did at best
SLOWER: Final = 3
#: slices of fewer rows say little about how long a row takes: what a job costs beside its rows counts for too much
MEASURED_ROWS: Final = 200
#: the org gave a job up because of locks (Bulk API guide, "Errors")
GAVE_UP: Final = "TooManyLockFailure"
_PREFIX: Final = "flight."


@dataclass(frozen=True, slots=True)
class Window:
    """`size`: slices under way at once. `clean`: slices that ended well since it changed. `halved`: how often it was.

    `since`: attempts with a lower number began before it was halved. `best`, `last`: microseconds of a row, at best and lately; 0: not known.
    """

    size: int = START
    clean: int = 0
    halved: int = 0
    since: int = 0
    best: int = 0
    last: int = 0

    def seconds(self, rows: int) -> float:
        """How long the org will probably work at so many rows; 0: not known."""
        return self.last * rows / 1_000_000


_FIELDS: Final = ("size", "clean", "halved", "since", "best", "last")


def window_of(counts: Mapping[str, int]) -> Window:
    """The window that a step's row keeps."""
    return Window(**{one: counts[_PREFIX + one] for one in _FIELDS if _PREFIX + one in counts})


def kept(counts: Mapping[str, int], window: Window) -> dict[str, int]:
    """A step row's counts with the window."""
    return {**counts, **{_PREFIX + one: getattr(window, one) for one in _FIELDS}}


def after(
    window: Window, attempt: Attempt, *, ceiling: int, next_attempt: int, opens: bool = False
) -> Window:
    """The window after an attempt was settled. `next_attempt`: the number of the next to begin; `opens`: it is a canary whose success is enough."""
    if attempt.state is not AttemptState.HARVESTED or not attempt.rows:
        return window
    pace = attempt.processing_ms * 1_000 // attempt.rows if attempt.rows >= MEASURED_ROWS else 0
    wrong = _wrong(window, attempt, pace)
    if pace:
        window = replace(window, last=pace, best=min(window.best, pace) if window.best else pace)
    if attempt.id < window.since:
        return window
    if wrong:
        size = max(1, min(window.size, ceiling) // 2)
        return replace(window, size=size, clean=0, halved=window.halved + 1, since=next_attempt)
    if opens and not window.halved:
        return replace(window, size=ceiling, clean=0)
    clean = window.clean + 1
    if clean < (window.size if window.halved else 1) or window.size >= ceiling:
        return replace(window, clean=clean, size=min(window.size, ceiling))
    return replace(window, size=window.size + 1, clean=0)


def _wrong(window: Window, attempt: Attempt, pace: int) -> bool:
    return (
        attempt.locked > LOCKED_SHARE * attempt.rows
        or attempt.retries > 0
        or GAVE_UP in attempt.note
        or (window.best > 0 and pace > SLOWER * window.best)
    )
