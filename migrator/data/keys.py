"""Keys: by what the answer to a row is known, in the rows file and in an org's result files alike.

A row is known by its external id (or record id), else by all its cells, each in the form in which what was sent and what an org says about
it are equal. Text nearly always comes back letter for letter, so the quick key takes it as it is and hashes it; when keys do not pair up one
to one, the thorough key looks at all forms of all cells. So it does when another version of DuckDB hashes otherwise than the one that made the rows file.

**Invariant:** equal rows have equal keys; the quick key is only ever believed when it pairs every row with one answer and every answer with one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.data.jobs import SentColumn
from migrator.data.sql import canonical, exact, present
from migrator.model.plan import Operation


def key_field(operation: Operation, external_id: str | None) -> str | None:
    """The sent field by which the org finds a record."""
    by_id = external_id or "Id" if operation.by_id else None
    return external_id if operation is Operation.UPSERT else by_id


@dataclass(frozen=True, slots=True)
class RecordKey:
    """The sent field by which the org finds a record. Keys that find the same one have equal forms."""

    column: SentColumn
    case_sensitive: bool = False

    @classmethod
    def of(cls, name: str, columns: Sequence[SentColumn], *, case_sensitive: bool) -> "RecordKey":
        """The field of that name, with its type when it is among the columns. An org keeps addresses in lower case, whatever its describe says."""
        found = (one for one in columns if one.name == name)
        column = next(found, SentColumn(name, "id" if name == "Id" else "string"))
        return cls(column, case_sensitive and column.type != "email")

    @property
    def name(self) -> str:
        """The field's name."""
        return self.column.name

    def form(self, value: str) -> str:
        """SQL of the form of a value, which should be a column; NULL when it is empty.

        The org trims keys, takes texts without regard to case unless the field says otherwise, and numbers as such. An id of 15 characters is one of 18, and
        its letters' case tells records apart.
        """
        trimmed = f"nullif(trimmed({value}), '')"
        if self.column.type == "id":
            return f"to18({trimmed})"
        if self.column.numeric:
            return canonical(self.column, trimmed)
        return trimmed if self.case_sensitive else f"lower({trimmed})"


def quick_key(columns: Sequence[SentColumn], cells: Sequence[str], field: str | None) -> str:
    """SQL of a 64-bit key over cells, which should be columns."""
    known_by = _known_by(columns, thorough_forms(columns, cells), field)
    return f"hash({known_by or ', '.join(map(_quick_form, columns, cells))})"


def _quick_form(column: SentColumn, cell: str) -> str:
    # an id comes back as it was sent, too; the thorough key looks at its fifteen characters
    if exact(column) or column.type in ("id", "reference"):
        return cell
    if column.numeric:
        # the number itself: printing fifteen digits of it costs more than reading the file
        number = f"TRY_CAST({cell} AS DOUBLE) + 0"
        return f"{number}, CASE WHEN {number} IS NULL THEN {present(cell)} END"
    return canonical(column, present(cell))


def thorough_forms(columns: Sequence[SentColumn], cells: Sequence[str]) -> list[str]:
    """SQL of all cells in a form that compares; `thorough_key` is over columns of these, or it would be planned over and over."""
    return [canonical(column, present(cell)) for column, cell in zip(columns, cells, strict=True)]


def thorough_key(columns: Sequence[SentColumn], forms: Sequence[str], field: str | None) -> str:
    """SQL of the external id itself, else of a digest of all cells."""
    known_by = _known_by(columns, forms, field)
    if known_by:
        return known_by
    # separators keep cells apart, and where a value holds one, the hash of the cells does
    parts = ", ".join(f"coalesce({value}, chr(30))" for value in forms)
    return f"md5(concat_ws(chr(31), hash({', '.join(forms)}), {parts}))"


def _known_by(columns: Sequence[SentColumn], values: Sequence[str], field: str | None) -> str | None:
    for column, value in zip(columns, values, strict=True):
        if column.name.casefold() == (field or "").casefold():
            return f"coalesce(trimmed({value}), '')"
    return None
