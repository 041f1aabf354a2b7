"""Rows whose job can no longer tell what it did: looked up in the target, and never sent again on a guess."""

import contextlib
import csv
from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.data.later import Resolved
from migrator.errors import ExitCode, MigratorError
from migrator.executor import Goal, begin_retry, mend
from migrator.model.run import AttemptState, Outcome, RunStatus
from migrator.simulator import Fault, FaultKind, JobFault, JobFaultKind
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab
from tests.plans import HIERARCHY, SCHEMA, VERIFIED, accounts, inserted, plan_of

THING = """
  Thing__c:
    label: Thing
    fields:
      Account__c: {type: lookup, to: Account}
      Size__c: {type: number, precision: 18, scale: 2}
      Open__c: {type: checkbox}
"""
NUMBERED = "Name, NumberOfEmployees"
THINGS_ENTRY = inserted("Thing__c", "Name, Account__c, Size__c, Open__c", "canary: off")
PLAN = plan_of(accounts(NUMBERED), THINGS_ENTRY, name="reconcile", more=VERIFIED)
NO_CANARY = accounts(NUMBERED, "canary: off")
ACCOUNTS, THINGS = 2_100, 260


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """More accounts than travel over REST, and things, some of which are equal in every field."""
    made = make_lab(tmp_path, SCHEMA + THING)
    org = made.ends().source
    assert org is not None
    ids: list[str] = []
    for start in range(0, ACCOUNTS, 200):
        rows = [
            {"Name": f"A{n}", "NumberOfEmployees": str(n)} for n in range(start, min(start + 200, ACCOUNTS))
        ]
        ids += [
            one.id for one in org.send_rows("Account", "insert", None, rows, {"NumberOfEmployees": "int"})
        ]
    things = [
        {
            "Name": f"T{n % 50}",
            "Account__c": ids[n % 50],
            "Size__c": f"{n % 50}.50",
            "Open__c": str(n % 2 == 0).lower(),
        }
        for n in range(THINGS)
    ]
    for start in range(0, THINGS, 200):
        types = {"Size__c": "double", "Open__c": "boolean"}
        replies = org.send_rows("Thing__c", "insert", None, things[start : start + 200], types)
        assert all(one.success for one in replies)
    return made


def _gone(lab: Lab, nth: int, times: int = 1) -> None:
    """From the nth poll of an ingest job on, the org says that it has no such job."""
    body = b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
    lab.target.faults.append(
        Fault(
            kind=FaultKind.STATUS,
            method="GET",
            path=r".*/jobs/ingest/[^/]+$",
            nth=nth,
            times=times,
            code=404,
            body=body,
        )
    )


def _tallies(lab: Lab) -> dict[str, dict[Outcome, int]]:
    return {one.step: dict(one.tallies) for one in peek(lab.folder).steps}


def _jobs(lab: Lab) -> int:
    return sum(1 for one in read_ledger(lab.folder).attempts if one.job_id and one.slice >= 0)


def test_rows_of_a_vanished_job_are_found_and_never_sent_again(lab: Lab) -> None:
    lab.begin(plan_of(NO_CANARY, THINGS_ENTRY, more=VERIFIED))
    _gone(lab, 1, times=2)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, (result.stop, _tallies(lab))
    assert _tallies(lab) == {
        "load.Account": {Outcome.CREATED: ACCOUNTS},
        "load.Thing__c": {Outcome.CREATED: THINGS},
    }
    assert _jobs(lab) == 2
    assert len(lab.target.truth.created("Thing__c")) == THINGS
    assert len(lab.target.truth.created("Account")) == ACCOUNTS
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


def test_a_key_makes_it_safe_to_send_again_what_was_not_done(lab: Lab) -> None:
    lab.begin(plan_of(NO_CANARY))
    lab.target.plant(JobFault(JobFaultKind.ABORT, sobject="Account", after_rows=1_000))
    _gone(lab, 1)
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, (result.stop, _tallies(lab))
    assert _tallies(lab) == {"load.Account": {Outcome.CREATED: ACCOUNTS}}
    assert len(lab.target.truth.created("Account")) == ACCOUNTS
    second = [one.rows for one in read_ledger(lab.folder).attempts if one.slice >= 0][1]
    assert second == ACCOUNTS - 1_000


