"""Data out: an org's records as a folder with one `<SObject>.csv` per sObject, in the form that data comes in.

Written are the records that somebody made, and those that others look up and data in meets by a key (users, record types, queues
…), with every field that one of them has and that can be given again. Contacts of person accounts are not: they come with these.

**Invariant:** the org is locked while its records are read, so that a file shows one moment.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from migrator.simulator.furnish import Furnished
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.table import Table
from migrator.simulator.schema.model import COMPOUNDS, Field, FieldType
from migrator.simulator.seed import MATCHED_BY

_NOT_GIVEN = frozenset(
    {"IsDeleted", "LastReferencedDate", "LastViewedDate", "PersonContactId", "SystemModstamp"}
)


def export_csv_folder(org: OrgState, folder: Path) -> dict[str, int]:
    """Write the folder; how many records of each sObject there are in it. Files of other sObjects are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    with org.lock:
        for table, first in _exported(org):
            made = folder / f"{table.sobject.name}.csv.tmp"
            with made.open("w", encoding="utf-8", newline="") as file:
                counts[table.sobject.name] = _write(table, first, file)
            made.replace(folder / f"{table.sobject.name}.csv")
    return counts


def export_texts(org: OrgState) -> Iterator[tuple[str, bytes]]:
    """The same files, by name, one after the other."""
    with org.lock:
        for table, first in _exported(org):
            text = io.StringIO()
            _write(table, first, text)
            yield f"{table.sobject.name}.csv", text.getvalue().encode()


def _exported(org: OrgState) -> list[tuple[Table, int]]:
    """The tables to write, with the number that the first record to be written may have."""
    furnished = org.part(Furnished)
    found: list[tuple[Table, int]] = []
    for table in org.store.tables():
        name = table.sobject.name
        first = 1 if name in MATCHED_BY else furnished.next_seq(name)
        if table.next_seq > first and len(table) and _writable(table):
            found.append((table, first))
    return found


def _writable(table: Table) -> bool:
    return table.sobject.createable or table.sobject.name in MATCHED_BY


def _write(table: Table, first: int, file: TextIO) -> int:
    fields = _fields(table, first)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["Id", *fields])
    person = table.sobject.name == "Contact" and table.sobject.field("IsPersonAccount") is not None
    count = 0
    for block in table.scan_columns(
        ["Id", *fields, *(["IsPersonAccount"] if person else [])], after=first - 1
    ):
        if person:
            *columns, persons = block.columns
            rows = [
                row for row, flag in zip(zip(*columns, strict=True), persons, strict=True) if flag != "true"
            ]
            writer.writerows(rows)
            count += len(rows)
            continue
        writer.writerows(zip(*block.columns, strict=True))
        count += len(block.seqs)
    return count


def _fields(table: Table, first: int) -> list[str]:
    """The fields that a record has something in and that can be given to an org."""
    if not table.sobject.createable:
        return list(MATCHED_BY[table.sobject.name])
    candidates = [each.name for each in table.sobject.fields if _can_be_given(table, each)]
    used: set[str] = set()
    for block in table.scan_columns(candidates, after=first - 1):
        used.update(name for name, cells in zip(candidates, block.columns, strict=True) if any(cells))
        if len(used) == len(candidates):
            break
    return [name for name in candidates if name in used]


def _can_be_given(table: Table, field: Field) -> bool:
    return not (
        field.type in COMPOUNDS
        or field.type in {FieldType.ID, FieldType.BASE64}
        or field.calculated
        or field.name in _NOT_GIVEN
        or field.name in table.derived
    )
