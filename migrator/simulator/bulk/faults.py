"""Faults of asynchronous jobs, as the work on them asks for them."""

from collections.abc import Callable

from migrator.simulator.faults.model import Act, JobFault, JobFaultKind
from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.results import ChunkResult, RowError

#: what the platform says with a code
_SAYS = {
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record",
    "STORAGE_LIMIT_EXCEEDED": "storage limit exceeded",
}
_ENDING = frozenset({JobFaultKind.FAIL, JobFaultKind.ABORT, JobFaultKind.LOSE})


class JobFaults:
    """The job faults of one org; `org.part(JobFaults).add(…)`."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._faults: list[JobFault] = []
        self.perform: Callable[[Act], object] = lambda _: None  # set by the org's front

    def add(self, fault: JobFault) -> None:
        """Set up a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """No more faults."""
        self._faults.clear()

    def ending(self, sobject: str, processed: int) -> JobFault | None:
        """The fault that ends the job now; what somebody does at this moment is done."""
        acting = self._take(sobject, processed, {JobFaultKind.ACT})
        if acting is not None and acting.act is not None:
            self.perform(acting.act)
        return self._take(sobject, processed, _ENDING)

    def rejected(self, sobject: str) -> JobFault | None:
        """The fault that fails the job before its first row."""
        return self._take(sobject, 0, {JobFaultKind.REJECT})

    def held(self, sobject: str) -> float:
        """For how many seconds the job waits in the queue."""
        found = self._take(sobject, 0, {JobFaultKind.HOLD})
        return found.seconds if found else 0.0

    def locked(self, sobject: str, processed: int, ids: list[str]) -> ChunkResult | None:
        """The result of a transaction whose rows are locked, when this one's are."""
        fault = self._take(sobject, processed, {JobFaultKind.LOCK}) if self._faults else None
        if fault is None:
            return None
        error = RowError(fault.code, _SAYS.get(fault.code, ""))
        return ChunkResult(ids, [False] * len(ids), dict.fromkeys(range(len(ids)), (error,)))

    def _take(
        self, sobject: str, processed: int, kinds: frozenset[JobFaultKind] | set[JobFaultKind]
    ) -> JobFault | None:
        for fault in self._faults:
            if fault.kind in kinds and fault.fits(sobject, processed):
                fault.times -= 1
                fault.struck += 1
                return fault
        return None
