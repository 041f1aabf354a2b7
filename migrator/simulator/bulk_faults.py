"""Faults of whole jobs, set up on purpose: a job ends early after some of its rows."""

from dataclasses import dataclass
from enum import StrEnum

from migrator.simulator.orgstate import OrgState


class JobFaultKind(StrEnum):
    """How the job ends."""

    FAIL = "fail_job_after_rows"
    ABORT = "abort_job_after_rows"  # as an administrator does


@dataclass(slots=True)
class JobFault:
    """Ends `times` ingest jobs of the sObject (any, when empty) once they processed so many rows."""

    kind: JobFaultKind
    after_rows: int
    sobject: str = ""
    times: int = 1
    message: str = "InternalServerError : Unable to process the job. Please try again."

    def fits(self, sobject: str) -> bool:
        """Whether it is for jobs of this sObject."""
        return not self.sobject or self.sobject.lower() == sobject.lower()


class JobFaults:
    """The job faults of one org; `org.part(JobFaults).add(…)`."""

    def __init__(self, org: OrgState) -> None:
        del org  # a part is made with its org; this one needs nothing of it
        self._faults: list[JobFault] = []

    def add(self, fault: JobFault) -> None:
        """Set up a fault."""
        self._faults.append(fault)

    def due(self, sobject: str, processed: int) -> JobFault | None:
        """The fault that ends the job now."""
        for fault in self._faults:
            if fault.times > 0 and fault.fits(sobject) and processed >= fault.after_rows:
                fault.times -= 1
                return fault
        return None
