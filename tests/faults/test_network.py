"""Slow, silent and ended connections over real sockets, as our own client meets them: what in-process orgs cannot show."""

import random
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx
import pytest

from migrator.clock import SystemClock
from migrator.model.wire import Sent
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, RequestFailed, Secret, connect
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import OrgSettings, load_schema, preset, serve

#: the module, whose name its function has in the package
CONNECT = import_module("migrator.salesforce.connect")
#: in the place of 120 seconds without a byte
IDLE = 0.6


@pytest.fixture
def sim(tmp_path: Path) -> SimulatedOrg:
    """An empty org."""
    (tmp_path / "org.yaml").write_text("name: Small\nobjects: {}\n", encoding="utf-8")
    return SimulatedOrg(load_schema(tmp_path / "org.yaml"), OrgSettings(), SystemClock())


@pytest.fixture
def org(sim: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> Iterator[Org]:
    """The way to it, which gives up after a short silence."""
    monkeypatch.setattr(CONNECT, "TIMEOUTS", httpx.Timeout(connect=5.0, read=IDLE, write=IDLE, pool=5.0))
    with serve(sim) as server:
        settings = ConnectionSettings(
            alias="merged",
            auth=ClientCredentials(sim.settings.client_id, Secret(sim.settings.client_secret)),
            login_url=server.url,
            api_version="66.0",
            simulator=True,
        )
        with connect(settings, SystemClock(), rng=random.Random(7)) as made:  # noqa: S311 - jitter
            yield made


def uploaded(org: Org, folder: Path, rows: int = 3) -> str:
    """An open job with rows."""
    job = org.create_ingest("Account", "insert").id
    path = folder / "rows.csv"
    path.write_text("Name\n" + "".join(f"Account {n}\n" for n in range(rows)), encoding="utf-8")
    org.upload(job, path)
    return job


def test_a_slow_download_is_waited_for_as_long_as_bytes_move(
    sim: SimulatedOrg, org: Org, tmp_path: Path
) -> None:
    job = uploaded(org, tmp_path, 400)
    org.close_upload(job)
    while org.job(job).state.value != "JobComplete":
        time.sleep(0.02)
    sim.plant(*preset("N15", size=1_000, path=".*/successfulResults"))
    began = time.monotonic()
    with org.results(job, "successful") as download:
        text = b"".join(download).decode()
    assert text.count("\n") == 401
    assert time.monotonic() - began > 2 * IDLE, "it took longer than any silence may last"


def test_an_answer_that_never_comes_is_given_up_after_idling(
    sim: SimulatedOrg, org: Org, tmp_path: Path
) -> None:
    job = uploaded(org, tmp_path)
    sim.plant(*preset("N16", method="PATCH", path=".*/jobs/ingest/.*", after_effect=True, seconds=20.0))
    began = time.monotonic()
    with pytest.raises(RequestFailed) as failed:
        org.close_upload(job)
    assert IDLE <= time.monotonic() - began < 10
    assert (failed.value.code, failed.value.sent) == ("network-failed", Sent.MAYBE)
    assert org.job(job).state.value != "Open", "it did arrive"


def test_idling_is_given_up_after_two_minutes() -> None:
    assert (CONNECT.TIMEOUTS.read, CONNECT.TIMEOUTS.write) == (120.0, 120.0)


@pytest.mark.parametrize("read", [True, False])
def test_a_kept_connection_that_ends(sim: SimulatedOrg, org: Org, tmp_path: Path, *, read: bool) -> None:
    job = uploaded(org, tmp_path)
    sim.plant(*preset("N21", method="GET", path=".*/jobs/ingest/.*"))
    assert org.job(job).state.value == "Open"  # the connection ends behind this answer, and was to be kept
    if read:
        assert org.job(job).state.value == "Open"
        return
    told: RequestFailed | None = None
    try:
        org.close_upload(job)
    except RequestFailed as failed:
        told = failed  # it went out before the end of the connection was seen: in doubt, and looked at
    assert told is None or (told.code, told.sent) == ("network-failed", Sent.MAYBE)
    closed = org.job(job).state.value
    assert closed in {"Open", "UploadComplete", "InProgress", "JobComplete"}
    if closed == "Open":
        org.close_upload(job)
    while org.job(job).state.value != "JobComplete":
        time.sleep(0.02)
    assert len(sim.truth.created("Account")) == 3
