"""Conditional requests: 304 for what has not changed, 412 for what has.

`If-Modified-Since` and `If-None-Match` spare an answer, `If-Unmodified-Since` and `If-Match` guard what is read or changed. Entity
tags are those of describes and of Account records; other records have the date only.
"""

import binascii
from collections.abc import Mapping
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from migrator.simulator.http import JSON, ApiError, Headers, Request, Response, dump


def conditional(
    request: Request,
    value: Any,
    modified: float,
    headers: Mapping[str, str] | None = None,
    *,
    tag: str | None = None,
) -> Response:
    """The answer with its validators, or 304 without a body; raises the platform's 412.

    The tag is that of what is shown, unless another one (or, with `""`, none) is given.
    """
    body = dump(value)
    etag = tag_of(value) if tag is None else tag
    validators = {"Last-Modified": formatdate(modified, usegmt=True), **(headers or {})}
    if etag:
        validators["ETag"] = etag
    guard(request, modified, etag)
    if _unchanged(request, modified, etag):
        return Response(304, Headers(validators))
    return Response(200, Headers({"Content-Type": JSON, **validators}), body)


def tag_of(value: Any) -> str:
    """The entity tag of what is shown."""
    return f'"{binascii.crc32(dump(value)):08x}"'


def guard(request: Request, modified: float, etag: str) -> None:
    """Refuse a request whose conditions what is there does not meet."""
    wanted, before = request.headers.get("If-Match"), _moment(request, "If-Unmodified-Since")
    if etag and wanted is not None and etag not in _tags(wanted):
        raise ApiError(412, "PRECONDITION_FAILED", "The entity tag is another one")
    if before is not None and int(modified) > before:
        raise ApiError(412, "PRECONDITION_FAILED", "It was modified since")


def _tags(listed: str) -> set[str]:
    return {each.strip().removeprefix("W/").replace("--gzip", "") for each in listed.split(",")}


def _moment(request: Request, name: str) -> float | None:
    given = request.headers.get(name)
    if given is None:
        return None
    try:
        moment = parsedate_to_datetime(given)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _unchanged(request: Request, modified: float, etag: str) -> bool:
    known = request.headers.get("If-None-Match")
    if known is not None and etag:
        return etag in _tags(known)
    since = _moment(request, "If-Modified-Since")
    return since is not None and int(modified) <= since
