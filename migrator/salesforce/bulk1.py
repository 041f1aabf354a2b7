"""Bulk API v1, for the one thing that only it can do: process batches one after the other (`Serial`).

A batch begins to be processed when it is posted, so a job gets one batch and is closed; a closed job takes no other.

**Invariant:** one method is one request; a write is never repeated here.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from migrator.model.wire import JobInfo
from migrator.salesforce.answers import broken_answer
from migrator.salesforce.bulk1_wire import (
    job_form,
    parse_batch,
    parse_batches,
    parse_job,
    parse_results,
    state_form,
)
from migrator.salesforce.exchange import CSV, XML, Call
from migrator.salesforce.session import Session
from migrator.salesforce.wire import Malformed, RowReply

T = TypeVar("T")

#: Bulk API guide, "Bulk API Limits": a batch has at most 10,000 records and 10 MB
MAX_BATCH_ROWS: Final = 10_000
MAX_BATCH_BYTES: Final = 10_000_000


class Bulk1:
    """The Bulk API v1 of one org."""

    def __init__(self, session: Session, api_version: str) -> None:
        self._session = session
        self._jobs = f"/services/async/{api_version}/job"

    def create(
        self, sobject: str, operation: str, external_id: str | None = None, *, assignment_rule: str = ""
    ) -> JobInfo:
        """An open serial job without batches."""
        return self._post(self._jobs, job_form(sobject, operation, external_id, assignment_rule), parse_job)

    def add_batch(self, job_id: str, path: Path) -> JobInfo:
        """The job's only batch. It is processed from now on, whether the job is closed or not."""
        with path.open("rb") as content:
            headers = {
                "Content-Type": f"{CSV}; charset=UTF-8",
                "Content-Length": str(path.stat().st_size),
            }
            call = Call("POST", f"{self._jobs}/{job_id}/batch", headers=headers, content=content, accept=XML)
            return self._parsed(call, parse_batch)

    def close(self, job_id: str) -> JobInfo:
        """Close an open job: it takes no batch any more. A job that is closed already is refused."""
        return self._post(f"{self._jobs}/{job_id}", state_form("Closed"), parse_job)

    def job(self, job_id: str) -> JobInfo:
        """How a job stands: open, or closed to more batches."""
        return self._parsed(Call("GET", f"{self._jobs}/{job_id}", accept=XML), parse_job)

    def batches(self, job_id: str) -> tuple[JobInfo, ...]:
        """The job's batches, each told like a job."""
        return self._parsed(Call("GET", f"{self._jobs}/{job_id}/batch", accept=XML), parse_batches)

    def same_request(self, job_id: str, batch_id: str, path: Path) -> bool:
        """Whether the rows that the org has of a batch are those of the file, in its order.

        Compared as cells: the org may quote otherwise or end lines otherwise.
        """
        told = self._content(job_id, batch_id, "request")
        with path.open("r", encoding="utf-8", newline="") as file:
            sent = csv.reader(file, strict=True)
            try:
                return list(csv.reader(io.StringIO(told.decode("utf-8"), newline=""), strict=True)) == list(
                    sent
                )
            except (csv.Error, UnicodeDecodeError):
                return False

    def results(self, job_id: str, batch_id: str, rows: int) -> tuple[RowReply, ...]:
        """What was said to the first rows of a batch of `rows`, in the order of its request."""
        content = self._content(job_id, batch_id, "result")
        call = Call("GET", f"{self._jobs}/{job_id}/batch/{batch_id}/result")
        try:
            return parse_results(content, rows)
        except (Malformed, UnicodeDecodeError) as fault:
            raise broken_answer(_reason(fault), self._session.where(call), 200) from fault

    def _content(self, job_id: str, batch_id: str, what: str) -> bytes:
        call = Call("GET", f"{self._jobs}/{job_id}/batch/{batch_id}/{what}", accept=CSV)
        with self._session.download(call) as download:
            parts, size = [], 0
            for part in download:
                size += len(part)
                # results repeat nothing of the rows but messages: a few hundred bytes a row at most
                if size > 4 * MAX_BATCH_BYTES:
                    raise broken_answer("it is longer than a batch can be", self._session.where(call), 200)
                parts.append(part)
        return b"".join(parts)

    def _post(self, path: str, form: bytes, parse: Callable[[bytes], T]) -> T:
        headers = {"Content-Type": f"{XML}; charset=UTF-8"}
        return self._parsed(Call("POST", path, headers=headers, content=form, accept=XML), parse)

    def _parsed(self, call: Call, parse: Callable[[bytes], T]) -> T:
        answer = self._session.call(call)
        try:
            return parse(answer.body or b"")
        except (Malformed, UnicodeDecodeError) as fault:
            raise broken_answer(_reason(fault), self._session.where(call), answer.status) from fault


def _reason(fault: Exception) -> str:
    return str(fault) if isinstance(fault, Malformed) else "it has not the documented form"
