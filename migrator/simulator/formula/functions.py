"""The functions of formulas."""

import calendar
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, ROUND_UP, Decimal
from functools import lru_cache
from typing import Any

from migrator.simulator.formula.faults import FormulaFault
from migrator.simulator.formula.kinds import ERROR, Column, Frame, Kind
from migrator.simulator.formula.parts import (
    ANY,
    BOOLEAN,
    DATE,
    DATETIME,
    MULTIPICKLIST,
    NUMBER,
    TEXT,
    Make,
    Part,
    common_kind,
    expect,
    function,
)

_CHOICES = frozenset({Kind.PICKLIST, Kind.MULTIPICKLIST})

# --- logic -------------------------------------------------------------------------------------------------------


def _every(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, rest=BOOLEAN, least=1)
    return Part(Kind.BOOLEAN, lambda frame: _short(frame, arguments, stop=False))


def _some(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, rest=BOOLEAN, least=1)
    return Part(Kind.BOOLEAN, lambda frame: _short(frame, arguments, stop=True))


def _short(frame: Frame, arguments: Sequence[Part], *, stop: bool) -> Column:
    """From left to right up to the first value that decides; an error counts only where it is reached."""
    made: list[Any] = list(arguments[0].evaluate(frame))
    for part in arguments[1:]:
        if all(value is ERROR or bool(value) is stop for value in made):
            break
        made = [
            held if held is ERROR or bool(held) is stop else new
            for held, new in zip(made, part.evaluate(frame), strict=True)
        ]
    return [value if value is ERROR else bool(value) for value in made]


def _not(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, BOOLEAN)
    return Part(
        Kind.BOOLEAN,
        lambda frame: [value if value is ERROR else not value for value in arguments[0].evaluate(frame)],
    )


def _if(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, BOOLEAN, ANY, ANY)
    test, then, otherwise = arguments

    def choose(frame: Frame) -> Column:
        tests = test.evaluate(frame)
        if all(value is True for value in tests):
            return then.evaluate(frame)
        return [
            ERROR if value is ERROR else one if value else other
            for value, one, other in zip(tests, then.evaluate(frame), otherwise.evaluate(frame), strict=True)
        ]

    return Part(common_kind(name, (then, otherwise)), choose)


def _case(name: str, arguments: Sequence[Part]) -> Part:
    if len(arguments) < 4 or len(arguments) % 2:
        raise FormulaFault(
            f"Incorrect number of parameters for function '{name}()'. Expected 4, received {len(arguments)}"
        )
    subject, *pairs, otherwise = arguments
    keys, results = pairs[::2], pairs[1::2]
    common_kind(name, (subject, *keys))

    def choose(frame: Frame) -> Column:
        made = list(otherwise.evaluate(frame))
        values = subject.evaluate(frame)
        for key, result in reversed(list(zip(keys, results, strict=True))):
            made = [
                found if value == wanted else held
                for value, wanted, found, held in zip(
                    values, key.evaluate(frame), result.evaluate(frame), made, strict=True
                )
            ]
        return [ERROR if value is ERROR else each for value, each in zip(values, made, strict=True)]

    return Part(common_kind(name, (*results, otherwise)), choose)


# --- what is there -----------------------------------------------------------------------------------------------


def _is_blank(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, ANY)
    return Part(Kind.BOOLEAN, _blanks(arguments[0], texts=True))


def _is_null(name: str, arguments: Sequence[Part]) -> Part:
    """Text is never null for ISNULL."""
    expect(name, arguments, ANY)
    return Part(Kind.BOOLEAN, _blanks(arguments[0], texts=arguments[0].kind not in TEXT))


def _blanks(part: Part, *, texts: bool) -> Callable[[Frame], Column]:
    """A field is blank by its cell, even where blanks count as zero."""
    raw = part.raw
    if raw is not None:
        return lambda frame: [texts and not cell for cell in raw(frame)]
    return lambda frame: [
        value if value is ERROR else value is None or (texts and value == "")
        for value in part.evaluate(frame)
    ]


def _instead(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, ANY, ANY)
    subject, other = arguments
    texts = name == "BLANKVALUE" or subject.kind not in TEXT
    blank = _blanks(subject, texts=texts)

    def choose(frame: Frame) -> Column:
        return [
            instead if missing else value
            for value, missing, instead in zip(
                subject.evaluate(frame), blank(frame), other.evaluate(frame), strict=True
            )
        ]

    return Part(common_kind("BLANKVALUE", arguments), choose)


