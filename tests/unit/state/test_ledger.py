"""What every store of ledgers must do; run for each of them: SQLite, and PostgreSQL where it is installed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.clock import VirtualClock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    FileRef,
    LedgerRow,
    Outcome,
    Page,
    RunRow,
    RunStatus,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import Lane
from migrator.state import Ledger, holder, list_runs, open_ledger, read_ledger, unlock
from migrator.state.transitions import IllegalWrite
from tests.postgres import Server

FILE = FileRef("slices/load:Account/1.csv", "ab" * 32, 1_234, 10)


def a_run(run_id: str = "20261123-204501-cutover-7f3a", started: float = 1_760_000_000.0) -> RunRow:
    return RunRow(
        run_id=run_id,
        plan_name="cutover",
        plan_path="plans/cutover.yaml",
        plan_digest="d" * 64,
        schedule_json="{}",
        tool_version="0.1.0",
        api_version="66.0",
        source="legacy",
        target="merged",
        source_org_id="00D000000000001EAA",
        target_org_id="00D000000000002EAA",
        target_user_id="005000000000001AAA",
        started=started,
    )


def an_attempt(number: int = 1, state: AttemptState = AttemptState.PLANNED, **facts: object) -> Attempt:
    kind = facts.pop("kind", AttemptKind.BULK2)
    assert isinstance(kind, AttemptKind)
    return replace(Attempt(number, "load:Account", kind, state, slice=number), **facts)  # type: ignore[arg-type]


Opener = Callable[..., Ledger]


STORES = ("sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres")))


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest) -> str:
    """Where new ledgers are: empty for a file in the run's folder, or a PostgreSQL database."""
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgres")
    assert isinstance(server, Server)
    return server.url


@pytest.fixture
def opener(url: str, tmp_path: Path) -> Iterator[Opener]:
    """How a store opens the ledger of the test's run; what is left open is closed in the end."""
    made: list[Ledger] = []

    def opened(*, create: RunRow | None = None, folder: Path | None = None) -> Ledger:
        ledger = open_ledger(
            folder or tmp_path / "run", VirtualClock(), create=create, url=url if create else ""
        )
        made.append(ledger)
        return ledger

    yield opened
    for one in made:
        one.close()


@pytest.fixture
def ledger(opener: Opener) -> Ledger:
    made = opener(create=a_run())
    made.commit([StepRow("load:Account")])
    return made


def test_what_was_committed_is_read_back_equal_after_reopening(ledger: Ledger, opener: Opener) -> None:
    step = StepRow(
        "load:Account",
        StepPhase.OPEN,
        total=10,
        tallies={Outcome.SKIPPED: 2, Outcome.BLOCKED: 1},
        waiting=3,
        rounds=1,
        files=(FILE, replace(FILE, path="x")),
        notes=("two rows identical in all sent fields",),
        counts={"differing.Name": 4},
        started=1.5,
        finished=2.5,
    )
    slice_ = Slice("load:Account", 1, 1, FILE, Lane.BULK2, group="Zoë")
    attempt = an_attempt(rows=10)
    settled = replace(
        attempt,
        state=AttemptState.CREATED,
        job_id="750ak000009BWKLAA4",
        job_state="Open",
        processed=10,
        failed=1,
        outcomes=FILE,
        tallies={Outcome.CREATED: 9, Outcome.FAILED: 1},
        waiting=1,
        faults={"UNABLE_TO_LOCK_ROW": 1},
        created_at=1_760_000_001.5,
        note="n",
    )
    page = Page(1, "load:Account", 0, FILE, locator="MTAwMDA")
    run = replace(a_run(), status=RunStatus.COMPLETE, finished=1_760_000_099.0)

    ledger.commit([step, slice_, attempt, page])
    ledger.commit([settled, run])
    ledger.close()

    state = opener().state()
    assert state.run == run
    assert state.steps == {"load:Account": step}
    assert state.slices == (slice_,)
    assert state.attempts == (settled,)
    assert state.pages == (page,)


def test_rows_come_in_a_fixed_order(ledger: Ledger) -> None:
    ledger.commit([StepRow("extract:Zed"), StepRow("extract:Alpha")])
    ledger.commit([Slice("load:Account", no, 1, FILE, Lane.REST) for no in (3, 1, 2)])
    ledger.commit([an_attempt(number) for number in (3, 1, 2)])
    ledger.commit([replace(StepRow("load:Account"), rounds=1)])
    state = ledger.state()
    assert list(state.steps) == ["load:Account", "extract:Zed", "extract:Alpha"], "as first written"
    assert [one.no for one in state.slices] == [1, 2, 3]
    assert [one.id for one in state.attempts] == [1, 2, 3]