def _half_done(lab: Lab) -> None:
    """The job of things is aborted after one transaction, and gone before anybody asked."""
    lab.begin(plan_of(inserted("Thing__c", "Name, Size__c, Open__c", "canary: off"), more=VERIFIED))
    lab.target.plant(JobFault(JobFaultKind.ABORT, sobject="Thing__c", after_rows=200))
    _gone(lab, 1)
    result = lab.drive()
    assert result.exit_code is ExitCode.BUDGET, result.stop


def test_rows_of_a_job_that_was_half_done_are_quarantined_with_both_sides(lab: Lab) -> None:
    _half_done(lab)
    assert _tallies(lab)["load.Thing__c"] == {Outcome.QUARANTINED: THINGS}
    (attempt,) = [one for one in read_ledger(lab.folder).attempts if one.state is AttemptState.QUARANTINED]
    (rows,) = lab.folder.glob("quarantine/load.Thing__c/*-rows.csv")
    (records,) = lab.folder.glob("quarantine/load.Thing__c/*-records.csv")
    assert len(rows.read_text(encoding="utf-8").splitlines()) == 1 + attempt.rows
    created = len(lab.target.truth.created("Thing__c"))
    assert len(records.read_text(encoding="utf-8").splitlines()) == 1 + created
    # nothing is sent for them, however often the run is resumed
    lab.drive()
    assert len(lab.target.truth.created("Thing__c")) == created


def test_a_record_that_somebody_else_made_at_the_time_is_never_taken_for_a_row(lab: Lab) -> None:
    lab.begin(PLAN)
    _gone(lab, 1, times=4)
    target = lab.ends().target
    foreign = target.send_rows("Thing__c", "insert", None, [{"Name": "T1"}], {})
    assert foreign[0].success
    result = lab.drive()
    assert result.exit_code is ExitCode.BUDGET
    assert _tallies(lab)["load.Thing__c"] == {Outcome.QUARANTINED: THINGS}
    assert len(lab.target.truth.created("Thing__c")) == THINGS + 1


def _assign(lab: Lab, path: Path, *, apply: bool = True) -> Resolved:
    return mend.resolve_rows(lab.folder, path, by="ada", apply=apply, clock=lab.clock, memory_mb=128)


