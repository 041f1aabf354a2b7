"""SOQL against an org's records: what REST query and Bulk query jobs answer.

**Invariant:** a `QueryResult` is fixed in which records it holds when it is made; their fields are read when asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import partial
from typing import Any

from migrator.simulator.orgstate import OrgState
from migrator.simulator.query.as_json import Node, Row, Value, attributes, json_value
from migrator.simulator.query.columns import Column, Frame, Scope, components
from migrator.simulator.query.definitions import NAMES as DEFINITIONS
from migrator.simulator.query.definitions import Definitions
from migrator.simulator.query.distance import asks_distance
from migrator.simulator.query.faults import QueryFault, malformed, unknown_children
from migrator.simulator.query.group import Grouping
from migrator.simulator.query.metadata import Labelled, nested, of_children, of_column, of_parent
from migrator.simulator.query.plan import Key, Maker, Selection, sort_places
from migrator.simulator.query.where import Conditions
from migrator.simulator.records.store import Store
from migrator.simulator.rules.currencies import currency_of
from migrator.simulator.schema.model import COMPOUNDS, Child, Field, FieldType, Schema, SObject
from migrator.soql import ProblemKind, Query, SoqlError, lint_bulk, parse, tree

_FIELDS_LIMIT = 200  # records with FIELDS(ALL) or FIELDS(CUSTOM); SOQL reference, "FIELDS()"


@dataclass(slots=True)
class QueryResult:
    """The answer to a query."""

    sobject: str
    columns: tuple[str, ...]  # names in SELECT order
    total: int
    metadata: tuple[dict[str, Any], ...]
    _records: Callable[[int, int, str], list[dict[str, Any]]]

    def records(self, start: int, stop: int, version: str) -> list[dict[str, Any]]:
        """Some of the records as REST prints them."""
        return self._records(start, stop, version)


def run_query(org: OrgState, text: str, include_deleted: bool, user_id: str = "") -> QueryResult:
    """Answer a user's query of the REST API, or raise the `ApiError` it gets."""
    try:
        query = parse_query(text)
        if query.sobject.lower() in DEFINITIONS:
            org.part(Definitions).renew()
        currency = currency_of(org.store, user_id)
        schema = org.view(user_id).schema
        return _run(query, Maker(org.store, org.clock.now(), include_deleted, schema, currency))
    except QueryFault as fault:
        raise fault.api_error(text) from None


def parse_query(text: str) -> Query:
    """The tree of a query; a fault in the platform's words when it is none."""
    try:
        return parse(text)
    except SoqlError as fault:
        at = tree.At(fault.line, fault.column)
        raise QueryFault("MALFORMED_QUERY", fault.message, at) from None


def _run(query: Query, maker: Maker) -> QueryResult:
    if query.all_rows:
        raise malformed("ALL ROWS not allowed in this context")
    if _is_bare_count(query):
        return _count(query, maker)
    if query.group_by or any(_aggregates(item) for item in query.select):
        return _grouped(query, maker)
    printer = Printer(maker, query, maker.scope(query))
    selection = maker.selection(query, printer.scope)
    seqs = selection.seqs()

    def records(start: int, stop: int, version: str) -> list[dict[str, Any]]:
        frames = selection.read(seqs[start:stop])
        return [record for frame in frames for record in printer.records(frame, version)]

    return QueryResult(
        selection.table.sobject.name, printer.names, len(seqs), nested(printer.metadata), records
    )


