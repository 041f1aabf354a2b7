"""Jobs that nobody here knows, clocks that differ, results that wait for too long; and the command that looks at all of it."""

import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.cli.orgcheck import check_orgs
from migrator.clock import SystemClock
from migrator.salesforce import ClientCredentials, ConnectionSettings, Org, Secret, connect
from migrator.simulator import Fault, FaultKind
from migrator.simulator.http import Headers, Request, Response
from migrator.state import open_ledger, read_ledger
from tests.cli.world import SECRET, Told, World
from tests.plans import inserted, plan_of

PLAN = plan_of(inserted("Account", "Name"), name="people")


@pytest.fixture
def plan(world: World) -> Path:
    """A plan that inserts twenty accounts."""
    world.seed(world.source, "Account", ["Id", "Name"], ([f"a{n}", f"Account {n}"] for n in range(20)))
    return world.plan(PLAN)


def ok(told: Told, code: int = 0) -> Told:
    assert told.code == code, told
    return told


def as_somebody_else(world: World) -> Org:
    """The target as another program of the same user reaches it."""
    settings = ConnectionSettings(
        alias="merged",
        auth=ClientCredentials("migrator-simulator", Secret(SECRET)),
        login_url=world.servers[1].url,
        api_version="66.0",
        simulator=True,
    )
    return connect(settings, SystemClock())


def load_elsewhere(world: World, sobject: str = "Account", *, close: bool = True) -> str:
    """Another program loads one record; the job's id."""
    content = world.folder / "elsewhere.csv"
    content.write_text("Name\nelsewhere\n" if sobject == "Account" else "LastName\nelsewhere\n")
    with as_somebody_else(world) as org:
        job = org.create_ingest(sobject, "insert")
        org.upload(job.id, content)
        if close:
            org.close_upload(job.id)
        return job.id


def kinds(world: World) -> list[str]:
    with open_ledger(next(world.state.glob("2*")), SystemClock()) as ledger:
        return [one.kind for one in ledger.events()]


def killed(world: World, plan: Path, point: str) -> None:
    world.environment["MIGRATOR_FAILPOINT"] = point
    process = world.begin("run", plan)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, f"{point} was not met\n{out}\n{err}"


# -- jobs that nobody here knows


def test_what_a_lost_answer_left_is_told_and_swept_on_request(world: World, plan: Path) -> None:
    killed(world, plan, "before:result:CreateJob:2")  # the first is the extract's query job
    told = ok(world.call("resume"))
    assert "1 open jobs were left in the target by lost answers" in told.err
    assert "doctor" in told.err
    told = ok(world.call("doctor", "--jobs"))
    assert "insert Account: open and unknown" in told.out
    told = ok(world.call("doctor", "--jobs", "--sweep"), 2)
    assert "--yes" in told.err, "never without a question"
    document = ok(world.call("doctor", "--sweep", "--yes", "--json")).document
    assert len(document["swept"]) == 1
    told = ok(world.call("doctor", "--jobs"))
    assert "no jobs of this user that no ledger here knows" in told.out
    assert world.target.truth.count("Account") == 20


def test_another_writer_is_noticed_before_anything_is_sent(world: World, plan: Path) -> None:
    job = load_elsewhere(world)
    before = len(world.target.written)
    told = ok(world.call("run", plan), 8)
    assert "error[foreign-writer]" in told.err
    assert job in told.err
    (folder,) = world.state.glob("2*")
    assert f"migrator resume {folder.name} --allow-foreign-jobs" in told.err
    assert len(world.target.written) == before
    ok(world.call("resume"), 8)
    assert (
        f"fail  job {job}: insert Account, JobComplete: no ledger"
        in ok(world.call("doctor", "--jobs"), 3).out
    )
    ok(world.call("resume", "--allow-foreign-jobs"))
    assert "foreign-jobs-accepted" in kinds(world)
    ok(world.call("resume")), "what was accepted once is not asked about again"
    told = ok(world.call("doctor", "--jobs"))
    assert (
        f"ok    job {job}: insert Account, JobComplete: no ledger here knows it, and that is accepted"
        in told.out
    )
    another = load_elsewhere(world)
    told = ok(world.call("resume"), 3)
    assert (another in told.err, job in told.err, "--allow-foreign-jobs" in told.err) == (True, False, True)
    findings = ok(world.call("doctor", "--jobs", "--json"), 3).document["findings"]
    states = {one["about"].removeprefix("job "): one["state"] for one in findings}
    assert (states[job], states[another]) == ("ok", "fail")


def test_jobs_are_told_of_a_ledger_that_is_not_what_was_written(world: World, plan: Path) -> None:
    """Nothing counts as accepted then."""
    job = load_elsewhere(world)
    ok(world.call("run", plan, "--allow-foreign-jobs"))
    ok(world.call("doctor", "--jobs"))
    (beacon,) = (world.state / ".beacons").glob("*.json")
    beacon.write_text(beacon.read_text().replace('"seq": ', '"seq": 9'))
    told = ok(world.call("doctor", "--jobs"), 3)
    assert "was restored from a backup" in told.out
    assert f"fail  job {job}" in told.out


def test_a_run_that_was_refused_is_not_taken_for_the_one_to_resume(world: World, plan: Path) -> None:
    """It is the newest, and to begin it would insert everything once more."""
    killed(world, plan, "before:result:CreateJob:2")
    (first,) = world.state.glob("2*")
    load_elsewhere(world)
    ok(world.call("run", plan), 8)
    told = ok(world.call("resume", "--allow-foreign-jobs"), 2)
    assert f"migrator resume {first.name}" in told.err
    before = world.target.truth.count("Account")
    ok(world.call("resume", first.name, "--allow-foreign-jobs"))
    assert world.target.truth.count("Account") == before + 20
    ok(world.call("resume", "--allow-foreign-jobs"), 2)
    assert world.target.truth.count("Account") == before + 20


