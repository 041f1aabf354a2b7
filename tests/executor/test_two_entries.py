"""One sObject in two entries of a plan: whose record is looked up."""

from pathlib import Path

import pytest

from migrator.audit import peek
from migrator.errors import ExitCode
from migrator.model.run import Outcome
from tests.executor.orgs import Lab, make_lab
from tests.plans import BY_ID, FILES, SCHEMA, inserted, plan_of

CUSTOMERS = inserted("Account", "Name", f"name: Customers\nfile: customers.csv\n{BY_ID}")
PARTNERS = inserted("Account", "Name", f"name: Partners\nfile: partners.csv\n{BY_ID}")
PEOPLE = "LastName, AccountId"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two files of accounts that both begin to count at 1."""
    made = make_lab(tmp_path, SCHEMA)
    data = tmp_path / "data"
    data.mkdir()
    (data / "customers.csv").write_text("Id,Name\n1,Customer 1\n2,Customer 2\n")
    (data / "partners.csv").write_text("Id,Name\n1,Partner 1\n3,Partner 3\n")
    (data / "Contact.csv").write_text("Id,LastName,AccountId\n1,Ann,1\n2,Bob,2\n3,Cid,3\n")
    return made


def _accounts_of_people(lab: Lab) -> dict[str, str]:
    org = lab.ends().target
    assert org is not None
    names = {one["Id"]: one["Name"] for one in org.query("SELECT Id, Name FROM Account")}
    return {
        one["LastName"]: names[one["AccountId"]]
        for one in org.query("SELECT LastName, AccountId FROM Contact")
    }


def test_a_key_that_files_of_both_have_is_nobodys(lab: Lab) -> None:
    lab.begin(plan_of(CUSTOMERS, PARTNERS, inserted("Contact", PEOPLE, BY_ID), source=FILES))
    assert lab.drive().exit_code is ExitCode.ROWS_FAILED
    (people,) = (one for one in peek(lab.folder).steps if one.step == "load.Contact")
    assert (people.tallies, people.faults) == (
        {Outcome.CREATED: 2, Outcome.BLOCKED: 1},
        {"LOOKUP_AMBIGUOUS": 1},
    )
    assert _accounts_of_people(lab) == {"Bob": "Customer 2", "Cid": "Partner 3"}


def test_via_names_the_one_that_is_meant(lab: Lab) -> None:
    (lab.folder.parent / "data" / "Contact.csv").write_text("Id,LastName,AccountId\n1,Ann,1\n3,Cid,3\n")
    people = inserted("Contact", PEOPLE, f"{BY_ID}\nrelationships: {{AccountId: {{via: Partners}}}}")
    lab.begin(plan_of(CUSTOMERS, PARTNERS, people, source=FILES))
    assert lab.drive().exit_code is ExitCode.OK
    assert _accounts_of_people(lab) == {"Ann": "Partner 1", "Cid": "Partner 3"}
