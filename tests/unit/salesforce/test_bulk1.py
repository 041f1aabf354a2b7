"""Our Bulk API v1 client against the simulated org, and its forms against what orgs write."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from migrator.clock import VirtualClock
from migrator.model.wire import JobState, Sent
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, RequestFailed, Secret, connect
from migrator.salesforce.bulk1_wire import parse_batch, parse_batches, parse_error, parse_job, parse_results
from migrator.salesforce.wire import Malformed
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind, OrgSettings, wsgi_app
from migrator.simulator import Org as SimulatedOrg

GIVEN = OrgSettings(row_seconds=0.01)
SPACE = "http://www.force.com/2009/06/asyncapi/dataload"


@pytest.fixture
def sim(clock: VirtualClock) -> SimulatedOrg:
    return SimulatedOrg(settings=GIVEN, clock=clock)


@pytest.fixture
def org(sim: SimulatedOrg, clock: VirtualClock) -> Org:
    return connect(
        ConnectionSettings(
            "sim",
            ClientCredentials(GIVEN.client_id, Secret(GIVEN.client_secret)),
            login_url="https://sim.my.salesforce.com",
        ),
        clock,
        transport=httpx.WSGITransport(wsgi_app(sim)),
    )


@pytest.fixture
def slice_file(tmp_path: Path) -> Path:
    path = tmp_path / "1.csv"
    path.write_bytes(b'LastName,Description\n"Doe","two\nlines"\n"",""\n"Roe, ""R""","\xc3\xa4"\n')
    return path


def failure(act: Callable[[], object]) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        act()
    return caught.value


def test_a_serial_job_from_its_making_to_its_results(org: Org, clock: VirtualClock, slice_file: Path) -> None:
    job = org.bulk1.create("Contact", "insert")
    assert job.state is JobState.OPEN
    assert job.created == clock.now()
    assert org.bulk1.batches(job.id) == ()
    batch = org.bulk1.add_batch(job.id, slice_file)
    assert not batch.state.terminal
    assert org.bulk1.close(job.id).state is JobState.UPLOAD_COMPLETE
    assert failure(lambda: org.bulk1.close(job.id)).error_code == "InvalidJobState"  # once only
    assert org.bulk1.job(job.id).state is JobState.UPLOAD_COMPLETE
    clock.wait(60)
    (ended,) = org.bulk1.batches(job.id)
    assert ended.modified is not None
    assert clock.now() - 60 <= ended.modified < clock.now()
    assert (ended.id, ended.state, ended.processed, ended.failed) == (batch.id, JobState.JOB_COMPLETE, 3, 1)
    assert org.bulk1.same_request(job.id, batch.id, slice_file)
    first, second, third = org.bulk1.results(job.id, batch.id, 3)
    assert first.success
    assert first.created
    assert org.count("SELECT COUNT() FROM Contact") == 2
    assert not second.success
    assert second.faults[0].code == "REQUIRED_FIELD_MISSING"
    assert second.faults[0].fields == ("LastName",)
    assert third.id.startswith("003")


def test_a_closed_job_takes_no_batch(org: Org, slice_file: Path) -> None:
    job = org.bulk1.create("Contact", "insert")
    org.bulk1.close(job.id)
    failed = failure(lambda: org.bulk1.add_batch(job.id, slice_file))
    assert (failed.sent, failed.status, failed.code) == (Sent.YES, 400, "request-refused")
    assert "not Open" in str(failed) or "Closed" in str(failed)
    assert org.bulk1.batches(job.id) == ()


def test_another_request_is_seen(org: Org, clock: VirtualClock, slice_file: Path, tmp_path: Path) -> None:
    job = org.bulk1.create("Contact", "insert")
    batch = org.bulk1.add_batch(job.id, slice_file)
    clock.wait(60)
    other = tmp_path / "other.csv"
    # the same rows in another order are another request: results have no other name for them than their place
    other.write_bytes(b'LastName,Description\n"Roe, ""R""","\xc3\xa4"\n"",""\n"Doe","two\nlines"\n')
    assert not org.bulk1.same_request(job.id, batch.id, other)


