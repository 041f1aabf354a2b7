"""Networks that are away: when a run begins, and for minutes in the middle of it."""

import json
import re
import socket
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Policy
from migrator.model.run import AttemptKind
from migrator.simulator import preset, read_faults
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.plans import SCHEMA, inserted, plan_of

PLAN = plan_of(inserted("Account", "Name"))
ROWS = 60


@dataclass
class Names(httpx.BaseTransport):
    """Name resolution that fails for some time, from the first request on that fits."""

    org: httpx.BaseTransport
    clock: Clock
    request: str
    seconds: float
    nth: int = 1
    since: float | None = None
    #: when requests failed
    failed: list[float] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or find no address."""
        now = self.clock.now()
        if self.since is None and re.fullmatch(self.request, f"{request.method} {request.url.path}"):
            self.nth -= 1
            self.since = None if self.nth else now
        if self.since is not None and now < self.since + self.seconds:
            self.failed.append(now)
            raise httpx.ConnectError("no address") from socket.gaierror(-2, "Name or service not known")
        return self.org.handle_request(request)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two orgs, the source filled."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    org.send_rows("Account", "insert", None, [{"Name": f"Account {n}"} for n in range(ROWS)], {})
    made.begin(PLAN)
    return made


def away(lab: Lab, request: str, seconds: float, nth: int = 1) -> list[Names]:
    made: list[Names] = []

    def network(org: httpx.BaseTransport) -> httpx.BaseTransport:
        made.append(Names(org, lab.clock, request, seconds, nth))
        return made[-1]

    lab.network = network
    return made


def test_no_address_when_a_run_begins_pauses_and_names_the_host(lab: Lab) -> None:
    away(lab, ".*", 1e9)
    with pytest.raises(MigratorError) as found:
        lab.drive()
    assert (found.value.code, found.value.exit_code) == ("network-failed", ExitCode.PAUSED)
    assert "the host name 127.0.0.1 cannot be resolved" in str(found.value)
    assert not read_ledger(lab.folder).attempts
    assert not lab.target.truth.created("Account")


@pytest.mark.parametrize(
    "request_", ["POST .*/jobs/ingest", "PUT .*", "PATCH .*", "GET .*/successfulResults"]
)
def test_no_address_for_ten_minutes_of_a_run_is_waited_out(lab: Lab, request_: str) -> None:
    networks = away(lab, request_, 600.0)
    began = lab.clock.monotonic()
    assert lab.drive().exit_code is ExitCode.OK
    target = networks[1]
    assert len(target.failed) > 5
    assert lab.clock.monotonic() - began > 600
    assert Counter(lab.target.truth.created("Account")).total() == ROWS
    jobs = [one.job_id for one in read_ledger(lab.folder).attempts if one.kind is AttemptKind.BULK2]
    assert len(jobs) == 1, "what certainly never left needs no second job"


@pytest.mark.parametrize(
    "request_",
    ["POST .*/jobs/ingest", "PUT .*", "PATCH .*", "GET .*/successfulResults", "POST .*/jobs/query"],
)
def test_an_org_that_answers_no_more_long_requests_is_soon_asked_again(lab: Lab, request_: str) -> None:
    method, path = request_.split(" ")
    told = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": told}]
    busy = {
        "kind": "status",
        "method": method,
        "path": path,
        "code": 403,
        "body": json.dumps(body),
        "times": 7,
    }
    for org in (lab.source, lab.target):
        org.plant(*read_faults({"faults": [busy]}, now=lab.clock.now()))
    began = lab.clock.monotonic()
    assert lab.drive().exit_code is ExitCode.OK
    assert lab.clock.monotonic() - began < 400, "an allowance would be asked for once in a quarter of an hour"
    assert Counter(lab.target.truth.created("Account")).total() == ROWS


def test_pauses_between_tries_are_spread_out(lab: Lab) -> None:
    policy = Policy()
    assert [policy.lost_delay(n) for n in (1, 2, 3, 6, 7, 20)] == [1, 2, 4, 32, 60, 60]
    assert policy.lost_delay(6, 0.25) == 8


def test_no_address_for_an_hour_pauses_the_run_which_goes_on_afterwards(lab: Lab) -> None:
    away(lab, "PUT .*", 3_600.0)
    result = lab.drive()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("org-does-not-answer", ExitCode.PAUSED)
    assert "cannot be resolved" in result.stop.what
    lab.network = lambda org: org
    assert lab.drive().exit_code is ExitCode.OK
    assert len(lab.target.truth.created("Account")) == ROWS


def test_an_outage_after_many_polls_is_no_longer_than_another(lab: Lab) -> None:
    networks = away(lab, "GET .*/jobs/ingest/[^/]+", 120.0, nth=60)
    lab.target.plant(*preset("H25"))  # the job waits for hours, so it is asked for often
    assert lab.drive().exit_code is ExitCode.OK
    assert networks[1].failed


# -- what takes long


@pytest.mark.parametrize("point", ["after:intent:Upload", "after:result:Upload", "after:result:CloseUpload"])
def test_a_machine_that_sleeps_for_nine_hours_goes_on(lab: Lab, point: str) -> None:
    slept: list[str] = []

    def sleep(reached: str) -> None:
        if reached == point and not slept:
            slept.append(reached)
            lab.clock.wait(9 * 3_600.0)  # sessions end meanwhile

    assert lab.drive(fuse=sleep).exit_code is ExitCode.OK
    assert slept
    assert len(lab.target.truth.created("Account")) == ROWS


class Killed(BaseException):
    """The process is no more."""


@pytest.mark.parametrize(("days", "urgent"), [(2.0, False), (6.0, True), (8.0, True)])
def test_results_that_waited_for_days_are_told_and_their_rows_looked_up_when_they_are_gone(
    lab: Lab, days: float, *, urgent: bool
) -> None:
    def fuse(point: str) -> None:
        if point == "before:intent:Harvest":
            raise Killed

    with pytest.raises(Killed):
        lab.drive(fuse=fuse)
    lab.clock.wait(days * 86_400.0)
    assert lab.drive().exit_code is ExitCode.OK
    (told,) = (one.facts for one in lab.events() if one.kind == "results-overdue")
    assert told["urgent"] is urgent
    assert ("reconciled" in {one.kind for one in lab.events()}) is (days > 7)
    assert len(lab.target.truth.created("Account")) == ROWS


def test_a_job_state_that_nobody_knows_is_waited_for_an_hour_and_never_taken_for_an_end(lab: Lab) -> None:
    lab.target.plant(*preset("H16", times="always", path=".*/jobs/ingest/[^/]+"))
    began = lab.clock.monotonic()
    result = lab.drive()
    assert result.stop is not None
    assert (result.stop.code, result.exit_code) == ("job-state-unknown", ExitCode.PAUSED)
    assert 3_600 <= lab.clock.monotonic() - began < 3_900
    lab.target.faults.clear()
    assert lab.drive().exit_code is ExitCode.OK
    assert len(lab.target.truth.created("Account")) == ROWS


def test_a_job_that_does_not_move_is_told_each_hour_and_not_sent_again(lab: Lab) -> None:
    lab.target.plant(*preset("H25"))
    assert lab.drive().exit_code is ExitCode.OK
    told = [one.facts["seconds"] for one in lab.events() if one.kind == "job-not-moving"]
    assert [int(str(one)) // 3_600 for one in told] == [1, 2, 3, 4, 5]
    assert len([one for one in read_ledger(lab.folder).attempts if one.kind is AttemptKind.BULK2]) == 1
