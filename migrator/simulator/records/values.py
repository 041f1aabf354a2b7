"""Text in, canonical text out: what each field type accepts and how it is kept, for a whole column at a time.

A checker takes the cells of a column (`""` is null and always passes) and returns the canonical cells and what is wrong,
by row. The common case, nothing wrong, is decided by built-in functions over the whole column.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import repeat

from migrator.simulator.records.results import RowError
from migrator.simulator.schema.model import NUMBERS, Field, FieldType

Faults = dict[int, RowError]
Checker = Callable[[Sequence[str]], tuple[Sequence[str], Faults]]

_BOOLEANS = {"": "", "true": "true", "false": "false", "1": "true", "0": "false"}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?"
_EMAIL = re.compile(
    rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.\-]+@(?:{_LABEL}\.)+[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9]"
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:Z|[+-]\d{2}:?\d{2})?")
_DATETIME = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?")
_TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?Z?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_INT_RANGE = 2**31
#: what is taken away at both ends of a text; blanks of other scripts and the no-break space are characters like any other
BLANKS = "".join(map(chr, range(33)))
_XSD = {
    FieldType.BOOLEAN: "xsd:boolean",
    FieldType.INT: "xsd:int",
    FieldType.DATE: "xsd:date",
    FieldType.DATETIME: "xsd:dateTime",
    FieldType.TIME: "xsd:time",
}


def xsd_type(field: Field) -> str:
    """The schema type named in deserialisation errors."""
    return _XSD.get(field.type, "xsd:double" if field.type in NUMBERS else "xsd:string")


@lru_cache(maxsize=65_536)
def java_double(text: str) -> str:
    """A number as Java prints a double: `15000.0`, `9.12260031E8`, `1.0E-5`; `""` when it is not a number."""
    if text.isdecimal() and text.isascii() and len(text) < 8:
        return f"{int(text)}.0"
    if not text:
        return ""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    return format_double(float(text))


def format_double(number: float) -> str:
    """`Double.toString` of Java."""
    if number in {float("inf"), float("-inf")}:
        raise ValueError("not a number of the platform")
    size = abs(number)
    if size == 0 or 1e-3 <= size < 1e7:
        return repr(number)
    mantissa, _, exponent = repr(number).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    if exponent:
        return f"{sign}{whole}.{fraction or '0'}E{int(exponent)}"
    digits = whole + fraction
    shift = len(whole) - 1
    if whole == "0":  # 0.000123
        stripped = fraction.lstrip("0")
        shift = -(len(fraction) - len(stripped)) - 1
        digits = stripped
    return f"{sign}{digits[0]}.{digits[1:].rstrip('0') or '0'}E{shift}"


@lru_cache(maxsize=65_536)
def canonical_date(text: str) -> str:
    """`yyyy-MM-dd`; raises ValueError otherwise. A zone after the date is accepted and ignored."""
    if not text:
        return ""
    found = _DATE.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day = map(int, found.groups())
    date(year, month, day)
    return text[:10]


@lru_cache(maxsize=65_536)
def canonical_datetime(text: str) -> str:
    """UTC with milliseconds and `Z`; raises ValueError for what is not a date and time."""
    if not text:
        return ""
    if len(text) == 24 and text[-1] == "Z" and text[10] == "T" and text[19] == ".":
        datetime.fromisoformat(text[:19])
        if text[20:23].isdigit():
            return text
    found = _DATETIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    day, clock, fraction, zone = found.groups()
    if zone and zone != "Z" and ":" not in zone:
        zone = zone[:3] + ":" + zone[3:]
    moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in {None, 'Z'} else zone}").astimezone(
        UTC
    )
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{((fraction or '') + '000')[:3]}Z"


def canonical_time(text: str) -> str:
    """`HH:mm:ss.SSSZ`."""
    if not text:
        return ""
    found = _TIME.fullmatch(text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        raise ValueError(text)
    return f"{found[1]}:{found[2]}:{found[3] or '00'}.{((found[4] or '') + '000')[:3]}Z"


def canonical_int(text: str) -> str:
    """A 32-bit number without sign or zeros in front; `12.0` is one too."""
    if not text:
        return ""
    try:
        number = int(text)
    except ValueError:
        real = float(text)
        number = int(real)
        if number != real:
            raise
    if not -_INT_RANGE <= number < _INT_RANGE or "_" in text:
        raise ValueError(text)
    return str(number)


def canonical_boolean(text: str) -> str:
    """`true` or `false`."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(text) from None


def moment(seconds: float) -> str:
    """A time of the clock in canonical form."""
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def seconds(canonical: str) -> float:
    """The time of a canonical date and time."""
    return datetime.fromisoformat(canonical).timestamp()


