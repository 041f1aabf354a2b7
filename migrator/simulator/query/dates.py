"""Dates in SOQL: literals such as LAST_N_DAYS as ranges of days, and functions such as CALENDAR_YEAR.

The user's time zone is UTC and the fiscal year is the calendar year; weeks begin on Sunday, as in a US locale.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from migrator.soql import tree

# The first day and the day behind the last, counted from today.
_DAYS: dict[str, Callable[[int], tuple[int, int]]] = {
    "YESTERDAY": lambda _: (-1, 0),
    "TODAY": lambda _: (0, 1),
    "TOMORROW": lambda _: (1, 2),
    "LAST_N_DAYS": lambda n: (-n, 1),
    "NEXT_N_DAYS": lambda n: (1, n + 1),
    "N_DAYS_AGO": lambda n: (-n, 1 - n),
}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "FISCAL_QUARTER": 3, "YEAR": 12, "FISCAL_YEAR": 12}


def day_range(literal: tree.DateRange, now: float) -> tuple[date, date]:
    """The first day of the literal and the day after its last."""
    today = datetime.fromtimestamp(now, UTC).date()
    name, n = literal.name, literal.n or 0
    if name.endswith("_90_DAYS"):
        name, n = name.replace("_90_", "_N_"), 90
    days = _DAYS.get(name)
    if days is None:
        return _periods(name, n, today)
    first, after = days(n)
    return today + timedelta(days=first), today + timedelta(days=after)


def _periods(name: str, n: int, today: date) -> tuple[date, date]:
    which, _, unit = name.partition("_")
    if which == "N":
        unit = unit.removesuffix("_AGO")
        first, last = -n, -n
    elif unit.startswith("N_"):
        unit = unit.removeprefix("N_")
        first, last = (-n, -1) if which == "LAST" else (1, n)
    else:
        first = last = {"LAST": -1, "THIS": 0, "NEXT": 1}[which]
    unit = unit.removesuffix("S")
    return _start(unit, first, today), _start(unit, last + 1, today)


def _start(unit: str, steps: int, today: date) -> date:
    if unit == "WEEK":
        return today - timedelta(days=today.isoweekday() % 7) + timedelta(weeks=steps)
    size = _MONTHS[unit]
    months = today.year * 12 + (today.month - 1) // size * size + steps * size
    return date(months // 12, months % 12 + 1, 1)


def _of_day(compute: Callable[[date], int]) -> Callable[[str], str]:
    return lambda cell: str(compute(date.fromisoformat(cell[:10]))) if cell else ""


FUNCTIONS: dict[str, Callable[[str], str]] = {
    "CALENDAR_YEAR": _of_day(lambda day: day.year),
    "CALENDAR_QUARTER": _of_day(lambda day: (day.month + 2) // 3),
    "CALENDAR_MONTH": _of_day(lambda day: day.month),
    "FISCAL_YEAR": _of_day(lambda day: day.year),
    "FISCAL_QUARTER": _of_day(lambda day: (day.month + 2) // 3),
    "FISCAL_MONTH": _of_day(lambda day: day.month),
    "DAY_IN_MONTH": _of_day(lambda day: day.day),
    "DAY_IN_WEEK": _of_day(lambda day: day.isoweekday() % 7 + 1),
    "DAY_IN_YEAR": _of_day(lambda day: day.timetuple().tm_yday),
    "WEEK_IN_MONTH": _of_day(lambda day: (day.day - 1) // 7 + 1),
    "WEEK_IN_YEAR": _of_day(lambda day: (day.timetuple().tm_yday - 1) // 7 + 1),
    "HOUR_IN_DAY": lambda cell: str(int(cell[11:13])) if cell else "",
    "DAY_ONLY": lambda cell: cell[:10],
}
