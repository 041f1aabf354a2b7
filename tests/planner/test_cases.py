"""Each case file: prose, schemas and a plan; then the schedule and the diagnostics that they must lead to.

`pytest tests/planner --update-expected` rewrites what follows the second `---`.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from migrator.model.schedule_text import dump_schedule, parse_schedule
from migrator.planner import Explanation, FileColumns, make_schedule
from tests.planner.builders import org, plan

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
MARK = "--- # expected\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_schedule_is_the_expected_one(path: Path, update_expected: bool) -> None:
    text = path.read_text(encoding="utf-8")
    asked, _, _ = text.partition(MARK)
    case = yaml.safe_load(asked)
    target = org(case.get("target", case.get("orgs", {})))
    source = (
        FileColumns({name: tuple(columns) for name, columns in case["files"].items()})
        if ("files" in case)
        else org(case.get("source", case.get("orgs", {})))
    )
    schedule, found = make_schedule(
        plan(case["plan"]), source=source, target=target, counts=case.get("counts", {})
    )
    told = "".join(f"{one}\n" for one in found)
    actual = asked + MARK
    if schedule is not None:
        actual += _block("schedule", Explanation(schedule).text())
        assert parse_schedule(dump_schedule(schedule)) == schedule
    if told:
        actual += _block("diagnostics", told)
    if update_expected:
        path.write_text(actual, encoding="utf-8")
    assert text == actual or update_expected


def test_every_case_says_what_it_is_about() -> None:
    assert len(CASES) > 10
    for path in CASES:
        case: dict[str, Any] = next(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        assert case["about"], path


def _block(name: str, text: str) -> str:
    body = "".join(f"  {line}\n" if line else "\n" for line in text.rstrip("\n").split("\n"))
    return f"{name}: |\n{body}"
