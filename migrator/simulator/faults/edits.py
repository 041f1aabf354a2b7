"""Answers that look like the org's and are not true."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

from migrator.simulator import ids
from migrator.simulator.faults.cuts import csv_bytes, csv_rows, header_of
from migrator.simulator.faults.model import Edit
from migrator.simulator.http import Request, Response, dump

_UNKNOWN_STATE = "PendingMaintenance"
_FOREIGN = "00Q"  # leads, which no result of another sObject has
_MOVING = 0.9  # the share of its rows that a job has counted which still counts
Rows = list[list[str]]


def edited(edit: Edit, request: Request, response: Response, before: Callable[[], Response]) -> Response:
    """The answer as the fault makes it; `before` is asked for the org's true answer about successful rows."""
    if response.status != 200:
        return response
    match edit:
        case Edit.EMPTY:
            return _with(response, b"")
        case Edit.EMPTY_LIST:
            return _with(response, b"[]")
        case Edit.JOB_STATE | Edit.COUNTERS_MOVE | Edit.COUNTERS_MOVED:
            return _job(edit, response)
        case Edit.LOCATOR_LOOP:
            here = request.query.get("locator") or response.headers.get("Sforce-Locator", "")
            locator = here if here not in {"", "null"} else "MA"
            return Response(
                response.status, response.headers.with_({"Sforce-Locator": locator}), response.body
            )
        case Edit.WRONG_COUNT:
            told = int(response.headers.get("Sforce-NumberOfRecords", "0")) + 1
            more = {"Sforce-NumberOfRecords": str(told)}
            return Response(response.status, response.headers.with_(more), response.body)
        case Edit.IN_BOTH:
            done = csv_rows(_plain(before()))[1:2]
            return _csv(
                response,
                lambda rows: rows + [[row[0], "UNKNOWN_EXCEPTION:in both:--", *row[2:]] for row in done],
            )
        case _:
            return _csv(response, _ROWS[edit])


def _plain(response: Response) -> bytes:
    body = response.read()
    return gzip.decompress(body) if response.headers.get("Content-Encoding") == "gzip" else body


def _with(response: Response, body: bytes) -> Response:
    squeezed = response.headers.get("Content-Encoding") == "gzip"
    return Response(response.status, response.headers, gzip.compress(body, 1) if squeezed else body)


def _job(edit: Edit, response: Response) -> Response:
    body = _plain(response)
    shown: dict[str, Any] = json.loads(body)
    if edit is Edit.JOB_STATE:
        shown["state"] = _UNKNOWN_STATE
    elif shown.get("state") != "JobComplete":
        return _with(response, body)
    else:
        counted = shown.get("numberRecordsProcessed", 0)
        shown["numberRecordsProcessed"] = (
            int(counted * _MOVING) if edit is Edit.COUNTERS_MOVE else counted + 1
        )
    return _with(response, dump(shown, pretty=True))


def _csv(response: Response, change: Callable[[Rows], Rows]) -> Response:
    body = _plain(response)
    return _with(response, csv_bytes(change(csv_rows(body)[1:]), header_of(body)))


def _shuffled(rows: Rows) -> Rows:
    made = list(rows)
    random.Random(len(made)).shuffle(made)  # noqa: S311 - deterministic on purpose
    return made


def _foreign(rows: Rows) -> Rows:
    return [[ids.to_18(_FOREIGN + row[0][3:15]) if row[0] else "", *row[1:]] for row in rows]


_ROWS: dict[Edit, Callable[[Rows], Rows]] = {
    Edit.HEADER_ONLY: lambda _: [],
    Edit.REPEATED_ROW: lambda rows: rows[:1] + rows,
    Edit.MISSING_ROW: lambda rows: rows[:-1],
    Edit.SHUFFLED: _shuffled,
    Edit.FOREIGN_ID: _foreign,
    Edit.SHORT_ID: lambda rows: [[row[0][:15], *row[1:]] for row in rows],
}
