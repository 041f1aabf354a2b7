"""`/query` and `/queryAll`: results in pages, with a cursor that stays good for a while."""

import re
from dataclasses import dataclass
from typing import Any

from migrator.simulator.http import ApiError, Response, answer
from migrator.simulator.orgstate import OrgState
from migrator.simulator.query.select import QueryResult, run_query
from migrator.simulator.router import Call, Route
from migrator.simulator.schema.model import FieldType

CURSOR_PREFIX = "0r8"
CURSOR_LIFE = 2 * 24 * 3_600.0  # seconds; a locator expires after two days
MIN_PAGE, MAX_PAGE = 200, 2_000
LONG_TEXT = 255
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A result that has more pages."""

    result: QueryResult
    page: int
    expires: float


class Cursors:
    """The open cursors of an org."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._open: dict[str, Cursor] = {}

    def open(self, result: QueryResult, page: int) -> str:
        """Keep a result; its id."""
        while len(self._open) >= self._org.settings.query_cursors:
            del self._open[next(iter(self._open))]
        cursor_id = self._org.new_id(CURSOR_PREFIX)
        self._open[cursor_id] = Cursor(result, page, self._org.now() + CURSOR_LIFE)
        return cursor_id

    def find(self, cursor_id: str) -> Cursor:
        """An open cursor, or the platform's error."""
        found = self._open.get(cursor_id)
        if found is None or found.expires < self._org.now():
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return found


def _query(org: OrgState, call: Call) -> Response:
    return _first(org, call, include_deleted=False)


def _query_all(org: OrgState, call: Call) -> Response:
    return _first(org, call, include_deleted=True)


def _first(org: OrgState, call: Call, *, include_deleted: bool) -> Response:
    text = call.request.query.get("q", "")
    result = run_query(org, text, include_deleted, call.user_id)
    if call.request.query.get("columns") == "true":
        return answer(_columns(org, result))
    return _page(org, call, result, 0, page_size(org, call, result), "")


def _columns(org: OrgState, result: QueryResult) -> dict[str, Any]:
    """What a query's columns are, for clients that print a table."""
    sobject = org.schema.sobject(result.sobject)
    return {
        "columnMetadata": list(result.metadata),
        "entityName": result.sobject,
        "groupBy": sobject is None,
        "idSelected": "Id" in result.columns,
        "keyPrefix": sobject.prefix if sobject else None,
    }


def page_size(org: OrgState, call: Call, result: QueryResult) -> int:
    """How many records a page has: the client's wish is a hint, and long text makes pages shorter."""
    wished = _BATCH_SIZE.search(call.request.headers.get("Sforce-Query-Options", ""))
    if wished:
        return min(MAX_PAGE, max(MIN_PAGE, int(wished[1])))
    sobject = org.schema.sobject(result.sobject)
    fields = [sobject.field(name) for name in result.columns] if sobject else []
    long_text = any(each and each.type is FieldType.TEXTAREA and each.length > LONG_TEXT for each in fields)
    return min(org.settings.query_page, org.settings.long_text_page) if long_text else org.settings.query_page


def _page(org: OrgState, call: Call, result: QueryResult, start: int, size: int, cursor_id: str) -> Response:
    stop = start + size
    done = stop >= result.total or not result.columns
    body: dict[str, Any] = {"totalSize": result.total, "done": done}
    if not done:
        cursor_id = cursor_id or org.part(Cursors).open(result, size)
        body["nextRecordsUrl"] = f"{call.base}/query/{cursor_id}-{stop}"
    body["records"] = result.records(start, stop, call.version)
    return answer(body)


def _next(org: OrgState, call: Call) -> Response:
    cursor_id, _, start = call.params["locator"].partition("-")
    cursor = org.part(Cursors).find(cursor_id)
    if not start.isdigit() or int(start) > cursor.result.total:
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _page(org, call, cursor.result, int(start), cursor.page, cursor_id)


def routes() -> list[Route]:
    """The query resources."""
    base = "/services/data/v{version}"
    return [
        Route("GET", f"{base}/query", _query),
        Route("GET", f"{base}/queryAll", _query_all),
        Route("GET", f"{base}/query/{{locator}}", _next),
        Route("GET", f"{base}/queryAll/{{locator}}", _next),
    ]
