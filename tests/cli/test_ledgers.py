"""Ledgers as people meet them: in PostgreSQL, held by another process, by another plan, restored, on a network disk."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.clock import SystemClock
from migrator.simulator import Fault, FaultKind
from migrator.state import open_ledger
from tests.cli.world import Told, World, until
from tests.plans import inserted, plan_of
from tests.postgres import Server

PLAN = plan_of(inserted("Account", "Name"), name="people")
OTHER = PLAN.replace("people", "others")


@pytest.fixture
def plan(world: World) -> Path:
    """A plan that inserts a hundred accounts."""
    world.seed(world.source, "Account", ["Id", "Name"], ([f"a{n}", f"Account {n}"] for n in range(100)))
    return world.plan(PLAN)


@pytest.fixture
def held(world: World, plan: Path) -> Iterator[Path]:
    """The folder of a run that another process drives for as long as the test lasts: the org is slow to take the rows."""
    world.target.faults.append(
        Fault(FaultKind.STATUS, path=".*/jobs/ingest", method="POST", times=10_000, code=503)
    )
    process = world.begin("run", plan)
    until(lambda: list(world.state.glob(".leases/*.lock")))
    yield next(world.state.glob("2*"))
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_has_the_run(world: World, held: Path) -> None:
    began = time.monotonic()
    told = world.call("resume")
    assert told.code == 8, told
    assert "lease-held" in told.err
    assert time.monotonic() - began < 10
    told = world.call("unlock")
    assert told.code == 0, told
    assert f"run {held.name}: held by process " in told.out
    assert "writes account of org 00D000000000002" in told.out
    document = world.call("unlock", "--json").document
    assert document["holder"]["writes"] == ["00D000000000002:account"]
    assert document["holder"]["age_seconds"] >= 0


def test_another_plan_that_writes_the_same_sobject_is_refused(world: World, held: Path) -> None:
    told = world.call("run", world.plan(OTHER, "other.yaml"))
    assert told.code == 8, told
    assert f"account of org 00D000000000002 is being written by run {held.name}" in told.err


def test_a_run_is_taken_from_a_process_that_hangs(world: World, held: Path) -> None:
    pid = world.call("unlock", "--json").document["holder"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        world.target.faults.clear()
        while (told := world.call("unlock", "--force", "--yes")).code != 0:
            # it stands in the middle of a commit, whose lock only its end gives back
            assert (told.code, "has to be ended" in told.err) == (8, True), told
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.2)
            os.kill(pid, signal.SIGSTOP)
        assert "nobody holds it" in world.call("unlock").out
        assert world.call("resume").code == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    # the one that hung finds that the run is no longer its own, and the rows are there once
    until(
        lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]
    )
    assert world.target.truth.count("Account") == 100
    assert "complete" in world.call("status").out


def test_unlock_asks_before_it_takes(world: World, held: Path) -> None:
    told = world.call("unlock", "--force")
    assert told.code == 2, told
    assert "--yes" in told.err
    assert world.call("unlock", "--json").document["holder"] is not None


def done(told: Told) -> Told:
    assert told.code == 0, told
    return told


@pytest.mark.xdist_group("postgres")
def test_a_run_with_its_ledger_in_postgresql(world: World, plan: Path, postgres: Server) -> None:
    done(world.call("run", plan, "--ledger", postgres.url))
    folder = next(world.state.glob("2*"))
    assert not (folder / "ledger.sqlite").exists()
    assert "complete" in done(world.call("status")).out
    done(world.call("resume"))
    done(world.call("verify"))
    done(world.call("report", "--json", folder / "report.json"))
    assert world.target.truth.count("Account") == 100
    again = world.call("run", plan, "--ledger", "postgresql://me:secret-9@127.0.0.1/x")
    assert again.code == 2, again
    assert "secret-9" not in again.err


def test_a_run_whose_ledger_cannot_be_reached_leaves_nothing_behind(world: World, plan: Path) -> None:
    told = world.call("run", plan, "--ledger", "postgresql://me@127.0.0.1:1/x")
    assert (told.code, "[ledger-unreachable]" in told.err) == (75, True), told
    assert list(world.state.glob("2*")) == []


@pytest.mark.xdist_group("postgres")
def test_an_undo_keeps_its_ledger_where_that_of_the_run_is(
    world: World, plan: Path, postgres: Server
) -> None:
    done(world.call("run", plan, "--ledger", postgres.url))
    (step,) = done(world.call("undo", "--yes", "--json")).document["steps"]
    assert step["outcomes"] == {"deleted": 100}
    (undo,) = world.state.glob("*-undo-*")
    assert (undo / "ledger.json").exists()
    assert not (undo / "ledger.sqlite").exists()
    assert postgres.url.partition("?")[0] in (undo / "ledger.json").read_text(encoding="utf-8")
    done(world.call("resume", undo.name))


@pytest.mark.xdist_group("postgres")
def test_killed_with_its_ledger_in_postgresql(
    world: World, plan: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for point in ("after:intent:Upload:1", "after:intent:CloseUpload:1", "before:result:Harvest:1"):
        world.environment["MIGRATOR_FAILPOINT"] = point
        command = ("resume",) if list(world.state.glob("2*")) else ("run", plan, "--ledger", postgres.url)
        process = world.begin(*command)
        out, err = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, f"{point} was not met\n{out}\n{err}"
    told = world.call("resume")
    assert told.code == 0, told
    assert world.target.truth.count("Account") == 100


def test_a_restored_ledger_is_refused_and_nothing_is_sent(world: World, plan: Path) -> None:
    assert world.call("run", plan).code == 0
    folder = next(world.state.glob("2*"))
    yesterday = (folder / "ledger.sqlite").read_bytes()
    with open_ledger(folder, SystemClock()) as ledger:
        ledger.commit([], [("later", {})])
    (folder / "ledger.sqlite").write_bytes(yesterday)
    written = len(world.target.written)
    told = world.call("resume")
    assert told.code == 3, told
    assert "error[ledger-behind]" in told.err
    assert len(world.target.written) == written
