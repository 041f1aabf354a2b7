"""Queries of Bulk API v1: each batch is one query, which may be cut into ranges of ids, each a batch of its own.

**Invariant:** a result is complete and fixed before its batch says `Completed`.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from migrator.simulator import ids
from migrator.simulator.bulk.csvdialect import Dialect, write_rows
from migrator.simulator.bulk.spool import Pieces
from migrator.simulator.bulk.v1.content import QUERY_XML_HEAD
from migrator.simulator.bulk.v1.job import Batch, BatchState, Content, Job
from migrator.simulator.bulk.v1.xml import lines
from migrator.simulator.http import dump
from migrator.simulator.orgstate import OrgState
from migrator.simulator.query.as_json import epoch_value, text_value
from migrator.simulator.query.faults import QueryFault
from migrator.simulator.query.select import bulk_records, bulk_rows, check_bulk, parse_query, sobject_of
from migrator.simulator.xmltree import escape
from migrator.soql import Query, render, tree

STEP_ROWS = 20_000  # rows of one look at the work
NOTHING_FOUND = b"Records not found for this query"
_LF = Dialect()


@dataclass(slots=True)
class _Reading:
    """A query that is being answered."""

    job: Job
    batch: Batch
    parts: Iterator[bytes]  # a part for each row
    between: bytes
    tail: bytes


class QueryQueue:
    """The queries of one org, answered one after another; `org.part(QueryQueue)`."""

    def __init__(self, org: OrgState) -> None:
        self.org = org
        self._waiting: deque[tuple[Job, Batch, Query | None]] = deque()
        self._reading: _Reading | None = None
        org.background.append(self)

    def add(self, job: Job, batch: Batch, query: Query | None = None) -> None:
        """Let a batch wait for its answer; `query` where it is known already."""
        self._waiting.append((job, batch, query))

    def advance(self, now: float) -> bool:
        """Do a small step of the first query; whether there is more to do at once."""
        if self._reading is None and self._waiting:
            self._begin(*self._waiting.popleft(), now)
        elif self._reading is not None:
            self._step(self._reading, now)
        return self._reading is not None or bool(self._waiting)

    def _begin(self, job: Job, batch: Batch, known: Query | None, now: float) -> None:
        if batch.state.terminal:
            return  # aborted
        batch.enter(BatchState.IN_PROGRESS, now)
        text = batch.request.read().decode("utf-8", "replace")
        try:
            query = known or parse_query(text)
            check_bulk(query, self.org.sobject(query.sobject))
            if known is None and job.spec.chunking is not None and _may_be_cut(query):
                self._cut(job, batch, query, now)
            else:
                self._reading = self._read(job, batch, query, now)
        except QueryFault as fault:
            message = f"InvalidBatch : Failed to process query: {fault.code}: {fault.text(text)}"
            batch.enter(BatchState.FAILED, now, message)

    def _read(self, job: Job, batch: Batch, query: Query, now: float) -> _Reading:
        deleted = job.spec.operation == "queryAll"
        store, schema = self.org.store, self.org.view(job.created_by).schema
        match job.spec.content:
            case Content.CSV:
                names, rows = bulk_rows(store, query, now, include_deleted=deleted, schema=schema)
                batch.result.append(write_rows([names], _LF).encode())
                return _Reading(job, batch, (write_rows([row], _LF).encode() for row in rows), b"", b"")
            case Content.JSON:
                records = bulk_records(
                    store,
                    query,
                    now,
                    include_deleted=deleted,
                    version=job.version,
                    value=epoch_value,
                    schema=schema,
                )
                batch.result.append(b"[")
                return _Reading(job, batch, map(dump, records), b",", b"]")
            case Content.XML:
                records = bulk_records(
                    store,
                    query,
                    now,
                    include_deleted=deleted,
                    version=job.version,
                    value=text_value,
                    schema=schema,
                )
                batch.result.append(QUERY_XML_HEAD.encode())
                return _Reading(job, batch, map(_xml_record, records), b"", b"\n</queryResult>")

    def _step(self, reading: _Reading, now: float) -> None:
        batch = reading.batch
        if batch.state.terminal:  # aborted
            self._reading = None
            return
        parts = list(islice(reading.parts, STEP_ROWS))
        joined = reading.between.join(parts)
        batch.result.append(reading.between + joined if batch.done and parts else joined)
        batch.done += len(parts)
        batch.modified = max(batch.modified, now)
        if len(parts) < STEP_ROWS:
            self._finish(reading, now)

    def _finish(self, reading: _Reading, now: float) -> None:
        batch = reading.batch
        batch.result.append(reading.tail)
        if not batch.done and reading.job.spec.content is Content.CSV:
            batch.result = Pieces(reading.job.spool)
            batch.result.append(NOTHING_FOUND)
        batch.results.append(self.org.new_id("752"))
        batch.enter(BatchState.COMPLETED, now)
        self._reading = None

    # --- ranges of ids -----------------------------------------------------------------------------------------

    def _cut(self, job: Job, batch: Batch, query: Query, now: float) -> None:
        """Make a batch for every range of ids; the batch that was posted is not processed itself."""
        batch.enter(BatchState.NOT_PROCESSED, now)
        for piece in self._pieces(job, query):
            made = job.add(self.org.new_id("751"), render(piece).encode(), batch.request_type, now)
            self.add(job, made, piece)

    def _pieces(self, job: Job, query: Query) -> Iterator[Query]:
        chunking = job.spec.chunking
        if chunking is None:
            return
        table = self.org.store.table(sobject_of(self.org.store, query).name)
        first = max(1, ids.decode(chunking.start)) if chunking.start else 1
        for start in range(first, max(first + 1, table.next_seq), chunking.size):
            bounds = [table.id_of(place)[:15] for place in (start, start + chunking.size)]
            yield replace(query, where=_within(query.where, bounds[0], bounds[1]))


def _within(where: tree.Condition | None, lower: str, upper: str) -> tree.Condition:
    own = tree.Path(("Id",))
    bounds = (
        tree.Compare(own, tree.Operator.GE, tree.Text(lower)),
        tree.Compare(own, tree.Operator.LT, tree.Text(upper)),
    )
    return tree.And((where, *bounds) if where else bounds)


def _may_be_cut(query: Query) -> bool:
    """A query with an order, a limit or a condition on an id is not cut."""
    if query.order_by or query.limit is not None:
        return False
    return query.where is None or not any(_names_id(path) for path in _paths(query.where))


def _names_id(path: tree.Path) -> bool:
    return path.parts[-1].lower() == "id"


def _paths(condition: tree.Condition) -> Iterator[tree.Path]:
    """The fields that a condition compares."""
    match condition:
        case tree.And(parts=parts) | tree.Or(parts=parts):
            for part in parts:
                yield from _paths(part)
        case tree.Not(part=part):
            yield from _paths(part)
        case _:
            yield from tree.paths_of(condition.left)


def _xml_record(record: Mapping[str, Any]) -> bytes:
    return "".join(_xml_lines("records", record, 1)).encode()


def _xml_lines(name: str, record: Mapping[str, Any], depth: int) -> Iterable[str]:
    indent = "\n" + " " * depth
    yield f'{indent}<{name} xsi:type="sObject">'
    yield lines(("type", record["attributes"]["type"]), depth + 1)
    for field, value in record.items():
        if field == "attributes":
            continue
        if isinstance(value, Mapping):
            yield from _xml_lines(field, value, depth + 1)
        elif value is None:
            yield f'{indent} <{field} xsi:nil="true"/>'
        else:
            yield f"{indent} <{field}>{escape(str(value))}</{field}>"
    yield f"{indent}</{name}>"
