"""The syntax tree of SOQL: frozen values, no behaviour beyond walking.

**Invariant:** a tree says what the text says and nothing about any org: whether a field exists is for others.
Places (`At`) never take part in comparison, so `parse(render(query)) == query`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class At:
    """A place in the text; both count from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Path:
    """A field, or a field reached through relationships: `Name`, `Account.Owner.Name`."""

    parts: tuple[str, ...]
    at: At = field(default=At(), compare=False)

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal; `raw` is what stands between the quotes, escapes included (LIKE needs them)."""

    raw: str
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    text: str
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class Boolean:
    """TRUE or FALSE."""

    value: bool
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class Null:
    """NULL."""

    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class Date:
    """`2026-01-31`."""

    text: str
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class DateTime:
    """`2026-01-31T10:00:00Z`, or with an offset."""

    text: str
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class DateRange:
    """A date literal that depends on the day it is read: `TODAY`, `LAST_N_DAYS:30`."""

    name: str
    n: int | None = None
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class Currency:
    """`USD5000`: an amount in a currency of its own."""

    code: str
    amount: str
    at: At = field(default=At(), compare=False)


Literal = Text | Number | Boolean | Null | Date | DateTime | DateRange | Currency


@dataclass(frozen=True, slots=True)
class Call:
    """A function: `COUNT()`, `MAX(Amount)`, `CALENDAR_YEAR(CreatedDate)`."""

    name: str
    args: "tuple[Path | Call | Text | Number, ...]" = ()
    at: At = field(default=At(), compare=False)


Expression = Path | Call


class Operator(StrEnum):
    """How a field is compared with one value."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    LIKE = "LIKE"


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`."""

    left: Expression
    operator: Operator
    right: Literal


@dataclass(frozen=True, slots=True)
class InValues:
    """`left [NOT] IN ('a', 'b')`."""

    left: Expression
    values: tuple[Literal, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InQuery:
    """A semi-join or, negated, an anti-join: `left [NOT] IN (SELECT …)`."""

    left: Expression
    query: "Query"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Includes:
    """`left INCLUDES ('a;b', 'c')`, or EXCLUDES: for multi-select picklists."""

    left: Expression
    values: tuple[Literal, ...]
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """All of them; at least two."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; at least two."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    part: "Condition"


Condition = Compare | InValues | InQuery | Includes | And | Or | Not


@dataclass(frozen=True, slots=True)
class SelectExpression:
    """A field or function of the SELECT list, with its alias."""

    expression: Expression
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class FieldSet:
    """`FIELDS(ALL)`, `FIELDS(STANDARD)`, `FIELDS(CUSTOM)`; `which` in upper case."""

    which: str
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class ChildQuery:
    """A subquery of the SELECT list: its source names a child relationship."""

    query: "Query"
    at: At = field(default=At(), compare=False)


@dataclass(frozen=True, slots=True)
class When:
    """One branch of TYPEOF."""

    sobject: str
    fields: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class TypeOf:
    """`TYPEOF What WHEN Account THEN Phone ELSE Name END`."""

    path: Path
    whens: tuple[When, ...]
    otherwise: tuple[Path, ...] = ()
    at: At = field(default=At(), compare=False)


Selected = SelectExpression | FieldSet | ChildQuery | TypeOf


@dataclass(frozen=True, slots=True)
class Source:
    """An sObject, a child relationship, or (`FROM Contact c, c.Account a`) a path from an earlier alias."""

    path: Path
    alias: str | None = None

    @property
    def name(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class GroupBy:
    """What is grouped by; `kind` is "", "ROLLUP" or "CUBE"."""

    by: tuple[Expression, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One key of ORDER BY; `nulls_last` False is Salesforce's default."""

    by: Expression
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. `purposes` holds what FOR and UPDATE ask, e.g. `("FOR VIEW",)`."""

    select: tuple[Selected, ...]
    sources: tuple[Source, ...]
    where: Condition | None = None
    scope: str | None = None
    security: str | None = None
    group_by: GroupBy | None = None
    having: Condition | None = None
    order_by: tuple[OrderBy, ...] = ()
    limit: int | None = None
    offset: int | None = None
    purposes: tuple[str, ...] = ()
    all_rows: bool = False

    @property
    def sobject(self) -> str:
        return self.sources[0].name


AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX", "GROUPING"})


def is_aggregate(expression: Expression) -> bool:
    """Whether an expression makes one value out of many records."""
    return isinstance(expression, Call) and expression.name.upper() in AGGREGATES


def leaves(condition: Condition | None) -> "Iterator[Compare | InValues | InQuery | Includes]":
    """Every single comparison of a condition, left to right."""
    match condition:
        case None:
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield condition


def paths_of(expression: Path | Call | Text | Number) -> Iterator[Path]:
    """Every field that an expression reads."""
    match expression:
        case Path():
            yield expression
        case Call(args=args):
            for arg in args:
                yield from paths_of(arg)
        case _:
            return


def condition_paths(condition: Condition | None) -> Iterator[Path]:
    """Every field that a condition reads, semi-joins' inner queries left out."""
    for leaf in leaves(condition):
        yield from paths_of(leaf.left)
