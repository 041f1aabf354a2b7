"""Making an ingest job: what the request says, in JSON or as multipart with the data, and what is wrong with it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from migrator.simulator.bulk.check import JobRefused, check_job
from migrator.simulator.bulk.csvdialect import DELIMITERS, LINE_ENDINGS
from migrator.simulator.bulk.v2.job import JobSpec
from migrator.simulator.http import ApiError, Request
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.compile import Operation

MAX_MULTIPART = 100_000  # characters of data in a multipart create; "Create a Job", usage notes


def refusal(code: str, message: str) -> ApiError:
    """A 400 of the job resources, which put the code first."""
    return ApiError(400, code, message, code_first=True)


def invalid_value(value: object, name: str) -> ApiError:
    """The refusal of a property's value."""
    return refusal("API_ERROR", f"Invalid value: '{value}' supplied for property: '{name}'")


@dataclass(frozen=True, slots=True)
class Creation:
    """A request to make a job; `content` where the data came with it."""

    asked: Mapping[str, Any]
    content: bytes | None = None


def read_creation(request: Request) -> Creation:
    """What the request says."""
    kind = request.headers.get("Content-Type", "")
    if kind.lower().startswith("multipart/form-data"):
        return _multipart(request.read(), kind)
    return Creation(_mapping(request.json()))


def _mapping(asked: Any) -> Mapping[str, Any]:
    if not isinstance(asked, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
    return asked


def _multipart(body: bytes, kind: str) -> Creation:
    found = re.search(r'boundary="?([^";]+)"?', kind)
    if not found:
        raise refusal("API_ERROR", "Multipart message has no boundary")
    parts: dict[str, bytes] = {}
    for piece in body.split(b"--" + found[1].encode())[1:]:
        if piece.startswith(b"--"):
            break
        head, content = _head_and_content(piece)
        name = re.search(rb'name="?([^";\r\n]+)"?', head)
        if name:
            parts[name[1].decode("utf-8", "replace")] = content
    if "job" not in parts or "content" not in parts:
        raise refusal("API_ERROR", "Multipart message must have the parts 'job' and 'content'")
    if len(parts["content"].decode("utf-8", "replace")) > MAX_MULTIPART:
        raise refusal("API_ERROR", f"Multipart content cannot be larger than {MAX_MULTIPART} characters")
    try:
        asked = json.loads(parts["job"])
    except ValueError as fault:
        raise ApiError(
            400, "JSON_PARSER_ERROR", f"Unexpected character at [line:1, column:1]: {fault}"
        ) from fault
    return Creation(_mapping(asked), parts["content"])


def _head_and_content(piece: bytes) -> tuple[bytes, bytes]:
    """Headers and content of a part; its lines may end in LF only, as some clients send them."""
    piece = re.sub(rb"^\r?\n", b"", piece)
    head, _, content = _either(piece, b"\r\n\r\n", b"\n\n")
    return head, re.sub(rb"\r?\n$", b"", content)


def _either(piece: bytes, first: bytes, second: bytes) -> tuple[bytes, bytes, bytes]:
    places = [(piece.find(mark), mark) for mark in (first, second) if mark in piece]
    return piece.partition(min(places)[1]) if places else (piece, b"", b"")


def read_spec(org: OrgState, asked: Mapping[str, Any], user_id: str) -> JobSpec:
    """The job that is asked for, or the refusal that the platform answers."""
    operation = Operation(choice(asked, "operation", [each.value for each in Operation]))
    choice(asked, "contentType", ["CSV"], "CSV")
    delimiter = choice(asked, "columnDelimiter", DELIMITERS, "COMMA")
    line_ending = choice(asked, "lineEnding", LINE_ENDINGS, "LF")
    external_id = asked.get("externalIdFieldName") or None
    try:
        name = str(asked.get("object") or "")
        sobject = check_job(org, name, operation, external_id and str(external_id), user_id)
    except JobRefused as refused:
        raise worded(refused) from None
    return JobSpec(
        sobject.name,
        operation,
        str(external_id) if external_id else None,
        delimiter,
        line_ending,
        asked.get("assignmentRuleId") or None,
    )


def choice(asked: Mapping[str, Any], name: str, known: Iterable[str], default: str = "") -> str:
    """The value of a property that has few; the refusal of any other."""
    given = asked.get(name)
    wanted = default if given is None else given
    if not isinstance(wanted, str) or wanted not in known:
        raise invalid_value(wanted, name)
    return wanted


def worded(refused: JobRefused) -> ApiError:
    """The code in capitals, and once more before the text; an entity's refusal has its own code and no prefix."""
    if refused.code == "InvalidEntity":
        return refusal("INVALIDENTITY", refused.text)
    return refusal(refused.code.upper(), f"{refused.code} : {refused.text}")