def _is_pickval(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, frozenset({Kind.PICKLIST}), TEXT)
    field, value = arguments
    if not value.is_literal:
        raise FormulaFault(f"Incorrect parameter type for function '{name}()'. Expected a literal text")
    return Part(Kind.BOOLEAN, lambda frame: [each == (value.literal or "") for each in field.evaluate(frame)])


def _is_new(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments)
    return Part(Kind.BOOLEAN, lambda frame: list(frame.fresh()))


def _is_changed(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, ANY)
    (part,) = arguments
    prior = part.prior
    if prior is None:
        raise FormulaFault(
            f"Incorrect parameter type for function '{name}()'. Expected a field of the record"
        )
    return Part(
        Kind.BOOLEAN,
        lambda frame: [
            not fresh and was != value
            for fresh, was, value in zip(frame.fresh(), prior(frame), part.evaluate(frame), strict=True)
        ],
    )


def _prior_value(name: str, arguments: Sequence[Part]) -> Part:
    """Of a record that is being made it is the value that it will have."""
    expect(name, arguments, ANY)
    (part,) = arguments
    prior = part.prior
    if prior is None:
        raise FormulaFault(
            f"Incorrect parameter type for function '{name}()'. Expected a field of the record"
        )
    return Part(
        part.kind,
        lambda frame: [
            value if fresh else was
            for fresh, was, value in zip(frame.fresh(), prior(frame), part.evaluate(frame), strict=True)
        ],
    )


# --- text --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _regex(text: str, pattern: str) -> bool:
    try:
        return _pattern(pattern).fullmatch(text) is not None
    except re.error:
        raise ValueError(pattern) from None


def plain_number(value: Decimal) -> str:
    """A number as TEXT shows it: no exponent, no zeros at the end."""
    shown = f"{value:f}"
    return (shown.rstrip("0").rstrip(".") or "0") if "." in shown else shown


def _text(name: str, arguments: Sequence[Part]) -> Part:
    wanted = NUMBER | DATE | DATETIME | _CHOICES | frozenset({Kind.TIME})
    make: dict[Kind, Callable[[Any], str]] = {
        Kind.NUMBER: plain_number,
        Kind.DATE: date.isoformat,
        Kind.DATETIME: lambda value: f"{value:%Y-%m-%d %H:%M:%S}Z",
        Kind.TIME: lambda value: f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}",
    }
    expect(name, arguments, wanted)
    return function(make.get(arguments[0].kind, str), Kind.TEXT, wanted, blank="")(name, arguments)


def _includes(cell: str, value: str) -> bool:
    return value in cell.split(";")


def _text_of(text: str, start: Decimal, length: Decimal) -> str:
    first = max(int(start), 1) - 1
    return text[first : first + max(int(length), 0)]


def _find(wanted: str, text: str, start: Decimal = Decimal(1)) -> Decimal:
    return Decimal(text.find(wanted, max(int(start), 1) - 1) + 1) if wanted else Decimal(0)


def _line_break(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments)
    return Part(Kind.TEXT, lambda frame: ["\n"] * frame.count)


def _value(text: str) -> Decimal | None:
    return Decimal(text.strip()) if text.strip() else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text) is not None


# --- numbers and dates -------------------------------------------------------------------------------------------


def _rounded(value: Decimal, places: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)


def _floor(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR if value >= 0 else ROUND_DOWN)


def _ceiling(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_CEILING if value >= 0 else ROUND_UP)


def _extreme(pick: Callable[..., Any]) -> Make:
    def make(name: str, arguments: Sequence[Part]) -> Part:
        expect(name, arguments, rest=NUMBER, least=1)

        def choose(frame: Frame) -> Column:
            rows = zip(*(part.evaluate(frame) for part in arguments), strict=True)
            return [
                ERROR
                if any(each is ERROR for each in row)
                else pick(values)
                if (values := [each for each in row if each is not None])
                else None
                for row in rows
            ]

        return Part(Kind.NUMBER, choose)

    return make


def _date_value(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments, TEXT | DATETIME | DATE)

    def compute(value: Any) -> date | None:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        return date.fromisoformat(value) if value else None

    return function(compute, Kind.DATE, TEXT | DATETIME | DATE)(name, arguments)


def _datetime_value(name: str, arguments: Sequence[Part]) -> Part:
    def compute(value: Any) -> datetime | None:
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if not value:
            return None
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)

    return function(compute, Kind.DATETIME, TEXT | DATETIME | DATE)(name, arguments)


