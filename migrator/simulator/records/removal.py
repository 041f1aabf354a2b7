"""Deleting records: what cascades, what is in the way, what loses its reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.simulator import ids
from migrator.simulator.records.context import Context
from migrator.simulator.records.execution import Rules, Saved
from migrator.simulator.records.index import Index
from migrator.simulator.records.recycling import Cleared, Deletion, Key, RecycleBin
from migrator.simulator.records.results import ChunkResult, RowError
from migrator.simulator.records.rollback import ROLLED_BACK
from migrator.simulator.records.store import Store, Table
from migrator.simulator.records.truth import Change, Truth
from migrator.simulator.records.values import moment
from migrator.simulator.schema.model import Child
from migrator.simulator.schema.view import View

NAMED = 10  # records named in the error of a restricted deletion
DEPTH = 50  # of a cascade; a chain of self-references may be long

NO_ACCESS = RowError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")

Victims = dict[tuple[str, int], None]  # (sObject, number), in order


@dataclass(frozen=True, slots=True)
class _Link:
    """A reference to an sObject from records that are there."""

    child: Child
    table: Table
    keeps: bool  # the child cascades with its parent or holds it; otherwise it loses its reference
    index: Index


@dataclass(slots=True)
class _Going:
    """What one transaction deletes."""

    context: Context
    trusted: bool
    seen: set[str] = field(default_factory=set)  # ids
    victims: Victims = field(default_factory=dict)
    deletions: dict[Key, Deletion] = field(default_factory=dict)  # by the record that was named


class Removal:
    """Deletes rows of one transaction, with their children."""

    def __init__(
        self,
        store: Store,
        truth: Truth,
        forget: Callable[[], None],
        rules: Mapping[str, Rules],
        view: Callable[[str], View],
        recycle_bin: RecycleBin,
    ) -> None:
        self._store = store
        self._truth = truth
        self._forget = forget
        self._rules = rules
        self._view = view
        self._bin = recycle_bin
        self._links: dict[str, tuple[_Link, ...]] = {}  # by sObject, while one transaction runs

    def run(
        self,
        cells: Sequence[str],
        context: Context,
        *,
        sobject: str | None = None,
        hard: bool = False,
        all_or_none: bool = False,
        trusted: bool = False,
    ) -> ChunkResult:
        """Delete the records with these ids, of one sObject or of any."""
        self._links.clear()
        errors: dict[int, tuple[RowError, ...]] = {}
        going = _Going(context, trusted=trusted)
        for row, cell in enumerate(cells):
            table = self._store.table(sobject) if sobject else self._store.table_of_id(cell)
            fault = self._judge(table, cell, going)
            if fault:
                errors[row] = (fault,)
        made = [ids.to_18(cell) if ids.is_id(cell) else cell for cell in cells]
        created = [False] * len(cells)
        if errors and all_or_none:
            return ChunkResult(
                made, created, {row: errors.get(row, (ROLLED_BACK,)) for row in range(len(cells))}
            )
        self._write(going.victims, going.deletions, context, hard=hard)
        return ChunkResult(made, created, errors)

    def _not_allowed(self, table: Table, seq: int, going: _Going) -> RowError | None:
        """What the user, or the sObject, has against it; nothing stops the platform itself."""
        if going.trusted:
            return None
        seen = self._view(going.context.actor).schema.sobject(table.sobject.name)
        if seen is None or not seen.deletable:
            return NO_ACCESS
        rules = self._rules.get(table.sobject.name)
        refusals = (ask(table, seq) for ask in rules.removals) if rules is not None else ()
        return next(filter(None, refusals), None)

    def _judge(self, table: Table | None, cell: str, going: _Going) -> RowError | None:
        if not cell:
            return RowError("MISSING_ARGUMENT", "Id not specified in a delete call")
        if table is None or not ids.is_id(cell) or cell[:3] != table.sobject.prefix:
            label = f"{table.sobject.label} ID" if table else "Record ID"
            return RowError("MALFORMED_ID", f"{label}: id value of incorrect type: {cell}", ("Id",))
        seq = table.seq_of(cell)
        if not seq:
            return RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if not table.exists(seq):
            return RowError("ENTITY_IS_DELETED", "entity is deleted")
        if cell[:15] in going.seen:
            return RowError("DUPLICATE_VALUE", f"duplicate id specified: {ids.to_18(cell)}", ("Id",))
        going.seen.add(cell[:15])
        cascade: Victims = {}
        fault = self._not_allowed(table, seq, going) or self._collect(table, seq, cascade, DEPTH)
        if fault is None:
            going.deletions[table.sobject.name, seq] = Deletion(tuple(cascade))
            going.victims.update(cascade)
        return fault

    def _collect(self, table: Table, seq: int, victims: Victims, depth: int) -> RowError | None:
        key = (table.sobject.name, seq)
        if key in victims or depth == 0:
            return None
        victims[key] = None
        record_id = table.id_of(seq)
        for link in self._links_to(table):
            found = link.index.find(record_id) if link.keeps else []
            if not found:
                continue
            if link.child.restrict:
                return self._in_the_way(table, seq, link.child, found)
            for each in found:
                fault = self._collect(link.table, each, victims, depth - 1)
                if fault:
                    return fault
        return None

    def _in_the_way(self, table: Table, seq: int, child: Child, found: Sequence[int]) -> RowError:
        children = self._store.table(child.sobject.name)
        named = child.sobject.name_fields
        names = ", ".join(
            children.cell(each, named[0].name) if named else children.id_of(each)
            for each in sorted(found)[:NAMED]
        )
        own = table.sobject.name_fields
        name = table.cell(seq, own[0].name) if own else table.id_of(seq)
        text = (
            f"Your attempt to delete {name} could not be completed because it is associated with the following"
            f" {child.sobject.plural.lower()}.: {names}\n"
        )
        return RowError("DELETE_FAILED", text)

    def _write(
        self, victims: Victims, deletions: Mapping[Key, Deletion], context: Context, *, hard: bool
    ) -> None:
        if not victims:
            return
        by_sobject: dict[str, list[int]] = {}
        for name, seq in victims:
            by_sobject.setdefault(name, []).append(seq)
        stamp = moment(context.now)
        for name, seqs in by_sobject.items():
            table = self._store.table(name)
            final = hard or table.sobject.field("IsDeleted") is None
            for seq in seqs:
                cleared = self._clear_children(table, seq, victims, stamp)
                if (name, seq) in deletions:
                    deletions[name, seq].cleared.extend(cleared)
            for seq in seqs:
                if final:
                    table.purge(seq)
                else:
                    table.update(seq, {"SystemModstamp": stamp})
                    table.delete(seq)
            if not final:
                self._bin.date(context.now, name, seqs)
            self._truth.append(
                time=context.now,
                origin=context.origin,
                actor=context.actor,
                change=Change.PURGED if final else Change.DELETED,
                sobject=name,
                seqs=seqs,
            )
        if not hard:
            self._bin.keep(
                {key: each for key, each in deletions.items() if each.cleared or len(each.members) > 1}
            )
        self._forget()
        for name, seqs in by_sobject.items():
            rules = self._rules.get(name)
            if rules is not None and rules.effects:
                change = Change.PURGED if hard else Change.DELETED
                rules.after_save(Saved(self._store.table(name), change, seqs, context), set())

    def _clear_children(self, table: Table, seq: int, victims: Victims, stamp: str) -> list[Cleared]:
        """Clear the lookups of records that stay; which."""
        record_id = table.id_of(seq)
        cleared: list[Cleared] = []
        for link in self._links_to(table):
            for each in [] if link.keeps else link.index.find(record_id):
                if (link.table.sobject.name, each) not in victims:
                    name = link.child.field.name
                    link.table.update(each, {name: "", "SystemModstamp": stamp})
                    cleared.append(Cleared(link.table.sobject.name, each, name, record_id))
        return cleared

    def _links_to(self, table: Table) -> tuple[_Link, ...]:
        name = table.sobject.name
        found = self._links.get(name)
        if found is None:
            listed = []
            for child in self._store.schema.children(name):
                children = self._store.table(child.sobject.name)
                if len(children):
                    keeps = child.cascade or child.restrict
                    listed.append(_Link(child, children, keeps, children.index(child.field.name)))
            found = self._links[name] = tuple(listed)
        return found
