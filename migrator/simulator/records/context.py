"""Who runs a transaction, when, and under which name the truth log notes it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf and when a transaction runs, and what it is noted under in the truth log."""

    actor: str  # the user's id
    now: float
    origin: str = ""  # a job's id, or `METHOD path`
    allow_save: bool = False  # duplicate rules that alert are overruled
    assignment: str = ""  # assignment rule for new cases and leads: its id, or `TRUE` for the active one
