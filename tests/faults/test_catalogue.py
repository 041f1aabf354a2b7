"""Each fault of the catalogue leads to what it must lead to; what is not covered is told at the end of the test run."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from migrator.executor import Goal
from migrator.model.run import Outcome
from migrator.simulator import preset
from tests.executor.orgs import Lab
from tests.faults.arena import ACCOUNTS, CONTACTS, PLAN, REPEATABLE, Ended, meet
from tests.faults.catalogue import COUNT, FAULTS, covered, told
from tests.faults.entries import ANY, End, Script

ROOT = Path(__file__).resolve().parents[2]
SCRIPTED = {name: one.script for name, one in FAULTS.items() if one.script is not None}


def test_the_catalogue_is_whole() -> None:
    letters = {"N": 22, "H": 40, "D": 14, "P": 12, "K": 12, "T": 5, "U": 11}
    assert list(FAULTS) == [
        f"{letter}{number:02}" for letter, count in letters.items() for number in range(1, count + 1)
    ]
    assert len(FAULTS) == COUNT
    assert all(one.what and one.expected for one in FAULTS.values())
    print("\n".join(told()))
    assert len(covered()) == COUNT, told()


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))


@pytest.mark.parametrize("name", [one for one, fault in FAULTS.items() if fault.shown])
def test_the_tests_that_are_named_are_there(name: str) -> None:
    for node in FAULTS[name].shown:
        path, _, function = node.partition("::")
        assert re.fullmatch(r"test_\w+", function)
        assert function in functions_of(path), node


@pytest.mark.parametrize(
    ("name", "given"), [(name, given) for name, one in SCRIPTED.items() for given in one.presets or (name,)]
)
def test_a_fault_leads_to_what_it_must(tmp_path: Path, name: str, given: str) -> None:
    script = SCRIPTED[name]

    def between(lab: Lab, _number: int) -> None:
        if script.between:
            lab.clock.wait(script.between)

    ended = meet(
        tmp_path,
        preset(given),
        plan=REPEATABLE if script.rest else PLAN,
        at_source=script.at_source,
        between=between,
        drives=script.drives,
    )
    assert ended.struck, "the fault never came"
    assert (ended.codes[: len(script.codes)], ended.doubled) == (list(script.codes), []), ended.reasons
    assert len(ended.codes) == len(script.codes), ended.reasons
    assert ended.reasons[0] == script.reason
    assert not script.event or script.event in {one.kind for one in ended.lab.events()}
    judge(ended, script)


@pytest.mark.parametrize("name", ["H14", "H27", "H28", "H29"])
def test_results_that_never_add_up_are_looked_up_in_the_target(tmp_path: Path, name: str) -> None:
    ended = meet(tmp_path, preset(name, times="always"))
    assert (ended.codes, ended.struck) == ([0], True)
    assert ended.whole, ended.tallies
    assert {"fate-unknown", "reconciled"} <= {one.kind for one in ended.lab.events()}


def judge(ended: Ended, script: Script) -> None:
    match script.end:
        case End.WHOLE:
            assert ended.whole, ended.tallies
            assert script.given_up in {ANY, ended.given_up}
            assert ended.result is not None
            assert len(ended.result.orphans or ()) == script.orphans
            verified = ended.lab.drive(Goal.VERIFY)
            assert verified.exit_code == 0
        case End.DOUBT:
            assert ended.tallies[Outcome.QUARANTINED]
            assert ended.balanced
        case End.REFUSED:
            assert ended.tallies[Outcome.FAILED]
            assert ended.balanced
            if ended.codes[-1] == 1:
                assert sum(ended.tallies.values()) == ACCOUNTS + CONTACTS
        case End.STOPPED:
            assert len(set(ended.codes)) == 1
