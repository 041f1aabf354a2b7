"""The filters and functions of expressions: explicit registries, each entry with what it does, in SQL.

**Invariant:** an entry only composes SQL of pieces that are SQL already; nothing is computed here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from migrator.transforms.sql import FACTOR_TYPE, NUMBER_TYPE, Kind, Piece, as_text, literal

#: what strptime and strftime of DuckDB read without a time zone or the names of a language
_FORMAT = re.compile(r"(?:[^%]|%%|%-?[dmyHMS]|%[YfgLjbBpI])*\Z")


class Misuse(Exception):  # noqa: N818 - it is a misuse
    """A filter or function does not take what it was given."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Notes(Protocol):
    """Where a function leaves what can go wrong with a row."""

    def check(self, condition: str, fault: str) -> None:
        """`condition` is SQL that is true for a row with that fault."""
        ...

    def column(self, name: str) -> Piece:
        """A source field; remembers that it is read."""
        ...


Build = Callable[[Notes, Sequence[Piece]], Piece]


@dataclass(frozen=True, slots=True)
class Entry:
    """A filter (its first argument is what stands before the `|`) or a function."""

    usage: str
    does: str
    least: int
    most: int
    build: Build


def number(notes: Notes, piece: Piece) -> Piece:
    """The piece as a number; a text that is none is a fault of its row."""
    if piece.kind is Kind.NUMBER:
        return piece
    if piece.kind is Kind.BOOLEAN:
        raise Misuse("a condition is not a number")
    if piece.constant is not None and not re.fullmatch(r"[+-]?\d{1,20}(\.\d*)?", piece.constant):
        raise Misuse("a text is not a number")
    sql = f"TRY_CAST({piece.sql} AS {NUMBER_TYPE})"
    if piece.constant is None:
        notes.check(f"({piece.sql}) <> '' AND {sql} IS NULL", "DATA_NUMBER")
    return Piece(sql, Kind.NUMBER, 50)


def text(piece: Piece) -> str:
    """SQL of the piece as text."""
    return as_text(piece)


def _simple(function: str) -> Build:
    def build(_notes: Notes, args: Sequence[Piece]) -> Piece:
        return Piece(f"{function}({text(args[0])})", size=args[0].size)

    return build


def _constant(piece: Piece, what: str) -> str:
    if piece.constant is None:
        raise Misuse(f"{what} must be written out", "a field cannot stand here")
    return piece.constant


def _count(piece: Piece) -> int:
    value = _constant(piece, "the number of characters")
    if not re.fullmatch(r"\d{1,6}", value):
        raise Misuse("the number of characters must be a whole number from 0 to 999999")
    return int(value)


