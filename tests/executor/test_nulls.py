"""Fields that have no value in the source: kept unless the plan says that they are cleared, over both APIs alike."""

from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from tests.executor.orgs import make_lab
from tests.plans import SCHEMA, VERIFIED, accounts, plan_of


@pytest.mark.parametrize("rows", [3, 2_005], ids=["rest", "bulk"])
@pytest.mark.parametrize(
    ("nulls", "left"),
    [("", ("text", 7)), ("nulls: keep", ("text", 7)), ("nulls: clear", (None, None))],
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
    lab.begin(plan_of(accounts("Name, Description, NumberOfEmployees", nulls), name="nulls", more=VERIFIED))
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    where = f"SELECT Name, Description, NumberOfEmployees FROM Account WHERE Legacy_Id__c = '{ids[0]}'"
    assert tuple(target.query(where)[0].values()) == ("New", *left)
    verified = lab.drive(Goal.VERIFY)
    assert verified.exit_code is ExitCode.OK, verified.summary.verification