def test_a_commit_is_all_or_nothing(ledger: Ledger) -> None:
    before = ledger.state()
    with pytest.raises(IllegalWrite):
        ledger.commit(
            [
                an_attempt(1),
                Slice("load:Account", 1, 1, FILE, Lane.REST),
                Slice("load:Account", 1, 2, FILE, Lane.REST),
            ],
            [("planned", {})],
        )
    assert ledger.state() == before
    assert ledger.events() == ()
    ledger.commit([an_attempt(1)], [("planned", {"attempt": 1})])
    assert [one.seq for one in ledger.events()] == [1]


def test_slices_and_pages_never_change(ledger: Ledger) -> None:
    ledger.commit(
        [an_attempt(1), Page(1, "load:Account", 0, FILE), Slice("load:Account", 1, 1, FILE, Lane.REST)]
    )
    changed: list[LedgerRow] = [
        Page(1, "load:Account", 0, FILE, locator="x"),
        Slice("load:Account", 1, 2, FILE, Lane.REST),
    ]
    for row in changed:
        with pytest.raises(IllegalWrite):
            ledger.commit([row])


def test_rows_of_a_step_or_attempt_that_is_not_there_are_refused(ledger: Ledger) -> None:
    orphans: list[LedgerRow] = [
        Slice("load:Nobody", 1, 1, FILE, Lane.REST),
        Page(99, "load:Account", 0, FILE),
    ]
    for row in orphans:
        with pytest.raises(IllegalWrite):
            ledger.commit([row])


def test_a_step_may_be_named_before_its_row_within_one_commit(ledger: Ledger) -> None:
    ledger.commit([Slice("load:Contact", 1, 1, FILE, Lane.REST), StepRow("load:Contact")])
    assert len(ledger.state().slices) == 1


def test_two_attempts_never_share_a_job(ledger: Ledger) -> None:
    ledger.commit([an_attempt(1), an_attempt(2)])
    ledger.commit([an_attempt(1, AttemptState.CREATED, job_id="750A")])
    with pytest.raises(IllegalWrite):
        ledger.commit([an_attempt(2, AttemptState.CREATED, job_id="750A")])


def test_the_run_stays_what_it_is(ledger: Ledger) -> None:
    for changed in (
        replace(a_run(), target_org_id="00D000000000003EAA"),
        replace(a_run(), plan_digest="e" * 64),
        replace(a_run(), run_id="another"),
    ):
        with pytest.raises(IllegalWrite):
            ledger.commit([changed])


def test_events_are_chained_and_kept_in_order(ledger: Ledger, opener: Opener) -> None:
    ledger.commit([], [("begun", {"rows": 3, "ratio": 0.5, "ok": True, "none": None, "text": "ü"})])
    ledger.commit([], [("a", {}), ("b", {})])
    events = ledger.events()
    assert [(one.seq, one.kind) for one in events] == [(1, "begun"), (2, "a"), (3, "b")]
    assert events[0].facts == {"rows": 3, "ratio": 0.5, "ok": True, "none": None, "text": "ü"}
    assert ledger.events(after=2) == events[2:]
    ledger.close()
    again = opener()
    again.commit([], [("c", {})])
    assert [one.kind for one in again.events()] == ["begun", "a", "b", "c"]


def test_events_take_plain_values_only(ledger: Ledger) -> None:
    with pytest.raises(TypeError):
        ledger.commit([], [("bad", {"list": [1]})])  # type: ignore[dict-item]
    with pytest.raises(ValueError):
        ledger.commit([], [("bad", {"nan": float("nan")})])
    assert ledger.events() == ()


def test_one_writer(ledger: Ledger, opener: Opener, tmp_path: Path) -> None:
    with pytest.raises(MigratorError) as caught:
        opener()
    assert (caught.value.code, caught.value.exit_code) == ("lease-held", ExitCode.LEASE)
    who = holder(tmp_path / "run")
    assert who is not None
    assert str(who.pid) in caught.value.diagnostic.what
    assert who.host in caught.value.diagnostic.what
    ledger.close()
    ledger.close()
    assert holder(tmp_path / "run") is None
    assert opener().epoch == 2


def test_whoever_lost_the_ledger_writes_no_more(ledger: Ledger, opener: Opener, tmp_path: Path) -> None:
    unlock(tmp_path / "run")  # the holder lives: it hangs, or the laptop slept
    assert holder(tmp_path / "run") is None
    second = opener()
    with pytest.raises(MigratorError) as caught:
        ledger.commit([an_attempt(1)])
    assert (caught.value.code, caught.value.exit_code) == ("lease-lost", ExitCode.LEASE)
    assert second.state().attempts == ()
    second.commit([an_attempt(1)])


