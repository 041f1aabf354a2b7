"""A sandbox that is refreshed under a run: another id, or the same id without the data."""

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.simulator import Org as SimulatedOrg
from migrator.simulator import OrgSettings, load_schema, preset
from tests.executor.orgs import Lab, make_lab
from tests.plans import PEOPLE, SCHEMA, inserted, plan_of

PLAN = plan_of(inserted("Account", "Name"), PEOPLE)
ROWS = 60


class Killed(BaseException):
    """The process is no more."""


@pytest.fixture
def half(tmp_path: Path) -> Lab:
    """A run that was killed when its accounts were loaded and its contacts were not."""
    lab = make_lab(tmp_path, SCHEMA)
    org = lab.ends().source
    assert org is not None
    made = org.send_rows("Account", "insert", None, [{"Name": f"Account {n}"} for n in range(ROWS)], {})
    people = [{"LastName": f"Person {n}", "AccountId": one.id} for n, one in enumerate(made)]
    org.send_rows("Contact", "insert", None, people, {})
    lab.begin(PLAN)

    def fuse(point: str) -> None:
        if point == "after:result:Harvest":
            raise Killed

    with pytest.raises(Killed):
        lab.drive(fuse=fuse)
    assert lab.target.truth.count("Account") == ROWS
    return lab


def refused(lab: Lab) -> MigratorError:
    jobs = lab.target.truth.count("Contact")
    with pytest.raises(MigratorError) as found:
        lab.drive()
    assert lab.target.truth.count("Contact") == jobs == 0, "nothing was sent"
    return found.value


def test_a_sandbox_that_was_refreshed_is_noticed_by_records_that_are_gone(half: Lab) -> None:
    half.target.plant(*preset("U11", at=0.0))
    for _ in range(2):
        found = refused(half)
        assert (found.code, found.exit_code) == ("target-reset", ExitCode.REFUSED)
        assert f"none of {20} records" in str(found)


def test_records_that_somebody_deleted_are_no_reset(half: Lab) -> None:
    half.target.plant(*preset("U04", at=0.0, percent=90))
    assert half.drive().exit_code is ExitCode.ROWS_FAILED, (
        "contacts of deleted accounts are refused by the org"
    )
    assert 0 < half.target.truth.count("Contact") < ROWS


def test_a_sandbox_with_another_id_is_refused_at_once(half: Lab) -> None:
    settings = replace(OrgSettings(), organization_id="00D000000000003EAA", sandbox=True)
    half.target = SimulatedOrg(load_schema(half.folder.parent / "org.yaml"), settings, half.clock)
    assert refused(half).code == "org-mismatch"
