"""A rescue of a run whose ledger is in PostgreSQL: it knows what the old one knew, and nobody goes on with that one meanwhile."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from migrator.simulator import Fault, FaultKind
from tests.cli.world import World, until
from tests.plans import inserted, plan_of
from tests.postgres import NOT_RUN, Server

psycopg = pytest.importorskip("psycopg", reason=f"{NOT_RUN} psycopg is not installed (make setup)")

pytestmark = pytest.mark.xdist_group("postgres")

PLAN = plan_of(inserted("Account", "Name"), name="people")
OTHER = plan_of(inserted("Contact", "LastName"), name="others")


@pytest.fixture
def plan(world: World) -> Path:
    """A plan that inserts a hundred accounts."""
    world.seed(world.source, "Account", ["Id", "Name"], ([f"a{n}", f"Account {n}"] for n in range(100)))
    world.seed(world.source, "Contact", ["LastName"], [["One"]])
    return world.plan(PLAN)


def ask(server: Server, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement.encode())


def killed_behind_its_close(world: World, plan: Path, server: Server) -> None:
    """The org has been told to process the rows, and does; the ledger does not say so yet, and one of its rows is changed by hand."""
    world.environment["MIGRATOR_FAILPOINT"] = "before:result:CloseUpload:1"
    process = world.begin("run", plan, "--ledger", server.url)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, f"{out}\n{err}"
    until(lambda: world.target.truth.count("Account") == 100)
    damage(server)


def damage(server: Server) -> None:
    ask(server, "UPDATE migrator.step SET waiting = 3 WHERE step = 'load.Account'")


def forget_jobs(world: World) -> None:
    """What an administrator does in Setup: the jobs that ended are deleted."""
    base = f"{world.servers[1].url}/services/data/v60.0/jobs/ingest"
    headers = {"Authorization": f"Bearer {world.target.issue_token()}"}

    def send(method: str, url: str) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as answer:  # noqa: S310 - loopback
            return bytes(answer.read())

    for job in json.loads(send("GET", base))["records"]:
        send("DELETE", f"{base}/{job['id']}")


def the_run(world: World, name: str) -> str:
    (found,) = world.state.glob(f"2*-{name}-*")
    return found.name


def test_a_job_that_the_org_has_forgotten_is_not_taken_for_one_that_never_was(
    world: World, plan: Path, postgres: Server
) -> None:
    killed_behind_its_close(world, plan, postgres)
    forget_jobs(world)
    told = world.call("rescue", "--yes")
    assert told.code == 0, told
    assert "1 whose rows will be looked up" in told.out
    told = world.call("resume")
    assert told.code == 0, told
    assert "100 rows were looked up in the target" in told.out
    assert world.target.truth.count("Account") == 100


def test_jobs_of_the_run_are_its_own_beside_another_run_in_the_same_database(
    world: World, plan: Path, postgres: Server
) -> None:
    other = world.plan(OTHER, "other.yaml")
    assert world.call("run", other, "--ledger", postgres.url).code == 0
    killed_behind_its_close(world, plan, postgres)
    name = the_run(world, "people")
    told = world.call("rescue", name, "--yes")
    assert told.code == 0, told
    assert "1 whose answers are known" in told.out
    assert " 0 events of its log" not in told.out
    told = world.call("resume", name)
    assert told.code == 0, told
    assert world.target.truth.count("Account") == 100


def test_a_run_that_a_process_has_is_not_rescued(world: World, plan: Path, postgres: Server) -> None:
    world.target.faults.append(
        Fault(FaultKind.STATUS, path=".*/jobs/ingest", method="POST", times=10_000, code=503)
    )
    process = world.begin("run", plan, "--ledger", postgres.url)
    try:
        until(lambda: "bulk2" in world.call("status").out)
        damage(postgres)
        told = world.call("rescue", "--yes")
        assert (told.code, "lease-held" in told.err) == (8, True), told
        assert f"process {process.pid} " in told.err
        assert not list(world.state.glob("2*/ledger.sqlite"))
    finally:
        process.kill()
        process.communicate()


def test_a_server_that_does_not_answer_is_no_damage(world: World, plan: Path, postgres: Server) -> None:
    assert world.call("run", plan, "--ledger", postgres.url).code == 0
    postgres.stop()
    try:
        told = world.call("rescue", "--yes")
    finally:
        postgres.start()
    assert (told.code, "ledger-unreachable" in told.err) == (75, True), told
    assert not list(world.state.glob("2*/damaged-*"))
    told = world.call("rescue", "--yes")
    assert (told.code, "nothing-to-rescue" in told.err) == (2, True), told


def test_a_rescued_run_is_rescued_once_more(world: World, plan: Path, postgres: Server) -> None:
    """The log of the first ledger is in the database still."""
    killed_behind_its_close(world, plan, postgres)
    forget_jobs(world)
    assert world.call("rescue", "--yes").code == 0
    (folder,) = world.state.glob("2*")
    (folder / "ledger.sqlite").unlink()
    told = world.call("rescue", "--yes")
    assert told.code == 0, told
    assert "1 whose rows will be looked up" in told.out
    assert world.call("resume").code == 0
    assert world.target.truth.count("Account") == 100
