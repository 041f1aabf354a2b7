"""Names in a query become columns: fields, fields of parents over any number of relationships, functions of them.

A column reads a whole frame of records at once. Parents are looked up once per id and query.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute

from migrator.simulator.query.currency import DOLLAR, converting, formatting
from migrator.simulator.query.dates import FUNCTIONS
from migrator.simulator.query.distance import Coordinates, asks_distance, fixed_place, measuring, radius_of
from migrator.simulator.query.faults import (
    QueryFault,
    malformed,
    unknown_field,
    unknown_parent,
    unknown_sobject,
)
from migrator.simulator.records.store import Store
from migrator.simulator.rules.currencies import Rates
from migrator.simulator.schema.model import COMPOUNDS, Field, FieldType, Schema, SObject
from migrator.soql import tree

_PASSING = frozenset({"TOLABEL", "CONVERTTIMEZONE"})
_MONEY = frozenset({"FORMAT", "CONVERTCURRENCY"})
_MAX_HOPS = 5  # child-to-parent levels; SOQL reference, "Relationship query limitations"
_MEMO = 500_000

# What can be asked of a parent that may be of several sObjects: the fields of the `Name` sObject.
_NAME_FIELDS = {
    name.lower(): name
    for name in (
        "Alias",
        "Email",
        "FirstName",
        "Id",
        "IsActive",
        "LastName",
        "Name",
        "Phone",
        "Title",
        "Username",
    )
}


@dataclass(slots=True)
class Frame:
    """Some records on their way through a query: their numbers, and the cells of the fields the query needs."""

    seqs: Sequence[int]
    cells: Mapping[str, Sequence[str]]


Read = Callable[[Frame], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a query: how it is called, what it reads, of which type it is."""

    label: tuple[str, ...]  # by the schema's own spelling: ("Account", "Name")
    field: Field
    base: str  # the field of the record itself that is needed
    read: Read
    sobject: str  # the sObject that has the field; "Name" where it may be several


