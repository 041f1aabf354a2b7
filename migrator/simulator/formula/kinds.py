"""The kinds of values that formulas compute with, and how cells become values and values cells."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol


class Kind(StrEnum):
    """What a part of a formula is."""

    TEXT = "Text"
    NUMBER = "Number"
    BOOLEAN = "Boolean"
    DATE = "Date"
    DATETIME = "DateTime"
    TIME = "Time"
    PICKLIST = "Picklist"
    MULTIPICKLIST = "Multi-Select Picklist"
    PERCENT = "Percent"  # only of fields: 10 % is the number 0.1
    NULL = "Null"  # only the word NULL


class _Error:
    """A value that cannot be computed, as `#Error!` is shown for; whatever is made of it is one too."""

    def __repr__(self) -> str:
        return "#Error!"

    def __bool__(self) -> bool:
        return False


ERROR = _Error()
Column = Sequence[Any]  # values of a kind, None for null, ERROR


class Frame(Protocol):
    """The records that a formula is evaluated for."""

    @property
    def count(self) -> int:
        """How many."""
        ...

    @property
    def now(self) -> float:
        """The time, in seconds."""
        ...

    def cells(self, path: tuple[str, ...]) -> Sequence[str]:
        """The cells of a field, of a parent's field, or of a global variable."""
        ...

    def prior(self, path: tuple[str, ...]) -> Sequence[str]:
        """The same before the change."""
        ...

    def fresh(self) -> Sequence[bool]:
        """Which records are being made."""
        ...


@lru_cache(maxsize=65_536)
def _number(cell: str) -> Decimal | None:
    return Decimal(cell) if cell else None


@lru_cache(maxsize=16_384)
def _percent(cell: str) -> Decimal | None:
    return Decimal(cell) / 100 if cell else None


@lru_cache(maxsize=16_384)
def _date(cell: str) -> date | None:
    return date.fromisoformat(cell) if cell else None


@lru_cache(maxsize=16_384)
def _datetime(cell: str) -> datetime | None:
    return datetime.fromisoformat(cell).astimezone(UTC) if cell else None


def _time(cell: str) -> time | None:
    return time.fromisoformat(cell.removesuffix("Z")) if cell else None


DECODERS: Mapping[Kind, Callable[[str], Any]] = {
    Kind.TEXT: str,
    Kind.PICKLIST: str,
    Kind.MULTIPICKLIST: str,
    Kind.NUMBER: _number,
    Kind.PERCENT: _percent,
    Kind.BOOLEAN: lambda cell: cell == "true",
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.TIME: _time,
}


def encode(
    kind: Kind, values: Column, *, scale: int = 18, double: Callable[[float], str] = repr
) -> list[str]:
    """Values as cells: null and what cannot be computed are empty; numbers are rounded and printed by `double`."""
    if kind is Kind.NUMBER:
        unit = Decimal(1).scaleb(-scale)
        return [
            double(float(value.quantize(unit, ROUND_HALF_UP) if scale < 18 else value))
            if isinstance(value, Decimal)
            else ""
            for value in values
        ]
    return ["" if value is None or value is ERROR else _ENCODERS[kind](value) for value in values]


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


_ENCODERS: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: str,
    Kind.PICKLIST: str,
    Kind.MULTIPICKLIST: str,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.DATE: date.isoformat,
    Kind.DATETIME: _moment,
    Kind.TIME: lambda value: f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}Z",
    Kind.NULL: str,
}
