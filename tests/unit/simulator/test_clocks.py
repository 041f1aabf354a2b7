"""The orgs' time over HTTP: faster than real time, and without waiting."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx
import pytest

from migrator.clock import SystemClock
from migrator.simulator import (
    BackgroundWriter,
    Fault,
    FaultKind,
    JobFault,
    JobFaultKind,
    LockSettings,
    Org,
    OrgClock,
    OrgSettings,
    When,
    serve,
)
from migrator.simulator.auth.oauth import Tokens
from migrator.simulator.records.truth import Change
from migrator.simulator.sharing import Deferral, Sharing

DATA = "/services/data/v60.0"
HOURS = 3_600.0


@contextmanager
def client_of(org: Org) -> Iterator[httpx.Client]:
    """A client with a token that lasts."""
    headers = {"Authorization": f"Bearer {org.part(Tokens).issue()}"}
    with serve(org) as running, httpx.Client(base_url=running.url, headers=headers, trust_env=False) as made:
        yield made


def begun(client: httpx.Client, rows: int) -> str:
    """The path of a job that is to be worked on."""
    job = client.post(f"{DATA}/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()["id"]
    path = f"{DATA}/jobs/ingest/{job}"
    body = b"Name\n" + b"x\n" * rows
    assert (
        client.put(f"{path}/batches", content=body, headers={"Content-Type": "text/csv"}).status_code == 201
    )
    assert client.patch(path, json={"state": "UploadComplete"}).status_code == 200
    return path


def ended(client: httpx.Client, path: str) -> dict[str, object]:
    """The job, when it has ended."""
    shown: dict[str, object] = {}
    for _ in range(1_000):
        shown = client.get(path).json()
        if shown["state"] not in {"UploadComplete", "InProgress"}:
            return shown
        time.sleep(0.02)
    raise AssertionError(shown)


def test_a_clock_of_another_speed() -> None:
    real = SystemClock()
    clock = OrgClock(real, speed=1_000)
    before, began = clock.now(), time.monotonic()
    assert clock.wait(100.0)
    assert 0.05 < time.monotonic() - began < 2
    assert clock.now() >= before + 100
    real.stop()
    assert not clock.wait(10_000_000.0)
    with pytest.raises(ValueError, match="above 0"):
        OrgClock(real, speed=0)


def test_a_day_of_work_in_a_moment() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    org = Org(settings=OrgSettings(row_seconds=0.02, token_lifetime=100 * HOURS), clock=clock)
    org.plant(JobFault(JobFaultKind.HOLD, seconds=23 * HOURS))
    began, real = clock.now(), time.monotonic()
    with client_of(org) as client:
        shown = ended(client, begun(client, 10_000))
    assert (shown["state"], shown["numberRecordsProcessed"]) == ("JobComplete", 10_000)
    assert 23 * HOURS + 200 <= clock.now() - began < 23 * HOURS + 230
    assert time.monotonic() - real < 15


def test_the_work_of_others_is_jumped_over() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    others = BackgroundWriter("Account", every=0.1, seconds=0.05)
    settings = OrgSettings(row_seconds=0.1, token_lifetime=100 * HOURS, locks=LockSettings(writers=(others,)))
    org = Org(settings=settings, clock=clock)
    began, real = clock.now(), time.monotonic()
    with client_of(org) as client:
        shown = ended(client, begun(client, 4_000))
    assert shown["state"] == "JobComplete"
    assert clock.now() - began >= 400
    assert org.truth.count("Account", Change.UPDATED) > 500  # they worked all the same
    assert time.monotonic() - real < 15


def test_a_recalculation_of_sharing_is_jumped_over() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    org = Org(settings=OrgSettings(recalculation_seconds=HOURS, token_lifetime=100 * HOURS), clock=clock)
    sharing, began, real = org.part(Sharing), clock.now(), time.monotonic()
    with client_of(org) as client:
        sharing.change(Deferral(group_membership=True), "005000000000001AAA")
        time.sleep(0.3)
        assert clock.now() - began < 20, "nothing is waited for while sharing is deferred"
        sharing.change(Deferral(), "005000000000001AAA")
        while sharing.recalculating:
            assert time.monotonic() - real < 15
            client.get(f"{DATA}/limits")
            time.sleep(0.02)
    assert 2 * HOURS <= clock.now() - began < 2 * HOURS + 30, "groups, then rules"


def test_a_jump_is_for_work_and_not_for_what_expires() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    org = Org(clock=clock)
    with client_of(org) as client:
        job = client.post(f"{DATA}/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()
        time.sleep(0.3)
        assert client.get(f"{DATA}/jobs/ingest/{job['id']}").json()["state"] == "Open"
    assert clock.monotonic() < 20


def test_answers_carry_the_time_of_the_org() -> None:
    clock = OrgClock(SystemClock(), speed=HOURS)
    with client_of(Org(settings=OrgSettings(token_lifetime=1e9), clock=clock)) as client:
        time.sleep(0.2)
        before = int(clock.now())
        date = parsedate_to_datetime(client.get(f"{DATA}/limits").headers["Date"]).timestamp()
        assert before <= date <= clock.now()
    assert date - time.time() > 100


def test_a_waiting_request_is_waited_for_by_jumping() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    org = Org(clock=clock)
    org.plant(Fault(FaultKind.DELAY, path=".*/limits", seconds=HOURS))
    before, real = clock.now(), time.monotonic()
    with client_of(org) as client:
        assert client.get(f"{DATA}/limits").status_code == 200
    assert clock.now() - before >= HOURS
    assert time.monotonic() - real < 10


def test_two_orgs_share_their_time() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    settings = OrgSettings(row_seconds=0.02, batch_parallelism=1, token_lifetime=100 * HOURS)
    first, second = Org(settings=settings, clock=clock), Org(settings=settings, clock=clock)
    with client_of(first) as one, client_of(second) as other:
        paths = begun(one, 5_000), begun(other, 10_000)
        assert ended(one, paths[0])["state"] == ended(other, paths[1])["state"] == "JobComplete"
    assert 200 <= clock.monotonic() < 280, "side by side"


def test_threads_may_wait_together() -> None:
    clock = OrgClock(SystemClock(), speed=100)
    waiting = [threading.Thread(target=clock.wait, args=(20.0,)) for _ in range(8)]
    for each in waiting:
        each.start()
    for each in waiting:
        each.join(timeout=10)
    assert clock.monotonic() >= 20


def test_a_fault_that_lasts_is_over_by_jumping() -> None:
    clock = OrgClock(SystemClock(), jumps=True)
    org = Org(clock=clock)
    org.plant(Fault(FaultKind.STATUS, path=".*/limits", times=1_000, when=When(lasts=1.5 * HOURS)))
    with client_of(org) as client:
        assert client.get(f"{DATA}/limits").status_code == 503
        time.sleep(0.3)
        assert client.get(f"{DATA}/limits").status_code == 200
    assert clock.monotonic() >= 1.5 * HOURS
