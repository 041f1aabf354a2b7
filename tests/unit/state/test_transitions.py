"""The protocol as a table: what may follow what."""

from dataclasses import replace
from itertools import product

import pytest

from migrator.model.run import Attempt, AttemptKind, AttemptState, FileRef
from migrator.state.transitions import FOLLOWS, IllegalWrite, check_transition

S = AttemptState

# written out once more, from the state descriptions: bulk2 is the one where a wrong arrow duplicates or loses records
BULK2 = {
    (S.PLANNED, S.CREATED),
    (S.PLANNED, S.ABANDONED),
    (S.CREATED, S.UPLOADING),
    (S.CREATED, S.ABANDONED),
    (S.UPLOADING, S.UPLOADED),
    (S.UPLOADING, S.CREATED),
    (S.UPLOADING, S.CLOSED),
    (S.UPLOADING, S.ABANDONED),
    (S.UPLOADING, S.UNKNOWN),
    (S.UPLOADED, S.CLOSING),
    (S.UPLOADED, S.ABANDONED),
    (S.UPLOADED, S.UNKNOWN),
    (S.CLOSING, S.CLOSED),
    (S.CLOSING, S.UNKNOWN),
    (S.CLOSED, S.TERMINAL),
    (S.CLOSED, S.UNKNOWN),
    (S.TERMINAL, S.HARVESTED),
    (S.TERMINAL, S.UNKNOWN),
    (S.TERMINAL, S.ABANDONED),
    (S.UNKNOWN, S.HARVESTED),
    (S.UNKNOWN, S.QUARANTINED),
}


def an_attempt(state: AttemptState, kind: AttemptKind = AttemptKind.BULK2) -> Attempt:
    return Attempt(1, "load:Account", kind, state, slice=1, job_id="750A")


def allowed(before: Attempt | None, after: Attempt) -> bool:
    try:
        check_transition(before, after)
    except IllegalWrite:
        return False
    return True


@pytest.mark.parametrize(("before", "after"), list(product(S, S)))
def test_bulk2(before: AttemptState, after: AttemptState) -> None:
    expected = (before, after) in BULK2 or (before is after and not before.final)
    untouched = replace(an_attempt(before), job_state="Failed", processed=0)
    assert allowed(untouched, an_attempt(after)) == expected


def test_only_outcomes_of_a_finished_attempt_may_be_revised() -> None:
    old, new = (FileRef(f"outcomes/{name}", "", 1, 1) for name in ("old", "new"))
    harvested = replace(an_attempt(S.HARVESTED), outcomes=old, rows=7, processed=7)
    assert allowed(harvested, replace(harvested, outcomes=new))
    assert allowed(replace(harvested, state=S.QUARANTINED), replace(harvested, outcomes=new))
    assert not allowed(harvested, replace(harvested, outcomes=new, processed=6))
    assert not allowed(harvested, replace(harvested, waiting=1))
    assert not allowed(harvested, replace(harvested, outcomes=new, state=S.QUARANTINED))
    assert not allowed(replace(harvested, state=S.ABANDONED), replace(harvested, outcomes=new))


@pytest.mark.parametrize("kind", AttemptKind)
def test_every_attempt_begins_planned_and_can_end(kind: AttemptKind) -> None:
    assert [one for one in S if allowed(None, an_attempt(one, kind))] == [S.PLANNED]
    for state, following in FOLLOWS[kind].items():
        assert not state.final
        assert following, f"{state} is a dead end"
        for one in following:
            assert one.final or one in FOLLOWS[kind], f"{one} is a dead end"


def test_once_closing_was_intended_rows_are_never_planned_anew() -> None:
    for state in (S.CLOSING, S.CLOSED):
        assert S.ABANDONED not in FOLLOWS[AttemptKind.BULK2][state]


@pytest.mark.parametrize("job_state", ["Failed", "Aborted", "JobComplete", "UploadComplete", ""])
@pytest.mark.parametrize("processed", [0, 1, None])
def test_unless_the_org_says_finally_that_it_did_nothing(job_state: str, processed: int | None) -> None:
    before = replace(an_attempt(S.TERMINAL), job_state=job_state, processed=processed)
    after = replace(before, state=S.ABANDONED)
    assert allowed(before, after) == (processed == 0 and job_state in {"Failed", "Aborted"})


def test_an_attempt_keeps_its_slice_and_its_job() -> None:
    before = an_attempt(S.CREATED)
    for after in (
        replace(before, job_id="750B"),
        replace(before, slice=2),
        replace(before, step="load:Contact"),
        replace(before, try_no=2),
        replace(before, kind=AttemptKind.REST),
    ):
        assert not allowed(before, after)
    assert allowed(replace(before, job_id=""), before), "a job id is learned once"
