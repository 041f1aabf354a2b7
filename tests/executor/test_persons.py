"""Person accounts by the entries that the operations guide shows: businesses, persons, their contacts, and what looks those up."""

import re
from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode
from migrator.executor import Goal
from migrator.model.run import Outcome
from migrator.review import check, load
from tests.executor.orgs import Lab, make_lab
from tests.plans import VERIFIED, inserted, plan_of

SCHEMA = """
person_accounts: true
objects:
  Account:
    record_types:
      - {name: Firm, default: true}
      - {name: Client, person: true}
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true, case_sensitive: true}
"""
GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
FIRMS, PERSONS = 3, 12


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Firms with a contact each, persons, and a case of every contact."""
    made = make_lab(tmp_path, SCHEMA)
    org = made.ends().source
    assert org is not None
    (person,) = org.query("SELECT Id FROM RecordType WHERE DeveloperName = 'Client'")
    firms = [{"Name": f"Firm {n}"} for n in range(FIRMS)]
    ids = [one.id for one in org.send_rows("Account", "insert", None, firms, {})]
    persons = [
        {"LastName": f"Person {n}", "PersonEmail": f"p{n}@example.com", "RecordTypeId": person["Id"]}
        for n in range(PERSONS)
    ]
    assert all(one.success for one in org.send_rows("Account", "insert", None, persons, {}))
    people = [{"LastName": f"Contact {n}", "AccountId": one} for n, one in enumerate(ids)]
    assert all(one.success for one in org.send_rows("Contact", "insert", None, people, {}))
    cases = [
        {"Subject": one["LastName"], "ContactId": one["Id"]}
        for one in org.query("SELECT Id, LastName FROM Contact")
    ]
    assert all(one.success for one in org.send_rows("Case", "insert", None, cases, {}))
    return made


def test_persons_and_what_looks_up_their_contacts_are_moved_as_the_guide_says(lab: Lab) -> None:
    (shown,) = [
        body
        for body in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        if "IsPersonAccount" in body
    ]
    lab.begin(plan_of(more=VERIFIED).removesuffix("objects:\n") + shown)
    assert lab.drive().exit_code is ExitCode.OK
    tallies = {one.step: dict(one.tallies) for one in peek(lab.folder).steps}
    assert tallies["load.Businesses"] == {Outcome.CREATED: FIRMS}
    assert tallies["load.Persons"] == {Outcome.CREATED: PERSONS}
    assert tallies["load.Contact"] == {Outcome.CREATED: FIRMS}
    assert tallies["match.PersonContacts"] == {Outcome.UNCHANGED: PERSONS}
    assert tallies["load.Case"] == {Outcome.CREATED: FIRMS + PERSONS}
    org = lab.ends().target
    assert org is not None
    names = {one["Id"]: one["LastName"] for one in org.query("SELECT Id, LastName FROM Contact")}
    cases = org.query("SELECT Subject, ContactId FROM Case")
    assert {one["Subject"]: names[one["ContactId"]] for one in cases} == {
        name: name for name in names.values()
    }
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("sobject", "where", "warned"),
    [
        ("Account", "", True),
        ("Account", "where: isPersonAccount = false", False),
        (
            "Account",
            "map: {Name: {expression: \"{{ Name if IsPersonAccount == 'false' else none }}\"}}",
            False,
        ),
        ("Contact", "", True),
        ("Contact", "where: IsPersonAccount = false", False),
    ],
)
def test_a_plan_that_does_not_tell_them_apart_is_warned_of(
    lab: Lab, sobject: str, where: str, *, warned: bool
) -> None:
    path = lab.folder.parent / "plan.yaml"
    name = "Name" if sobject == "Account" else "LastName"
    path.write_text(plan_of(inserted(sobject, name, where)), encoding="utf-8")
    loaded, found = load(path, {})
    assert loaded is not None, [str(one) for one in found]
    checked = check(loaded, lab.ends())
    assert ("person-accounts" in {one.code for one in checked.diagnostics}) is warned
