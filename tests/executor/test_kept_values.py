"""Values that an org keeps in another form than they were sent in: verification, lookups of doubtful rows and a second run take them for what they are."""

from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.run import Outcome
from migrator.simulator import Fault, FaultKind
from tests.executor.orgs import Lab, make_lab
from tests.plans import FILES, VERIFIED, plan_of

SCHEMA = """
objects:
  Thing__c:
    label: Thing
    fields:
      Key__c: {type: text, length: 40, unique: true, external_id: true}
      Text__c: {type: text, length: 40}
      Mail__c: {type: email}
      Level__c: {type: picklist, values: [Gold, Silver], restricted: true}
      Tags__c: {type: multipicklist, values: [Red, Green, Blue], restricted: true}
      Opens__c: {type: time}
      Size__c: {type: number, precision: 18, scale: 2}
      Day__c: {type: date}
      Seen__c: {type: datetime}
"""
FIELDS = "Name, Key__c, Text__c, Mail__c, Level__c, Tags__c, Opens__c, Size__c, Day__c, Seen__c"
#: each as it is in a file, none of them as the org keeps it
ROWS = [
    'One,k1,"  lead",Ann@Example.COM,gold,"Green; Red",08:30:00,+1.50,2024-02-29,2024-02-29T05:06:07+01:00',
    'Two,K2 ,"tail\t",bob@example.com ,SILVER,red;Red;blue,23:59:59.5,1e3,2024-01-01,2024-02-29T05:06:07.89Z',
    'Three,\tk3,"   ",,"Gold ","Blue;;Red",00:00:00Z,.5,,',
    # a no-break space stays, and makes another key
    'Four,k1\u00a0,"\u00a0x",,,,,-0,1700-01-01,4000-12-31T23:59:59Z',
]
UPSERTED = f"""
  - object: Thing__c
    operation: upsert
    external_id: Key__c
    fields: {{include: [{FIELDS}]}}
"""
INSERTED = f"  - object: Thing__c\n    operation: insert\n    fields: {{include: [{FIELDS}]}}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A target that has two of the keys already, in other letters."""
    made = make_lab(tmp_path, SCHEMA)
    data = tmp_path / "data"
    data.mkdir()
    lines = [FIELDS.replace(", ", ","), *ROWS]
    (data / "Thing__c.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return made


def _plan(entry: str) -> str:
    return plan_of(entry, source=FILES, more=VERIFIED)


def _tallies(lab: Lab) -> dict[Outcome, int]:
    (load,) = (one for one in peek(lab.folder).steps if one.step == "load.Thing__c")
    return dict(load.tallies)


def test_what_an_org_makes_of_a_value_is_no_difference(lab: Lab) -> None:
    org = lab.ends().target
    assert org is not None
    held = [{"Name": "old", "Key__c": key} for key in ("K1", "k2")]
    assert all(one.success for one in org.send_rows("Thing__c", "insert", None, held, {}))
    lab.begin(_plan(UPSERTED))
    assert lab.drive().exit_code is ExitCode.OK
    assert _tallies(lab) == {Outcome.UPDATED: 2, Outcome.CREATED: 2}
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK
    (compared,) = peek(lab.folder).verification
    assert (compared.rows, compared.compared, dict(compared.differing), compared.duplicated) == (4, 4, {}, 0)


def test_rows_of_a_vanished_job_are_known_by_what_the_org_made_of_them(lab: Lab) -> None:
    lab.begin(_plan(INSERTED))
    lab.target.faults.append(
        Fault(
            kind=FaultKind.STATUS,
            method="GET",
            path=r".*/jobs/ingest/[^/]+$",
            times=1,
            code=404,
            body=b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]',
        )
    )
    result = lab.drive()
    assert result.exit_code is ExitCode.OK, result.stop
    assert _tallies(lab) == {Outcome.CREATED: len(ROWS)}
    assert len(lab.target.truth.created("Thing__c")) == len(ROWS)


@pytest.mark.parametrize("changed", ["Text__c", "Mail__c", "Level__c", "Tags__c", "Opens__c"])
def test_another_value_is_a_difference(lab: Lab, changed: str) -> None:
    lab.begin(_plan(UPSERTED))
    assert lab.drive().exit_code is ExitCode.OK
    org = lab.ends().target
    assert org is not None
    others = {
        "Text__c": "le ad",
        "Mail__c": "an@example.com",
        "Level__c": "Silver",
        "Tags__c": "Red",
        "Opens__c": "08:30:01Z",
    }
    (record,) = lab.target.truth.created("Thing__c")[:1]
    (done,) = org.send_rows("Thing__c", "update", None, [{"Id": record, changed: others[changed]}], {})
    assert done.success
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.ROWS_FAILED
    (compared,) = peek(lab.folder).verification
    assert dict(compared.differing) == {changed: 1}
