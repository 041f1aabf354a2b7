"""The engine behind every API that changes records: one transaction of at most 200 rows at a time, column by column.

Rows are checked as columns with built-in functions; only a chunk that has something wrong is looked at row by row. What an
org adds to the platform's own checks, and when its turn comes, is in `execution`.

**Invariant:** a row with an error changes nothing, and all rows of a chunk are judged before any is written.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from migrator.simulator.records.blobs import Blobs
from migrator.simulator.records.chunk import Chunk
from migrator.simulator.records.compile import Api, Compiled, Operation, compile_columns
from migrator.simulator.records.context import Context
from migrator.simulator.records.execution import Rules, Saved, Saving
from migrator.simulator.records.judge import Judge, Updates
from migrator.simulator.records.merging import merge
from migrator.simulator.records.recycling import RecycleBin
from migrator.simulator.records.references import References
from migrator.simulator.records.removal import Removal
from migrator.simulator.records.results import ChunkResult, HeaderFault, RowError
from migrator.simulator.records.rollback import ROLLED_BACK, Rollback
from migrator.simulator.records.store import Store, Table
from migrator.simulator.records.truth import Change, Truth
from migrator.simulator.records.writer import Writer
from migrator.simulator.schema.model import SObject
from migrator.simulator.schema.view import View

MAX_ROWS = 200  # records of one transaction, in every API

# of a transaction, and of the rows in it that make records: those that are refused although they are good
Refusal = Callable[[Chunk, Sequence[int]], Mapping[int, RowError]]


class Merged(NamedTuple):
    """What became of a merge: the ids of the children that moved, or why nothing did."""

    moved: tuple[str, ...]
    fault: RowError | None


class Dml:
    """The engine of one org."""

    def __init__(
        self,
        store: Store,
        truth: Truth,
        *,
        view: Callable[[str], View],
        record_types: Mapping[str, str] | None = None,
    ) -> None:
        self._store = store
        self._truth = truth
        self._view = view
        self._rules: dict[str, Rules] = {}
        references = References(store)
        self.blobs = Blobs()
        self._judge = Judge(references, self.blobs)
        self._writer = Writer(truth, {} if record_types is None else record_types)
        self.recycle_bin = RecycleBin(store, truth, references.forget, self._rules)
        self._removal = Removal(store, truth, references.forget, self._rules, view, self.recycle_bin)
        self.forget = references.forget  # after records went away behind the engine's back
        self.refusals: list[Refusal] = []  # asked about every transaction that is not a deletion

    def rules(self, sobject: str) -> Rules:
        """The rules of an sObject (in its own spelling), to add to. Once asked for, its rows go through all stages."""
        return self._rules.setdefault(sobject, Rules())

    def compile(
        self,
        sobject: SObject,
        columns: Sequence[str],
        operation: Operation,
        *,
        external_id: str | None = None,
        null_marker: str | None = None,
        api: Api = Api.BULK,
        user: str = "",
        trusted: bool = False,
    ) -> Compiled:
        """Compile a header once for many chunks; raises `HeaderFault`. A trusted one may give read-only fields too.

        It has the columns that the user sees, and refuses what the user may not write; without a user all of them.

        With a `null_marker` (Bulk has `#N/A`) a cell that is it sets null; without one, a cell that is None does.
        """
        view = self._view(user)
        self._store.table(sobject.name)  # whatever fills it comes before
        seen = view.schema.sobject(sobject.name)
        if seen is None:
            raise HeaderFault(f"Unable to find object: {sobject.name}")
        return compile_columns(
            view.schema,
            seen,
            columns,
            operation,
            external_id=external_id,
            null_marker=null_marker,
            api=api,
            audit_fields=bool(user) and view.may("CreateAuditFields"),
            trusted=trusted,
        )

    def execute(
        self,
        compiled: Compiled,
        rows: Sequence[Sequence[str | None]],
        context: Context,
        *,
        all_or_none: bool = False,
    ) -> ChunkResult:
        """Run one transaction. Rows are as wide as the header; a cell is text, and `""` is not given."""
        if not rows:
            return ChunkResult([], [])
        if compiled.operation in {Operation.DELETE, Operation.HARD_DELETE}:
            place = compiled.id_place
            listed = [""] * len(rows) if place is None else [row[place] or "" for row in rows]
            hard = compiled.operation is Operation.HARD_DELETE
            sobject = compiled.sobject.name
            return self._removal.run(listed, context, sobject=sobject, hard=hard, all_or_none=all_or_none)
        chunk, inserts, updates = self._judged(compiled, rows)
        rules = self._rules.get(compiled.sobject.name)
        if rules is not None and (inserts or updates):
            system = self._writer.system_fields(chunk.table, context)
            saving = Saving(chunk, inserts, updates, context, system)
            rules.before_save(saving, trusted=compiled.trusted)
            inserts, updates = saving.inserts, dict(saving.updates)
        if chunk.errors and all_or_none:
            return _rolled_back(chunk)
        if rules is None or not rules.effects:
            return self._write(chunk, inserts, updates, context)
        return self._save(chunk, inserts, updates, context, rules, all_or_none=all_or_none)

    def follow(self, saved: Saved) -> None:
        """Run the effects of records that an effect has changed, whose old cells it gives."""
        rules = self._rules.get(saved.table.sobject.name)
        if rules is not None:
            rules.after_save(saved, saved.before.keys())

    def validate(
        self, table: Table, seqs: Sequence[int], cells: Mapping[str, Sequence[str]], context: Context
    ) -> dict[int, tuple[RowError, ...]]:
        """What validation rules say to records that an effect is about to give these cells, by number."""
        rules = self._rules.get(table.sobject.name)
        if rules is None or not rules.validations:
            return {}
        compiled = self.compile(table.sobject, ["Id"], Operation.UPDATE, trusted=True)
        chunk = Chunk(compiled, table, len(seqs), [])
        chunk.cells.update(cells)
        nulls = {name: [row for row, cell in enumerate(column) if not cell] for name, column in cells.items()}
        chunk.nulls.update({name: rows for name, rows in nulls.items() if rows})
        saving = Saving(chunk, [], dict(enumerate(seqs)), context, {})
        rules.validate(saving)
        return {seqs[row]: errors for row, errors in chunk.errors.items()}

    def _save(
        self,
        chunk: Chunk,
        inserts: Sequence[int],
        updates: Updates,
        context: Context,
        rules: Rules,
        *,
        all_or_none: bool,
    ) -> ChunkResult:
        """Write with what follows, again without the rows that are refused by it, until none is."""
        trusted = chunk.compiled.trusted
        while inserts or updates:
            with Rollback(self._store, self._truth, self.forget) as transaction:
                given = chunk.cells.keys() | chunk.nulls.keys()
                changed = list(updates.values())
                before = {name: chunk.table.cells(changed, name) for name in rules.watched(given)}
                first = chunk.table.next_seq
                done = self._write(chunk, inserts, updates, context)
                late: dict[int, tuple[RowError, ...]] = {}
                if inserts:
                    seqs = range(first, first + len(inserts))
                    saved = Saved(chunk.table, Change.CREATED, seqs, context, {}, inserts, late, trusted)
                    rules.after_save(saved, given)
                if updates:
                    saved = Saved(
                        chunk.table, Change.UPDATED, changed, context, before, list(updates), late, trusted
                    )
                    rules.after_save(saved, given)
                if late:
                    transaction.rollback()
            if not late:
                return done
            for row, errors in late.items():
                chunk.fault(row, *errors)
            if all_or_none:
                return _rolled_back(chunk)
            inserts = chunk.good(inserts)
            updates = {row: seq for row, seq in updates.items() if row not in late}
        return self._write(chunk, inserts, updates, context)

    def delete(
        self,
        record_ids: Sequence[str],
        context: Context,
        *,
        all_or_none: bool = False,
        trusted: bool = False,
    ) -> ChunkResult:
        """Delete records of any sObjects. A trusted deletion is the platform's own: nobody's permissions count."""
        return self._removal.run(record_ids, context, all_or_none=all_or_none, trusted=trusted)

    def merge(self, master_id: str, merged_ids: Sequence[str], context: Context) -> Merged:
        """Merge records into a master, all of it or nothing."""
        with Rollback(self._store, self._truth, self.forget) as transaction:
            moved, fault = merge(self._store, self._truth, master_id, merged_ids, context, self.follow)
            if fault is None:
                done = self._removal.run(merged_ids, context, all_or_none=True)
                fault = next((errors[0] for errors in done.errors.values()), None)
            if fault is not None:
                transaction.rollback()
                return Merged((), fault)
        return Merged(tuple(moved), None)

    def _judged(
        self, compiled: Compiled, rows: Sequence[Sequence[str | None]]
    ) -> tuple[Chunk, Sequence[int], Updates]:
        table = self._store.table(compiled.sobject.name)
        chunk = Chunk(compiled, table, len(rows), list(zip(*rows, strict=True)))
        self._judge.read(chunk)
        inserts, updates = self._judge.split(chunk)
        if inserts:
            inserts = self._judge.insert(chunk, inserts)
        if updates:
            updates = self._judge.update(chunk, updates)
        for refuse in self.refusals:
            chunk.faults(refuse(chunk, inserts))
        if self.refusals and chunk.errors:
            inserts = chunk.good(inserts)
            updates = {row: seq for row, seq in updates.items() if row not in chunk.errors}
        return chunk, inserts, updates

    def _write(self, chunk: Chunk, inserts: Sequence[int], updates: Updates, context: Context) -> ChunkResult:
        if len(inserts) == chunk.count:
            return ChunkResult(self._writer.insert(chunk, inserts, context), [True] * chunk.count)
        made = chunk.ids()
        created = [False] * chunk.count
        for row, record_id in self._writer.update(chunk, updates, context) if updates else ():
            made[row] = record_id
        if inserts:
            for row, record_id in zip(inserts, self._writer.insert(chunk, inserts, context), strict=True):
                made[row] = record_id
                created[row] = True
        return ChunkResult(made, created, chunk.errors)


def _rolled_back(chunk: Chunk) -> ChunkResult:
    errors = {row: chunk.errors.get(row, (ROLLED_BACK,)) for row in range(chunk.count)}
    return ChunkResult(chunk.ids(), [False] * chunk.count, errors)
