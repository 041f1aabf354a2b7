"""Who did what with which result, and that nobody can change it unnoticed."""

import getpass
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from migrator.clock import SystemClock
from migrator.data import Workspace
from migrator.state import open_ledger
from tests.cli.world import Told, World
from tests.plans import inserted, plan_of
from tests.postgres import Server

PLAN = plan_of(inserted("Account", "Name"), name="people")


def ok(told: Told, code: int = 0) -> Told:
    assert told.code == code, told
    return told


@pytest.fixture
def plan(world: World) -> Path:
    world.seed(world.source, "Account", ["Id", "Name"], ([f"a{n}", f"Account {n}"] for n in range(20)))
    return world.plan(PLAN)


@pytest.fixture
def folder(world: World, plan: Path) -> Path:
    """A run that is over and verified."""
    ok(world.call("run", plan))
    ok(world.call("verify"))
    return next(world.state.glob("2*"))


def test_the_manifest_says_who_did_what(world: World, folder: Path) -> None:
    told = ok(world.call("report", "--manifest", "-"))
    assert "the chain is whole; manifest " in told.err
    found = told.document
    assert found["plan"]["name"] == "people"
    assert len(found["plan"]["digest"]) == 64
    assert (found["target"]["alias"], found["target"]["organization_id"]) == ("merged", "00D000000000002EAA")
    assert found["source"]["organization_id"] == "00D000000000001EAA"
    assert all(found[end]["user_id"].startswith("005") for end in ("source", "target"))
    assert [(one["goal"], one["by"].partition("@")[0]) for one in found["driven"]] == [
        ("load", getpass.getuser()),
        ("verify", getpass.getuser()),
    ]
    (step,) = found["steps"]
    assert (step["step"], step["rows"], step["outcomes"], step["jobs"]) == (
        "load.Account",
        20,
        {"created": 20},
        1,
    )
    assert found["complete"]
    assert found["verified"]
    assert "Account 1" not in told.out, "no record's value"


def test_decisions_are_in_it(world: World, plan: Path) -> None:
    ok(world.call("plan", plan, "--lock"))
    world.plan(PLAN.replace("[Name]", "[Name, Phone]"))
    ok(world.call("run", plan, "--accept-plan-change"))
    found = ok(world.call("report", "--manifest", "-")).document
    assert [one["kind"] for one in found["decisions"]] == ["plan-change-accepted"]


def changed(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET facts = replace(facts, '\"by\":\"', '\"by\":\"not-') WHERE kind = 'driven'",
        "DELETE FROM event WHERE kind = 'manifest-written'",
        "UPDATE step SET tallies = '{\"created\":19}' WHERE step = 'load.Account'",
        "UPDATE run SET plan_digest = 'x'",
    ],
)
def test_a_changed_ledger_is_told_by_the_report(world: World, folder: Path, statement: str) -> None:
    changed(folder, statement)
    assert "error[state-corrupt]" in ok(world.call("report"), 3).err


def test_a_changed_manifest_is_told_by_the_report(world: World, folder: Path) -> None:
    newest = max((folder / "manifest").iterdir())
    text = newest.read_text()
    newest.write_text(text.replace('"created": 20', '"created": 21'))
    told = ok(world.call("report"), 3)
    assert f"manifest/{newest.name} of the run folder has other bytes than recorded" in told.err
    newest.unlink()
    assert "is missing" in ok(world.call("report"), 3).err
    newest.write_text(text)
    ok(world.call("report"))


def test_a_manifest_forged_together_with_its_log_does_not_fit_the_rows(world: World, folder: Path) -> None:
    # somebody who can compute hashes rewrites the newest manifest and says so in a well-chained event
    forged = json.loads(max((folder / "manifest").iterdir()).read_text())
    forged["steps"][0]["outcomes"] = {"created": 21}
    with open_ledger(folder, SystemClock()) as ledger:
        file = Workspace(folder).publish("manifest/99999999.json", [json.dumps(forged).encode()], rows=0)
        ledger.commit(
            [], [("manifest-written", {"path": file.path, "sha256": file.sha256, "size": file.size})]
        )
    assert "does not say what the ledger says" in ok(world.call("report"), 3).err


@pytest.mark.xdist_group("postgres")
def test_the_same_in_postgresql(world: World, plan: Path, postgres: Server) -> None:
    ok(world.call("run", plan, "--ledger", postgres.url))
    ok(world.call("report", "--manifest", "-"))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("UPDATE migrator.step SET waiting = 3")
    assert "error[state-corrupt]" in ok(world.call("report"), 3).err