_CANONICAL: dict[FieldType, Callable[[str], str]] = {
    FieldType.BOOLEAN: canonical_boolean,
    FieldType.INT: canonical_int,
    FieldType.DOUBLE: java_double,
    FieldType.CURRENCY: java_double,
    FieldType.PERCENT: java_double,
    FieldType.DATE: canonical_date,
    FieldType.DATETIME: canonical_datetime,
    FieldType.TIME: canonical_time,
}


def make_checker(field: Field, deserialisation_fault: Callable[[str], RowError]) -> Checker:
    """The checker of a field; `deserialisation_fault` words the error of text that is not of the type at all."""
    canonical = _CANONICAL.get(field.type)
    if canonical is not None:
        return _typed(field, canonical, deserialisation_fault)
    match field.type:
        case FieldType.PICKLIST if field.restricted:
            return _trimmed(_picklist(field))
        case FieldType.MULTIPICKLIST:
            return _multipicklist(field)
        case FieldType.EMAIL:
            return _trimmed(_email(field))
        case FieldType.TEXTAREA | FieldType.ENCRYPTED:
            return _text(field)
        case _:
            return _trimmed(_text(field))


def _trimmed(check: Checker) -> Checker:
    """Short text is kept without blanks around it."""
    return lambda cells: check(list(map(str.strip, cells, repeat(BLANKS))))


def _typed(field: Field, canonical: Callable[[str], str], fault: Callable[[str], RowError]) -> Checker:
    digits = field.precision - field.scale
    limit = 10.0**digits if field.type in NUMBERS and 0 < digits < 300 else 0.0

    def check(cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        try:
            made = list(map(canonical, cells))
        except ValueError:
            return one_by_one(cells)
        if limit and max(map(abs, map(float, filter(None, made))), default=0.0) >= limit:
            return made, {
                place: too_big(cells[place])
                for place, cell in enumerate(made)
                if cell and abs(float(cell)) >= limit
            }
        return made, {}

    def too_big(cell: str) -> RowError:
        text = f"{field.label}: value outside of valid range on numeric field: {cell}"
        return RowError("NUMBER_OUTSIDE_VALID_RANGE", text, (field.name,))

    def one_by_one(cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        made: list[str] = []
        faults: Faults = {}
        for place, cell in enumerate(cells):
            try:
                value = canonical(cell)
            except ValueError:
                faults[place] = fault(cell)
                value = ""
            if limit and value and abs(float(value)) >= limit:
                faults[place] = too_big(cell)
            made.append(value)
        return made, faults

    return check


def _too_long(field: Field, cell: str) -> RowError:
    text = f"{field.label}: data value too large: {cell} (max length={field.length})"
    return RowError("STRING_TOO_LONG", text, (field.name,))


def _text(field: Field) -> Checker:
    length = field.length or 131_072

    def check(cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        if max(map(len, cells), default=0) <= length:
            return cells, {}
        return cells, {
            place: _too_long(field, cell) for place, cell in enumerate(cells) if len(cell) > length
        }

    return check


def _email(field: Field) -> Checker:
    """Addresses are kept in lower case."""
    matches = _EMAIL.fullmatch
    length = _text(field)

    def check(cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        made = list(map(str.lower, cells))
        if all(map(matches, filter(None, made))):
            return length(made)
        faults = {
            place: RowError(
                "INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {cell}", (field.name,)
            )
            for place, cell in enumerate(cells)
            if cell and not matches(cell)
        }
        return made, {**length(cells)[1], **faults}

    return check


def bad_value(field: Field, cell: str) -> RowError:
    """The error of a value that a restricted picklist does not have."""
    text = f"{field.label}: bad value for restricted picklist field: {cell}"
    return RowError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, (field.name,))


def _picklist(field: Field) -> Checker:
    allowed = frozenset({"", *field.values})
    folded = {
        value.lower(): value for value in allowed
    }  # values match without regard to case and are kept as defined

    def check(cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        if allowed.issuperset(cells):
            return cells, {}
        made = [folded.get(cell.lower(), cell) for cell in cells]
        return made, {place: bad_value(field, cell) for place, cell in enumerate(made) if cell not in allowed}

    return check


def _multipicklist(field: Field) -> Checker:
    allowed = frozenset(field.values)
    folded = {value.lower(): value for value in field.values}

    def canonical(cell: str) -> str:
        listed = (folded.get(value.lower(), value) for value in map(str.strip, cell.split(";")) if value)
        return ";".join(sorted(dict.fromkeys(listed), key=order))

    def check(cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        if not any(cells):
            return cells, {}
        distinct = {cell: canonical(cell) for cell in set(cells)}
        made = [distinct[cell] for cell in cells]
        faults = {}
        if field.restricted:
            for place, cell in enumerate(made):
                bad = [value for value in cell.split(";") if value and value not in allowed]
                if bad:
                    faults[place] = bad_value(field, bad[0])
        return made, faults

    def order(value: str) -> int:
        return field.values.index(value) if value in allowed else len(field.values)

    return check