def _replace(_notes: Notes, args: Sequence[Piece]) -> Piece:
    old, new = (_constant(each, "what is replaced") for each in args[1:])
    if not old:
        raise Misuse("an empty text cannot be replaced")
    grown = args[0].size * max(1, -(-len(new) // len(old)))
    return Piece(f"replace({text(args[0])}, {literal(old)}, {literal(new)})", size=grown)


def _default(_notes: Notes, args: Sequence[Piece]) -> Piece:
    value, instead = args
    if value.kind is Kind.NUMBER and instead.kind is Kind.NUMBER:
        return Piece(f"COALESCE({value.sql}, {instead.sql})", Kind.NUMBER, 50)
    size = max(value.size, instead.size)
    return Piece(f"COALESCE(NULLIF({text(value)}, ''), {text(instead)})", size=size)


def _cut(function: str) -> Build:
    def build(_notes: Notes, args: Sequence[Piece]) -> Piece:
        count = _count(args[1])
        return Piece(f"{function}({text(args[0])}, {count})", size=min(args[0].size, count))

    return build


def _digits(_notes: Notes, args: Sequence[Piece]) -> Piece:
    return Piece(f"regexp_replace({text(args[0])}, '[^0-9]', '', 'g')", size=args[0].size)


def _number(notes: Notes, args: Sequence[Piece]) -> Piece:
    return number(notes, args[0])


def _round(notes: Notes, args: Sequence[Piece]) -> Piece:
    places = _constant(args[1], "the number of decimals") if len(args) > 1 else "0"
    if not re.fullmatch(r"\d{1,2}", places) or int(places) > 12:
        raise Misuse("the number of decimals must be a whole number from 0 to 12")
    return Piece(f"TRY_CAST(round({number(notes, args[0]).sql}, {places}) AS {NUMBER_TYPE})", Kind.NUMBER, 50)


def _format(piece: Piece) -> str:
    value = _constant(piece, "the format")
    if not _FORMAT.match(value) or "%" not in value:
        raise Misuse("not a format", "for example '%d.%m.%Y' or '%Y-%m-%d %H:%M:%S'; without time zones")
    return literal(value)


def _moment(notes: Notes, args: Sequence[Piece]) -> tuple[str, str]:
    """SQL of the value as text and as a TIMESTAMP; one that cannot be read is a fault of its row."""
    value = text(args[0])
    if len(args) > 1:
        moment = f"try_strptime({value}, {_format(args[1])})"
    else:
        moment = f"TRY_CAST({value} AS TIMESTAMP)"
    notes.check(f"({value}) <> '' AND {moment} IS NULL", "DATA_DATE")
    return value, moment


def _date(notes: Notes, args: Sequence[Piece]) -> Piece:
    return Piece(f"strftime({_moment(notes, args)[1]}, '%Y-%m-%d')", size=10)


def _datetime(notes: Notes, args: Sequence[Piece]) -> Piece:
    value, moment = _moment(notes, args)
    written = f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%gZ')"
    if len(args) > 1:
        return Piece(written, size=30)
    # DuckDB reads past an offset when it casts to TIMESTAMP: a value that has one is complete and stays as it is
    zoned = f"regexp_matches({value}, 'T.*(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$')"
    return Piece(f"CASE WHEN {zoned} THEN {value} ELSE {written} END", size=30)


def _written(notes: Notes, args: Sequence[Piece]) -> Piece:
    return Piece(f"strftime({_moment(notes, args[:1])[1]}, {_format(args[1])})", size=100)


def _coalesce(_notes: Notes, args: Sequence[Piece]) -> Piece:
    values = ", ".join(f"NULLIF({text(each)}, '')" for each in args)
    return Piece(f"COALESCE({values})", size=max(each.size for each in args))


def _join(_notes: Notes, args: Sequence[Piece]) -> Piece:
    separator = _constant(args[0], "the separator")
    values = ", ".join(f"NULLIF({text(each)}, '')" for each in args[1:])
    size = sum(each.size + len(separator) for each in args[1:])
    return Piece(f"NULLIF(concat_ws({literal(separator)}, {values}), '')", size=size)


def _column(notes: Notes, args: Sequence[Piece]) -> Piece:
    return notes.column(_constant(args[0], "the name"))


#: values go before `|`; a value that is null stays null, but for `default`
FILTERS: Mapping[str, Entry] = MappingProxyType(
    {
        "date": Entry(
            "date(format)", "ISO date of a text in that format; of ISO text without one", 1, 2, _date
        ),
        "datetime": Entry(
            "datetime(format)", "the same with the time, which is taken as UTC", 1, 2, _datetime
        ),
        "default": Entry("default(value)", "that value instead of null or an empty text", 2, 2, _default),
        "digits": Entry("digits", "the digits alone", 1, 1, _digits),
        "format_date": Entry("format_date(format)", "an ISO date or time in that format", 2, 2, _written),
        "left": Entry("left(n)", "the first n characters", 2, 2, _cut("left")),
        "lower": Entry("lower", "in lower case", 1, 1, _simple("lower")),
        "number": Entry("number", "as a number, for sums and comparisons", 1, 1, _number),
        "replace": Entry("replace(old, new)", "each old text replaced by the new one", 3, 3, _replace),
        "right": Entry("right(n)", "the last n characters", 2, 2, _cut("right")),
        "round": Entry("round(n)", "rounded to n decimals, none unless given", 1, 2, _round),
        "trim": Entry("trim", "without blanks at both ends", 1, 1, _simple("trim")),
        "truncate": Entry("truncate(n)", "cut after n characters; the same as left(n)", 2, 2, _cut("left")),
        "upper": Entry("upper", "in upper case", 1, 1, _simple("upper")),
    }
)

FUNCTIONS: Mapping[str, Entry] = MappingProxyType(
    {
        "coalesce": Entry("coalesce(a, b, …)", "the first that is neither null nor empty", 1, 50, _coalesce),
        "column": Entry(
            "column('Account Name')", "a source field whose name is not a plain word", 1, 1, _column
        ),
        "join": Entry(
            "join(', ', a, b, …)", "those that are not empty, with the separator between", 2, 50, _join
        ),
    }
)


def factor(notes: Notes, piece: Piece) -> str:
    """SQL of the piece as a factor of a product. A text becomes one at a stroke, for speed."""
    if piece.kind is Kind.TEXT and piece.constant is None:
        return f"TRY_CAST({piece.sql} AS {FACTOR_TYPE})"
    return f"TRY_CAST({number(notes, piece).sql} AS {FACTOR_TYPE})"
