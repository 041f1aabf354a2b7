"""What is wrong with the rows of a transaction: values, references, required and unique fields, keys.

**Invariant:** nothing here changes the store.
"""

from collections.abc import Callable, Mapping, Sequence

from migrator.simulator import ids
from migrator.simulator.records.blobs import Blobs
from migrator.simulator.records.chunk import Chunk
from migrator.simulator.records.compile import Operation, ParentColumn, ValueColumn
from migrator.simulator.records.references import References
from migrator.simulator.records.results import RowError
from migrator.simulator.records.values import Faults
from migrator.simulator.schema.model import Field, FieldType

Updates = dict[int, int]  # row → the record's number


def not_writeable(names: Sequence[str]) -> RowError:
    """The error of giving fields that cannot be given."""
    text = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and verify"
        " that it is read/write for your profile or permission set."
    )
    return RowError("INVALID_FIELD_FOR_INSERT_UPDATE", text, tuple(names))


def missing(names: Sequence[str]) -> RowError:
    """The error of required fields that a row does not have."""
    return RowError(
        "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", tuple(names)
    )


Look = Callable[[Field, Sequence[str]], tuple[Sequence[str], Faults]]


class Judge:
    """Judges chunks, step by step."""

    def __init__(self, references: References, blobs: Blobs) -> None:
        self._references = references
        self._by_type: Mapping[FieldType, Look] = {
            FieldType.REFERENCE: references.check,
            FieldType.BASE64: blobs.check,
        }

    def read(self, chunk: Chunk) -> None:
        """Check every cell by itself and bring it into canonical form."""
        for column in chunk.compiled.values:
            cells, nulls = chunk.column(column.place)
            name = column.field.name
            if nulls:
                chunk.nulls[name] = nulls
            elif not any(cells):
                continue
            look_up = self._by_type.get(column.field.type)
            made, faults = look_up(column.field, cells) if look_up else column.check(cells)
            chunk.cells[name] = made
            chunk.faults(faults)
            if made.count("") > cells.count(""):  # a text of blanks is none
                blank = [
                    row for row, cell in enumerate(cells) if cell and not made[row] and row not in faults
                ]
                if blank:
                    chunk.nulls[name] = sorted([*nulls, *blank])
        for parent in chunk.compiled.parents:
            cells, nulls = chunk.column(parent.place)
            if nulls:
                chunk.nulls[parent.field.name] = nulls
            elif not any(cells):
                continue
            made, faults = self._references.resolve(parent, cells)
            chunk.cells[parent.field.name] = made
            chunk.faults(faults)

    def split(self, chunk: Chunk) -> tuple[Sequence[int], Updates]:
        """Which rows make a record and which change one."""
        rows = range(chunk.count)
        match chunk.compiled.operation:
            case Operation.INSERT:
                return rows, {}
            case Operation.UPDATE:
                return [], self._by_id(chunk, rows)
            case _:
                return self._by_key(chunk) if chunk.compiled.key else self._by_id_or_new(chunk)

    def _by_id_or_new(self, chunk: Chunk) -> tuple[Sequence[int], Updates]:
        given = chunk.ids()
        return [row for row in range(chunk.count) if not given[row]], self._by_id(
            chunk, [row for row in range(chunk.count) if given[row]]
        )

    def _by_id(self, chunk: Chunk, rows: Sequence[int]) -> Updates:
        table = chunk.table
        found: Updates = {}
        seen: set[int] = set()
        given = chunk.ids()
        for row in rows:
            cell = given[row]
            seq = table.seq_of(cell) if cell else 0
            if (
                seq
                and seq not in seen
                and table.exists(seq)
                and (len(cell) == 15 or table.id_of(seq) == cell)
            ):
                seen.add(seq)
                found[row] = seq
                continue
            if not cell:
                chunk.fault(row, RowError("MISSING_ARGUMENT", "Id not specified in an update call"))
            elif not ids.is_id(cell) or cell[:3] != table.sobject.prefix:
                text = f"{table.sobject.label} ID: id value of incorrect type: {cell}"
                chunk.fault(row, RowError("MALFORMED_ID", text, ("Id",)))
            elif not seq:
                chunk.fault(row, RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
            elif seq in seen:
                chunk.fault(row, RowError("DUPLICATE_VALUE", f"Duplicate id specified: {cell}", ("Id",)))
            else:
                chunk.fault(row, RowError("ENTITY_IS_DELETED", "entity is deleted"))
        return found

    def _by_key(self, chunk: Chunk) -> tuple[Sequence[int], Updates]:
        key = chunk.compiled.key
        if key is None:
            raise AssertionError("an upsert by Id has no key")
        index = chunk.table.index(key.name)
        cells = chunk.cells.get(key.name, [""] * chunk.count)
        keys = index.keys_of(cells)
        distinct = len(set(keys)) == chunk.count
        if distinct and "" not in keys and index.entries.keys().isdisjoint(keys):
            return range(chunk.count), {}
        inserts: list[int] = []
        updates: Updates = {}
        repeated = set() if distinct else {each for each in set(keys) if each and keys.count(each) > 1}
        for row, each in enumerate(keys):
            held = index.entries.get(each)
            if not each:
                chunk.fault(row, RowError("MISSING_ARGUMENT", f"{key.name} not specified"))
            elif each in repeated:
                chunk.fault(
                    row,
                    RowError(
                        "DUPLICATE_VALUE", f"Duplicate external id specified: {cells[row]}", (key.name,)
                    ),
                )
            elif held is None:
                inserts.append(row)
            elif isinstance(held, int):
                updates[row] = held
            else:
                listed = ", ".join(chunk.table.ids_of(held[:10]))
                text = f"{key.label}: more than one record found for external id field: [{listed}]"
                chunk.fault(row, RowError("DUPLICATE_EXTERNAL_ID", text, (key.name,)))
        return inserts, updates

    def insert(self, chunk: Chunk, rows: Sequence[int]) -> Sequence[int]:
        """The rows that can be inserted."""
        compiled = chunk.compiled
        if compiled.refused_insert is not None:
            chunk.errors.update(dict.fromkeys(rows, (compiled.refused_insert,)))
            return []
        if compiled.id_place is not None and (given := chunk.ids()) and any(given):
            for row in rows:
                if given[row]:
                    chunk.fault(row, _id_given(compiled.operation))
        self._forbidden(chunk, compiled.forbidden_insert, rows, nulls=False)
        if compiled.absent or any("" in chunk.cells.get(found.name, ("",)) for found in compiled.required):
            self._required(chunk, rows)
        rows = chunk.good(rows)
        for field in compiled.unique:
            self._unique(chunk, field, rows, {})
        return chunk.good(rows)

    def update(self, chunk: Chunk, updates: Updates) -> Updates:
        """The rows that can be updated."""
        if chunk.compiled.refused_update is not None:
            chunk.errors.update(dict.fromkeys(updates, (chunk.compiled.refused_update,)))
            return {}
        self._forbidden(chunk, chunk.compiled.forbidden_update, list(updates), nulls=True)
        columns = [found.field for found in chunk.compiled.values] + [
            found.field for found in chunk.compiled.parents
        ]
        for field in columns:
            if not field.nillable and not field.defaulted and field.name in chunk.nulls:
                for row in chunk.nulls[field.name]:
                    if row in updates:
                        chunk.fault(row, missing([field.name]))
        rows = chunk.good(updates)
        for field in chunk.compiled.unique:
            self._unique(chunk, field, rows, updates)
        return {row: updates[row] for row in chunk.good(rows)} if chunk.errors else updates

    def _forbidden(
        self, chunk: Chunk, columns: Sequence[ValueColumn | ParentColumn], rows: Sequence[int], *, nulls: bool
    ) -> None:
        given: dict[int, list[str]] = {}
        for column in columns:
            cells, cleared = chunk.column(column.place)
            kept = set(cleared) if nulls else set()
            for row in rows:
                if cells[row] or row in kept:
                    given.setdefault(row, []).append(column.field.name)
        for row, names in given.items():
            chunk.errors[row] = (not_writeable(names),)  # comes before what is wrong with a value

    def _required(self, chunk: Chunk, rows: Sequence[int]) -> None:
        fields = [found for found in chunk.table.sobject.fields if found.required]
        for row in rows:
            names = [
                found.name for found in fields if not (cells := chunk.cells.get(found.name)) or not cells[row]
            ]
            if names:
                chunk.fault(row, missing(names))

    def _unique(self, chunk: Chunk, field: Field, rows: Sequence[int], own: Mapping[int, int]) -> None:
        cells = chunk.cells.get(field.name)
        if cells is None:
            return
        index = chunk.table.index(field.name)
        keys = index.keys_of(cells)
        if not own and len(set(keys)) == chunk.count and index.entries.keys().isdisjoint(keys):
            return
        seen: set[str] = set()
        for row in rows:
            key = keys[row]
            held = index.entries.get(key)
            if not key:
                continue
            if held is not None and held != own.get(row):
                first = held if isinstance(held, int) else held[0]
                chunk.fault(row, _duplicate(field.name, chunk.table.id_of(first)[:15], field))
            elif key in seen:
                chunk.fault(row, _duplicate("<unknown>", "<unknown>", field))
            seen.add(key)


_USERNAME_TAKEN = (
    "Duplicate Username.<br>The username already exists in this or another Salesforce organization. Usernames must be"
    " unique across all Salesforce organizations. To resolve, use a different username (it doesn't need to match the"
    " user's email address)."
)


def _duplicate(name: str, record_id: str, field: Field) -> RowError:
    if field.name == "Username":
        return RowError("DUPLICATE_USERNAME", _USERNAME_TAKEN, (field.name,))
    text = f"duplicate value found: {name} duplicates value on record with id: {record_id}"
    return RowError("DUPLICATE_VALUE", text, (field.name,))


def _id_given(operation: Operation) -> RowError:
    if operation is Operation.INSERT:
        return RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
    return RowError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
