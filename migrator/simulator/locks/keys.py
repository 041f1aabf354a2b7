"""The locks of one transaction: from its rows and the records they change to the ids that it has to hold.

**Invariant:** nothing here changes the store, and what cannot be read is left to the judges: it locks nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from migrator.simulator import ids
from migrator.simulator.locks.rules import (
    USER_MOVES,
    ObjectLocks,
    ParentLock,
    Verb,
    rules_of,
)
from migrator.simulator.records.compile import Compiled, Operation, ParentColumn, ValueColumn
from migrator.simulator.records.store import Store, Table
from migrator.simulator.schema.model import Field
from migrator.simulator.settings import LockOrder, LockSettings

GROUP = "group membership"  # the key of the org-wide lock; no id looks like it
_DEPTH = 10  # of a chain of masters or of a cascade
_DELETIONS = frozenset({Operation.DELETE, Operation.HARD_DELETE})

Rows = Sequence[Sequence[str | None]]


class Keys:
    """The locks of an org's transactions."""

    def __init__(self, store: Store, settings: LockSettings) -> None:
        self._store = store
        self._settings = settings
        self._rules: dict[str, ObjectLocks] = {}

    def of(self, compiled: Compiled, rows: Rows) -> list[str]:
        """What a transaction of these rows locks, in the order in which it does, each key once."""
        columns = list(zip(*rows, strict=True))
        if compiled.operation in _DELETIONS:
            place = compiled.id_place
            return self.of_deletion([] if place is None else [cell or "" for cell in columns[place]])
        rules = self._rules_of(compiled.sobject.name)
        table = self._store.table(compiled.sobject.name)
        read = _Reader(self._store, compiled, columns)
        seqs = read.updated(table)
        taken: list[Sequence[str]] = []
        if any(seqs):
            taken.append([table.id_of(seq) if seq else "" for seq in seqs])
        verbs = [Verb.UPDATE if seq else Verb.INSERT for seq in seqs]
        above: dict[str, tuple[str, ...]] = {}
        for lock in rules.parents:
            found = self._parents(lock, rules, read, table, seqs, verbs)
            taken += found
            if self._is_deep(lock):
                self._climb(above, lock, found)
        keys = self._flat(taken, above)
        return [GROUP, *keys] if self._takes_group(rules, read, table, seqs) else keys

    def of_deletion(self, cells: Sequence[str]) -> list[str]:
        """What the deletion of these records locks: them, what goes with them, and the parents of all."""
        taken: list[Sequence[str]] = []
        above: dict[str, tuple[str, ...]] = {}
        victims: dict[str, None] = {}
        for cell in cells:
            self._collect(cell, victims, _DEPTH)
        group = False
        for victim in victims:
            table = self._store.table_of_id(victim)
            if table is None:
                continue
            rules = self._rules_of(table.sobject.name)
            group = group or rules.group
            locks = [lock for lock in rules.parents if Verb.DELETE in lock.on]
            parents = [table.cell(table.seq_of(victim), lock.field.name) for lock in locks]
            taken.append([victim, *parents])
            for lock, parent in zip(locks, parents, strict=True):
                if self._is_deep(lock):
                    self._climb(above, lock, [[parent]])
        keys = self._flat([[key for row in taken for key in row]], above)
        return [GROUP, *keys] if group else keys

    def _collect(self, record_id: str, victims: dict[str, None], depth: int) -> None:
        table = self._store.table_of_id(record_id)
        seq = table.seq_of(record_id) if table else 0
        if table is None or not table.exists(seq) or not depth:
            return
        own = table.id_of(seq)
        if own in victims:
            return
        victims[own] = None
        for child in self._store.schema.children(table.sobject.name):
            children = self._store.table(child.sobject.name)
            if child.cascade and len(children):
                for each in children.index(child.field.name).find(own):
                    self._collect(children.id_of(each), victims, depth - 1)

    def _parents(
        self,
        lock: ParentLock,
        rules: ObjectLocks,
        read: "_Reader",
        table: Table,
        seqs: Sequence[int],
        verbs: Sequence[Verb],
    ) -> list[Sequence[str]]:
        """The parents given and those that the records have already, row by row."""
        found: list[Sequence[str]] = []
        given = read.references(lock.field)
        if given is not None:
            if rules.unfinished_only:
                given = [
                    cell if verb is Verb.UPDATE or due else ""
                    for cell, verb, due in zip(given, verbs, read.due_tasks(), strict=True)
                ]
            found.append(given)
        if any(seqs):
            name = lock.field.name
            found.append([table.cell(seq, name) if seq else "" for seq in seqs])
        if lock.on.issuperset(verbs):
            return found
        return [
            [cell if verb in lock.on else "" for cell, verb in zip(cells, verbs, strict=True)]
            for cells in found
        ]

    def _takes_group(self, rules: ObjectLocks, read: "_Reader", table: Table, seqs: Sequence[int]) -> bool:
        if rules.group and (
            not all(seqs) or rules.sobject.name != "User" or not USER_MOVES.isdisjoint(read.names)
        ):
            return True
        owners = read.references(rules.owners) if rules.owners else None
        return owners is not None and any(
            seq and owner and owner != table.cell(seq, "OwnerId")
            for seq, owner in zip(seqs, owners, strict=True)
        )

    # --- up from a parent ----------------------------------------------------------------------------------------

    def _is_deep(self, lock: ParentLock) -> bool:
        return bool(lock.through) or any(
            self._rules_of(name).masters
            for name in lock.field.reference_to
            if self._store.schema.sobject(name)
        )

    def _climb(
        self, above: dict[str, tuple[str, ...]], lock: ParentLock, columns: Iterable[Sequence[str]]
    ) -> None:
        """Note what is locked with each of these records: their masters, and what they stand for."""
        for cells in columns:
            for cell in dict.fromkeys(cells):
                if cell and cell not in above:
                    above[cell] = tuple(dict.fromkeys(self._chain(cell, lock.through, _DEPTH)))

    def _chain(self, record_id: str, through: str, depth: int) -> Iterable[str]:
        yield record_id
        table = self._store.table_of_id(record_id)
        seq = table.seq_of(record_id) if table else 0
        if table is None or not table.exists(seq) or not depth:
            return
        names = [found.name for found in self._rules_of(table.sobject.name).masters]
        if through and table.sobject.field(through) is not None:
            names.append(through)
        for name in names:
            parent = table.cell(seq, name)
            if parent:
                yield from self._chain(parent, "", depth - 1)

    def _flat(self, taken: Sequence[Sequence[str]], above: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Row by row, each key once."""
        found = dict.fromkeys(cell for row in zip(*taken, strict=True) for cell in row)
        found.pop("", None)
        if above:
            found = dict.fromkeys(key for cell in found for key in above.get(cell, (cell,)))
        return sorted(found) if self._settings.order is LockOrder.SORTED else list(found)

    def _rules_of(self, sobject: str) -> ObjectLocks:
        found = self._rules.get(sobject)
        if found is None:
            described = self._store.table(sobject).sobject
            found = self._rules[sobject] = rules_of(described, self._settings)
        return found


class _Reader:
    """The rows of a transaction by field, before anybody judges them."""

    def __init__(self, store: Store, compiled: Compiled, columns: Sequence[Sequence[str | None]]) -> None:
        self._store = store
        self._compiled = compiled
        self._columns = columns
        self._given: dict[str, ValueColumn | ParentColumn] = {}
        for listed in (compiled.values, compiled.parents):
            self._given.update({column.field.name: column for column in listed})

    @property
    def names(self) -> Iterable[str]:
        """The fields that are given."""
        return self._given

    def _cells(self, place: int) -> list[str]:
        marker = self._compiled.null_marker
        return ["" if cell is None or cell == marker else cell for cell in self._columns[place]]

    def _count(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def updated(self, table: Table) -> list[int]:
        """The number of the record that each row changes; 0 where it makes one, or is at fault."""
        compiled = self._compiled
        match compiled.operation:
            case Operation.INSERT:
                return [0] * self._count()
            case Operation.UPSERT if compiled.key is not None and compiled.key_place is not None:
                index = table.index(compiled.key.name)
                checked = self._checked(compiled.key, self._cells(compiled.key_place))
                held = [index.entries.get(key) for key in index.keys_of(checked)]
                return [each if isinstance(each, int) else 0 for each in held]
            case _:
                if compiled.id_place is None:
                    return [0] * self._count()
                seqs = map(table.seq_of, self._cells(compiled.id_place))
                return [seq if table.exists(seq) else 0 for seq in seqs]

    def _checked(self, field: Field, cells: Sequence[str]) -> Sequence[str]:
        column = self._given.get(field.name)
        return cells if column is None else column.check(cells)[0]

    def references(self, field: Field | None) -> Sequence[str] | None:
        """The 18-character ids in a reference field; None when it is not given."""
        column = self._given.get(field.name) if field else None
        if column is None:
            return None
        cells = self._cells(column.place)
        if isinstance(column, ParentColumn):
            table = self._store.table(column.parent.name)
            index = table.index(column.key.name)
            held = [index.entries.get(key) for key in index.keys_of(column.check(cells)[0])]
            return [table.id_of(each) if isinstance(each, int) else "" for each in held]
        return [
            cell if len(cell) == ids.LONG else ids.to_18(cell) if ids.is_id(cell) else "" for cell in cells
        ]

    def due_tasks(self) -> list[bool]:
        """Which tasks are open and have a date."""
        columns = [self._given.get(name) for name in ("Status", "ActivityDate")]
        status, date = (
            [""] * self._count() if column is None else self._cells(column.place) for column in columns
        )
        return [day != "" and state != "Completed" for state, day in zip(status, date, strict=True)]
