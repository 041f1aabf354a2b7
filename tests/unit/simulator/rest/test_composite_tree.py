"""sObject Tree through the front of an org."""

from typing import Any

from migrator.simulator import Org


def record(kind: str, reference: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind, "referenceId": reference}, **values}


def test_children_are_made_with_their_parents(org: Org, call: Any) -> None:
    contacts = {"records": [record("Contact", "c1", LastName="C1"), record("Contact", "c2", LastName="C2")]}
    records = [record("Account", "a1", Name="A1", Contacts=contacts), record("Account", "a2", Name="A2")]
    done = call("POST", "/composite/tree/Account/", {"records": records})
    assert done.status == 201
    body = done.json()
    assert body["hasErrors"] is False
    assert [each["referenceId"] for each in body["results"]] == ["a1", "a2", "c1", "c2"]
    ids = {each["referenceId"]: each["id"] for each in body["results"]}
    assert call("GET", f"/sobjects/Contact/{ids['c2']}").json()["AccountId"] == ids["a1"]
    assert org.truth.count("Contact") == 2


def test_one_bad_record_is_too_many(org: Org, call: Any) -> None:
    contacts = {"records": [record("Contact", "c1"), record("Contact", "c2", LastName="C2")]}
    done = call(
        "POST", "/composite/tree/Account", {"records": [record("Account", "a1", Name="A", Contacts=contacts)]}
    )
    assert done.status == 400
    error = {
        "statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [LastName]",
        "fields": ["LastName"],
    }
    assert done.json() == {"hasErrors": True, "results": [{"referenceId": "c1", "errors": [error]}]}
    assert org.truth.count("Account") == 0
    assert len(org.store.table("Account")) == 0


def test_limits_and_references(call: Any) -> None:
    def status(records: list[dict[str, Any]]) -> int:
        return int(call("POST", "/composite/tree/Account", {"records": records}).status)

    assert status([]) == 400
    assert status([record("Account", f"a{number}", Name="A") for number in range(201)]) == 400
    assert status([record("Account", "a", Name="A"), record("Account", "a", Name="A")]) == 400
    assert status([record("Account", "", Name="A")]) == 400
    assert status([record("Contact", "c", LastName="C")]) == 400
    assert status([record("Account", "a", Name="A", Nothings={"records": []})]) == 400
    deep: dict[str, Any] = record("Account", "a5", Name="A")
    for level in range(4, -1, -1):
        deep = record("Account", f"a{level}", Name="A", ChildAccounts={"records": [deep]})
    assert status([deep]) == 400
    assert status([record("Account", "a", Name="A")]) == 201


def test_an_unknown_field_fails_its_record(org: Org, call: Any) -> None:
    done = call(
        "POST", "/composite/tree/Account", {"records": [record("Account", "a", Name="A", Nothing__c=1)]}
    )
    assert done.status == 400
    assert done.json()["results"][0]["errors"][0]["statusCode"] == "INVALID_FIELD"
    assert org.store.journal is None
