"""How a run stands, for somebody who watches it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step. `total` is None until it is known; `done` counts rows with an outcome (or read), `failed` those without success."""

    id: str
    object_name: str
    kind: str
    phase: str
    total: int | None
    done: int
    failed: int
    lane: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A whole run. `elapsed` in seconds since this process took it up, `requests` to both orgs since then."""

    steps: tuple[StepProgress, ...]
    elapsed: float
    requests: int
