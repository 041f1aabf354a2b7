"""The records of one sObject, in segments of about two hundred records, column by column.

Records are numbered from 1 in order of creation; the number is the counter of the record's id. Everything that the
DML engine and the queries need is done for a whole segment at a time.

**Invariant:** the store checks nothing: what is legal is decided in `dml` before it writes here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress

from migrator.simulator.records.columns import cells_of, constant
from migrator.simulator.records.index import Index
from migrator.simulator.records.recordids import RecordIds
from migrator.simulator.records.segment import Segment, Segments
from migrator.simulator.schema.model import Field, FieldType, SObject, SummaryOperation

CACHE = 2_048  # decoded columns kept for reads record by record

Journal = list[Callable[[], object]]  # how to take back what was written, the first change first


@dataclass(frozen=True, slots=True)
class Derived:
    """A field that is computed when read: from these fields, by this function."""

    fields: tuple[str, ...]
    compute: Callable[..., str]
    whole: Callable[..., Sequence[str]] | None = None  # the same for columns
    volatile: bool = False  # changes without the record: by time, or with a parent


@dataclass(frozen=True, slots=True)
class Block:
    """Some records of a scan: their numbers, and their cells column by column in the order asked for."""

    seqs: Sequence[int]
    columns: tuple[Sequence[str], ...]


class Table:
    """All records of one sObject. Cells are text and null is `""`, in and out."""

    def __init__(self, sobject: SObject, pod: str, derived: Mapping[str, Derived] | None = None) -> None:
        self.pod = pod
        self.derived = dict(derived or {})
        self._ids = RecordIds(sobject.prefix, pod)
        self.deleted: set[int] = set()  # in the recycle bin
        self.purged: set[int] = set()  # gone for good
        self.journal: Journal | None = None  # while a transaction may be rolled back
        self.version = 0  # goes up with every change
        self._segments = Segments()
        self._next = 1
        self._cache: dict[tuple[int, str], Sequence[str]] = {}
        self._indexes: dict[str, Index] = {}
        self.reshape(sobject)

    def reshape(self, sobject: SObject) -> None:
        """Have the fields of this sObject; records have the default in those that are new."""
        self.sobject = sobject
        self._defaults = {found.name: _default(found) for found in sobject.fields}
        # fields that an insert may have to fill in, and the name that is the id when nobody gives one
        self.filled = tuple(found for found in sobject.fields if found.auto_number or found.default)
        names = [found for found in sobject.name_fields if sobject.custom and not found.auto_number]
        self.named_by_id = names[0].name if names else None

    # --- what is there -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many records are there that are not deleted."""
        return self._next - 1 - len(self.deleted) - len(self.purged)

    @property
    def next_seq(self) -> int:
        """The number that the next record gets."""
        return self._next

    def exists(self, seq: int) -> bool:
        """Whether there is such a record outside the recycle bin."""
        return 0 < seq < self._next and seq not in self.deleted and seq not in self.purged

    def seq_of(self, record_id: str) -> int:
        """The number of a record, deleted or not, by its 15- or 18-character id; 0 when there is none."""
        seq = self._ids.number_of(record_id)
        return seq if seq < self._next and seq not in self.purged else 0

    def give_id(self, seq: int, record_id: str) -> None:
        """Let a record have this id, of 18 characters, in place of the counted one."""
        self._ids.give(seq, record_id)

    def id_of(self, seq: int) -> str:
        """The 18-character id."""
        return self._ids.id_of(seq)

    def ids_of(self, seqs: Sequence[int]) -> list[str]:
        """The ids of many records."""
        return self._ids.ids_of(seqs)

    # --- reading -------------------------------------------------------------------------------------------------

    def get(self, seq: int) -> dict[str, str]:
        """Every field of a record that is not null, by name; deleted records too."""
        found: dict[str, str] = {}
        for described in self.sobject.fields:
            cell = self.cell(seq, described.name)
            if cell:
                found[described.name] = cell
        return found

    def cell(self, seq: int, field: str) -> str:
        """One field of one record."""
        if field == "Id":
            return self.id_of(seq)
        if field == "IsDeleted":
            return "true" if seq in self.deleted else "false"
        segment = self._segments.of(seq)
        column = segment.columns.get(field)
        if isinstance(column, list):
            return column[seq - segment.start]
        if column is not None and (whole := constant(column)) is not None:
            return whole
        derived = self.derived.get(field) if column is None else None
        if derived is not None:
            return derived.compute(*(self.cell(seq, name) for name in derived.fields))
        key = (segment.start, field)
        cells = self._cache.get(key)
        if cells is None:
            cells = self._column(segment, field)
            if self._segments.grows(segment):
                return cells[seq - segment.start]
            if len(self._cache) >= CACHE:
                self._cache.clear()
            self._cache[key] = cells
        return cells[seq - segment.start]

    def cells(self, seqs: Sequence[int], field: str) -> list[str]:
        """One field of many records, in their order."""
        if len(seqs) < 8:  # not worth decoding a whole column for each
            return [self.cell(each, field) for each in seqs]
        made: list[str] = []
        low = high = 0
        column: Sequence[str] = ()
        for seq in seqs:
            if not low <= seq < high:
                segment = self._segments.of(seq)
                low, high = segment.start, segment.start + segment.count
                kept = segment.columns.get(field)  # an open column needs no decoding
                column = kept if isinstance(kept, list) else self._column(segment, field)
            made.append(column[seq - low])
        return made

    def default(self, field: str) -> str:
        """What a record has in a field that nobody gave."""
        return self._defaults.get(field, "")

    def scan(self, *, include_deleted: bool = False) -> Iterator[int]:
        """The numbers of all records, in order."""
        for seq in range(1, self._next):
            if seq not in self.purged and (include_deleted or seq not in self.deleted):
                yield seq

    def scan_columns(
        self, fields: Sequence[str], *, include_deleted: bool = False, after: int = 0
    ) -> Iterator[Block]:
        """All records above number `after`, in order, some at a time, with these fields: the fast way to read many."""
        for segment in self._segments.above(after):
            seqs: Sequence[int] = segment.seqs
            columns = tuple(self._column(segment, field) for field in fields)
            keep = self._keep(seqs, include_deleted, after)
            if keep is not None:
                seqs = list(compress(seqs, keep))
                columns = tuple(list(compress(column, keep)) for column in columns)
            if seqs:
                yield Block(seqs, columns)

    def _keep(self, seqs: Sequence[int], include_deleted: bool, after: int) -> list[bool] | None:
        hidden = (
            self.purged if include_deleted else (self.purged | self.deleted if self.purged else self.deleted)
        )
        if seqs[0] > after and (not hidden or hidden.isdisjoint(seqs)):
            return None
        return [seq > after and seq not in hidden for seq in seqs]

    def _column(self, segment: Segment, field: str) -> Sequence[str]:
        column = segment.columns.get(field)
        if column is not None:
            return cells_of(column, segment.count)
        seqs = segment.seqs
        if field == "Id":
            return self.ids_of(seqs)
        if field == "IsDeleted":
            return ["true" if seq in self.deleted else "false" for seq in seqs]
        derived = self.derived.get(field)
        if derived is not None:
            columns = [self._column(segment, name) for name in derived.fields]
            return derived.whole(*columns) if derived.whole else list(map(derived.compute, *columns))
        return [self._defaults.get(field, "")] * segment.count

    def index(self, field: str) -> Index:
        """The index of a field; built when first asked for, kept up to date from then on."""
        found = self._indexes.get(field)
        if found is None:
            described = self.sobject.field(field)
            reference = described is not None and described.type in {FieldType.REFERENCE, FieldType.ID}
            found = Index(folds=described is not None and described.folds_case and not reference)
            for block in self.scan_columns([field]):
                found.add_cells(block.columns[0], block.seqs)
            derived = self.derived.get(field)
            if derived is None or not derived.volatile:
                self._indexes[field] = found
        return found

    def find(self, field: str, value: str) -> list[int]:
        """The records that are not deleted with this value in the field, by number."""
        if field == "Id":
            seq = self.seq_of(value)
            return [seq] if self.exists(seq) else []
        return sorted(self.index(field).find(value))

    # --- writing -------------------------------------------------------------------------------------------------

    def insert(self, values: Mapping[str, str]) -> int:
        """Add one record and return its number."""
        return self.insert_columns({name: [cell] for name, cell in values.items()}, 1).start

    def insert_columns(self, columns: Mapping[str, Sequence[str]], count: int) -> range:
        """Add `count` records, given column by column (a tuple of one cell stands for all), and return their numbers."""
        seqs = range(self._next, self._next + count)
        self.version += 1
        if self.journal is not None:
            self.journal.append(partial(self._take_back, seqs))
        self._forget_derived()
        for name, index in self._indexes.items():
            given = columns.get(name, (self._defaults.get(name, ""),))
            index.add_cells(given if len(given) == count else tuple(given) * count, seqs)
        self._segments.append(seqs, columns, self._defaults)
        self._next += count
        return seqs

    def update(self, seq: int, values: Mapping[str, str]) -> None:
        """Change fields of one record."""
        self.update_columns([seq], {name: (cell,) for name, cell in values.items()})

    def update_columns(self, seqs: Sequence[int], columns: Mapping[str, Sequence[str]]) -> None:
        """Change fields of many records, given column by column (a tuple of one cell stands for all)."""
        self.version += 1
        if self.journal is not None:
            old = {name: [self.cell(seq, name) for seq in seqs] for name in columns}
            self.journal.append(partial(self.update_columns, list(seqs), old))
        self._forget_derived()
        for name in columns.keys() & self._indexes.keys():
            self._reindex(name, seqs, columns[name])
        for segment in self._segments.overwrite(seqs, columns, self._column):
            for name in columns:
                self._cache.pop((segment.start, name), None)

    def _reindex(self, name: str, seqs: Sequence[int], cells: Sequence[str]) -> None:
        index = self._indexes[name]
        keys = index.keys_of(cells)
        for row, seq in enumerate(seqs):
            place = row if len(cells) > 1 else 0
            old = self.cell(seq, name)
            if old != cells[place] and seq not in self.deleted and seq not in self.purged:
                index.remove(old, seq)
                index.add(keys[place], seq)

    def _forget_derived(self) -> None:
        for name in self.derived:
            self._indexes.pop(name, None)  # rebuilt when next asked for

    def delete(self, seq: int) -> None:
        """Move a record to the recycle bin."""
        self.version += 1
        if self.journal is not None:
            self.journal.append(partial(self.undelete, seq))
        for name, index in self._indexes.items():
            index.remove(self.cell(seq, name), seq)
        self.deleted.add(seq)

    def undelete(self, seq: int) -> None:
        """Take a record out of the recycle bin."""
        self.version += 1
        if self.journal is not None:
            self.journal.append(partial(self.delete, seq))
        self.deleted.discard(seq)
        for name, index in self._indexes.items():
            index.add(index.keys_of([self.cell(seq, name)])[0], seq)

    def purge(self, seq: int) -> None:
        """Remove a record for good."""
        if seq not in self.deleted:
            self.delete(seq)
        self.version += 1
        if self.journal is not None:
            self.journal.append(partial(self._unpurge, seq))
        self.deleted.discard(seq)
        self.purged.add(seq)

    def _unpurge(self, seq: int) -> None:
        self.purged.discard(seq)
        self.deleted.add(seq)

    def _take_back(self, seqs: Sequence[int]) -> None:
        for seq in seqs:
            self.purge(seq)


def _default(field: Field) -> str:
    """What a new record has in a field that nobody gives: nothing was counted or summed up yet."""
    if field.summary is not None:
        summed = field.summary.operation in {SummaryOperation.COUNT, SummaryOperation.SUM}
        return "0.0" if summed else ""
    return field.default or ("false" if field.type is FieldType.BOOLEAN else "")