# --- printing ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Printer:
    """Prints the SELECT list of a query: as rows of cells for CSV, as records for JSON."""

    maker: Maker
    query: Query
    scope: Scope
    selected: list[Column] = attribute(default_factory=list)  # of the SELECT list
    hidden: list[Column] = attribute(default_factory=list)  # read for printing only
    metadata: list[Labelled] = attribute(default_factory=list)
    extras: list[Callable[[Row, dict[str, Any], str], None]] = attribute(default_factory=list)
    unnamed: int = 0  # distances without an alias
    root: Node | None = None
    value: Value = json_value
    nested: list[str] = attribute(
        default_factory=list
    )  # names of TYPEOF and child records, which have no cells
    _names: dict[tuple[str, ...], None] = attribute(default_factory=dict)

    def __post_init__(self) -> None:
        own = self._hide(self.scope.column(tree.Path(("Id",))))
        self.root = Node(self.maker.store.schema, self.scope.sobject.name, own, value=self.value)
        for item in self.query.select:
            self._item(item)

    @property
    def names(self) -> tuple[str, ...]:
        return (*(".".join(column.label) for column in self.selected), *self.nested)

    def rows(self, frame: Frame) -> Iterator[Row]:
        """The cells of the SELECT list, row by row."""
        return zip(*(column.read(frame) for column in self.selected), strict=True)

    def records(self, frame: Frame, version: str) -> Iterator[dict[str, Any]]:
        """The records as JSON."""
        for row in zip(*(column.read(frame) for column in self.hidden), strict=True):
            record = self.root.record(row, version) if self.root else None
            if record is not None:
                for extra in self.extras:
                    extra(row, record, version)
                yield record

    def _hide(self, column: Column) -> int:
        self.hidden.append(column)
        return len(self.hidden) - 1

    def _item(self, item: tree.Selected) -> None:
        match item:
            case tree.SelectExpression(expression, alias):
                if alias and isinstance(expression, tree.Path):
                    raise malformed("only aggregate expressions use field aliasing", expression.at)
                if asks_distance(expression) and not alias:
                    alias = f"expr{self.unnamed}"
                    self.unnamed += 1
                self._field(self.scope.column(expression), alias, expression.at)
            case tree.FieldSet(which, at):
                self._field_set(which, at)
            case tree.ChildQuery(query):
                self._children(query)
            case tree.TypeOf():
                self._type_of(item)

    def _field_set(self, which: str, at: tree.At) -> None:
        if which != "STANDARD" and (self.query.limit is None or self.query.limit > _FIELDS_LIMIT):
            raise malformed(f"The SOQL FIELDS function must have a LIMIT of at most {_FIELDS_LIMIT}", at)
        for field in self.scope.sobject.fields:
            if which == "ALL" or field.custom == (which == "CUSTOM"):
                self._field(self.scope.column(tree.Path((field.name,), at)), None, at)

    def _field(self, column: Column, alias: str | None, at: tree.At) -> None:
        label = (alias,) if alias else column.label
        if label in self._names:
            raise QueryFault("INVALID_FIELD", f"duplicate field selected: {'.'.join(label)}", at)
        self._names[label] = None
        self.selected.append(Column(label, column.field, column.base, column.read, column.sobject))
        self.metadata.append((label, of_column(label[-1], column)))
        node = self._node(column.label[:-1]) if not alias else self.root
        if node is None:
            return
        if column.field.type in COMPOUNDS and column.label[-1] == column.field.name:
            node.add_group(label[-1], self._parts(column))
        else:
            node.add(label[-1], column.field, self._hide(column))

    def _node(self, parents: tuple[str, ...]) -> Node | None:
        """The node of the parent reached by these relationships."""
        node = self.root
        for depth, name in enumerate(parents, 1):
            if node is None:
                break
            path = parents[:depth]
            last = self.scope.column(tree.Path((*path, "Id")))
            node = node.parent(name, last.sobject, partial(self._hide, last))
        return node

    def _parts(self, column: Column) -> list[tuple[str, Field, int]]:
        sobject = self.maker.schema.sobject(column.sobject)
        if sobject is None:
            return []
        parts = []
        for name, field in components(sobject, column.field):
            inner = self.scope.column(tree.Path((*column.label[:-1], field.name)))
            parts.append((name, field, self._hide(inner)))
        return parts

    def _type_of(self, item: tree.TypeOf) -> None:
        column = self.scope.column(tree.Path((*item.path.parts, "Id"), item.path.at))
        place = self._hide(column)
        store, schema = self.maker.store, self.maker.schema
        branches = {when.sobject.lower(): when.fields for when in item.whens}
        name = column.label[-2]
        self.nested.append(name)
        self.metadata.append(((name,), of_parent(name)))

        def extra(row: Row, record: dict[str, Any], version: str) -> None:
            record_id = row[place]
            table = store.table_of_id(record_id) if record_id else None
            if table is None:
                record[name] = None
                return
            sobject = schema.sobject(table.sobject.name)
            if sobject is None:
                record[name] = None
                return
            held = table.get(table.seq_of(record_id))
            found: dict[str, Any] = {"attributes": attributes(sobject.name, record_id, version)}
            for path in branches.get(sobject.name.lower(), item.otherwise):
                field = sobject.field(str(path))
                if field is not None:
                    cell = record_id if field.type is FieldType.ID else held.get(field.name, "")
                    found[field.name] = json_value(field, cell)
            record[name] = found

        self.extras.append(extra)

    def _children(self, query: Query) -> None:
        source = query.sources[0]
        child = self.maker.schema.child(self.scope.sobject.name, source.path.parts[-1])
        if child is None:
            raise unknown_children(source.name, source.path.at)
        inner = Printer(self.maker, query, self.maker.scope(query, child.sobject))
        selection = self.maker.selection(query, inner.scope)
        name = child.field.children or source.name
        self.nested.append(name)
        self.metadata.append(((name,), of_children(name, inner.metadata)))

        def extra(row: Row, record: dict[str, Any], version: str) -> None:
            found = _child_records(selection, inner, child, row[0], version)
            record[name] = {"totalSize": len(found), "done": True, "records": found} if found else None

        self.extras.append(extra)


