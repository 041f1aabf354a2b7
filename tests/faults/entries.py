"""What the fault catalogue says of a fault, and how a small migration meets it."""

from dataclasses import dataclass
from enum import StrEnum

#: of jobs that are given up: as many as it takes
ANY = -1


class End(StrEnum):
    """How a migration that met a fault ends."""

    WHOLE = "every row is created once"
    DOUBT = "rows whose fate cannot be told are quarantined, none is doubled, none is lost"
    REFUSED = "every row has an outcome, some are refused, none is doubled"
    STOPPED = "it stops each time with the same word, and nothing is doubled"


@dataclass(frozen=True, slots=True)
class Script:
    """How the small migration meets the fault.

    `presets`: faults of the simulator's catalogue, one migration each (the one of this name when empty). `codes`: exit codes of its drives;
    `reason`: of the first that stopped; `between`: seconds that pass between drives; `drives`: how many at most. `given_up`: ingest jobs that are
    given up for another one; `orphans`: open jobs that nobody knows in the end. `rest`: the accounts travel over REST. `event`: what the log must have.
    """

    end: End
    codes: tuple[int, ...] = (0,)
    reason: str = ""
    at_source: bool = False
    between: float = 0.0
    drives: int = 4
    presets: tuple[str, ...] = ()
    given_up: int = 0
    orphans: int = 0
    rest: bool = False
    event: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry. With a script it may be shown by more tests, for what a single migration does not show."""

    what: str
    expected: str
    script: Script | None = None
    shown: tuple[str, ...] = ()


def whole(
    what: str, expected: str = "goes on by itself", *, shown: tuple[str, ...] = (), **given: object
) -> Fault:
    return Fault(what, expected, Script(End.WHOLE, **given), shown)  # type: ignore[arg-type]


def shown(what: str, expected: str, *tests: str) -> Fault:
    return Fault(what, expected, None, tests)
