"""The recycle bin: what was deleted together comes back together, until it is emptied or its time is over.

**Invariant:** a record that is not deleted is never touched here but to get back a lookup that its parent's deletion cleared.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from migrator.simulator import ids
from migrator.simulator.records.context import Context
from migrator.simulator.records.execution import Rules, Saved
from migrator.simulator.records.results import ChunkResult, RowError
from migrator.simulator.records.store import Store, Table
from migrator.simulator.records.truth import Change, Truth
from migrator.simulator.records.values import moment
from migrator.simulator.schema.model import FieldType

KEPT = 15 * 86_400.0  # seconds in the recycle bin; help "Manage Items in the Recycle Bin"
_NOT_IN_BIN = RowError("UNDELETE_FAILED", "Entity is not in the recycle bin")
_NO_PARENT = RowError("UNDELETE_FAILED", "The parent record is in the recycle bin: undelete that instead")

Key = tuple[str, int]  # sObject and number


@dataclass(frozen=True, slots=True)
class Cleared:
    """A lookup that was cleared because its record was deleted."""

    sobject: str
    seq: int
    field: str
    record_id: str


@dataclass(slots=True)
class Deletion:
    """Records that were deleted because one was."""

    members: tuple[Key, ...]
    cleared: list[Cleared] = field(default_factory=list)


class RecycleBin:
    """The recycle bin of one org. A record that was deleted alone costs its place in the table's set and no more."""

    def __init__(
        self, store: Store, truth: Truth, forget: Callable[[], None], rules: Mapping[str, Rules]
    ) -> None:
        self._store = store
        self._truth = truth
        self._forget = forget
        self._rules = rules
        self._together: dict[Key, Deletion] = {}  # by the record that was deleted, where others went with it
        self._queue: deque[tuple[float, str, Sequence[int]]] = deque()

    def keep(self, deletions: Mapping[Key, Deletion]) -> None:
        """Remember what went together."""
        self._together.update(deletions)
        if self._store.journal is not None:
            self._store.journal.append(partial(self._drop, list(deletions)))

    def date(self, now: float, sobject: str, seqs: Sequence[int]) -> None:
        """Remember since when records are here."""
        self._queue.append((now, sobject, seqs))

    def _drop(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._together.pop(key, None)

    # --- out again -----------------------------------------------------------------------------------------------

    def undelete(self, record_ids: Sequence[str], context: Context) -> ChunkResult:
        """Take records out, each with what went in with it."""
        errors: dict[int, tuple[RowError, ...]] = {}
        back: dict[str, list[int]] = {}
        for row, record_id in enumerate(record_ids):
            found = self._find(record_id)
            fault = found if isinstance(found, RowError) else self._restore(*found, context, back)
            if fault is not None:
                errors[row] = (fault,)
        for name, seqs in back.items():
            self._note(context, Change.UNDELETED, name, seqs)
        self._forget()
        for name, seqs in back.items():
            rules = self._rules.get(name)
            if rules is not None and rules.effects:
                rules.after_save(Saved(self._store.table(name), Change.UNDELETED, seqs, context), set())
        return _result(record_ids, errors)

    def _find(self, record_id: str) -> tuple[Table, int] | RowError:
        table = self._store.table_of_id(record_id) if ids.is_id(record_id) else None
        if table is None:
            return RowError("MALFORMED_ID", f"bad id {record_id}")
        seq = table.seq_of(record_id)
        return (table, seq) if seq in table.deleted else _NOT_IN_BIN

    def _restore(
        self, table: Table, seq: int, context: Context, back: dict[str, list[int]]
    ) -> RowError | None:
        key = (table.sobject.name, seq)
        deletion = self._together.get(key, Deletion((key,)))
        members = [
            (self._store.table(name), each)
            for name, each in deletion.members
            if each in self._store.table(name).deleted
        ]
        going = {(member.sobject.name, each) for member, each in members}
        for member, each in members:
            fault = self._in_the_way(member, each, going)
            if fault is not None:
                return fault
        stamp = {"SystemModstamp": moment(context.now)}
        for member, each in members:
            member.undelete(each)
            member.update(each, stamp)
            back.setdefault(member.sobject.name, []).append(each)
        for member, each in members:
            self._clear_lost(member, each)
        for lookup in deletion.cleared:
            child = self._store.table(lookup.sobject)
            if child.exists(lookup.seq) and not child.cell(lookup.seq, lookup.field):
                child.update(lookup.seq, {lookup.field: lookup.record_id})
        self._together.pop(key, None)
        return None

    def _in_the_way(self, table: Table, seq: int, going: set[Key]) -> RowError | None:
        """What keeps a record from coming back: a value that another has by now, a master that is not there."""
        for each in table.sobject.fields:
            cell = table.cell(seq, each.name) if each.unique or each.relationship_order is not None else ""
            if cell and each.unique and (others := table.find(each.name, cell)):
                text = f"duplicate value found: {each.name} duplicates value on record with id: {table.id_of(others[0])[:15]}"
                return RowError("DUPLICATE_VALUE", text, (each.name,))
            if cell and each.relationship_order is not None:
                master = self._store.table(each.reference_to[0])
                number = master.seq_of(cell)
                if not master.exists(number) and (master.sobject.name, number) not in going:
                    return _NO_PARENT
        return None

    def _clear_lost(self, table: Table, seq: int) -> None:
        """Clear lookups of a record that came back to records that went meanwhile."""
        for each in table.sobject.fields:
            cell = table.cell(seq, each.name) if each.type is FieldType.REFERENCE else ""
            parent = self._store.table_of_id(cell) if cell else None
            number = parent.seq_of(cell) if parent else 0
            if parent is not None and each.nillable and not parent.exists(number):
                table.update(seq, {each.name: ""})

    # --- gone for good -------------------------------------------------------------------------------------------

    def empty(self, record_ids: Sequence[str], context: Context) -> ChunkResult:
        """Remove records in the bin for good, each with what went in with it."""
        errors: dict[int, tuple[RowError, ...]] = {}
        gone: dict[str, list[int]] = {}
        for row, record_id in enumerate(record_ids):
            found = self._find(record_id)
            if isinstance(found, RowError):
                errors[row] = (found,)
                continue
            table, seq = found
            deletion = self._together.pop((table.sobject.name, seq), Deletion(((table.sobject.name, seq),)))
            for name, each in deletion.members:
                if each in self._store.table(name).deleted:
                    self._store.table(name).purge(each)
                    gone.setdefault(name, []).append(each)
        for name, seqs in gone.items():
            self._note(context, Change.PURGED, name, seqs)
        return _result(record_ids, errors)

    def advance(self, now: float) -> bool:
        """Remove what has been here for 15 days; there is never more to do at once."""
        while self._queue and self._queue[0][0] + KEPT <= now:
            since, name, seqs = self._queue.popleft()
            table = self._store.table(name)
            old = [
                seq
                for seq in seqs
                if seq in table.deleted and table.cell(seq, "SystemModstamp") <= moment(since)
            ]
            for seq in old:
                table.purge(seq)
                self._together.pop((name, seq), None)
            self._note(Context("", now, "recycle bin"), Change.PURGED, name, old)
        return False

    def _note(self, context: Context, change: Change, name: str, seqs: Sequence[int]) -> None:
        self._truth.append(
            time=context.now,
            origin=context.origin,
            actor=context.actor,
            change=change,
            sobject=name,
            seqs=seqs,
        )


def _result(record_ids: Sequence[str], errors: dict[int, tuple[RowError, ...]]) -> ChunkResult:
    made = [ids.to_18(each) if ids.is_id(each) else each for each in record_ids]
    return ChunkResult(made, [False] * len(record_ids), errors)
