"""A sandbox that is refreshed under a run: another id, or the same id without the data."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from migrator.audit import audit, peek
from migrator.errors import ExitCode, MigratorError
from migrator.report import render_markdown
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
        assert "none of 20 records" in str(found)
        assert "migrator resume test-run --accept-unseen" in (found.diagnostic.hint or "")


@dataclass
class Blind(httpx.BaseTransport):
    """An org whose sharing keeps the run's records from its user: what is asked for by id is not there."""

    org: httpx.BaseTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the org does, but for counts of records by their ids."""
        if "Id IN" in request.url.params.get("q", ""):
            nothing = json.dumps({"totalSize": 0, "done": True, "records": []}).encode()
            headers = {"Content-Type": "application/json"}
            return httpx.Response(200, headers=headers, stream=httpx.ByteStream(nothing))
        return self.org.handle_request(request)


def accepted(lab: Lab) -> list[tuple[object, ...]]:
    told = [one.facts for one in lab.events() if one.kind == "unseen-accepted"]
    return [(one["step"], one["asked"], one["by"]) for one in told]


def test_records_that_the_user_may_not_see_are_no_reset_when_somebody_says_so(half: Lab) -> None:
    half.network = Blind
    assert refused(half).code == "target-reset"
    assert half.drive(accept_unseen=True).exit_code is ExitCode.OK
    assert (half.target.truth.count("Account"), half.target.truth.count("Contact")) == (ROWS, ROWS)
    assert accepted(half) == [("load.Account", 20, "ada")]
    said = "none of 20 records that it created could be seen in the target; ada says that they are there"
    summary = peek(half.folder)
    assert {one.step: one.notes for one in summary.steps}["load.Account"] == (said,)
    assert said in render_markdown(summary, made=0.0)
    decided = [one["kind"] for one in json.loads(audit(half.folder).manifest)["decisions"]]
    assert decided == ["unseen-accepted"]
    with pytest.raises(MigratorError, match="none of 20 records"):
        half.drive()  # the contacts are records of which nobody has said so
    assert half.drive(accept_unseen=True).exit_code is ExitCode.OK
    assert half.drive().exit_code is ExitCode.OK, "what was said is remembered"
    assert accepted(half) == [("load.Account", 20, "ada"), ("load.Contact", 20, "ada")]


def test_nobody_is_taken_at_their_word_about_records_that_can_be_seen(half: Lab) -> None:
    assert half.drive(accept_unseen=True).exit_code is ExitCode.OK
    assert not accepted(half)
    assert not any(one.notes for one in peek(half.folder).steps)


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
