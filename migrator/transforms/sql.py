"""Pieces of DuckDB SQL: literals, identifiers, and expressions that know their kind.

**Invariant:** text of users reaches SQL through `literal` and `identifier` only.
"""

from dataclasses import dataclass
from enum import StrEnum

#: Exact decimals: 18 digits before the point, as many as Salesforce has, and 12 behind. DuckDB widens sums by a digit for
#: each term up to 38, and no expression has terms enough to fill that: adding never overflows.
NUMBER_TYPE = "DECIMAL(30,12)"
#: the product of two is a DECIMAL(38,12), which cannot overflow either. One digit less, and DuckDB would multiply in 64 bits,
#: which can: it then raises, and ends the query for all rows
FACTOR_TYPE = "DECIMAL(19,6)"


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
            return f"rtrim(rtrim(CAST({piece.sql} AS VARCHAR), '0'), '.')"
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