def test_a_lost_answer_to_a_batch_may_have_had_its_effect(
    org: Org, sim: SimulatedOrg, slice_file: Path
) -> None:
    job = org.bulk1.create("Contact", "insert")
    sim.faults.append(Fault(FaultKind.DROP_AFTER_EFFECT, path=".*/batch", method="POST"))
    assert failure(lambda: org.bulk1.add_batch(job.id, slice_file)).sent is Sent.MAYBE
    assert len(org.bulk1.batches(job.id)) == 1  # posted once, never repeated by itself


def test_a_batch_that_ended_early_says_nothing_of_the_rest(
    org: Org, sim: SimulatedOrg, clock: VirtualClock, tmp_path: Path
) -> None:
    path = tmp_path / "1.csv"
    path.write_text("LastName\n" + "".join(f'"N{no}"\n' for no in range(500)), encoding="utf-8")
    sim.plant(JobFault(JobFaultKind.FAIL, after_rows=200))
    job = org.bulk1.create("Contact", "insert")
    batch = org.bulk1.add_batch(job.id, path)
    org.bulk1.close(job.id)
    clock.wait(600)
    (ended,) = org.bulk1.batches(job.id)
    assert ended.state is JobState.FAILED
    assert ended.error
    told = org.bulk1.results(job.id, batch.id, 500)
    assert len(told) == org.count("SELECT COUNT() FROM Contact") == 200


def test_an_expired_session_is_renewed(sim: SimulatedOrg, org: Org) -> None:
    sim.faults.append(
        Fault(
            FaultKind.STATUS,
            path="/services/async/.*",
            method="POST",
            code=400,
            headers={"Content-Type": "application/xml"},
            body=f'<error xmlns="{SPACE}"><exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage></error>'.encode(),
        )
    )
    before = org.requests
    failed = failure(lambda: org.bulk1.create("Contact", "insert"))
    assert failed.code == "session-expired"
    assert org.requests == before + 3  # the first token, the refused request, the new token
    assert org.bulk1.create("Contact", "insert").state is JobState.OPEN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<jobInfo",
        b"<other/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><jobInfo>&a;</jobInfo>',
        b"<jobInfo><state>Open</state></jobInfo>",
        b"<jobInfo><id>750ak000009BWKLAA4</id><numberRecordsFailed>many</numberRecordsFailed></jobInfo>",
    ],
)
def test_what_is_no_job_is_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        parse_job(content)


def test_batch_states_in_both_spellings() -> None:
    form = "<batchInfo><id>751ak000009BWKLAA4</id><state>{}</state><stateMessage>m</stateMessage></batchInfo>"
    for told, state in (
        ("Queued", JobState.UPLOAD_COMPLETE),
        ("Not Processed", JobState.ABORTED),
        ("NotProcessed", JobState.ABORTED),
        ("Paused", JobState.UNKNOWN),
    ):
        assert parse_batch(form.format(told).encode()).state is state
    assert parse_batches(f'<batchInfoList\n   xmlns="{SPACE}" />'.encode()) == ()
    assert parse_error(b"<html>") == ("", "")


@pytest.mark.parametrize(
    "content",
    [
        b'"Id","Success"\n',
        b'"Id","Success","Created","Error"\n"003","true"\n',
        b'"Id","Success","Created","Error"\n"","true","true",""\n',
        b'"Id","Success","Created","Error"\n"003000000000001AAA","true","true","',
        b'"Id","Success","Created","Error"\n"","false","false","A:b:--"\n"","false","false","A:b:--"\n',
    ],
)
def test_results_that_do_not_fit_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        parse_results(content, 1)


def test_faults_keep_their_message_whole() -> None:
    head = '"Id","Success","Created","Error"\n'
    error = "FIELD_CUSTOM_VALIDATION_EXCEPTION:No: not\n\u2028this:A__c,B__c --"
    (reply,) = parse_results(f'{head}"","false","false","{error}"\n'.encode(), 1)
    assert reply.faults[0].message == "No: not\n\u2028this"
    assert reply.faults[0].fields == ("A__c", "B__c")
    (reply,) = parse_results(f'{head}"","false","false","something else"\n'.encode(), 1)
    assert reply.faults[0].code == "UNKNOWN"
