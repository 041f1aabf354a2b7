"""The bytes of files in requests and answers: base64 fields as parts of multipart requests, and read back by their address."""

from collections.abc import Mapping
from typing import Any

from migrator.simulator.http import ApiError, Headers, Response, not_found
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.blobs import blob_of
from migrator.simulator.rest.multipart import Part, Parts, is_multipart
from migrator.simulator.router import Call
from migrator.simulator.schema.model import Field, FieldType, SObject

# bytes; REST API guide, "Insert or Update Blob Data" and "Using Blob Data with sObject Collections"
MAX_FILE = {"ContentVersion": 2_147_483_648}
MAX_OTHER = 524_288_000
MAX_COLLECTION = 524_288_000
MAX_JSON = 52_428_800  # of a request whose bytes are base64 text
OCTETS = "application/octetstream"


def read_record(org: OrgState, call: Call, sobject: SObject) -> Mapping[str, Any]:
    """The record of a request: JSON, or a part that is JSON with parts that are base64 fields."""
    if not is_multipart(call.request):
        return _record(_json(call))
    parts = Parts(call.request)
    record = dict(_record(parts.json()))
    for name, part in parts.binary.items():
        field = _blob_field(sobject, name)
        record[field.name] = _stored(org, parts, part, MAX_FILE.get(sobject.name, MAX_OTHER))
    return record


def read_collection(org: OrgState, call: Call) -> Any:
    """The body of a collections request; each record names the part with its bytes."""
    if not is_multipart(call.request):
        return _json(call)
    parts = Parts(call.request)
    if sum(part.size for part in parts.binary.values()) > MAX_COLLECTION:
        raise _too_big(MAX_COLLECTION)
    loaded = parts.json()
    records = loaded.get("records") if isinstance(loaded, dict) else None
    for record in records if isinstance(records, list) else ():
        attributes = record.get("attributes") if isinstance(record, dict) else None
        if not isinstance(attributes, dict) or "binaryPartName" not in attributes:
            continue
        name = attributes["binaryPartName"]
        part = parts.binary.get(str(name))
        if part is None:
            raise ApiError(400, "INVALID_MULTIPART_REQUEST", f"There is no binary part named {name}")
        record[str(attributes.get("binaryPartNameAlias"))] = _stored(org, parts, part, MAX_COLLECTION)
    return loaded


def content(org: OrgState, call: Call) -> Response | None:
    """The bytes of a base64 field by `/sobjects/{sObject}/{id}/{field}`; None where the path means something else."""
    sobject = org.view(call.user_id).schema.sobject(call.params["sobject"])
    field = sobject.field(call.params["value"]) if sobject else None
    if sobject is None or field is None or field.type is not FieldType.BASE64:
        return None
    table = org.store.table(sobject.name)
    seq = table.seq_of(call.params["field"])
    if not seq:
        raise not_found()
    if not table.exists(seq):
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", fields=[])
    cell = table.cell(seq, field.name)
    length = str(blob_of(cell).length if cell else 0)
    headers = Headers({"Content-Type": OCTETS, "Content-Length": length, "Content-Encoding": "identity"})
    return Response(200, headers, org.dml.blobs.read(cell) if cell else b"")


def _json(call: Call) -> Any:
    stream = call.request.stream
    size = len(call.request.body) if stream is None else stream.seek(0, 2)
    if size > MAX_JSON:
        raise _too_big(MAX_JSON)
    return call.request.json()


def _record(loaded: Any) -> Mapping[str, Any]:
    if not isinstance(loaded, dict):
        raise ApiError(
            400, "JSON_PARSER_ERROR", "Unexpected START_ARRAY where an object was due at [line:1, column:1]"
        )
    return loaded


def _blob_field(sobject: SObject, name: str) -> Field:
    field = sobject.field(name)
    if field is None or field.type is not FieldType.BASE64:
        text = f"The binary part {name} is not a field of {sobject.name} that holds bytes"
        raise ApiError(400, "INVALID_MULTIPART_REQUEST", text)
    return field


def _stored(org: OrgState, parts: Parts, part: Part, most: int) -> str:
    if part.size > most:
        raise _too_big(most)
    return org.dml.blobs.put(parts.pieces(part)).cell


def _too_big(most: int) -> ApiError:
    return ApiError(413, "REQUEST_ENTITY_TOO_LARGE", f"The request is larger than the limit of {most} bytes")