def _add_months(day: date, months: Decimal) -> date:
    """The last day of a month stays the last day."""
    count = day.year * 12 + day.month - 1 + int(months)
    year, month = divmod(count, 12)
    last = calendar.monthrange(year, month + 1)[1]
    whole = day.day == calendar.monthrange(day.year, day.month)[1]
    return day.replace(year=year, month=month + 1, day=last if whole else min(day.day, last))


def _today(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments)
    return Part(Kind.DATE, lambda frame: [datetime.fromtimestamp(frame.now, UTC).date()] * frame.count)


def _now(name: str, arguments: Sequence[Part]) -> Part:
    expect(name, arguments)
    return Part(Kind.DATETIME, lambda frame: [datetime.fromtimestamp(frame.now, UTC)] * frame.count)


def _number_of(compute: Callable[[Any], int]) -> Callable[[Any], Decimal]:
    return lambda value: Decimal(compute(value))


FUNCTIONS: Mapping[str, Make] = {
    "AND": _every,
    "OR": _some,
    "NOT": _not,
    "IF": _if,
    "CASE": _case,
    "ISBLANK": _is_blank,
    "ISNULL": _is_null,
    "BLANKVALUE": _instead,
    "NULLVALUE": _instead,
    "ISPICKVAL": _is_pickval,
    "INCLUDES": function(_includes, Kind.BOOLEAN, MULTIPICKLIST, TEXT, blank=False),
    "ISNEW": _is_new,
    "ISCHANGED": _is_changed,
    "PRIORVALUE": _prior_value,
    "TEXT": _text,
    "VALUE": function(_value, Kind.NUMBER, TEXT),
    "ISNUMBER": function(_is_number, Kind.BOOLEAN, TEXT, blank=False),
    "LEN": function(_number_of(len), Kind.NUMBER, TEXT),
    "CONTAINS": function(lambda text, part: part in text, Kind.BOOLEAN, TEXT, TEXT, blank=False),
    "BEGINS": function(str.startswith, Kind.BOOLEAN, TEXT, TEXT, blank=False),
    "REGEX": function(_regex, Kind.BOOLEAN, TEXT, TEXT, blank=False),
    "LEFT": function(lambda text, count: text[: max(int(count), 0)], Kind.TEXT, TEXT, NUMBER, blank=""),
    "RIGHT": function(
        lambda text, count: text[-int(count) :] if count >= 1 else "", Kind.TEXT, TEXT, NUMBER, blank=""
    ),
    "MID": function(_text_of, Kind.TEXT, TEXT, NUMBER, NUMBER, blank=""),
    "TRIM": function(str.strip, Kind.TEXT, TEXT, blank=""),
    "UPPER": function(str.upper, Kind.TEXT, TEXT, blank=""),
    "LOWER": function(str.lower, Kind.TEXT, TEXT, blank=""),
    "SUBSTITUTE": function(str.replace, Kind.TEXT, TEXT, TEXT, TEXT, blank=""),
    "FIND": function(_find, Kind.NUMBER, TEXT, TEXT, NUMBER, least=2),
    "BR": _line_break,
    "ABS": function(abs, Kind.NUMBER, NUMBER),
    "ROUND": function(_rounded, Kind.NUMBER, NUMBER, NUMBER),
    "FLOOR": function(_floor, Kind.NUMBER, NUMBER),
    "CEILING": function(_ceiling, Kind.NUMBER, NUMBER),
    "MIN": _extreme(min),
    "MAX": _extreme(max),
    "MOD": function(
        lambda value, by: value - by * (value / by).to_integral_value(ROUND_FLOOR),
        Kind.NUMBER,
        NUMBER,
        NUMBER,
    ),
    "DATE": function(
        lambda year, month, day: date(int(year), int(month), int(day)), Kind.DATE, NUMBER, NUMBER, NUMBER
    ),
    "DATEVALUE": _date_value,
    "DATETIMEVALUE": _datetime_value,
    "YEAR": function(lambda day: Decimal(day.year), Kind.NUMBER, DATE),
    "MONTH": function(lambda day: Decimal(day.month), Kind.NUMBER, DATE),
    "DAY": function(lambda day: Decimal(day.day), Kind.NUMBER, DATE),
    "WEEKDAY": function(lambda day: Decimal(day.isoweekday() % 7 + 1), Kind.NUMBER, DATE),
    "ADDMONTHS": function(_add_months, Kind.DATE, DATE, NUMBER),
    "TODAY": _today,
    "NOW": _now,
}
