"""What was reviewed is what runs: locks, saved plans, plans edited between a crash and a resume, orgs that change under a run."""

import json
import signal
from pathlib import Path

import pytest

from migrator.clock import SystemClock
from migrator.simulator import load_csv_folder
from migrator.state import open_ledger, read_ledger
from tests.cli.world import Told, World

PLAN = """
version: 1
name: people
variables: {tier: Gold}
source: {org: legacy}
target: {org: merged}
objects:
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    where: "Tier__c = '{{ tier }}'"
    fields: {include: [Name, Tier__c]}
    map: {Legacy_Id__c: Id}
  - object: Contact
    operation: insert
    fields: {include: [LastName, AccountId]}
    follow: AccountId
"""
#: the first upload is begun: accounts are on their way, contacts are not
KILL = "after:intent:SendRows:1"


@pytest.fixture
def plan(world: World) -> Path:
    """A plan, its rows in the source."""
    accounts = ([f"a{n}", f"Account {n}", "Gold" if n % 2 else "Silver"] for n in range(20))
    contacts = ([f"c{n}", f"Person {n}", f"a{n}"] for n in range(20))
    world.csv("Account", ["Id", "Name", "Tier__c"], accounts)
    world.csv("Contact", ["Id", "LastName", "AccountId"], contacts)
    load_csv_folder(world.source, world.folder / "data")
    return world.plan(PLAN)


def killed(world: World, *command: str | Path, point: str = KILL) -> Path:
    """A run that was killed; its folder."""
    world.environment["MIGRATOR_FAILPOINT"] = point
    process = world.begin(*command)  # type: ignore[arg-type]
    out, err = process.communicate(timeout=90)
    assert process.returncode == -signal.SIGKILL, f"{point} was not met\n{out}\n{err}"
    return next(world.state.glob("2*"))


def ok(told: Told, code: int = 0) -> Told:
    assert told.code == code, told
    return told


def kinds(world: World) -> list[str]:
    """What the log of the only run says, in order."""
    with open_ledger(next(world.state.glob("2*")), SystemClock()) as ledger:
        return [one.kind for one in ledger.events()]


# -- plan.lock


def test_a_locked_plan_runs_only_as_it_was_locked(world: World, plan: Path) -> None:
    ok(world.call("plan", plan, "--lock"))
    lock = json.loads((world.folder / "plan.lock").read_text())
    moving = {"before.Account", "extract.Account", "load.Account", "extract.Contact", "load.Contact"}
    assert {one for one in lock["steps"] if not one.startswith("verify")} == moving
    assert "Gold" not in (world.folder / "plan.lock").read_text(), "hashes only"
    world.plan("# looked at by Kim\n" + PLAN.replace("name: people", "name: people\ndescription: as agreed"))
    before = len(world.target.written)
    world.plan(PLAN.replace("[LastName, AccountId]", "[LastName, AccountId, Email]"))
    told = ok(world.call("run", plan), 3)
    assert "error[plan-changed]" in told.err
    assert "load.Contact: columns.Email.rule.target" in told.err
    assert len(world.target.written) == before, "nothing was sent"
    ok(world.call("run", plan, "--var", "tier=Silver"), 3)
    ok(world.call("run", plan, "--accept-plan-change"))
    assert kinds(world)[:2] == ["run-approved", "plan-change-accepted"]


def test_comments_key_order_and_settings_do_not_break_a_lock(world: World, plan: Path) -> None:
    ok(world.call("plan", plan, "--lock"))
    world.plan(
        "# a comment\n"
        + PLAN.replace("operation: insert", "locks: {max_in_flight: 2}\n    operation: insert")
    )
    ok(world.call("run", plan))
    assert kinds(world)[:2] == ["run-approved", "plan-settings-changed"]


def test_a_lock_that_cannot_be_read_is_no_lock(world: World, plan: Path) -> None:
    for text in ("", "{}", '{"lock": 99}', '{"lock": 1, "steps": []}'):
        (world.folder / "plan.lock").write_text(text)
        told = ok(world.call("run", plan), 3)
        assert "error[lock-unreadable]" in told.err


# -- saved plans


def test_a_saved_plan_is_run_exactly(world: World, plan: Path) -> None:
    saved = world.folder / "reviewed.json"
    ok(world.call("plan", plan, "--out", saved, "--var", "tier=Silver"))
    world.seed(world.source, "Account", ["Id", "Name", "Tier__c"], [["b1", "Later", "Silver"]])
    told = ok(world.call("run", "--plan-file", saved))
    assert "run 2" in told.out
    assert sorted(str(row) for row in world.target.truth.created("Account"))
    assert world.target.truth.count("Account") == 11, (
        "rows are read when it runs; what is done with them was reviewed"
    )


