"""Data in: a folder with one `<SObject>.csv` per sObject, straight into the org, past HTTP.

Lookups may hold the `Id` that the parent's row has in its own file, whatever form that has, or a real id of the org;
relationship columns (`Account.Ext__c`) work as in the Bulk API. Read-only fields are taken as they are.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.records.dml import MAX_ROWS
from migrator.simulator.records.results import ChunkResult, HeaderFault
from migrator.simulator.schema.model import FieldType, SObject

# Records that an org has already, or makes by itself, are met by these fields instead of made again.
MATCHED_BY: Mapping[str, tuple[str, ...]] = {
    "AccountContactRelation": ("ContactId", "AccountId"),
    "CampaignMemberStatus": ("CampaignId", "Label"),
    "CurrencyType": ("IsoCode",),
    "Group": ("DeveloperName", "Type"),
    "OpportunityContactRole": ("OpportunityId", "ContactId", "Role"),
    "Pricebook2": ("Name",),
    "Profile": ("Name",),
    "RecordType": ("DeveloperName", "SobjectType"),
    "User": ("Username",),
    "UserRole": ("Name",),
}
_KEPT = ("LastModifiedDate", "LastModifiedById")  # while references are filled in afterwards
FIELD_LIMIT = 1 << 24  # characters of one cell

SourceIds = dict[str, dict[str, str]]  # sObject → source id → id in the org


class SeedInvalid(ValueError):  # noqa: N818 - the data is invalid; the name says so
    """A file that cannot be loaded; the text names file and line."""


def load_csv_folder(org: OrgState, folder: Path) -> dict[str, int]:
    """Load every CSV file of the folder, parents first; how many records each sObject got."""
    csv.field_size_limit(FIELD_LIMIT)
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("*.csv")):
        sobject = org.schema.sobject(path.stem)
        if sobject is None:
            raise SeedInvalid(f"{path}: the org has no sObject {path.stem}")
        files[sobject.name] = path
    source_ids: SourceIds = {name: {} for name in files}
    counts: dict[str, int] = {}
    late: list[_Loader] = []
    with org.lock:
        for name in _parents_first(org, files):
            loader = _Loader(org, name, files[name], source_ids)
            counts[name] = loader.load()
            late.append(loader)
        for loader in late:
            loader.link()
    return counts


def _parents_first(org: OrgState, files: Mapping[str, Path]) -> list[str]:
    """The sObjects in an order in which required parents come first and most other parents too."""
    waiting = sorted(files, key=str.casefold)
    ordered: list[str] = []
    while waiting:
        best = min(waiting, key=lambda name: (*_open_references(org, name, waiting), name.casefold()))
        waiting.remove(best)
        ordered.append(best)
    return ordered


def _open_references(org: OrgState, name: str, waiting: Sequence[str]) -> tuple[int, int]:
    """How many required and how many other references go to sObjects not loaded yet."""
    sobject = org.schema.sobject(name)
    required = other = 0
    for field in sobject.fields if sobject else ():
        if any(parent in waiting and parent != name for parent in field.reference_to):
            required += not field.nillable
            other += field.nillable
    return required, other


class _Loader:
    """Loads one file: rows in chunks, references that point ahead afterwards."""

    def __init__(self, org: OrgState, name: str, path: Path, source_ids: SourceIds) -> None:
        self._org = org
        self._path = path
        self._source_ids = source_ids
        sobject = org.schema.sobject(name)
        if sobject is None:
            raise SeedInvalid(f"{path}: the org has no sObject {name}")
        self._sobject: SObject = sobject
        self._own = source_ids[name]
        self._context = Context(org.user_id, org.clock.now(), f"seed {path.name}")
        self._late: dict[str, list[tuple[str, str]]] = {}  # field → (record id, source id of the parent)

    def load(self) -> int:
        """Insert the rows; how many records they made."""
        with self._path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            try:
                header = next(reader, None)
                if header is None:
                    return 0
                return sum(self._chunk(header, rows, line) for line, rows in _chunks(reader))
            except csv.Error as fault:
                raise SeedInvalid(f"{self._path}:{reader.line_num}: {fault}") from fault
            except UnicodeDecodeError as fault:
                raise SeedInvalid(f"{self._path}: not UTF-8") from fault

    def _chunk(self, header: Sequence[str], rows: list[list[str]], line: int) -> int:
        for number, row in enumerate(rows):
            if len(row) != len(header):
                raise SeedInvalid(
                    f"{self._path}:{line + number}: {len(row)} cells under {len(header)} columns"
                )
        lowered = [name.lower() for name in header]
        id_place = lowered.index("id") if "id" in lowered else None
        rows = [row for row in rows if not self._is_there(lowered, row, id_place)]
        if not rows:
            return 0
        late = self._resolve(header, rows)
        kept = [place for place in range(len(header)) if place != id_place]
        cells = [[row[place] for place in kept] for row in rows]
        try:
            columns = [header[place] for place in kept]
            compiled = self._org.dml.compile(self._sobject, columns, Operation.INSERT, trusted=True)
        except HeaderFault as fault:
            raise SeedInvalid(f"{self._path}:1: {fault.text}") from fault
        done = self._org.dml.execute(compiled, cells, self._context, all_or_none=True)
        self._check(done, line)
        if id_place is not None:
            self._own.update(zip((row[id_place] for row in rows), done.ids, strict=True))
        for field, place, source in late:
            self._late.setdefault(field, []).append((done.ids[place], source))
        return len(rows)

    def _is_there(self, lowered: Sequence[str], row: Sequence[str], id_place: int | None) -> bool:
        keys = [key for key in MATCHED_BY.get(self._sobject.name, ()) if key.lower() in lowered]
        if not keys or keys[0] != MATCHED_BY[self._sobject.name][0]:
            return False
        table = self._org.store.table(self._sobject.name)
        wanted = {key: self._known(key, row[lowered.index(key.lower())]) for key in keys}
        if not wanted[keys[0]]:
            return False
        found = next(
            (
                seq
                for seq in table.find(keys[0], wanted[keys[0]])
                if all(table.cell(seq, key) == wanted[key] for key in keys[1:])
            ),
            0,
        )
        if found and id_place is not None:
            self._own[row[id_place]] = table.id_of(found)
        return bool(found)

    def _known(self, name: str, cell: str) -> str:
        """A cell, with the id in this org where it refers to a record of another file."""
        field = self._sobject.field(name)
        for parent in field.reference_to if field else ():
            if cell in self._source_ids.get(parent, {}):
                return self._source_ids[parent][cell]
        return cell

    def _resolve(self, header: Sequence[str], rows: list[list[str]]) -> list[tuple[str, int, str]]:
        """Put ids of the org where source ids stand; what points ahead is blanked and returned."""
        late: list[tuple[str, int, str]] = []
        for place, name in enumerate(header):
            field = self._sobject.field(name)
            if field is None or field.type is not FieldType.REFERENCE:
                continue
            maps = [self._source_ids[parent] for parent in field.reference_to if parent in self._source_ids]
            for number, row in enumerate(rows):
                source = row[place]
                if not source:
                    continue
                row[place] = next((known[source] for known in maps if source in known), source)
                if row[place] == source and maps and not self._is_real(source):
                    row[place] = ""
                    late.append((field.name, number, source))
        return late

    def _is_real(self, record_id: str) -> bool:
        table = self._org.store.table_of_id(record_id)
        return table is not None and table.exists(table.seq_of(record_id))

    def link(self) -> None:
        """Fill the references that pointed ahead."""
        for name, pairs in self._late.items():
            field = self._sobject.field(name)
            maps = [
                self._source_ids[each]
                for each in (field.reference_to if field else ())
                if each in self._source_ids
            ]
            kept = [each for each in _KEPT if self._sobject.field(each) is not None]
            header = ["Id", name, *kept]
            compiled = self._org.dml.compile(self._sobject, header, Operation.UPDATE, trusted=True)
            table = self._org.store.table(self._sobject.name)
            for first in range(0, len(pairs), MAX_ROWS):
                rows = []
                for record_id, source in pairs[first : first + MAX_ROWS]:
                    target = next((known[source] for known in maps if source in known), None)
                    if target is None:
                        raise SeedInvalid(f"{self._path}: {name} refers to a record that is in no file")
                    seq = table.seq_of(record_id)
                    rows.append([record_id, target, *(table.cell(seq, each) for each in kept)])
                self._check(self._org.dml.execute(compiled, rows, self._context, all_or_none=True), 0)

    def _check(self, done: ChunkResult, line: int) -> None:
        for place, errors in sorted(done.errors.items()):
            error = errors[0]
            if error.status_code != "ALL_OR_NONE_OPERATION_ROLLED_BACK":
                fields = ", ".join(error.fields)
                raise SeedInvalid(f"{self._path}:{line + place}: {error.status_code} {fields}".rstrip())


def _chunks(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[list[str]]]]:
    """Rows in transactions, with the number of the record they start at (the header is 1)."""
    line = 2
    while rows := list(islice(reader, MAX_ROWS)):
        yield line, [row for row in rows if row]
        line += len(rows)
