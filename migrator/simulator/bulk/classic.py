"""What Bulk API 2.0's list of jobs shows of Bulk API v1: its jobs are there too, as `Classic`."""

from collections.abc import Callable
from typing import Any

from migrator.simulator.orgstate import OrgState

Listed = Callable[[], list[dict[str, Any]]]


class ClassicJobs:
    """The list entries of an org's Bulk API v1 jobs; `org.part(ClassicJobs)`. Whoever holds the jobs sets `listed`."""

    def __init__(self, org: OrgState) -> None:
        del org  # a part is made with its org; this one needs nothing of it
        self.listed: Listed = list
        self.chunked: set[str] = set()  # ids of the jobs with PK chunking
