"""What a batch of Bulk API v1 holds, in CSV, JSON or XML, as a header and rows; and its result in the same format.

**Invariant:** the n-th row of a result answers the n-th row of the request.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.simulator.bulk.csvdialect import CsvFault, Dialect, read_rows, write_rows
from migrator.simulator.bulk.transaction import BATCH_ROWS
from migrator.simulator.bulk.v1.job import Content
from migrator.simulator.bulk.v1.xml import NAMESPACE, lines, opening
from migrator.simulator.http import dump
from migrator.simulator.records.results import ChunkResult, RowError, RowResult
from migrator.simulator.rest.rowjson import Cells, columns_of, flat_cells, rows_of
from migrator.simulator.schema.model import SObject
from migrator.simulator.xmltree import INSTANCE, NotXml, Parsed, is_nil, local, read

NULL = "#N/A"  # sets null in CSV; JSON has null and XML has nil
_LF = Dialect()
_CRLF = Dialect(newline="\r\n")
_HEADER = ["Id", "Success", "Created", "Error"]
_GOOD = b'{"success":true,"created":%s,"id":"%s","errors":[]}'
_FLAG = {True: b"true", False: b"false"}
_BOOLEAN = {True: "true", False: "false"}


class BatchFault(Exception):  # noqa: N818 - the platform's word for what it found
    """The batch cannot be read; `text` is its state message."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a batch."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | None]]
    null_marker: str | None


def read_request(content: Content, data: bytes, sobject: SObject) -> Rows:
    """The rows of a request, or a `BatchFault`."""
    match content:
        case Content.CSV:
            return _csv(data)
        case Content.JSON:
            return _records(_json_records(data), sobject)
        case Content.XML:
            return _records(_xml_records(data), sobject)


def _csv(data: bytes) -> Rows:
    text = data.decode("utf-8", "replace")
    first = text.partition("\n")[0]
    try:
        rows = list(read_rows(text, _CRLF if first.endswith("\r") else _LF))
    except CsvFault as fault:
        raise BatchFault(fault.text) from None
    _check_count(len(rows), BATCH_ROWS + 1)  # the platform counts the header too
    return Rows(rows[0] if rows else [], rows[1:], NULL)


def _check_count(count: int, most: int) -> None:
    if count > most:
        text = (
            f"Exceeded number of records: {count}. Number of records should be less than or equal to {most}"
        )
        raise BatchFault(f"InvalidBatch : {text}")


def _records(records: Sequence[Mapping[str, Any]], sobject: SObject) -> Rows:
    _check_count(len(records), BATCH_ROWS)
    found = columns_of(sobject, records)
    if found is not None:
        return Rows(*found, None)
    cells: list[Cells] = []
    for record in records:
        flat = flat_cells(sobject, record)
        if isinstance(flat, RowError):
            raise BatchFault(f"InvalidBatch : {flat.message}")
        cells.append(flat)
    header, rows = rows_of(cells)
    return Rows(header, rows, None)


def _json_records(data: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        loaded = json.loads(data or b"[]")
    except ValueError:
        raise BatchFault("InvalidBatch : Failed to parse JSON") from None
    if not isinstance(loaded, list) or not all(isinstance(each, dict) for each in loaded):
        raise BatchFault("InvalidBatch : Failed to parse JSON. An array of records is expected")
    return loaded


def _xml_records(data: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        root = read(data)
    except NotXml:
        raise BatchFault("InvalidBatch : Failed to parse XML") from None
    return [_xml_record(element) for element in root]


def _xml_record(element: Parsed) -> dict[str, Any]:
    """A record; `type` names its sObject, an element within names a parent by a key of it."""
    found: dict[str, Any] = {}
    for child in element:
        name = local(child)
        if is_nil(child):
            found[name] = None
        elif name == "type":
            found = {"attributes": {"type": child.text or ""}, **found}
        elif len(child):
            found[name] = _xml_record(child[0])
        elif child.text:
            found[name] = child.text
    return found


# --- results -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """How a result is written: what stands before, between and behind its rows."""

    type: str  # Content-Type
    head: bytes
    between: bytes
    tail: bytes
    rows: Callable[[ChunkResult], list[bytes]]


def _csv_rows(result: ChunkResult) -> list[bytes]:
    errors = [""] * len(result)
    for place, found in result.errors.items():
        errors[place] = ";".join(error.bulk() for error in found)
    good = [_BOOLEAN[not error] for error in errors]
    created = [_BOOLEAN[made and not error] for made, error in zip(result.created, errors, strict=True)]
    return [write_rows(list(zip(result.ids, good, created, errors, strict=True)), _LF).encode()]


def _json_rows(result: ChunkResult) -> list[bytes]:
    return [
        dump(_json_row(result[place]))
        if place in result.errors
        else _GOOD % (_FLAG[created], record_id.encode())
        for place, (created, record_id) in enumerate(zip(result.created, result.ids, strict=True))
    ]


def _json_row(row: RowResult) -> dict[str, Any]:
    errors = [
        {
            "message": error.message,
            "fields": list(error.fields),
            "statusCode": error.status_code,
            "extendedErrorDetails": None,
        }
        for error in row.errors
    ]
    return {"success": row.success, "created": row.created, "id": row.id, "errors": errors}


def _xml_rows(result: ChunkResult) -> list[bytes]:
    return [_xml_row(row).encode() for row in result]


def _xml_row(row: RowResult) -> str:
    errors = [
        (
            "errors",
            [
                *(("fields", name) for name in error.fields),
                ("message", error.message),
                ("statusCode", error.status_code),
            ],
        )
        for error in row.errors
    ]
    own = [("id", row.id)] if row.id else []
    flags = [("success", _BOOLEAN[row.success]), ("created", _BOOLEAN[row.created])]
    return lines(("result", [*errors, *own, *flags]), 1)


RESULTS: Mapping[Content, ResultFormat] = {
    # the bare type: salesforce-bulk compares the whole header
    Content.CSV: ResultFormat("text/csv", write_rows([_HEADER], _LF).encode(), b"", b"", _csv_rows),
    Content.JSON: ResultFormat("application/json", b"[", b",", b"]", _json_rows),
    Content.XML: ResultFormat(
        "application/xml", opening("results").encode(), b"", b"\n</results>", _xml_rows
    ),
}

QUERY_XML_HEAD = opening("queryResult").replace(
    f'xmlns="{NAMESPACE}"', f'xmlns="{NAMESPACE}" xmlns:xsi="{INSTANCE}"'
)
