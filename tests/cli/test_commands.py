"""The commands as people call them: what they say, where, and the exit code."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from migrator.cli.app import COMMANDS
from migrator.simulator import Fault, FaultKind
from tests.cli.world import ROOT, SECRET, World, call, until
from tests.plans import PEOPLE, accounts, plan_of

PLAN = plan_of(accounts("Name, Industry"), PEOPLE)
ACCOUNTS = 20
CONTACTS = 60


@pytest.fixture
def filled(world: World) -> World:
    """The source has accounts with contacts."""
    world.seed(world.source, "Account", ["Id", "Name"], [[f"a{n}", f"Account {n}"] for n in range(ACCOUNTS)])
    ids = world.source.truth.created("Account")
    rows = [[f"Person {n}", ids[n % ACCOUNTS]] for n in range(CONTACTS)]
    world.seed(world.source, "Contact", ["LastName", "AccountId"], rows)
    return world


@pytest.fixture
def done(filled: World) -> World:
    """The plan has run."""
    told = filled.call("run", filled.plan(PLAN))
    assert told.code == 0, told
    return filled


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_teaches(command: str) -> None:
    if command == "report" and not (ROOT / "migrator/cli/report.py").exists():
        return
    told = call(*filter(None, [command]), "--help")
    assert told.code == 0
    assert told.err == ""
    assert "Usage: migrator" in told.out
    assert not command or re.search(r"[Ee]xample|demo|Takes", told.out), told.out


def test_no_command_shows_help_and_unknown_ones_near_names() -> None:
    assert "Commands" in call().out
    told = call("veryfi")
    assert told.code == 2
    assert "did you mean 'verify'" in told.err


def test_a_migration_from_plan_to_verified(filled: World) -> None:
    plan = filled.plan(PLAN)
    validated = filled.call("validate", plan)
    assert (validated.code, "valid" in validated.out) == (0, True), validated
    assert filled.source.asked == filled.target.asked == []
    planned = filled.call("plan", plan)
    assert planned.code == 0, planned
    assert "load.Contact" in planned.out
    assert filled.source.written == filled.target.written == []
    ran = filled.call("run", plan)
    assert ran.code == 0, ran
    assert "next: migrator verify" in ran.out
    assert len(filled.target.truth.created("Contact")) == CONTACTS
    status = filled.call("status")
    assert (status.code, "complete" in status.out) == (0, True), status
    verified = filled.call("verify")
    assert verified.code == 0, verified
    assert "equal" in verified.out
    assert verified.out.count("equal") == 2


def test_json_is_one_document_of_each_command(filled: World) -> None:
    plan = filled.plan(PLAN)
    assert filled.call("validate", plan, "--json").document["valid"] is True
    assert "schedule" in filled.call("plan", plan, "--json").document
    for command in (("run", plan), ("status",), ("resume",), ("verify",)):
        told = filled.call(*command, "--json")
        assert told.code == 0, told
        assert told.document["exit_code"] == 0
    told = filled.call("plan", filled.plan(PLAN.replace("Industry", "Industri")), "--json")
    assert told.code == 2
    errors = [one["code"] for one in told.document["diagnostics"] if one["severity"] == "error"]
    assert errors == ["unknown-field"]


def test_resume_of_a_complete_run_sends_nothing(done: World) -> None:
    before = len(done.target.written)
    told = done.call("resume")
    assert told.code == 0, told
    assert len(done.target.written) == before
    assert f"{CONTACTS}" in told.out


def test_verify_finds_what_was_changed_and_what_is_gone(done: World) -> None:
    assert done.call("verify").code == 0
    ids = done.target.truth.created("Account")
    done.seed(done.target, "Account", ["Legacy_Id__c", "Name"], [["somebody-else", "Other"]])
    told = done.call("verify")
    assert told.code == 0, "records that are not ours do not matter"
    url = done.servers[1].url
    token = _token(done, url)
    _send(done, "PATCH", f"Account/{ids[0]}", token, {"Name": "Changed"})
    told = done.call("verify", "--json")
    assert told.code == 1, told
    found = {one["object"]: one for one in told.document["verification"]}
    assert found["Account"]["differing"] == {"Name": 1}
    _send(done, "DELETE", f"Account/{ids[1]}", token, None)
    told = done.call("verify", "--json")
    assert told.code == 1
    found = {one["object"]: one for one in told.document["verification"]}
    assert found["Account"]["missing"] == 1
    shown = done.call("verify")
    assert "Name" in shown.out + shown.err, shown


def test_verify_twice_tells_what_a_second_run_would_create(done: World) -> None:
    written = len(done.target.written)
    told = done.call("verify", "--twice")
    assert told.code == 1, told
    assert re.search(r"load\.Account .* creates nothing", told.out), told
    assert re.search(rf"load\.Contact .* {CONTACTS} .* creates ", told.out), told
    queries = [path for method, path in done.target.written[written:] if not path.endswith("/jobs/query")]
    assert queries == [], "nothing but query jobs is made"
    document = done.call("verify", "--twice", "--json").document
    found = {one["step"]: one for one in document["second_run"]}
    assert (document["exit_code"], found["load.Account"]["unchanged"]) == (1, ACCOUNTS)
    assert (found["load.Contact"]["create"], found["load.Contact"]["unsent"]) == (CONTACTS, 0)
    assert (done.run / found["load.Contact"]["report"]).exists()
    page = done.folder / "report.html"
    assert done.call("report", "--html", page).code == 0
    assert "a second run would create 60 records" in page.read_text(encoding="utf-8")
    assert done.call("status").code == 0
    told = done.call("verify")
    assert (told.code, "second run" in told.out) == (0, False), "the inserts are as they were sent"


def _token(world: World, url: str) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": "migrator-simulator",
        "client_secret": SECRET,
    }
    return str(httpx.post(f"{url}/services/oauth2/token", data=form).json()["access_token"])


def _send(world: World, method: str, path: str, token: str, body: object) -> None:
    url = f"{world.servers[1].url}/services/data/v66.0/sobjects/{path}"
    answer = httpx.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.is_success, answer.text


def test_verify_of_a_run_that_is_not_complete_is_refused(filled: World) -> None:
    filled.target.faults.append(
        Fault(kind=FaultKind.STATUS, method="POST", path=r".*/jobs/ingest$", code=403, times=9)
    )
    told = filled.call("run", filled.plan(PLAN))
    assert told.code == 3, told
    assert "migrator resume" in told.out
    assert "nothing is lost" in told.err
    told = filled.call("verify")
    assert told.code == 3
    assert "run-not-complete" in told.err
    filled.target.faults.clear()
    assert filled.call("resume").code == 0
    assert filled.call("verify").code == 0
    assert len(filled.target.truth.created("Contact")) == CONTACTS


def test_without_an_orgs_file_it_says_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = world.folder / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    told = call("run", world.plan(PLAN))
    assert told.code == 2
    assert "error[orgs-file-missing]" in told.err
    assert "--orgs" in told.err
    assert list(empty.iterdir()) == []
    for command in ("status", "resume", "verify"):
        told = call(command)
        assert (told.code, "run-unknown" in told.err) == (2, True), told
        assert list(empty.iterdir()) == []


def test_missing_and_unreadable_files_are_told(world: World) -> None:
    for command in ("validate", "plan", "run"):
        told = world.call(command, world.folder / "nothing.yaml")
        assert (told.code, "nothing.yaml" in told.err) == (2, True), told
        told = world.call(command, world.folder)
        assert told.code == 2, told
    plan = world.plan(PLAN)
    told = world.call("plan", plan, "--vars-file", world.plan("- just a list\n", "vars.yaml"))
    assert told.code == 2
    assert "vars.yaml" in told.err
    told = world.call("plan", plan, "--vars-file", world.folder / "no-vars.yaml")
    assert (told.code, "no-vars.yaml" in told.err) == (2, True), told
    (world.folder / "orgs.yaml").write_bytes(b"orgs: \xff\n")
    told = world.call("plan", plan)
    assert (told.code, "orgs.yaml" in told.err) == (2, True), told


def test_an_alias_that_the_orgs_file_lacks_is_told_with_those_it_has(world: World) -> None:
    told = world.call("plan", world.plan(PLAN.replace("merged", "mergd")))
    assert told.code == 2
    assert "error[org-unknown]" in told.err
    assert "legacy, merged" in told.err


@pytest.mark.parametrize("secret", ["wrong-canary-secret", ""])
def test_a_wrong_or_missing_secret_is_told_and_never_shown(
    world: World, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("ORG_SECRET", secret)
    told = world.call("run", world.plan(PLAN))
    expected = (75, "sign-in-failed") if secret else (2, "secret-missing")
    assert (told.code, expected[1] in told.err) == (expected[0], True), told
    assert "canary" not in told.out + told.err
    assert not world.state.exists()


def test_an_org_that_is_not_there_pauses(world: World) -> None:
    world.orgs({"legacy": "http://127.0.0.1:9", "merged": world.servers[1].url})
    told = world.call("plan", world.plan(PLAN))
    assert (told.code, "network-failed" in told.err) == (75, True), told


def test_one_folder_is_driven_by_one_process(filled: World) -> None:
    gate = Fault(kind=FaultKind.DELAY, method="POST", path=r".*/jobs/ingest$", seconds=4.0)
    filled.target.faults.append(gate)
    process = filled.begin("run", filled.plan(PLAN))
    until(lambda: gate.seen)
    told = filled.call("resume")
    assert told.code == 8, told
    assert str(process.pid) in told.err
    shown = filled.call("status")
    assert f"running (process {process.pid}" in shown.out, shown
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert len(filled.target.truth.created("Contact")) == CONTACTS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupt_stops_in_order_and_resume_completes(filled: World, number: signal.Signals) -> None:
    gate = Fault(kind=FaultKind.DELAY, method="POST", path=r".*/jobs/ingest$", seconds=1.0)
    filled.target.faults.append(gate)
    process = filled.begin("run", filled.plan(PLAN))
    until(lambda: gate.seen)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "migrator resume" in out
    assert "Traceback" not in err
    assert filled.call("status").code == 0
    told = filled.call("resume")
    assert told.code == 0, told
    assert len(filled.target.truth.created("Contact")) == CONTACTS
    assert filled.call("verify").code == 0


def test_an_interrupt_before_the_first_request_is_not_lost(filled: World) -> None:
    told = filled.call("run", filled.plan(PLAN))
    assert told.code == 0
    gate = Fault(kind=FaultKind.DELAY, method="GET", path=".*", seconds=1.0, nth=1)
    filled.target.faults.append(gate)
    process = filled.begin("verify")
    until(lambda: gate.seen)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "migrator verify" in out, "verification is begun again, not resumed"


def test_a_reader_that_goes_away_ends_no_run_with_a_traceback(done: World) -> None:
    for command in ("status", "verify"):
        process = done.begin(command)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        process.wait(timeout=60)
        assert "Traceback" not in err
        assert "Exception" not in err
        assert process.returncode not in {1, 70}, err


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "migrator", "validate", str(tmp_path / "none.yaml"), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["valid"] is False


def test_a_run_is_found_by_a_unique_beginning(done: World) -> None:
    name = done.run.name
    assert done.call("status", name[:15]).code == 0
    told = done.call("status", "2020")
    assert (told.code, name in told.err) == (2, True)


def test_a_file_that_is_gone_from_the_run_folder_is_told(done: World) -> None:
    folder = done.run
    for path in sorted(folder.glob("outcomes/*/*")):
        path.unlink()
    for command in ("verify", "report"):
        told = done.call(command)
        assert (told.code, "[state-corrupt]" in told.err) == (3, True), told
    assert done.call("status").code == 0


def test_a_ledger_that_is_none_is_told(done: World) -> None:
    (ledger,) = done.state.glob("*/ledger.sqlite")
    for extra in done.state.glob("*/ledger.sqlite-*"):
        extra.unlink()
    for content in (b"no database at all" * 500, ledger.read_bytes()[:5000], b""):
        ledger.write_bytes(content)
        for command in ("status", "resume", "report"):
            told = done.call(command)
            assert told.code in {2, 3}, told
            assert "error[" in told.err


def test_a_state_folder_that_cannot_be_is_told(filled: World) -> None:
    (filled.folder / "runs").write_text("a file")
    told = filled.call("run", filled.plan(PLAN))
    assert (told.code, "error[state-read-only]" in told.err) == (2, True), told
    assert filled.target.written == []


def test_another_org_behind_an_alias_is_refused(done: World) -> None:
    done.orgs({"legacy": done.servers[1].url, "merged": done.servers[0].url})
    for command in ("resume", "verify"):
        told = done.call(command)
        assert (told.code, "error[org-mismatch]" in told.err) == (3, True), told
