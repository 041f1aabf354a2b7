"""Faults of asynchronous jobs, set up on purpose: a job ends early, or some of its transactions meet locked rows."""

from dataclasses import dataclass
from enum import StrEnum

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.results import ChunkResult, RowError

#: what the platform says with a code
_SAYS = {
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record",
    "STORAGE_LIMIT_EXCEEDED": "storage limit exceeded",
}


class JobFaultKind(StrEnum):
    """What goes wrong."""

    FAIL = "fail_job_after_rows"
    ABORT = "abort_job_after_rows"  # as an administrator does
    LOCK = "lock_rows"  # all rows of a transaction are refused, with `code`


@dataclass(slots=True)
class JobFault:
    """Strikes ingest jobs of the sObject (any, when empty) that processed so many rows, `times` times."""

    kind: JobFaultKind
    after_rows: int = 0
    sobject: str = ""
    times: int = 1
    message: str = "InternalServerError : Unable to process the job. Please try again."
    code: str = "UNABLE_TO_LOCK_ROW"  # of LOCK

    def fits(self, sobject: str, processed: int) -> bool:
        """Whether it strikes a job of this sObject now."""
        wanted = not self.sobject or self.sobject.lower() == sobject.lower()
        return wanted and self.times > 0 and processed >= self.after_rows


class JobFaults:
    """The job faults of one org; `org.part(JobFaults).add(…)`."""

    def __init__(self, org: OrgState) -> None:
        del org  # a part is made with its org; this one needs nothing of it
        self._faults: list[JobFault] = []

    def add(self, fault: JobFault) -> None:
        """Set up a fault."""
        self._faults.append(fault)

    def ending(self, sobject: str, processed: int) -> JobFault | None:
        """The fault that ends the job now."""
        return self._take(sobject, processed, lock=False)

    def locked(self, sobject: str, processed: int, ids: list[str]) -> ChunkResult | None:
        """The result of a transaction whose rows are locked, when this one's are."""
        fault = self._take(sobject, processed, lock=True) if self._faults else None
        if fault is None:
            return None
        error = RowError(fault.code, _SAYS.get(fault.code, ""))
        return ChunkResult(ids, [False] * len(ids), dict.fromkeys(range(len(ids)), (error,)))

    def _take(self, sobject: str, processed: int, *, lock: bool) -> JobFault | None:
        for fault in self._faults:
            if (fault.kind is JobFaultKind.LOCK) is lock and fault.fits(sobject, processed):
                fault.times -= 1
                return fault
        return None