def test_a_stale_saved_plan_is_refused_with_the_difference(world: World, plan: Path) -> None:
    saved = world.folder / "reviewed.json"
    ok(world.call("plan", plan, "--out", saved))
    world.plan(PLAN.replace("[LastName, AccountId]", "[LastName, AccountId, Email]"))
    told = ok(world.call("run", "--plan-file", saved), 3)
    assert "error[plan-stale]" in told.err
    assert 'columns.Email.rule.target: nothing → "Email"' in told.err
    world.plan(PLAN)
    world.target.changed[("Contact", "LastName")] = {"length": 5}
    told = ok(world.call("run", "--plan-file", saved), 3)
    assert "Contact.LastName is shorter: length was 80 and is 5" in told.err
    world.target.changed.clear()
    world.orgs({"legacy": world.servers[1].url, "merged": world.servers[0].url})
    told = ok(world.call("run", "--plan-file", saved), 3)
    assert "alias merged is org 00D000000000001EAA" in told.err
    assert not world.target.written
    plan.unlink()
    world.orgs({"legacy": world.servers[0].url, "merged": world.servers[1].url})
    ok(world.call("run", "--plan-file", saved))


def test_a_saved_plan_that_was_edited_is_none(world: World, plan: Path) -> None:
    saved = world.folder / "reviewed.json"
    ok(world.call("plan", plan, "--out", saved))
    saved.write_text(saved.read_text().replace("Gold", "Iron"))
    assert "error[saved-plan-unreadable]" in ok(world.call("run", "--plan-file", saved), 3).err
    ok(world.call("run", "--plan-file", world.folder / "none.json"), 3)
    ok(world.call("run", plan, "--plan-file", saved), 2)
    ok(world.call("run"), 2)


# -- edits between a crash and a resume


def test_the_same_meaning_goes_on(world: World, plan: Path) -> None:
    killed(world, "run", plan)
    world.plan("# only a comment\n" + PLAN)
    ok(world.call("resume"))
    assert "plan-settings-changed" not in kinds(world)


def test_a_setting_goes_on_and_is_recorded(world: World, plan: Path) -> None:
    folder = killed(world, "run", plan)
    world.plan(PLAN.replace("operation: upsert", "operation: upsert\n    locks: {max_in_flight: 1}"))
    told = ok(world.call("resume"))
    assert "plan changed: load.Account: max_in_flight" in told.err
    assert kinds(world).count("plan-settings-changed") == 1
    assert '"max_in_flight": 1' in read_ledger(folder).run.schedule_json


def test_what_has_begun_never_changes(world: World, plan: Path) -> None:
    killed(world, "run", plan)
    before = len(world.target.written)
    world.plan(PLAN.replace("[Name, Tier__c]", "[Name]"))
    for more in ((), ("--accept-plan-change",)):
        told = ok(world.call("resume", *more), 3)
        assert "error[plan-changed]" in told.err
        assert "load.Account: columns.Tier__c" in told.err
        assert "of what has begun already" in told.err
    world.plan(PLAN.replace("org: merged", "org: legacy").replace("{org: legacy}", "{org: merged}", 1))
    assert "plan: target: merged → legacy" in ok(world.call("resume"), 3).err
    assert len(world.target.written) == before, "nothing was sent"
    world.plan(PLAN)
    ok(world.call("resume"))
    assert world.target.truth.count("Account") == 10


def test_what_has_not_begun_changes_when_that_is_accepted(world: World, plan: Path) -> None:
    killed(world, "run", plan, point="after:intent:BeginQuery:1")
    began = {name for name, row in read_ledger(next(world.state.glob("2*"))).steps.items() if row.started}
    assert not any(one.startswith("load") for one in began)
    world.plan(
        PLAN.replace(
            "[LastName, AccountId]}",
            "[LastName, AccountId]}\n    relationships: {AccountId: {when_missing: skip}}",
        )
    )
    told = ok(world.call("resume"), 3)
    assert "of what has not begun yet" in told.err
    ok(world.call("resume", "--accept-plan-change"))
    assert kinds(world).count("plan-change-accepted") == 1
    assert world.target.truth.count("Contact") == 10
    assert world.call("status", "--json").document["complete"]


def test_a_plan_that_is_gone_or_broken(world: World, plan: Path) -> None:
    killed(world, "run", plan)
    world.plan("version: 1\nname: people\nobjects: [")
    told = ok(world.call("resume"), 2)
    assert "error[yaml-syntax]" in told.err
    assert "error[plan-changed]" in told.err
    plan.unlink()
    ok(world.call("resume"))


# -- orgs that change under a run


def test_an_org_that_changed_stops_the_step_before_it_writes(world: World, plan: Path) -> None:
    killed(world, "run", plan)
    world.target.changed[("Contact", "LastName")] = {"length": 5}
    world.target.changed[("Contact", "AccountId")] = None
    told = ok(world.call("resume"), 3)
    assert "stopped[schema-drift] load.Contact" in told.err
    assert "Contact.LastName is shorter: length was 80 and is 5" in told.err
    assert "Contact.AccountId is gone" in told.err
    assert world.target.truth.count("Contact") == 0
    assert world.target.truth.count("Account") == 10, "what had begun came to its end"
    world.target.changed.clear()
    ok(world.call("resume"))
    assert world.target.truth.count("Contact") == 10


def test_what_is_worth_a_word_is_in_the_notes(world: World, plan: Path) -> None:
    killed(world, "run", plan)
    world.target.changed[("Contact", "LastName")] = {"label": "Family Name"}
    ok(world.call("resume"))
    steps = read_ledger(next(world.state.glob("2*"))).steps
    assert "Contact.LastName has another label" in steps["load.Contact"].notes
