"""Amounts in queries: in one currency where records have several, and as text for a user in the United States."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from migrator.simulator.rules.currencies import Rates
from migrator.simulator.schema.model import NUMBERS, Field, FieldType

Rows = TypeVar("Rows")

DOLLAR = "$"  # of an org with one currency, whose locale is en_US


def converting(
    amounts: Callable[[Rows], Sequence[str]],
    currencies: Callable[[Rows], Sequence[str]],
    days: Callable[[Rows], Sequence[str]] | None,
    rates: Rates,
    target: str,
) -> Callable[[Rows], Sequence[str]]:
    """Reads amounts in one currency; `days` decide where there are dated rates."""

    def read(rows: Rows) -> Sequence[str]:
        cells, codes = amounts(rows), currencies(rows)
        moments: Sequence[str] = days(rows) if days else [""] * len(cells)
        return [
            rates.convert(cell, code or target, target, day)
            for cell, code, day in zip(cells, codes, moments, strict=True)
        ]

    return read


def formatting(
    field: Field,
    cells: Callable[[Rows], Sequence[str]],
    currencies: Callable[[Rows], Sequence[str]] | str,
) -> Callable[[Rows], Sequence[str]]:
    """Reads cells as text; amounts after their currency's code (or one text for all)."""

    def read(rows: Rows) -> Sequence[str]:
        held = cells(rows)
        if isinstance(currencies, str):
            return [_shown(field, cell, currencies) for cell in held]
        return [_shown(field, cell, f"{code} ") for cell, code in zip(held, currencies(rows), strict=True)]

    return read


def _shown(field: Field, cell: str, unit: str) -> str:
    if not cell:
        return ""
    match field.type:
        case FieldType.CURRENCY:
            sign = "-" if float(cell) < 0 else ""
            return f"{sign}{unit}{abs(float(cell)):,.{field.scale}f}"
        case FieldType.PERCENT:
            return f"{float(cell):,.{field.scale}f}%"
        case kind if kind in NUMBERS:
            return f"{float(cell):,.{field.scale}f}"
        case FieldType.INT:
            return f"{int(cell):,}"
        case FieldType.DATE | FieldType.DATETIME:
            return _moment(datetime.fromisoformat(cell), timed=field.type is FieldType.DATETIME)
        case _:
            return cell


def _moment(when: datetime, *, timed: bool) -> str:
    day = f"{when.month}/{when.day}/{when.year}"
    half = "AM" if when.hour < 12 else "PM"
    return f"{day}, {when.hour % 12 or 12}:{when.minute:02d} {half}" if timed else day
