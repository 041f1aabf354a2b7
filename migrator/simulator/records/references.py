"""References of rows to parents: by id, checked for form, kind and existence, or by a key of the parent."""

from collections.abc import Sequence

from migrator.simulator import ids
from migrator.simulator.records.compile import ParentColumn
from migrator.simulator.records.results import RowError
from migrator.simulator.records.store import Store
from migrator.simulator.records.values import Faults
from migrator.simulator.schema.model import Field

KNOWN = 100_000  # references remembered as good, over all fields
MASTER_RECORD_TYPE = "012000000000000AAA"  # every sObject's master record type; it is no record


def not_for_the_user(field: Field, cell: str) -> RowError:
    """The error of a record type's id that the user may not give to this record."""
    text = f"{field.label}: this ID value isn't valid for the user: {cell}"
    return RowError("INVALID_CROSS_REFERENCE_KEY", text, (field.name,))


class References:
    """Judges reference cells. What was good once stays good until a record is deleted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, ...], dict[str, str]] = {}
        self._remembered = 0

    def forget(self) -> None:
        """Something was deleted: look again."""
        self._known.clear()
        self._remembered = 0

    def check(self, field: Field, cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        """The 18-character ids of the cells, and what is wrong with the others."""
        known = self._known.setdefault(field.reference_to, {"": ""})
        made: list[str | None] = list(map(known.get, cells))
        if None not in made:
            return [cell or "" for cell in made], {}
        faults: Faults = {}
        judged: dict[str, str | RowError] = {}
        for place, cell in enumerate(cells):
            if made[place] is not None:
                continue
            verdict = judged.get(cell)
            if verdict is None:
                verdict = judged[cell] = self._judge(field, cell)
            if isinstance(verdict, RowError):
                faults[place] = verdict
            else:
                made[place] = verdict
        self._remember(known, judged)
        return [cell or "" for cell in made], faults

    def _remember(self, known: dict[str, str], judged: dict[str, str | RowError]) -> None:
        self._remembered += len(judged)
        if self._remembered > KNOWN:
            self.forget()  # `known` is dropped with the rest; the next chunk starts anew
        known.update((cell, verdict) for cell, verdict in judged.items() if isinstance(verdict, str))

    def _judge(self, field: Field, cell: str) -> str | RowError:
        wrong_type = f"{field.label}: id value of incorrect type: {cell}"
        if not ids.is_id(cell):
            return RowError("MALFORMED_ID", wrong_type, (field.name,))
        if cell.startswith("012000000000000") and "RecordType" in field.reference_to:
            return ""
        table = self._store.table_of_id(cell)
        if (
            field.reference_to == ("RecordType",)
            and table is not None
            and not table.exists(table.seq_of(cell))
        ):
            return not_for_the_user(field, cell)
        if table is None or table.sobject.name not in field.reference_to:
            return RowError("FIELD_INTEGRITY_EXCEPTION", wrong_type, (field.name,))
        seq = table.seq_of(cell)
        if not seq:
            return RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if not table.exists(seq):
            return RowError("ENTITY_IS_DELETED", "entity is deleted")
        return cell if len(cell) == 18 else table.id_of(seq)

    def resolve(self, column: ParentColumn, cells: Sequence[str]) -> tuple[Sequence[str], Faults]:
        """The ids of the parents that have these keys."""
        canonical, faults = column.check(cells)
        table = self._store.table(column.parent.name)
        index = table.index(column.key.name)
        keys = index.keys_of(canonical)
        found: dict[str, str | RowError] = {"": ""}
        for key, cell in zip(keys, cells, strict=True):
            if key in found:
                continue
            held = index.entries.get(key)
            if held is None:
                text = f"Foreign key external ID: {cell} not found for field {column.key.name} in entity {column.parent.name}"
                found[key] = RowError("INVALID_FIELD", text)
            elif isinstance(held, list):
                listed = ", ".join(table.ids_of(held[:10]))
                text = f"{column.key.label}: more than one record found for external id field: [{listed}]"
                found[key] = RowError("DUPLICATE_EXTERNAL_ID", text, (column.field.name,))
            else:
                found[key] = table.id_of(held)
        made: list[str] = []
        for place, key in enumerate(keys):
            verdict = found[key]
            if isinstance(verdict, RowError):
                faults.setdefault(place, verdict)
                verdict = ""
            made.append(verdict)
        return made, faults