@dataclass(slots=True)
class Scope:
    """What names mean in one query: the store, the sObject, the aliases."""

    store: Store
    sobject: SObject
    schema: Schema  # as the user sees it
    currency: str = ""  # the user's, where the org has several
    aliases: Mapping[str, tuple[str, ...]] = attribute(default_factory=dict)
    needed: dict[str, None] = attribute(default_factory=dict)  # fields to scan, in order of appearance

    def column(self, expression: tree.Expression) -> Column:
        """The column of a field or of a function of one; notes that its field is needed."""
        if isinstance(expression, tree.Call):
            return self._function(expression)
        found = self._path(self._expand(expression), expression)
        self.needed.setdefault(found.base)
        return found

    def _function(self, call: tree.Call) -> Column:
        if asks_distance(call):
            return self._distance(call)
        name = call.name.upper()
        inner = call.args[0] if len(call.args) == 1 else None
        known = name in FUNCTIONS or name in _PASSING or name in _MONEY
        if not known or not isinstance(inner, tree.Path | tree.Call):
            raise QueryFault("MALFORMED_QUERY", f"unexpected token: '{call.name}'", call.at)
        column = self.column(inner)
        if name in _PASSING:
            return column
        if name == "CONVERTCURRENCY":
            return self.in_currency(inner, column, self.currency)
        if name == "FORMAT":
            return self._formatted(inner, column)
        compute, read = FUNCTIONS[name], column.read
        kind = FieldType.DATE if name == "DAY_ONLY" else FieldType.INT
        made = Field(column.field.name, kind, label=column.field.label)
        return Column(
            column.label, made, column.base, lambda frame: list(map(compute, read(frame))), column.sobject
        )

    def _distance(self, call: tree.Call) -> Column:
        measure = measuring(radius_of(call))
        one, other = (self._place(place) for place in call.args[:2])
        kind = Field("distance", FieldType.DOUBLE, label="Distance")
        return Column(
            ("distance",), kind, "Id", lambda frame: measure(one(frame), other(frame)), self.sobject.name
        )

    def _place(self, place: tree.Expression | tree.Literal) -> Callable[[Frame], Coordinates]:
        """The latitudes and longitudes of an argument of DISTANCE."""
        if isinstance(place, tree.Call):
            fixed = [repr(one) for one in fixed_place(place)]
            return lambda frame: ([fixed[0]] * len(frame.seqs), [fixed[1]] * len(frame.seqs))
        if not isinstance(place, tree.Path):
            raise malformed("expecting a location field or GEOLOCATION(latitude, longitude)", place.at)
        whole = self.column(place)
        sobject = self.schema.sobject(whole.sobject)
        parts = dict(components(sobject, whole.field)) if sobject and whole.field.type in COMPOUNDS else {}
        if not {"latitude", "longitude"} <= parts.keys():
            raise malformed(f"{place} is no location", place.at)
        latitude, longitude = (
            self.column(tree.Path((*whole.label[:-1], parts[name].name), place.at)).read
            for name in ("latitude", "longitude")
        )
        return lambda frame: (latitude(frame), longitude(frame))

    def in_currency(self, expression: tree.Expression, column: Column, code: str) -> Column:
        """The column with its amounts in one currency; as it is where they have no other."""
        currency = self._beside(expression, "CurrencyIsoCode")
        if not self.currency or currency is None or column.field.type is not FieldType.CURRENCY:
            return column
        day = self._beside(expression, "CloseDate") if column.sobject == "Opportunity" else None
        days = day.read if day else None
        rates = Rates(self.store)
        target = code or rates.corporate
        return replace(column, read=converting(column.read, currency.read, days, rates, target))

    def _formatted(self, inner: tree.Path | tree.Call, column: Column) -> Column:
        currency = self._beside(inner, "CurrencyIsoCode") if self.currency else None
        unit = f"{self.currency} " if self.currency and isinstance(inner, tree.Call) else DOLLAR
        read = formatting(column.field, column.read, currency.read if currency else unit)
        return replace(column, field=Field(column.field.name, FieldType.STRING), read=read)

    def _beside(self, expression: tree.Expression, name: str) -> Column | None:
        """The column of another field of the same record; None where there is no such field."""
        if not isinstance(expression, tree.Path):
            return None
        try:
            return self.column(tree.Path((*expression.parts[:-1], name), expression.at))
        except QueryFault:
            return None

    def _expand(self, path: tree.Path) -> tuple[str, ...]:
        first, *rest = path.parts
        if rest and first.lower() in self.aliases:
            return (*self.aliases[first.lower()], *rest)
        if rest and first.lower() == self.sobject.name.lower() and self.sobject.relationship(first) is None:
            return tuple(rest)
        return path.parts

    def _path(self, parts: tuple[str, ...], path: tree.Path) -> Column:
        *hops, last = parts
        if not hops:
            return self._own(last, path)
        if len(hops) > _MAX_HOPS:
            what = f"Relationship path too long: {path}; at most {_MAX_HOPS} child-to-parent relationships"
            raise QueryFault("MALFORMED_QUERY", what, path.at)
        sobject = self.sobject
        label: list[str] = []
        steps: list[Field] = []
        for place, hop in enumerate(hops):
            reference = sobject.relationship(hop)
            if reference is None:
                raise unknown_parent(hop, path.at)
            label.append(reference.relationship or hop)
            steps.append(reference)
            if reference.polymorphic:
                if place != len(hops) - 1:
                    raise unknown_parent(hops[place + 1], path.at)
                return self._polymorphic(label, steps, last, path)
            parent = self.schema.sobject(reference.reference_to[0])
            if parent is None:
                raise unknown_sobject(reference.reference_to[0], path.at)
            sobject = parent
        return self._single(label, steps, sobject, last, path)

    def _own(self, name: str, path: tree.Path) -> Column:
        field = self.sobject.field(name)
        if field is None:
            raise unknown_field(name, self.sobject.name, path.at)
        base = field.name
        return Column((base,), field, base, lambda frame: frame.cells[base], self.sobject.name)

    def _single(
        self, label: list[str], steps: list[Field], sobject: SObject, last: str, path: tree.Path
    ) -> Column:
        field = sobject.field(last)
        if field is None:
            raise unknown_field(last, sobject.name, path.at)
        tables = [self.store.table(step.reference_to[0]) for step in steps]
        names = [*(step.name for step in steps[1:]), field.name]

        def lookup(record_id: str) -> str:
            for table, name in zip(tables, names, strict=True):
                seq = table.seq_of(record_id)
                if not seq:
                    return ""
                record_id = table.cell(seq, name)
                if not record_id:
                    return ""
            return record_id

        base = steps[0].name
        return Column((*label, field.name), field, base, _memoised(base, lookup), sobject.name)

    def _polymorphic(self, label: list[str], steps: list[Field], last: str, path: tree.Path) -> Column:
        wanted = last.lower()
        if wanted == "type":
            name = "Type"
            read_one: Callable[[str], str] = self._type_of
        elif wanted in _NAME_FIELDS:
            name = _NAME_FIELDS[wanted]
            read_one = self._field_of(name)
        else:
            raise unknown_field(last, "Name", path.at)
        step = steps[-1]
        if len(steps) == 1:
            read: Read = _memoised(step.name, read_one)
        else:
            to_last = tree.Path((*(hop.relationship or "" for hop in steps[:-1]), step.name))
            inner = self._path(to_last.parts, to_last)

            def read(frame: Frame) -> Sequence[str]:
                return list(map(read_one, inner.read(frame)))

        kind = FieldType.ID if name == "Id" else FieldType.BOOLEAN if name == "IsActive" else FieldType.STRING
        return Column((*label, name), Field(name, kind, label=name), steps[0].name, read, "Name")

    def _type_of(self, record_id: str) -> str:
        sobject = self.store.schema.by_prefix(record_id[:3])
        return sobject.name if sobject else ""

    def _field_of(self, name: str) -> Callable[[str], str]:
        def read_one(record_id: str) -> str:
            table = self.store.table_of_id(record_id) if record_id else None
            seq = table.seq_of(record_id) if table else 0
            field = table.sobject.field(name) if table else None
            if table is None or field is None or not seq:
                return ""
            return table.cell(seq, field.name)

        return read_one


def _memoised(base: str, lookup: Callable[[str], str]) -> Read:
    """Read a column of parents' values, each id looked up once."""
    known: dict[str, str] = {"": ""}

    def read(frame: Frame) -> Sequence[str]:
        ids = frame.cells[base]
        if len(known) > _MEMO:
            known.clear()
            known[""] = ""
        for record_id in set(ids):
            if record_id not in known:
                known[record_id] = lookup(record_id)
        return [known[record_id] for record_id in ids]

    return read


def components(sobject: SObject, compound: Field) -> list[tuple[str, Field]]:
    """The parts of an address or location: how each is called inside of it, and its field."""
    prefix = compound.name.removesuffix("Address").removesuffix("__c")
    found = []
    for field in sobject.fields:
        if field.compound == compound.name:
            name = field.name.removeprefix(prefix).removeprefix("__").removesuffix("__s")
            found.append((name[:1].lower() + name[1:], field))
    return sorted(found, key=lambda part: part[0])