def test_a_person_says_which_record_is_whose_and_the_rest_is_sent(lab: Lab) -> None:
    _half_done(lab)
    (path,) = lab.folder.glob("quarantine/load.Thing__c/*-rows.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records: dict[tuple[str, str], list[str]] = {(one["Name"], one["Size__c"]): [] for one in rows}
    for one in lab.ends().target.query("SELECT Id, Name FROM Thing__c ORDER BY Id"):
        next(ids for (name, _), ids in records.items() if name == one["Name"]).append(str(one["Id"]))
    for row in rows:
        ids = records[(row["Name"], row["Size__c"])]
        row["target_id"] = ids.pop() if ids else "none"
    filled = lab.folder.parent / "filled.csv"
    _write(filled, rows)
    checked = _assign(lab, filled, apply=False)
    assert (checked.assigned, checked.absent, checked.left) == (200, THINGS - 200, 0)
    assert _tallies(lab)["load.Thing__c"] == {Outcome.QUARANTINED: THINGS}
    _assign(lab, filled)
    assert _tallies(lab)["load.Thing__c"] == {Outcome.CREATED: 200}
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert _tallies(lab)["load.Thing__c"] == {Outcome.CREATED: THINGS}
    assert len(lab.target.truth.created("Thing__c")) == THINGS
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK
    (decision,) = [one for one in lab.events() if one.kind == "rows-resolved"]
    assert (decision.facts["by"], decision.facts["assigned"]) == ("ada", 200)


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_an_assignment_that_cannot_be_is_refused_whole(lab: Lab) -> None:
    _half_done(lab)
    (path,) = lab.folder.glob("quarantine/load.Thing__c/*-rows.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    record = str(lab.ends().target.query("SELECT Id FROM Thing__c LIMIT 1")[0]["Id"])
    swapped = record[:3] + record[3:].swapcase()  # no id: its last characters say where the capitals are
    for wrong in ([record, record], ["001000000000001AAA"], ["nobody"], [swapped]):
        changed = [dict(one) for one in rows]
        for one, value in zip(changed, wrong, strict=False):
            one["target_id"] = value
        filled = lab.folder.parent / "filled.csv"
        _write(filled, changed)
        with pytest.raises(MigratorError) as refused:
            _assign(lab, filled)
        assert refused.value.diagnostic.code == "assignment-refused"
    assert _tallies(lab)["load.Thing__c"] == {Outcome.QUARANTINED: THINGS}


def test_a_file_that_is_about_several_attempts_is_refused(lab: Lab) -> None:
    """Only one attempt's rows would count, and the others be passed over without a word."""
    _half_done(lab)
    (path,) = lab.folder.glob("quarantine/load.Thing__c/*-rows.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    other = {**rows[-1], "attempt": str(int(rows[-1]["attempt"]) + 1), "target_id": "none"}
    filled = lab.folder.parent / "filled.csv"
    _write(filled, [{**rows[0], "target_id": "none"}, other])
    with pytest.raises(MigratorError, match="1 rows are of another attempt"):
        _assign(lab, filled)
    _write(filled, [{**rows[0], "target_id": "none"}, {**other, "target_id": ""}])
    assert _assign(lab, filled).absent == 1


LINKED = inserted(
    "Account", "Name, ParentId", f"canary: off\n{HIERARCHY}\nerror_budget: {{max_quarantined: 100%}}"
)


@pytest.mark.parametrize("word", ["record", "none"])
def test_records_that_a_person_has_settled_get_their_links(lab: Lab, word: str) -> None:
    """The second pass was over when the rows had a record at last: it takes them up, and nothing is called verified before."""
    org = lab.ends().source
    assert org is not None
    some = [str(one["Id"]) for one in org.query("SELECT Id FROM Account")][:: ACCOUNTS // 20]
    links = [{"Id": one, "ParentId": some[0]} for one in some[1:]]
    assert all(one.success for one in org.send_rows("Account", "update", None, links, {}))
    lab.begin(plan_of(LINKED, name="linked", more=VERIFIED), max_slice_rows=1_000)
    lab.ends().target.send_rows("Account", "insert", None, [{"Name": "another load"}], {})
    _gone(lab, nth=4)
    lab.drive()
    before = _tallies(lab)["link.Account"]
    (path,) = lab.folder.glob("quarantine/load.Account/*-rows.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    target = lab.ends().target
    ids = {str(one["Name"]): str(one["Id"]) for one in target.query("SELECT Id, Name FROM Account")}
    if word == "none":
        for row in rows:
            target.delete_record("Account", ids[row["Name"]])
    _write(path, [{**one, "target_id": ids[one["Name"]] if word == "record" else "none"} for one in rows])
    _assign(lab, path)
    assert peek(lab.folder).run.status is RunStatus.PAUSED
    lab.drive()
    _retried(lab)
    found = _tallies(lab)["link.Account"]
    assert (found, before == found) == ({Outcome.UPDATED: len(links)}, False)
    assert target.count("SELECT COUNT() FROM Account WHERE ParentId != null") == len(links)


def _retried(lab: Lab) -> None:
    """Links to records that had none yet were blocked."""
    with contextlib.suppress(MigratorError):
        begin_retry(lab.folder, reread=False, by="ada", clock=lab.clock, memory_mb=128)
    assert lab.drive().exit_code is ExitCode.OK
