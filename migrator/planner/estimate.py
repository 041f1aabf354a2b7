"""What a run will cost, from row counts: requests to both orgs and Salesforce batches.

A rough figure for people and for the daily allocations: `n` rows need

- extract: 3 requests and `POLLS` polls for a query job, one more for each `PAGE_ROWS` rows;
- Bulk lane: for each slice a create, an upload, a close, `POLLS` polls and three result sets; a batch for each 10,000 rows of a slice;
- REST lane: one request for each 200 rows; no batches.

A slice holds at most the step's rows, and at most its bytes at `CELL_BYTES` a cell. An unknown count is taken as one slice.
"""

from collections.abc import Iterable

from migrator.model.platform import BATCH_ROWS
from migrator.model.schedule import (
    Estimate,
    ExtractStep,
    GateStep,
    Lane,
    LinkStep,
    LoadStep,
    MatchStep,
    Step,
    VerifyStep,
)

POLLS = 3
PAGE_ROWS = 50_000
CELL_BYTES = 20
REST_ROWS = 200  # records of one sObject Collections request (REST API guide, "sObject Collections")


def estimate(steps: Iterable[Step]) -> Estimate:
    """The sum over the steps of a run; verification, a command of its own, is not in it."""
    rows: int | None = 0
    requests = batches = 0
    for step in steps:
        more_requests, more_batches = step_cost(step)
        requests += more_requests
        batches += more_batches
        if isinstance(step, LoadStep):
            rows = None if rows is None or step.expected is None else rows + step.expected
    return Estimate(rows, requests, batches)


def step_cost(step: Step) -> tuple[int, int]:
    """Requests and batches of one step."""
    match step:
        case ExtractStep():
            return (0, 0) if step.file else (3 + POLLS + _parts(step.expected, PAGE_ROWS), 0)
        case LoadStep() | LinkStep():
            return _sending(step)
        case GateStep() | MatchStep() | VerifyStep():
            return 0, 0


def slices(step: LoadStep | LinkStep) -> int:
    """How many slices the step will be cut into, as far as counts tell."""
    cells = len(step.lookups) + (len(step.columns) if isinstance(step, LoadStep) else 1)
    by_bytes = step.max_slice_bytes // (CELL_BYTES * max(cells, 1))
    return _parts(step.expected, min(step.max_slice_rows or by_bytes, by_bytes))


def _sending(step: LoadStep | LinkStep) -> tuple[int, int]:
    if step.lane is Lane.REST:
        return _parts(step.expected, REST_ROWS), 0
    count = slices(step)
    each = -(-(step.expected or 1) // max(count, 1))
    return count * (6 + POLLS), count * _parts(each, BATCH_ROWS)


def _parts(rows: int | None, size: int) -> int:
    return 1 if rows is None else -(-rows // size)
