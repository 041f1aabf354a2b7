"""How many failures a step or a run may have before it stops.

**Invariant:** frozen, and without an opinion of its own: every default of the plan language is in the plan file's parser and schema.
What is not given here allows everything.
"""

from dataclasses import dataclass
from enum import StrEnum


class OnExceeded(StrEnum):
    """What an exceeded budget stops: the whole run, the object with all that wait for it, or nothing."""

    STOP_RUN = "stop_run"
    STOP_OBJECT = "stop_object"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many rows, or that share (0 to 1) of them; neither: any number."""

    rows: int | None = None
    share: float | None = None

    def exceeded(self, count: int, of: int) -> bool:
        """Whether `count` rows of `of` are more than is allowed."""
        if self.rows is not None:
            return count > self.rows
        return self.share is not None and count > self.share * of

    def __str__(self) -> str:
        """As the plan writes it."""
        if self.share is not None:
            return f"{self.share * 100:g}%"
        return "any number" if self.rows is None else str(self.rows)


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How many rows may fail and be quarantined. A row that is blocked is not counted: it was not sent. A share of failures is judged from `min_sample` outcomes on."""

    max_failed: Allowance = Allowance()
    max_quarantined: Allowance = Allowance()
    min_sample: int = 0
    on_exceeded: OnExceeded = OnExceeded.CONTINUE

    @property
    def limited(self) -> bool:
        """Whether there is anything that it does not allow."""
        return self != ErrorBudget(min_sample=self.min_sample, on_exceeded=self.on_exceeded)


@dataclass(frozen=True, slots=True)
class Canary:
    """A small first slice of a step: `rows` of it (0: none). Shares (0 to 1) of it that may fail in all, and with one and the same code."""

    rows: int = 0
    max_failed: float = 0.2
    max_same_code: float = 0.5


#: allows everything
NO_BUDGET = ErrorBudget()
NO_CANARY = Canary()
