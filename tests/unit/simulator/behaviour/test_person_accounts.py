"""Person accounts: by record type, with a contact of their own, changed from either side, as recorded where a recording is at hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.records.truth import Change
from tests.unit.simulator.apis import APIS, Said, Sender

SCHEMA: dict[str, Any] = {
    "person_accounts": True,
    "objects": {
        "Account": {
            "fields": {"Ext__c": {"type": "text", "length": 18, "unique": True, "external_id": True}}
        },
        "Contact": {
            "fields": {
                "Level__c": {"type": "picklist", "values": ["One", "Two"], "restricted": True},
                "Greeting__c": {"type": "text", "formula": '"Dear " & FirstName'},
                "Ref__c": {"type": "text", "length": 18, "unique": True, "external_id": True},
            }
        },
    },
}
RECORDED = (
    Path(__file__).resolve().parents[5]
    / "shared/recordings/describe/GET_sobjects_Account_PersonAccount_describe.yaml"
)


@pytest.fixture
def org() -> Org:
    return Org(load_schema(SCHEMA), OrgSettings(), VirtualClock())


def person_type(org: Org) -> str:
    table = org.store.table("RecordType")
    return table.id_of(table.find("DeveloperName", "PersonAccount")[0])


def row(org: Org, record_id: str) -> dict[str, str]:
    table = org.store.table_of_id(record_id)
    assert table is not None
    return table.get(table.seq_of(record_id))


@pytest.mark.parametrize("api", APIS)
def test_a_person_has_a_contact_that_changes_with_it(org: Org, api: str) -> None:
    send = Sender(org, api)
    (said,) = send(
        "insert",
        "Account",
        {
            "RecordTypeId": person_type(org),
            "LastName": "Muster",
            "FirstName": "Eva",
            "PersonEmail": "eva@example.com",
            "Phone": "1",
            "Level__pc": "two",
            "PersonDoNotCall": "true",
        },
    )
    assert said.code == ""
    account = row(org, said.id)
    assert (account["Name"], account["IsPersonAccount"]) == ("Eva Muster", "true")
    contact = row(org, account["PersonContactId"])
    assert contact["AccountId"] == said.id
    assert [
        contact[name] for name in ("Name", "Email", "Phone", "Level__c", "DoNotCall", "IsPersonAccount")
    ] == [
        "Eva Muster",
        "eva@example.com",
        "1",
        "Two",
        "true",
        "true",
    ]
    assert org.truth.created("Contact") == [account["PersonContactId"]]
    changes = {"Id": said.id, "LastName": "Neu", "PersonEmail": None, "Ref__pc": "r1"}
    assert send("update", "Account", changes)[0].code == ""
    contact = row(org, account["PersonContactId"])
    assert (contact["Name"], contact.get("Email"), contact["Ref__c"]) == ("Eva Neu", None, "r1")
    assert row(org, said.id)["Name"] == "Eva Neu"
    changes = {
        "Id": account["PersonContactId"],
        "FirstName": "Ida",
        "Email": "i@example.com",
        "Level__c": "One",
    }
    assert send("update", "Contact", changes)[0].code == ""
    account = row(org, said.id)
    assert [account[name] for name in ("Name", "FirstName", "PersonEmail", "Level__pc", "Ref__pc")] == [
        "Ida Neu",
        "Ida",
        "i@example.com",
        "One",
        "r1",
    ]
    assert account["Greeting__pc"] == "Dear Ida"
    assert org.truth.count("Account", Change.UPDATED) == 2


@pytest.mark.parametrize("api", APIS)
def test_persons_and_businesses_have_fields_of_their_own(org: Org, api: str) -> None:
    send = Sender(org, api)
    person = {"RecordTypeId": person_type(org)}
    said = send(
        "insert",
        "Account",
        {**person, "LastName": "a", "Name": "b"},
        {**person, "FirstName": "a"},
        {"Name": "c", "LastName": "d"},
        {"Name": "c", "PersonEmail": "c@example.com"},
        {"Phone": "1"},
        {"Name": "Firm"},
        {**person, "LastName": "Who"},
    )

    def bad(name: str) -> Said:
        text = f"Account: bad field names on insert/update call: {name}"
        return Said("", "INVALID_FIELD_FOR_INSERT_UPDATE", text, (name,))

    def missing(name: str) -> Said:
        return Said("", "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{name}]", (name,))

    assert said[:5] == [
        bad("Name"),
        missing("LastName"),
        bad("LastName"),
        bad("PersonEmail"),
        missing("Name"),
    ]
    firm, who = said[5].id, said[6].id
    assert send("update", "Account", {"Id": firm, "LastName": "x"}) == [bad("LastName")]
    assert send("update", "Account", {"Id": firm, "Name": None}) == [missing("Name")]
    assert send("update", "Account", {"Id": who, "LastName": None}) == [missing("LastName")]
    assert (
        send("update", "Account", {"Id": who, "RecordTypeId": row(org, firm)["RecordTypeId"]})[0].code
        == "INVALID_CROSS_REFERENCE_KEY"
    )
    readonly = send("insert", "Account", {"Name": "x", "IsPersonAccount": "true"})[0]
    assert (readonly.code, readonly.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ("IsPersonAccount",))
    assert (org.truth.count("Account"), org.truth.count("Contact")) == (2, 1)


@pytest.mark.parametrize("api", APIS)
def test_the_contact_goes_with_the_account_and_not_alone(org: Org, api: str) -> None:
    send = Sender(org, api)
    (said,) = send("insert", "Account", {"RecordTypeId": person_type(org), "LastName": "a"})
    contact = row(org, said.id)["PersonContactId"]
    assert send("delete", "Contact", {"Id": contact})[0].code == "DELETE_FAILED"
    (firm,) = send("insert", "Account", {"Name": "Firm"})
    moved = send("update", "Contact", {"Id": contact, "AccountId": firm.id})[0]
    assert (moved.code, moved.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ("AccountId",))
    assert send("delete", "Account", {"Id": said.id})[0].code == ""
    assert org.truth.ids("Contact", Change.DELETED) == [contact]


@pytest.mark.parametrize("api", APIS)
def test_a_person_has_no_other_contacts(org: Org, api: str) -> None:
    send = Sender(org, api)
    (person,) = send("insert", "Account", {"RecordTypeId": person_type(org), "LastName": "Muster"})
    (firm,) = send("insert", "Account", {"Name": "Firm"})
    refused, made = send(
        "insert",
        "Contact",
        {"LastName": "Child", "AccountId": person.id},
        {"LastName": "Clerk", "AccountId": firm.id},
    )
    assert (refused.code, made.code) == ("INVALID_CROSS_REFERENCE_KEY", "")
    (moved,) = send("update", "Contact", {"Id": made.id, "AccountId": person.id})
    assert moved.code == "INVALID_CROSS_REFERENCE_KEY"
    assert row(org, made.id)["AccountId"] == firm.id
    (renamed,) = send("update", "Contact", {"Id": row(org, person.id)["PersonContactId"], "FirstName": "Max"})
    assert not renamed.code, "its own contact is its own"


def test_a_contact_that_cannot_be_made_refuses_the_account_and_a_rollback_takes_both(org: Org) -> None:
    send = Sender(org, "collections")
    kind = person_type(org)
    people = [{"RecordTypeId": kind, "LastName": f"L{n}", "Ref__pc": f"r{n % 2}"} for n in range(3)]
    said = send("insert", "Account", *people)
    assert [each.code for each in said] == ["", "", "DUPLICATE_VALUE"]
    assert (org.truth.count("Account"), org.truth.count("Contact")) == (2, 2)
    body = {
        "allOrNone": True,
        "records": [
            {"attributes": {"type": "Account"}, "RecordTypeId": kind, "LastName": "x"},
            {"attributes": {"type": "Account"}, "RecordTypeId": kind},
        ],
    }
    done = send.ask("POST", "/composite/sobjects", body).json()
    assert [each["success"] for each in done] == [False, False]
    assert (len(org.store.table("Account")), len(org.store.table("Contact")), org.truth.count("Contact")) == (
        2,
        2,
        2,
    )


def test_upserts_of_persons_by_external_id(org: Org) -> None:
    send = Sender(org, "bulk1")
    kind = person_type(org)
    first = send("upsert", "Account", {"Ext__c": "1", "RecordTypeId": kind, "LastName": "a"}, key="Ext__c")
    again = send(
        "upsert",
        "Account",
        {"Ext__c": "1", "LastName": "b"},
        {"Ext__c": "2", "RecordTypeId": kind, "LastName": "c"},
        key="Ext__c",
    )
    assert first[0].id == again[0].id
    contacts = org.store.table("Contact")
    assert [contacts.cell(seq, "LastName") for seq in contacts.scan()] == ["b", "c"]


def test_a_query_reads_contacts_back_as_clients_do(org: Org) -> None:
    send = Sender(org, "rest")
    (said,) = send("insert", "Account", {"RecordTypeId": person_type(org), "LastName": "a"})
    send("insert", "Contact", {"LastName": "b"})
    query = f"SELECT+Id,AccountId+FROM+Contact+WHERE+IsPersonAccount+=+true+AND+AccountId+IN+('{said.id}')"
    found = send.ask(
        "GET", "/query?q=" + query.replace("+=+", " %3D ").replace("%3D", "=").replace("+", " ")
    ).json()
    assert [each["AccountId"] for each in found["records"]] == [said.id]


def _described(org: Org) -> dict[str, Any]:
    found: dict[str, Any] = Sender(org, "rest").ask("GET", "/sobjects/Account/describe").json()
    return found


def test_describe_is_as_recorded(org: Org) -> None:
    ours = _described(org)
    recorded = ours
    if RECORDED.exists():
        recorded = json.loads(
            yaml.safe_load(RECORDED.read_text(encoding="utf-8"))["response"]["body"]["string"]
        )
    mine = {each["name"]: each for each in ours["fields"]}
    person = [
        each
        for each in recorded["fields"]
        if each["name"].startswith("Person")
        or each["name"] in {"Name", "LastName", "FirstName", "Salutation", "IsPersonAccount"}
    ]
    differences = [
        (each["name"], key, each[key], mine[each["name"]][key])
        for each in person
        for key in each
        if key != "picklistValues" and each[key] != mine[each["name"]][key]
    ]
    assert differences == []
    names = [each["name"] for each in person]
    assert [each["name"] for each in ours["fields"] if each["name"] in set(names)] == names
    assert (mine["Name"]["nillable"], mine["LastName"]["nillable"]) == (True, True)
    assert (mine["Name"]["nameField"], mine["LastName"]["nameField"]) == (True, True)
    assert (mine["Level__pc"]["custom"], mine["Ref__pc"]["externalId"]) == (True, False)
    theirs = {(each["childSObject"], each["field"]): each for each in recorded["childRelationships"]}
    listed = [
        each for each in ours["childRelationships"] if (each["relationshipName"] or "").startswith("Person")
    ]
    assert {each["relationshipName"] for each in listed} >= {"PersonCases", "PersonTasks", "PersonEvents"}
    for each in listed:
        other = theirs.get((each["childSObject"], each["field"]), each)
        assert (each["relationshipName"], each["cascadeDelete"]) == (
            other["relationshipName"],
            other["cascadeDelete"],
        )
    infos = {each["name"]: each["defaultRecordTypeMapping"] for each in ours["recordTypeInfos"]}
    assert infos == {"Business Account": True, "Person Account": False, "Master": False}
