"""Pieces of DuckDB SQL: literals, identifiers, and expressions that know their kind.

**Invariant:** text of users reaches SQL through `literal` and `identifier` only.
"""

from dataclasses import dataclass
from enum import StrEnum

#: 26 digits before the point and 12 behind: exact for money, and wider than Salesforce's 18 digits
NUMBER_TYPE = "DECIMAL(38,12)"
#: factors are rounded to 9 decimals, so that a product is exact with 18 and still has 20 digits before the point
FACTOR_TYPE = "DECIMAL(38,9)"


class Kind(StrEnum):
    """What a piece of SQL yields."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Piece:
    """An expression in SQL, safe to stand between operators. `size` bounds its length, a source field counting 1,000."""

    sql: str
    kind: Kind = Kind.TEXT
    size: int = 1_000
    #: a literal's text, where the piece is one
    constant: str | None = None


def literal(text: str) -> str:
    """`text` as a SQL string; NUL, which no SQL text can hold, is put together by a function."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_text(piece: Piece) -> str:
    """SQL of the piece's value as text: numbers without trailing zeros, booleans as Salesforce writes them."""
    match piece.kind:
        case Kind.TEXT:
            return piece.sql
        case Kind.NUMBER:
            return f"rtrim(rtrim(CAST(CAST({piece.sql} AS {NUMBER_TYPE}) AS VARCHAR), '0'), '.')"
        case Kind.BOOLEAN:
            return f"CAST({piece.sql} AS VARCHAR)"


def as_condition(piece: Piece) -> str:
    """SQL that is true or false, never null: null, an empty text, `false` and 0 are false."""
    match piece.kind:
        case Kind.TEXT:
            return f"COALESCE(lower({piece.sql}) NOT IN ('', 'false'), FALSE)"
        case Kind.NUMBER:
            return f"COALESCE({piece.sql} <> 0, FALSE)"
        case Kind.BOOLEAN:
            return f"COALESCE({piece.sql}, FALSE)"
