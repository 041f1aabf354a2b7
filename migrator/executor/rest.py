"""Sending a slice through sObject Collections: few rows, and only such as may be sent twice.

**Invariant:** each row of the slice gets one answer, in the slice's order, or there is no reply at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.data import Engine
from migrator.executor import jobs
from migrator.executor.actions import AttemptSettled
from migrator.executor.run import Run
from migrator.model.plan import Headers
from migrator.model.run import Attempt
from migrator.model.schedule import LinkStep, LoadStep
from migrator.model.wire import RowFault
from migrator.salesforce import Org, RequestFailed, RowReply

#: records of one sObject Collections request (REST API guide, "sObject Collections": at most 200)
REST_ROWS = 200
#: the status of an upsert whose external id several records have (REST API guide, "Status Codes and Error Responses")
SEVERAL_FOUND = 300

Record = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Target:
    """Where and as what the rows of a slice are sent over REST; `types` by field."""

    sobject: str
    operation: str
    external_id: str | None
    types: Mapping[str, str]
    headers: Headers


def send_slice(target: Org, engine: Engine, run: Run, attempt: Attempt) -> AttemptSettled:
    """Send the rows and keep what the org says to each."""
    slice_ = run.slices[(attempt.step, attempt.slice)]
    to = _target(jobs.sending(run.schedule.step(attempt.step)))
    answers: list[RowReply] = []
    records: list[Record] = []
    for record in (*engine.read_slice(slice_.file), None):
        if record is not None:
            records.append(record)
        if records and (record is None or len(records) == REST_ROWS):
            answers += _answers(target, to, records)
            records = []
    kept = engine.write_replies(attempt.step, attempt.slice, attempt.id, jobs.replies(answers))
    return AttemptSettled(engine.settle_rest(jobs.settle_rest(run, attempt, kept)))


def _answers(target: Org, to: _Target, records: Sequence[Record]) -> tuple[RowReply, ...]:
    """What the org says to each row.

    Where it finds several records for one it may refuse the request with all of its rows: that row is looked for by halves, and the others are
    sent without it. They may be sent twice, or they would not travel so.
    """
    try:
        return target.send_rows(to.sobject, to.operation, to.external_id, records, to.types, to.headers)
    except RequestFailed as failed:
        if failed.status != SEVERAL_FOUND:
            raise
        if len(records) > 1:
            half = len(records) // 2
            return (*_answers(target, to, records[:half]), *_answers(target, to, records[half:]))
        text = f"several records of the target have this value of {to.external_id}"
        return (RowReply("", success=False, created=None, faults=(RowFault(failed.error_code, text),)),)


def _target(step: LoadStep | LinkStep) -> _Target:
    """How the rows of the step go over REST."""
    types = {one.name: one.type for one in jobs.sent_columns(step)}
    return _Target(step.sobject, jobs.operation(step).wire, jobs.external_id(step), types, step.headers)
