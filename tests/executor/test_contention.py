"""A load into an org whose records are really locked: fifteen jobs at a time under few parents, in virtual time."""

import csv
import random
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.plan import Prefer
from migrator.model.run import Outcome
from migrator.simulator import OrgSettings
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

ACCOUNTS, CONTACTS = 100, 1_600
PLAN = """
version: 1
name: contention
source: {{files: data}}
target: {{org: merged}}
objects:
  - object: Account
    operation: insert
  - object: Contact
    operation: insert
    locks: {{{locks}}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A slow target org, and a file of contacts in no order."""
    data = tmp_path / "data"
    data.mkdir()
    choose = random.Random(3)  # noqa: S311 - deterministic on purpose
    with (data / "Account.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Id", "Name"), *((f"a{n}", f"A{n}") for n in range(ACCOUNTS))])
    with (data / "Contact.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ((f"c{n}", f"P{n}", f"a{choose.randrange(ACCOUNTS)}") for n in range(CONTACTS))
        csv.writer(file).writerows([("Id", "LastName", "AccountId"), *rows])
    target = OrgSettings(sobject_seconds={"Contact": 0.03}, batch_parallelism=15)
    return make_lab(tmp_path, "name: Contention\nobjects: {}\n", target)


def load(lab: Lab, locks: str) -> tuple[float, int]:
    """Seconds of the org's clock, and rows refused by it on the way; every contact is there in the end."""
    lab.begin(PLAN.format(locks=locks), max_slice_rows=200)
    start = lab.clock.now()
    result = lab.drive()
    seconds = lab.clock.now() - start
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    assert state.steps["load.Contact"].tallies == {Outcome.CREATED: CONTACTS}
    assert len(lab.target.truth.created("Contact")) == CONTACTS
    sent = sum(one.rows for one in state.attempts if one.step == "load.Contact")
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK
    return seconds, sent - CONTACTS


def test_rows_in_no_order_meet_locks_and_get_there(lab: Lab) -> None:
    seconds, refused = load(lab, "weights: {AccountId: 0}, max_in_flight: 15")
    assert refused > 0
    assert seconds > CONTACTS * 0.03  # no faster than one job at a time


def test_rows_of_one_parent_in_one_job_meet_none(lab: Lab) -> None:
    seconds, refused = load(lab, "group_by: AccountId, max_in_flight: 15")
    assert refused == 0
    assert seconds < CONTACTS * 0.03 / 2


JUNCTION = """
version: 1
name: junction
source: {files: data}
target: {org: merged}
objects:
  - object: Campaign
    operation: insert
  - object: Lead
    operation: insert
  - object: CampaignMember
    operation: insert
    canary: off
    locks: {keys: [CampaignId, LeadId], max_in_flight: 15, prefer: PREFERRED}
"""
CAMPAIGNS, LEADS, MEMBERS = 12, 300, 1_500


@pytest.mark.parametrize("prefer", Prefer)
def test_rows_of_two_parents_never_travel_beside_rows_of_either(tmp_path: Path, prefer: Prefer) -> None:
    data = tmp_path / "data"
    data.mkdir()
    choose = random.Random(5)  # noqa: S311 - deterministic on purpose
    pairs = choose.sample([(c, one) for c in range(CAMPAIGNS) for one in range(LEADS)], MEMBERS)
    written: dict[str, list[tuple[str, ...]]] = {
        "Campaign": [("Id", "Name"), *((f"c{n}", f"C{n}") for n in range(CAMPAIGNS))],
        "Lead": [("Id", "LastName", "Company"), *((f"l{n}", f"L{n}", "X") for n in range(LEADS))],
        "CampaignMember": [
            ("Id", "CampaignId", "LeadId"),
            *((f"m{n}", f"c{c}", f"l{one}") for n, (c, one) in enumerate(pairs)),
        ],
    }
    for name, rows in written.items():
        with (data / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    settings = OrgSettings(sobject_seconds={"CampaignMember": 0.03}, batch_parallelism=15)
    lab = make_lab(tmp_path, "name: Junction\nobjects: {}\n", settings)
    lab.begin(JUNCTION.replace("PREFERRED", prefer), max_slice_rows=200)
    widest = 0

    def look(point: str) -> None:
        """Read what is under way as anybody could: from the ledger and the slices' own bytes."""
        nonlocal widest
        if point != "after:intent:CreateJob":
            return
        state = read_ledger(lab.folder)
        files = {(one.step, one.no): one.file.path for one in state.slices}
        seen: set[str] = set()
        live = [one for one in state.attempts if one.step == "load.CampaignMember" and not one.state.final]
        for attempt in live:
            with (lab.folder / files[(attempt.step, attempt.slice)]).open(
                encoding="utf-8", newline=""
            ) as file:
                rows = list(csv.DictReader(file))
            keys = {row[field] for row in rows for field in ("CampaignId", "LeadId")}
            assert seen.isdisjoint(keys), "two slices under way lock one record"
            seen |= keys
        widest = max(widest, len(live))

    start = lab.clock.now()
    result = lab.drive(fuse=look)
    assert result.exit_code is ExitCode.OK, result.stop
    state = read_ledger(lab.folder)
    assert state.steps["load.CampaignMember"].tallies == {Outcome.CREATED: MEMBERS}
    assert state.steps["load.CampaignMember"].rounds == 1, "no row met a lock"
    if prefer is Prefer.BATCHES:
        jobs = [one for one in state.attempts if one.step == "load.CampaignMember"]
        assert len(jobs) <= MEMBERS / 200 / 0.9
    else:
        assert widest > 2
        assert lab.clock.now() - start < MEMBERS * 0.03 / 2