def test_jobs_of_other_objects_open_ones_and_our_own_are_no_writers(world: World, plan: Path) -> None:
    load_elsewhere(world, "Contact")
    load_elsewhere(world, close=False)
    ok(world.call("run", plan))
    ok(world.call("run", plan)), "jobs of another run of the same folder are known"


def resumed_and_restored(world: World) -> None:
    """The run goes on to its end, and then the whole state folder is restored as it was before."""
    folder = next(world.state.glob("2*"))
    before = {path: path.read_bytes() for path in folder.glob("ledger.sqlite*")}
    ok(world.call("resume"))
    for path in folder.glob("ledger.sqlite*"):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    (world.state / ".beacons" / f"{folder.name}.json").unlink()


def test_a_restored_ledger_that_knows_all_of_its_jobs_goes_on(world: World, plan: Path) -> None:
    killed(world, plan, "after:intent:CloseUpload:1")
    resumed_and_restored(world)
    ok(world.call("resume"))  # it finds its job done, and takes the results
    assert world.target.truth.count("Account") == 20


def test_a_ledger_from_before_its_jobs_is_refused(world: World, plan: Path) -> None:
    killed(world, plan, "before:intent:BeginSlice:1")
    resumed_and_restored(world)
    sent = len(world.target.written)
    told = ok(world.call("resume"), 3)
    assert "error[ledger-behind]" in told.err
    assert len(world.target.written) == sent
    assert world.target.truth.count("Account") == 20


def test_jobs_that_may_not_be_listed_stop_nothing(world: World, plan: Path) -> None:
    body = b'[{"message":"no","errorCode":"INSUFFICIENT_ACCESS"}]'
    world.target.faults.append(
        Fault(FaultKind.STATUS, path=".*/jobs/ingest", method="GET", code=403, body=body, times=99)
    )
    ok(world.call("run", plan))
    assert "jobs-not-listed" in kinds(world)


# -- clocks


class Late:
    """The answers of an org whose clock is ahead."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, answer: Response) -> Response:
        at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + self.seconds))
        return replace(answer, headers=Headers({**dict(answer.headers.items()), "Date": at}))


def ahead(world: World, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    late, handle = Late(seconds), world.target.handle

    def answer(request: Request) -> Response:
        return late(handle(request))

    monkeypatch.setattr(world.target, "handle", answer)


@pytest.mark.parametrize(("seconds", "code"), [(0, 0), (90, 0), (-90, 0), (600, 3), (-600, 3)])
def test_clocks_that_differ(
    world: World, plan: Path, seconds: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead(world, seconds, monkeypatch)
    told = ok(world.call("run", plan), code)
    if code:
        assert "error[clock-skew] this machine's clock says " in told.err
        assert not world.target.written
    else:
        assert ("clock-skew" in kinds(world)) is (seconds != 0)
    told = ok(world.call("doctor"), code)
    assert ("clock and this machine's differ" in told.out) is (seconds != 0)


# -- doctor


def test_everything_is_well(world: World, plan: Path) -> None:
    ok(world.call("run", plan))
    told = ok(world.call("doctor", "--jobs"))
    for part in (
        "migrator 0.",
        "SQLite 3.",
        "state folder",
        "GiB free",
        "org legacy",
        "org merged",
        "DailyApiRequests",
    ):
        assert part in told.out, part
    assert "fail" not in told.out
    document = ok(world.call("doctor", "--json")).document
    assert {one["state"] for one in document["findings"]} <= {"ok", "warn"}


def test_what_is_not_well(world: World, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed(world, plan, "after:intent:CloseUpload:1")
    folder = next(world.state.glob("2*"))
    with open_ledger(folder, SystemClock()) as ledger:
        state = ledger.state()
        live = next(one for one in state.attempts if not one.state.final)
        ledger.commit([replace(live, created_at=time.time() - 6 * 86_400)])
    broken = world.state / "20200101-000000-broken"
    broken.mkdir()
    (broken / "ledger.sqlite").write_bytes(b"not one")
    world.state.chmod(0o770)
    world.servers[0].close()
    told = ok(world.call("doctor"), 3)
    for part in (
        "others may write in it (mode 770)",
        "run 20200101-000000-broken",
        "is running; `migrator resume",
        f"results of job {live.job_id} wait for 6.0 days; Salesforce keeps them for 7",
        "fail  org legacy",
        "ok    org merged",
    ):
        assert part in told.out, part
    world.state.chmod(0o700)
    monkeypatch.delenv("ORG_SECRET")
    assert "ORG_SECRET is not set" in ok(world.call("doctor"), 3).out
    assert read_ledger(folder).run.run_id


def test_an_org_that_never_answers_keeps_no_other_waiting(world: World) -> None:
    missing: list[Sequence[str]] = []
    with socket.create_server(("127.0.0.1", 0)) as hole:
        world.orgs({"abyss": f"http://127.0.0.1:{hole.getsockname()[1]}", "merged": world.servers[1].url})
        asked = (world.folder / "orgs.yaml", world.environment, SystemClock(), missing.append)
        found = list(check_orgs(*asked, patience=0.5, within=2.0))
    assert [(one.about, one.state) for one in found[-2:]] == [("org merged", "ok"), ("org abyss", "fail")]
    assert missing[-1] == ("abyss",)
