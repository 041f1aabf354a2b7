"""Auto numbers: `C-{YYYY}-{0000}` and the seventh record make `C-2024-0007`.

Numbers are not used again, and follow the highest that seed data brought.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from migrator.simulator.schema.model import Field

# the date parts are those of the day on which the record is made, in GMT
_DATES: Mapping[str, Callable[[datetime], str]] = {
    "YYYY": lambda day: f"{day:%Y}",
    "YY": lambda day: f"{day:%y}",
    "MM": lambda day: f"{day:%m}",
    "DD": lambda day: f"{day:%d}",
}
_SLOT = re.compile(r"\{(0+|YYYY|YY|MM|DD)\}")


def auto_number(display_format: str, number: int, now: float) -> str:
    """The value of the n-th record."""
    day = datetime.fromtimestamp(now, UTC)

    def fill(slot: re.Match[str]) -> str:
        date_part = _DATES.get(slot[1])
        return date_part(day) if date_part else str(number).zfill(len(slot[1]))

    return _SLOT.sub(fill, display_format)


class AutoNumbers:
    """The counters of an org."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, str], int] = {}

    def fill(
        self, sobject: str, field: Field, given: Sequence[str] | None, count: int, now: float
    ) -> Sequence[str]:
        """The values of new records: those given, and fresh ones where there are none."""
        key = (sobject, field.name)
        first = self._next.get(key, field.auto_start)
        if given is not None and any(given):
            first = max(first, 1 + max(_number_in(field.auto_number, cell) for cell in given))
        if given is not None and "" not in given:
            self._next[key] = first
            return given
        self._next[key] = first + count
        made = [auto_number(field.auto_number, number, now) for number in range(first, first + count)]
        return made if given is None else [cell or fresh for cell, fresh in zip(given, made, strict=True)]


def _number_in(display_format: str, cell: str) -> int:
    """The number in a value of this format; 0 where it is of another."""
    parts = _SLOT.split(display_format)  # text and slots in turn
    pattern = "".join(
        re.escape(part) if place % 2 == 0 else r"(\d+)" if part[0] == "0" else r"\d+"
        for place, part in enumerate(parts)
    )
    found = re.fullmatch(pattern, cell)
    return int(found[1]) if found and found.groups() else 0
