"""Writing the rows of a transaction that were found good: defaults, auto numbers, system fields, the truth log."""

from collections.abc import Mapping, Sequence

from migrator.simulator import ids
from migrator.simulator.records.autonumber import AutoNumbers
from migrator.simulator.records.behaviour import ON_INSERT, Columns
from migrator.simulator.records.chunk import Chunk
from migrator.simulator.records.context import Context
from migrator.simulator.records.store import Table
from migrator.simulator.records.truth import Change, Truth
from migrator.simulator.records.values import moment


class Writer:
    """Writes chunks into their tables."""

    def __init__(self, truth: Truth, record_types: Mapping[str, str]) -> None:
        self._truth = truth
        self._record_types = record_types  # default record type id by sObject
        self._numbers = AutoNumbers()

    def insert(self, chunk: Chunk, rows: Sequence[int], context: Context) -> list[str]:
        """Make records of these rows and return their ids."""
        table = chunk.table
        count = len(rows)
        if count == chunk.count:
            columns: Columns = dict(chunk.cells)
        else:
            columns = {name: [cells[row] for row in rows] for name, cells in chunk.cells.items()}
        self._fill_defaults(chunk, rows, columns, context)
        made = ids.encode(table.sobject.prefix, table.pod, table.next_seq, count)
        self._fill_names(table, columns, made)
        hook = ON_INSERT.get(table.sobject.name)
        if hook is not None:
            hook(columns, count)
        self._stamp(table, columns, context)
        seqs = table.insert_columns(columns, count)
        self._note(chunk, Change.CREATED, seqs, context)
        return made

    def _fill_defaults(self, chunk: Chunk, rows: Sequence[int], columns: Columns, context: Context) -> None:
        for field in chunk.table.filled:
            given = columns.get(field.name)
            if field.auto_number:
                columns[field.name] = self._numbers.fill(
                    chunk.table.sobject.name, field, given, len(rows), context.now
                )
            elif given is not None and field.default and "" in given:
                cleared = set(chunk.nulls.get(field.name, ()))
                default = field.default
                columns[field.name] = [
                    cell or ("" if row in cleared else default) for row, cell in zip(rows, given, strict=True)
                ]

    def _fill_names(self, table: Table, columns: Columns, made: Sequence[str]) -> None:
        """A custom object's text name is the record's id when nobody gave one."""
        name = table.named_by_id
        if name is None:
            return
        given = columns.get(name)
        if given is None:
            columns[name] = list(made)
        elif "" in given:
            columns[name] = [cell or record_id for cell, record_id in zip(given, made, strict=True)]

    def system_fields(self, table: Table, context: Context) -> dict[str, str]:
        """What a new record has in system fields that nobody gave."""
        stamp = moment(context.now)
        stamps = {
            "OwnerId": context.actor,
            "CreatedById": context.actor,
            "LastModifiedById": context.actor,
            "CreatedDate": stamp,
            "LastModifiedDate": stamp,
            "RecordTypeId": self._record_types.get(table.sobject.name, ""),
        }
        return {name: cell for name, cell in stamps.items() if cell and table.sobject.field(name) is not None}

    def _stamp(self, table: Table, columns: Columns, context: Context) -> None:
        for name, value in self.system_fields(table, context).items():
            given = columns.get(name)
            if given is None:
                columns[name] = (value,)
            elif "" in given:
                columns[name] = [cell or value for cell in given]
        columns["SystemModstamp"] = (moment(context.now),)

    def update(self, chunk: Chunk, updates: Mapping[int, int], context: Context) -> list[tuple[int, str]]:
        """Change the records of these rows; gives (row, id)."""
        stamp = moment(context.now)
        stamps = {"LastModifiedDate": stamp, "LastModifiedById": context.actor, "SystemModstamp": stamp}
        stamps = {name: cell for name, cell in stamps.items() if chunk.table.sobject.field(name) is not None}
        table = chunk.table
        rows, seqs = list(updates), list(updates.values())
        columns: Columns = {name: (cell,) for name, cell in stamps.items()}
        key = chunk.compiled.key.name if chunk.compiled.key else ""
        for name, cells in chunk.cells.items():
            if name == key:
                continue
            taken = cells if len(rows) == chunk.count else [cells[row] for row in rows]
            cleared = set(chunk.nulls.get(name, ()))
            if "" not in taken or cleared.issuperset(rows):
                columns[name] = taken if len(seqs) > 1 else tuple(taken)
                continue
            kept = [place for place, row in enumerate(rows) if taken[place] or row in cleared]
            if kept:
                table.update_columns(
                    [seqs[place] for place in kept], {name: [taken[place] for place in kept]}
                )
        table.update_columns(seqs, columns)
        self._note(chunk, Change.UPDATED, seqs, context)
        return list(zip(rows, table.ids_of(seqs), strict=True))

    def _note(self, chunk: Chunk, change: Change, seqs: Sequence[int], context: Context) -> None:
        self._truth.append(
            time=context.now,
            origin=context.origin,
            actor=context.actor,
            change=change,
            sobject=chunk.table.sobject.name,
            seqs=seqs,
        )