def test_a_reader_sees_what_is_committed_while_a_run_is_writing(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert read_ledger(folder).attempts == ()
    ledger.commit([an_attempt(1)])
    assert read_ledger(folder) == ledger.state()
    ledger.commit([an_attempt(1, AttemptState.CREATED, job_id="750A")])
    assert read_ledger(folder).attempts[0].job_id == "750A"


def test_a_run_is_made_once(ledger: Ledger, opener: Opener) -> None:
    ledger.close()
    with pytest.raises(MigratorError) as caught:
        opener(create=a_run())
    assert caught.value.code == "run-exists"


def test_no_run(opener: Opener, tmp_path: Path) -> None:
    for look in (lambda: opener(folder=tmp_path / "none"), lambda: read_ledger(tmp_path / "none")):
        with pytest.raises(MigratorError) as caught:
            look()
        assert (caught.value.code, caught.value.exit_code) == ("run-not-found", ExitCode.USAGE)
    assert not (tmp_path / "none").exists(), "looking makes nothing"


def test_runs_are_listed_newest_first(tmp_path: Path, url: str) -> None:
    for name, started in (
        ("20261123-204501-a-1111", 1_795_466_701.0),
        ("20261122-204501-b-2222", 1_795_380_301.0),
        ("20261123-204502-c-3333", 1_795_466_702.0),
    ):
        open_ledger(tmp_path / name, VirtualClock(), create=a_run(name, started), url=url).close()
    broken = tmp_path / "20261123-090000-d-4444"
    broken.mkdir()
    (broken / "ledger.sqlite").write_bytes(b"no ledger")
    (tmp_path / "something-else").mkdir()
    found = list_runs(tmp_path)
    assert [one.folder.name[9:17] for one in found] == ["204502-c", "204501-a", "090000-d", "204501-b"]
    assert [one.run is None for one in found] == [False, False, True, False]
    assert found[2].fault is not None
    assert found[2].fault.code == "state-corrupt"
    assert list_runs(tmp_path / "none") == ()


# -- leases on what is written


ORG = "00D000000000002EAA"


@pytest.fixture
def second(opener: Opener, tmp_path: Path) -> Ledger:
    """Another run beside the first."""
    return opener(create=a_run("20261123-204502-other-11aa"), folder=tmp_path / "other")


def test_two_runs_never_write_one_sobject_of_one_org(ledger: Ledger, second: Ledger, tmp_path: Path) -> None:
    ledger.hold(ORG, ["Account", "Contact"])
    second.hold("00D000000000003EAA", ["Account"])
    with pytest.raises(MigratorError) as caught:
        second.hold(ORG, ["Case", "contact"])
    assert (caught.value.code, caught.value.exit_code) == ("lease-held", ExitCode.LEASE)
    assert "contact of org 00D000000000002 is being written by run " in caught.value.diagnostic.what
    ledger.hold(ORG, ["Case"])  # all or none: the refused one kept nothing of it
    found = holder(tmp_path / "run")
    assert found is not None
    assert found.scopes == ("00D000000000002:account", "00D000000000002:case", "00D000000000002:contact")
    ledger.close()
    second.hold(ORG, ["Case", "Contact"])


def test_a_run_that_was_taken_holds_no_sobject_any_more(
    ledger: Ledger, second: Ledger, tmp_path: Path
) -> None:
    ledger.hold(ORG, ["Account"])
    unlock(tmp_path / "run")
    second.hold(ORG, ["Account"])
    with pytest.raises(MigratorError) as caught:
        ledger.commit([an_attempt(1)])
    assert caught.value.code == "lease-lost"
    second.commit([], [("goes-on", {})])


def test_no_run_to_take(tmp_path: Path) -> None:
    with pytest.raises(MigratorError) as caught:
        unlock(tmp_path / "none")
    assert caught.value.code == "run-not-found"


# -- a ledger that is older than the run


def test_a_ledger_behind_its_beacon_is_refused(ledger: Ledger, opener: Opener, tmp_path: Path) -> None:
    ledger.commit([], [("a", {}), ("b", {})])
    ledger.close()
    beacon = tmp_path / ".beacons" / "run.json"
    assert json.loads(beacon.read_text())["seq"] == 2
    behind = {"seq": 3, "hash": "0" * 64}
    for told in (behind, {"seq": 2, "hash": "0" * 64}):
        beacon.write_text(json.dumps(told))
        with pytest.raises(MigratorError) as caught:
            opener()
        assert (caught.value.code, caught.value.exit_code) == ("ledger-behind", ExitCode.REFUSED)
    beacon.write_text('{"seq": 1, "ha')  # a power cut left half of it
    opener().close()
    beacon.unlink()
    again = opener()
    again.commit([], [("c", {})])
    assert json.loads(beacon.read_text())["seq"] == 3
