"""The 116 faults that the guarantee is held against: what happens, what must come of it, and which tests show that.

A fault with a `script` is met by a small migration (`arena.py`), which is resumed until it ends and judged by what the target then holds. A fault with
`shown` is shown by the tests named there. One with neither is not covered yet, and the end of a test run says so.
"""

from collections.abc import Mapping

from tests.faults.entries import Fault
from tests.faults.inside import CLOCKS, PEOPLE, PROCESS, STATE
from tests.faults.outside import ANSWERS, NETWORK, ROWS

COUNT = 116

FAULTS: Mapping[str, Fault] = {**NETWORK, **ANSWERS, **ROWS, **PROCESS, **STATE, **CLOCKS, **PEOPLE}


def covered() -> list[str]:
    """The faults that some test shows."""
    return [name for name, one in FAULTS.items() if one.script is not None or one.shown]


def uncovered() -> list[str]:
    """The others."""
    return [name for name in FAULTS if name not in set(covered())]


def told() -> list[str]:
    """What the end of a test run says of it."""
    missing = uncovered()
    lines = [f"{len(FAULTS) - len(missing)} of {len(FAULTS)} faults are covered"]
    return lines + [f"not yet covered: {name} {FAULTS[name].what}" for name in missing]
