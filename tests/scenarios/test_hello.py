"""plans/hello.yaml, the plan of the README, between the demo's orgs."""

from pathlib import Path

from migrator.cli.demo_data import write_legacy, write_merged
from migrator.clock import VirtualClock
from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.resources import resource
from migrator.simulator import load_csv_folder
from tests.scenarios.lab import Scenario, records, simulated


def test_it_moves_accounts_and_contacts(tmp_path: Path) -> None:
    clock = VirtualClock()
    source = simulated("legacy", "00D000000000001EAA", clock)
    target = simulated("merged", "00D000000000002EAA", clock)
    accounts = write_legacy(tmp_path / "legacy", scale=0.02)["Account"]
    write_merged(tmp_path / "merged", scale=0.02)
    load_csv_folder(source, tmp_path / "legacy")
    load_csv_folder(target, tmp_path / "merged")
    plan = resource("plans", "hello.yaml")
    scenario = Scenario(plan, tmp_path / "run", clock, target, "merged", source, "legacy")
    scenario.begin()
    assert scenario.findings == []
    loaded = scenario.drive()
    assert loaded.exit_code is ExitCode.OK, loaded.summary.steps
    assert scenario.drive(Goal.VERIFY).exit_code is ExitCode.OK
    there = records(target, "Account", "Legacy_Id__c", "Name", "ParentId")
    assert len(there) == accounts
    legacy = {one["Id"]: one["Legacy_Id__c"] for one in there} | {"": ""}
    parents = {one["Id"]: one["ParentId"] for one in records(source, "Account", "ParentId")}
    assert {one["Legacy_Id__c"]: legacy[one["ParentId"]] for one in there} == parents