def _child_records(
    selection: Selection, inner: Printer, child: Child, parent_id: str, version: str
) -> list[dict[str, Any]]:
    seqs = selection.table.find(child.field.name, parent_id)
    return [record for frame in selection.among(seqs) for record in inner.records(frame, version)]


# --- aggregates --------------------------------------------------------------------------------------------------


def _is_bare_count(query: Query) -> bool:
    match query.select:
        case (tree.SelectExpression(tree.Call(name=name, args=()), None),):
            return name.upper() == "COUNT" and query.group_by is None
        case _:
            return False


def _aggregates(item: tree.Selected) -> bool:
    return isinstance(item, tree.SelectExpression) and tree.is_aggregate(item.expression)


def _count(query: Query, maker: Maker) -> QueryResult:
    scope = maker.scope(query)
    scope.column(tree.Path(("Id",)))
    selection = maker.selection(query, scope)
    if selection.where is None and query.limit is None and not selection.include_deleted:
        total = len(selection.table)
    else:
        total = sum(len(frame.seqs) for frame in selection.frames())
    return QueryResult(scope.sobject.name, (), total, (), lambda _start, _stop, _version: [])


def _grouped(query: Query, maker: Maker) -> QueryResult:
    scope = maker.scope(query)
    grouping = Grouping(scope, query.group_by)
    columns = _grouped_columns(query, grouping)
    order = tuple(Key(grouping.column(key.by), key.descending, key.nulls_last) for key in query.order_by)
    conditions = Conditions(grouping, maker.now, maker.semi_join)
    having = conditions.predicate(query.having) if query.having else None
    inner = Query(select=query.select, sources=query.sources, where=query.where, all_rows=query.all_rows)
    scope.column(tree.Path(("Id",)))
    frame = grouping.run(maker.selection(inner, scope).frames())
    places = list(range(len(frame.seqs)))
    if order:
        places = sort_places(len(places), order, [key.column.read(frame) for key in order])
    if having:
        mask = having(frame)
        places = [place for place in places if mask[place]]
    offset = query.offset or 0
    places = places[offset : None if query.limit is None else offset + query.limit]
    cells = [(name, column.field, column.read(frame)) for name, column in columns]

    def records(start: int, stop: int, version: str) -> list[dict[str, Any]]:
        del version  # a result of aggregates has no address
        return [_result_record(cells, place) for place in places[start:stop]]

    metadata = tuple(of_column(name, column, aggregate=True) for name, column in columns)
    return QueryResult("AggregateResult", tuple(name for name, _ in columns), len(places), metadata, records)


