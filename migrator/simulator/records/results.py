"""What the DML engine says about each row: an id, or errors in the platform's words."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload


class Match(NamedTuple):
    """Records that a matching rule found."""

    sobject: str
    rule: str
    engine: str  # ExactMatchEngine or FuzzyMatchEngine
    ids: tuple[str, ...]


class Duplicate(NamedTuple):
    """What a duplicate rule says about a row."""

    sobject: str
    rule: str
    message: str
    allow_save: bool  # an alert, which the client may overrule
    matches: tuple[Match, ...]


class RowError(NamedTuple):
    """One error of one row."""

    status_code: str
    message: str
    fields: tuple[str, ...] = ()
    duplicate: Duplicate | None = None

    def bulk(self) -> str:
        """As Bulk API results print it: `STATUS_CODE:message:field1,field2 --`."""
        names = ",".join(self.fields)
        return (
            f"{self.status_code}:{self.message}:{names} --"
            if names
            else f"{self.status_code}:{self.message}:--"
        )


class RowResult(NamedTuple):
    """What became of one row."""

    id: str | None
    success: bool
    created: bool
    errors: tuple[RowError, ...] = ()


class ChunkResult(Sequence[RowResult]):
    """What became of the rows of one transaction, column by column; also a sequence of `RowResult`.

    `ids[i]` is the record's id, `""` where there is none; `created[i]` whether the row made a record; `errors` holds the
    failed rows only, by index.
    """

    __slots__ = ("created", "errors", "ids")

    def __init__(
        self,
        ids: Sequence[str],
        created: Sequence[bool],
        errors: dict[int, tuple[RowError, ...]] | None = None,
    ) -> None:
        self.ids = ids
        self.created = created
        self.errors = errors or {}

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> RowResult: ...
    @overload
    def __getitem__(self, place: slice) -> list[RowResult]: ...
    def __getitem__(self, place: int | slice) -> RowResult | list[RowResult]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        if place < 0:
            place += len(self)
        errors = self.errors.get(place, ())
        return RowResult(self.ids[place] or None, not errors, not errors and self.created[place], errors)

    def __iter__(self) -> Iterator[RowResult]:
        return (self[index] for index in range(len(self)))


class HeaderFault(Exception):  # noqa: N818 - the platform's word for a column that cannot be
    """A column that the operation cannot have; the text is what a Bulk job says after `InvalidBatch : `."""

    def __init__(self, text: str, *, column: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.column = column
