"""Jobs of our user that no ledger knows: which of them are ours and forgotten, and which are somebody else's."""

import pytest

from migrator.model.run import RunRow
from migrator.model.wire import JobInfo, JobState
from migrator.preflight.neighbours import neighbours

USER = "005000000000001AAA"
STARTED = 1_790_000_010.7
RUN = RunRow("r", "p", "p.yaml", "d", "{}", "0", "60.0", "a", "b", "00D", "00D", USER, STARTED)


def job(created: float, state: JobState = JobState.JOB_COMPLETE) -> JobInfo:
    return JobInfo("750000000000001AAA", state, created=created, object="Account", created_by=USER)


@pytest.mark.parametrize(
    ("created", "kind"),
    [
        (STARTED - 0.7, "behind"),  # the org tells whole seconds: it may have been made after the run began
        (STARTED + 5, "behind"),
        (STARTED - 1.7, "foreign"),
        (STARTED - 100_000, ""),
    ],
)
def test_a_job_nobody_knows_is_ours_from_the_second_on_in_which_the_run_began(
    created: float, kind: str
) -> None:
    found = neighbours([job(created)], RUN, {"account"}, (), STARTED + 60)
    assert {name for name in ("foreign", "behind", "orphans") if getattr(found, name)} == ({kind} - {""})