def _grouped_columns(query: Query, grouping: Grouping) -> list[tuple[str, Column]]:
    columns: list[tuple[str, Column]] = []
    unnamed = 0
    for item in query.select:
        if not isinstance(item, tree.SelectExpression):
            raise malformed("Only fields and aggregates can be selected in a grouped query")
        column = grouping.column(item.expression)
        name = item.alias
        if name is None and isinstance(item.expression, tree.Call):
            name = f"expr{unnamed}"
            unnamed += 1
        columns.append((name or column.label[-1], column))
    return columns


def _result_record(cells: Sequence[tuple[str, Field, Sequence[str]]], place: int) -> dict[str, Any]:
    record: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
    for name, field, held in cells:
        record[name] = json_value(field, held[place])
    return record


# --- bulk --------------------------------------------------------------------------------------------------------


def bulk_rows(
    store: Store, query: Query, now: float, *, include_deleted: bool, schema: Schema | None = None
) -> tuple[tuple[str, ...], Iterator[Row]]:
    """The column names and the rows of a Bulk query, as whoever sees `schema` gets them; raises `QueryFault` before the first row."""
    maker = Maker(store, now, include_deleted, schema or store.schema, currency_of(store, ""))
    printer = _bulk_printer(Printer(maker, query, maker.scope(query)))
    selection = maker.selection(query, printer.scope)
    return printer.names, (row for frame in selection.frames() for row in printer.rows(frame))


def bulk_records(
    store: Store,
    query: Query,
    now: float,
    *,
    include_deleted: bool,
    version: str,
    value: Value,
    schema: Schema | None = None,
) -> Iterator[dict[str, Any]]:
    """The records of a Bulk query whose result is not CSV; raises `QueryFault` before the first."""
    maker = Maker(store, now, include_deleted, schema or store.schema, currency_of(store, ""))
    printer = _bulk_printer(Printer(maker, query, maker.scope(query), value=value))
    selection = maker.selection(query, printer.scope)
    return (record for frame in selection.frames() for record in printer.records(frame, version))


def _bulk_printer(printer: Printer) -> Printer:
    if any(column.field.type in COMPOUNDS for column in printer.selected):
        raise QueryFault("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query")
    if any(column.field.type is FieldType.BASE64 for column in printer.selected):
        raise QueryFault("FUNCTIONALITY_NOT_ENABLED", "Selecting binary data not supported in Bulk Query")
    return printer


def check_bulk(query: Query, sobject: SObject | None) -> None:
    """Refuse what no Bulk query job can do."""
    for item in query.select:
        path = item.expression if isinstance(item, tree.SelectExpression) else None
        field = sobject.field(str(path)) if sobject and isinstance(path, tree.Path) else None
        if field is not None and field.type is FieldType.BASE64:
            raise QueryFault("FUNCTIONALITY_NOT_ENABLED", "Selecting base64 data not supported in Bulk Query")
    for problem in lint_bulk(query):
        if problem.kind is ProblemKind.UNSUPPORTED:
            grouped = problem.construct in {"subquery", "GROUP BY"}
            what = "Aggregate Relationships" if grouped else problem.construct
            raise QueryFault("FUNCTIONALITY_NOT_ENABLED", f"{what} not supported in Bulk Query")


def sobject_of(store: Store, query: Query) -> SObject:
    """The sObject that a query reads."""
    return Maker(store, 0.0, include_deleted=False, schema=store.schema).scope(query).sobject
