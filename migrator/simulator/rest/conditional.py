"""Conditional reads: `If-Modified-Since` and `If-None-Match` answer 304 for what has not changed."""

import binascii
from collections.abc import Mapping
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from migrator.simulator.http import JSON, Headers, Request, Response, dump


def conditional(
    request: Request, value: Any, modified: float, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer with its validators, or 304 without a body."""
    body = dump(value)
    etag = f'"{binascii.crc32(body):08x}"'
    validators = {"Last-Modified": formatdate(modified, usegmt=True), "ETag": etag, **(headers or {})}
    if _unchanged(request, modified, etag):
        return Response(304, Headers(validators))
    return Response(200, Headers({"Content-Type": JSON, **validators}), body)


def _unchanged(request: Request, modified: float, etag: str) -> bool:
    known = request.headers.get("If-None-Match")
    if known is not None:
        return etag in {each.strip().replace("--gzip", "") for each in known.split(",")}
    since = request.headers.get("If-Modified-Since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(modified) <= moment.timestamp()
