"""What is done with a run afterwards, as a user types it: refusals that say what to do, and JSON for whoever asks for it."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.clock import SystemClock
from migrator.executor import Undo
from migrator.model.run import RunStatus
from migrator.simulator import JobFault, JobFaultKind, OrgClock, RowFault, Rows, preset
from migrator.state import open_ledger
from tests.cli.world import SECRET, World, make_world
from tests.plans import PEOPLE, accounts, plan_of

PLAN = plan_of(accounts(), PEOPLE)


@pytest.fixture
def done(world: World) -> World:
    """The plan has run."""
    run(world)
    return world


def run(world: World) -> None:
    world.seed(world.source, "Account", ["Id", "Name"], [[f"a{n}", f"Account {n}"] for n in range(5)])
    ids = world.source.truth.created("Account")
    world.seed(world.source, "Contact", ["LastName", "AccountId"], [[f"P{n}", ids[n % 5]] for n in range(20)])
    told = world.call("run", world.plan(PLAN))
    assert told.code == 0, told


def test_a_run_without_failures_has_nothing_to_retry_and_nothing_to_resolve(
    done: World, tmp_path: Path
) -> None:
    told = done.call("retry")
    assert (told.code, "[nothing-to-retry]" in told.err) == (2, True), told
    told = done.call("resolve", "--assign", str(tmp_path / "none.csv"))
    assert (told.code, "[assignment-refused]" in told.err) == (2, True), told
    (tmp_path / "rows.csv").write_text(
        "step,attempt,row,target_id\nload.Account,999,1,none\n", encoding="utf-8"
    )
    told = done.call("resolve", "--assign", str(tmp_path / "rows.csv"), "--yes")
    assert (told.code, "[assignment-refused]" in told.err) == (2, True), told


def test_a_retry_that_cannot_go_on_takes_no_outcome_back(world: World) -> None:
    """The plan file was mended, which needs a new run: the run still says which rows failed, and why."""
    world.target.plant(RowFault(Rows("Contact", percent=50), "STRING_TOO_LONG", times=1))
    rows = [[f"P{n}"] for n in range(20)]
    world.seed(world.source, "Contact", ["LastName"], rows)
    world.seed(world.source, "Account", ["Id", "Name"], [["a1", "Account 1"]])
    assert world.call("run", world.plan(PLAN)).code == 1
    before = world.call("status").out
    assert "STRING_TOO_LONG" in before
    world.plan(PLAN.replace("LastName, AccountId", "LastName, FirstName, AccountId"))
    told = world.call("retry")
    assert (told.code, "[plan-changed]" in told.err, "another chance" in told.out) == (3, True, False), told
    assert world.call("status").out == before
    world.plan(PLAN)
    told = world.call("retry")
    assert (told.code, "another chance" in told.out) == (0, True), told


def test_an_undo_asks_first_and_the_run_never_goes_on_afterwards(done: World) -> None:
    told = done.call("undo")
    assert (told.code, "[not-confirmed]" in told.err) == (2, True), told
    assert "created records are deleted" in told.out
    told = done.call("undo", "--yes", "--json")
    document = json.loads(told.out)
    assert (told.code, document["exit_code"], document["stop"]) == (0, 0, None), told
    assert {one["operation"] for one in document["steps"]} == {"delete"}
    undone = next(
        one
        for one in done.state.iterdir()
        if one.is_dir() and "-undo-" not in one.name and (one / "ledger.sqlite").exists()
    )
    told = done.call("resume", undone.name)
    assert (told.code, "[run-undone]" in told.err) == (2, True), told
    assert "undone" in done.call("status", undone.name).out
    assert undone.name not in done.call("doctor").out, "there is nothing to go on with"


def test_an_undo_judges_by_the_clock_of_the_org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORG_SECRET", SECRET)
    clock = OrgClock(SystemClock(), jumps=True)
    world = make_world(tmp_path / "world", clock=clock)
    try:
        world.target.plant(JobFault(JobFaultKind.HOLD, seconds=1_000.0))  # the clock jumps over it
        run(world)
        assert clock.now() - time.time() > 900
        told = world.call("undo", "--yes")
        assert (told.code, "CHANGED_SINCE" in told.out) == (0, False), told
        assert not list(world.target.store.table("Contact").scan())
    finally:
        world.close()


def test_records_that_are_not_to_be_seen_stop_a_run_until_somebody_says_that_they_are_there(
    done: World,
) -> None:
    done.target.plant(*preset("U11", at=0.0))
    told = done.call("resume")
    assert (told.code, "[target-reset]" in told.err, "--accept-unseen" in told.err) == (3, True, True), told
    assert done.call("resume", "--accept-unseen").code == 0
    said = "none of 5 records that it created could be seen in the target"
    assert said in done.call("status").out
    steps = done.call("status", "--json").document["steps"]
    assert [said in " ".join(one["notes"]) for one in steps if one["step"] == "load.Account"] == [True]
    assert done.call("resume").code == 0


def test_a_damaged_ledger_is_made_anew_and_the_old_one_is_kept(done: World) -> None:
    told = done.call("rescue")
    assert (told.code, "[nothing-to-rescue]" in told.err) == (2, True), told
    ledger = done.run / "ledger.sqlite"
    damaged = bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])
    ledger.write_bytes(damaged)
    told = done.call("resume")
    assert (told.code, "[state-corrupt]" in told.err, "migrator rescue" in told.err) == (3, True, True), told
    told = done.call("rescue")
    assert (told.code, "nothing was changed: --yes makes it so" in told.out) == (0, True), told
    assert ledger.read_bytes() == damaged
    document = done.call("rescue", "--yes", "--json").document
    assert document["written"] is True
    assert document["slices"] == {"answered": 2, "pending": 0, "unknown": 0}
    assert (Path(document["old_ledger"]) / "ledger.sqlite").read_bytes() == damaged
    told = done.call("resume")
    assert told.code == 0, told
    assert len(done.target.truth.created("Account")) == 5
    assert len(done.target.truth.created("Contact")) == 20
    assert done.call("verify").code == 0
    told = done.call("report", "--json", "-")
    assert told.code == 0, told


def test_an_undo_that_was_killed_before_it_marked_the_run_marks_it_when_it_goes_on(done: World) -> None:
    """The undo has a ledger, and that of the run does not know of it yet: the run must not go on once records of it are deleted."""
    (folder,) = done.state.glob("2*")
    clock = SystemClock()
    Undo(folder).begin(
        done.state / "20990101-000000-undo-small-0000",
        run_id="20990101-000000-undo-small-0000",
        clock=clock,
        memory_mb=128,
    )
    with open_ledger(folder, clock) as ledger:
        ledger.commit([replace(ledger.state().run, status=RunStatus.COMPLETE)])
    told = done.call("resume")
    assert (told.code, "undo-small" in told.out) == (0, True), told
    told = done.call("resume", folder.name)
    assert (told.code, "[run-undone]" in told.err) == (2, True), told
