"""When a run holds back: each condition is enough, and none makes it faster."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Throttle:
    """`window`: minutes of the UTC day from and to which slices may begin (over midnight when the first is the larger).

    `file`: while it is there nothing begins. `soql`: while it counts a record in the target. `api_requests`: from that share of the target's
    daily API requests on (0: no such limit).
    """

    window: tuple[int, ...] = ()
    file: str = ""
    soql: str = ""
    api_requests: float = 0.0


NO_THROTTLE = Throttle()


def clock_time(minute: int) -> str:
    """A minute of the day as `22:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def told(throttle: Throttle) -> tuple[str, ...]:
    """What holds the run back, for people."""
    found = []
    if throttle.window:
        first, last = throttle.window
        found.append(f"outside {clock_time(first)}-{clock_time(last)} UTC")
    if throttle.file:
        found.append(f"while the file {throttle.file} is there")
    if throttle.soql:
        found.append(f"while the target has records by: {throttle.soql}")
    if throttle.api_requests:
        found.append(f"from {throttle.api_requests:.0%} of the target's daily API requests on")
    return tuple(found)
