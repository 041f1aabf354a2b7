"""Fields that have no value in the source: kept unless the plan says that they are cleared, over both APIs alike."""

from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from tests.executor.orgs import make_lab

SCHEMA = """
name: Nulls
objects:
  Account:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
"""
PLAN = """
version: 1
name: nulls
source: {org: legacy}
target: {org: merged}
objects:
  - object: Account
    operation: upsert
    external_id: Legacy_Id__c
    fields: {include: [Name, Description, NumberOfEmployees]}
    map: {Legacy_Id__c: {from: Id}}
%s
verify: {counts: exact, fields: all}
"""


@pytest.mark.parametrize("rows", [3, 2_005], ids=["rest", "bulk"])
@pytest.mark.parametrize(
    ("nulls", "left"),
    [("", ("text", 7)), ("    nulls: keep", ("text", 7)), ("    nulls: clear", (None, None))],
)
def test_nulls(tmp_path: Path, rows: int, nulls: str, left: tuple[str | None, int | None]) -> None:
    lab = make_lab(tmp_path, SCHEMA)
    source, target = lab.ends().source, lab.ends().target
    assert source is not None
    ids: list[str] = []
    for start in range(0, rows, 200):
        count = min(200, rows - start)
        ids += [one.id for one in source.send_rows("Account", "insert", None, [{"Name": "New"}] * count, {})]
    old = {"Name": "Old", "Description": "text", "NumberOfEmployees": "7", "Legacy_Id__c": ids[0]}
    assert target.send_rows("Account", "insert", None, [old], {"NumberOfEmployees": "int"})[0].success
    lab.begin(PLAN % nulls)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    where = f"SELECT Name, Description, NumberOfEmployees FROM Account WHERE Legacy_Id__c = '{ids[0]}'"
    assert tuple(target.query(where)[0].values()) == ("New", *left)
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.OK, verified.summary.verification
