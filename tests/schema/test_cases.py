"""Each file beside this one is a case: prose, a plan, whether it is valid, and every diagnostic with its line."""

from pathlib import Path

import pytest
import yaml

from migrator.errors import has_errors
from migrator.planfile import load_plan
from migrator.transforms import resolve

CASES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_plan_gets_exactly_these_diagnostics(path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    plan, found = load_plan("plan.yaml", case.get("variables", {}), text=case["plan"])
    more = resolve(plan)[1] if plan is not None else []
    told = sorted((each.where.line, each.code) for each in (*found, *more))
    assert told == sorted((each["line"], each["code"]) for each in case["expect"]), "\n".join(
        map(str, [*found, *more])
    )
    assert (plan is not None and not has_errors([*found, *more])) is case["valid"]
    for each in (*found, *more):
        assert each.what
        assert each.hint, f"{each} does not say what to do"
        assert "hunter2" not in str(each)
        assert "lovelace" not in str(each)
