"""A query made ready: what to read, what to keep, how to order, what to print.

**Invariant:** making a plan finds every fault of the query; running it finds none.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from migrator.simulator.query.columns import Column, Frame, Scope
from migrator.simulator.query.faults import QueryFault, malformed, unknown_sobject
from migrator.simulator.query.where import IDS, Conditions, Predicate, candidates
from migrator.simulator.records.store import Store, Table
from migrator.simulator.schema.model import NUMBERS, FieldType, Schema, SObject
from migrator.soql import tree

MAX_OFFSET = 2_000  # SOQL reference, "OFFSET"
_NUMERIC = NUMBERS | {FieldType.INT}
_BY_CELL = 4_000  # so many records out of order are read one by one; more are read by a scan


@dataclass(frozen=True, slots=True)
class Key:
    """One key of ORDER BY."""

    column: Column
    descending: bool
    nulls_last: bool


@dataclass(slots=True)
class Selection:
    """Which records of an sObject, in which order."""

    table: Table
    scope: Scope
    where: Predicate | None
    found_by_index: list[int] | None
    order: tuple[Key, ...]
    limit: int | None
    offset: int
    include_deleted: bool

    def frames(self) -> Iterator[Frame]:
        """The records of the query, in its order."""
        if self.order:
            yield from self.read(self.seqs())
            return
        yield from _window(self._matching(self._source()), self.offset, self.limit)

    def seqs(self) -> Sequence[int]:
        """Their numbers."""
        if not self.order:
            found = array("Q")
            for frame in self.frames():
                found.extend(frame.seqs)
            return found
        return self.ordered(self._matching(self._source()))

    def ordered(self, frames: Iterable[Frame]) -> list[int]:
        """The numbers of these records by the keys of the query, cut to its window."""
        seqs: list[int] = []
        cells: list[list[str]] = [[] for _ in self.order]
        for frame in frames:
            seqs += frame.seqs
            for held, key in zip(cells, self.order, strict=True):
                held.extend(key.column.read(frame))
        places = sort_places(len(seqs), self.order, cells)
        stop = None if self.limit is None else self.offset + self.limit
        return [seqs[place] for place in places[self.offset : stop]]

    def among(self, seqs: list[int]) -> Iterator[Frame]:
        """Those of these records that the query keeps, in its order."""
        frames = self._matching(self._frames_by_cell(seqs)) if seqs else iter(())
        if self.order:
            return self.read(self.ordered(frames))
        return _window(frames, self.offset, self.limit)

    def _source(self) -> Iterator[Frame]:
        names = list(self.scope.needed)
        if self.found_by_index is not None:
            kept = [seq for seq in self.found_by_index if self.table.exists(seq)]
            return self._frames_by_cell(kept) if kept else iter(())
        blocks = self.table.scan_columns(names, include_deleted=self.include_deleted)
        return (Frame(block.seqs, dict(zip(names, block.columns, strict=True))) for block in blocks)

    def _matching(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        where = self.where
        if where is None:
            yield from frames
            return
        for frame in frames:
            mask = where(frame)
            if all(mask):
                yield frame
            elif any(mask):
                cells = {name: list(compress(held, mask)) for name, held in frame.cells.items()}
                yield Frame(list(compress(frame.seqs, mask)), cells)

    def read(self, seqs: Sequence[int]) -> Iterator[Frame]:
        """These records in this order."""
        if not seqs:
            return
        if len(seqs) <= _BY_CELL:
            yield from self._frames_by_cell(seqs)
            return
        names = list(self.scope.needed)
        wanted = set(seqs)
        rows: dict[int, tuple[str, ...]] = {}
        for block in self.table.scan_columns(names, include_deleted=True, after=min(seqs) - 1):
            if not wanted.isdisjoint(block.seqs):
                rows.update(zip(block.seqs, zip(*block.columns, strict=True), strict=True))
        for first in range(0, len(seqs), _BY_CELL):
            part = seqs[first : first + _BY_CELL]
            columns = zip(*(rows[seq] for seq in part), strict=True)
            yield Frame(part, dict(zip(names, columns, strict=True)))

    def _frames_by_cell(self, seqs: Sequence[int]) -> Iterator[Frame]:
        cell = self.table.cell
        yield Frame(seqs, {name: [cell(seq, name) for seq in seqs] for name in self.scope.needed})


def _window(frames: Iterator[Frame], offset: int, limit: int | None) -> Iterator[Frame]:
    """The records from `offset` on, at most `limit`."""
    if not offset and limit is None:
        yield from frames
        return
    skip, left = offset, limit
    for frame in frames:
        if left == 0:
            return
        size = len(frame.seqs)
        if skip >= size:
            skip -= size
            continue
        stop = size if left is None else min(size, skip + left)
        cut = slice(skip, stop)
        yield Frame(frame.seqs[cut], {name: held[cut] for name, held in frame.cells.items()})
        left = None if left is None else left - (stop - skip)
        skip = 0


def sort_places(count: int, keys: Sequence[Key], cells: Sequence[Sequence[str]]) -> list[int]:
    """The places 0 … count-1 by the keys; equal ones keep their order."""
    places = list(range(count))
    for key, held in reversed(list(zip(keys, cells, strict=True))):
        nulls = [place for place in places if not held[place]]
        given = [place for place in places if held[place]]
        if key.column.field.type in _NUMERIC:
            numbers = [float(cell) if cell else 0.0 for cell in held]
            given.sort(key=numbers.__getitem__, reverse=key.descending)
        elif key.column.field.type in IDS:
            # digits, capitals, small letters: the order in which ids are given, and in which they are compared
            given.sort(key=held.__getitem__, reverse=key.descending)
        else:
            folded = [cell.lower() for cell in held]
            given.sort(key=folded.__getitem__, reverse=key.descending)
        places = [*given, *nulls] if key.nulls_last else [*nulls, *given]
    return places


# --- making a selection ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes selections for one query and the queries inside of it."""

    store: Store
    now: float
    include_deleted: bool
    schema: Schema  # as the user sees it
    currency: str = ""  # the user's, where the org has several

    def scope(self, query: tree.Query, sobject: SObject | None = None) -> Scope:
        """What names mean in the query; `sobject` where FROM names a child relationship."""
        first = query.sources[0]
        found = sobject or self.schema.sobject(first.name)
        if found is None:
            raise unknown_sobject(first.name, first.path.at)
        if not found.queryable:
            what = f"entity type {found.name} does not support query"
            raise QueryFault("INVALID_TYPE_FOR_OPERATION", what, first.path.at)
        scope = Scope(self.store, found, self.schema, self.currency)
        aliases: dict[str, tuple[str, ...]] = {}
        for source in query.sources:
            parts = source.path.parts
            if source is first:
                place: tuple[str, ...] = ()
            elif parts[0].lower() in aliases:
                place = (*aliases[parts[0].lower()], *parts[1:])
            else:
                raise unknown_sobject(source.name, source.path.at)
            if source.alias:
                aliases[source.alias.lower()] = place
        scope.aliases = aliases
        return scope

    def selection(self, query: tree.Query, scope: Scope) -> Selection:
        """The records of a query without aggregates."""
        self._check_window(query)
        if query.sobject.lower() == "contentdocumentlink":  # and not a relationship's name
            _check_links(query.where)
        table = self.store.table(scope.sobject.name)
        where, by_index = self.where(query, scope, table)
        order = tuple(
            Key(orderable(scope.column(key.by)), key.descending, key.nulls_last) for key in query.order_by
        )
        deleted = self.include_deleted or query.all_rows
        return Selection(table, scope, where, by_index, order, query.limit, query.offset or 0, deleted)

    def where(
        self, query: tree.Query, scope: Scope, table: Table
    ) -> tuple[Predicate | None, list[int] | None]:
        """The condition of a query, and the records that an index gives for it."""
        if query.where is None:
            return None, None
        predicate = Conditions(scope, self.now, self.semi_join).predicate(query.where)
        deleted = self.include_deleted or query.all_rows
        return predicate, None if deleted else candidates(query.where, scope, table)

    def semi_join(self, query: tree.Query) -> frozenset[str]:
        """The values that the query inside of an IN gives; null is never one."""
        (item, *more) = query.select
        if more or not isinstance(item, tree.SelectExpression):
            at = query.sources[0].path.at
            raise malformed("The inner select of a semi join must have exactly one field", at)
        scope = self.scope(query)
        column = scope.column(item.expression)
        if column.field.type not in {FieldType.ID, FieldType.REFERENCE}:
            what = f"The selected field '{column.field.name}' in the subquery must be of type reference"
            raise malformed(what, item.expression.at)
        selection = self.selection(query, scope)
        found: set[str] = set()
        for frame in selection.frames():
            found.update(column.read(frame))
        found.discard("")
        return frozenset(found)

    def _check_window(self, query: tree.Query) -> None:
        if (query.offset or 0) > MAX_OFFSET:
            raise QueryFault("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")


def _check_links(where: tree.Condition | None) -> None:
    """Links of files are found by the file or by the record, and in no other way."""
    parts = where.parts if isinstance(where, tree.And) else (where,)
    names = {
        str(part.left).lower()
        for part in parts
        if (isinstance(part, tree.InValues | tree.InQuery) and not part.negated)
        or (isinstance(part, tree.Compare) and part.operator is tree.Operator.EQ)
    }
    if names.isdisjoint(("contentdocumentid", "linkedentityid")):
        what = (
            "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or"
            " LinkedEntityId using the equals operator or multiple Id's using the IN operator."
        )
        raise malformed(what)


def orderable(column: Column) -> Column:
    """The column, if records can be ordered by it."""
    if column.field.type in {
        FieldType.ADDRESS,
        FieldType.LOCATION,
        FieldType.MULTIPICKLIST,
        FieldType.BASE64,
    }:
        what = f"field '{column.field.name}' can not be sorted in a query call"
        raise QueryFault("INVALID_FIELD", what)
    if column.field.type is FieldType.TEXTAREA and column.field.length > 255:
        what = f"field '{column.field.name}' can not be sorted in a query call"
        raise QueryFault("INVALID_FIELD", what)
    return column
