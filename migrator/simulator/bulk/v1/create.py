"""Making a job of Bulk API v1: what the request says, in XML or JSON, and what is wrong with it."""

import json
import re
from collections.abc import Mapping

from migrator.simulator.bulk.check import JobRefused, check_job
from migrator.simulator.bulk.v1.answers import refused, says
from migrator.simulator.bulk.v1.job import (
    DEFAULT_CHUNK,
    QUERIES,
    ZIP,
    Chunking,
    Concurrency,
    Content,
    JobSpec,
)
from migrator.simulator.http import Request
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation
from migrator.simulator.xmltree import NotXml, local, read, texts

MAX_CHUNK = 250_000  # records of one range of ids; Bulk API guide, "PK Chunking Header"
_OPERATIONS = (*(each.value for each in Operation), *QUERIES)


def read_info(request: Request) -> Mapping[str, str]:
    """What a `jobInfo` says, by element or key."""
    body = request.read()
    if says(request, "json"):
        return _from_json(body)
    try:
        root = read(body)
    except NotXml:
        raise refused("InvalidXML", "Unable to parse the XML of the job") from None
    if local(root) != "jobInfo":
        raise refused("InvalidXML", f"Unexpected element {local(root)}, expected jobInfo")
    return texts(root)


def _from_json(body: bytes) -> Mapping[str, str]:
    try:
        loaded = json.loads(body or b"{}")
    except ValueError:
        raise refused("InvalidJob", "Unable to parse the JSON of the job") from None
    if not isinstance(loaded, dict):
        raise refused("InvalidJob", "Unable to parse the JSON of the job")
    return {name: str(value) for name, value in loaded.items() if value is not None}


def read_spec(org: OrgState, request: Request, user_id: str) -> JobSpec:
    """The job that is asked for, or the refusal that the platform answers."""
    info = read_info(request)
    operation = info.get("operation", "")
    if operation not in _OPERATIONS:
        raise refused("InvalidJob", f"Unknown operation: {operation}")
    external_id = info.get("externalIdFieldName") or None
    content = _choice(info, "contentType", [*Content, *(f"{ZIP}{each}" for each in Content)], Content.XML)
    if operation in QUERIES and content.startswith(ZIP):
        raise refused("InvalidJob", f"Unsupported contentType for a query: {content}")
    return JobSpec(
        operation,
        _sobject(org, info.get("object", ""), operation, external_id, user_id),
        external_id,
        Content(content.removeprefix(ZIP)),
        _concurrency(info),
        info.get("assignmentRuleId") or None,
        _chunking(request.headers.get("Sforce-Enable-PKChunking", "")) if operation in QUERIES else None,
        batch_retry=request.headers.get("Sforce-Disable-Batch-Retry", "").lower() != "true",
        json=says(request, "json"),
        zipped=content.startswith(ZIP),
    )


def _sobject(org: OrgState, name: str, operation: str, external_id: str | None, user_id: str) -> str:
    if operation in QUERIES:
        sobject = org.view(user_id).schema.sobject(name)
        if sobject is None:
            raise refused("InvalidJob", f"Unable to find object: {name}")
        return sobject.name
    try:
        return check_job(org, name, Operation(operation), external_id, user_id).name
    except JobRefused as refusal:
        raise refused(refusal.code, refusal.text) from None


def _concurrency(info: Mapping[str, str]) -> Concurrency:
    """By name, or as a number in the order of the enumeration, which simple-salesforce sends in JSON."""
    by_number = {str(number): mode for number, mode in enumerate(Concurrency)}
    numbered = by_number.get(info.get("concurrencyMode", ""))
    return numbered or Concurrency(_choice(info, "concurrencyMode", list(Concurrency), Concurrency.PARALLEL))


def _choice(info: Mapping[str, str], name: str, known: list[str], default: str) -> str:
    given = info.get(name) or default
    if given not in known:
        raise refused("InvalidJob", f"Unsupported {name}: {given}")
    return given


def _chunking(header: str) -> Chunking | None:
    """`TRUE`, or settings by name."""
    said = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in header.split(";"))
    }
    if not header or "false" in said:
        return None
    size = said.get("chunksize", str(DEFAULT_CHUNK))
    if not re.fullmatch(r"[1-9]\d*", size) or int(size) > MAX_CHUNK:
        raise refused("InvalidJob", f"Invalid chunkSize: {size}. It must be between 1 and {MAX_CHUNK}")
    return Chunking(int(size), said.get("startrow", ""))
