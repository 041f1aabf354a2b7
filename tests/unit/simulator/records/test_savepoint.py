"""Savepoints: whatever happens after one, taking it back leaves the records, their indexes and the truth log as before."""

import random
from typing import Any

import pytest

from migrator.simulator import Org
from migrator.simulator.savepoint import Savepoint

OPERATIONS = ("POST", "PATCH", "DELETE", "COLLECTION")


def picture(org: Org) -> dict[str, Any]:
    """All that can be seen of some sObjects."""
    seen: dict[str, Any] = {"events": len(org.truth)}
    for name in ("Account", "Contact"):
        table = org.store.table(name)
        rows = {seq: table.get(seq) for seq in table.scan(include_deleted=True)}
        key = {row["Legacy_Id__c"]: table.find("Legacy_Id__c", row["Legacy_Id__c"]) for row in rows.values()}
        parents = {
            seq: sorted(org.store.table("Contact").find("AccountId", table.id_of(seq))) for seq in rows
        }
        seen[name] = (rows, key, parents, len(table), sorted(table.deleted))
    return seen


def change(call: Any, chance: random.Random, accounts: list[str], number: int) -> None:
    record_id = chance.choice(accounts)
    match chance.choice(OPERATIONS):
        case "POST":
            call("POST", "/sobjects/Account", {"Name": "New", "Legacy_Id__c": f"n{number}"})
        case "PATCH":
            call(
                "PATCH",
                f"/sobjects/Account/{record_id}",
                {"Name": f"P{number}", "Legacy_Id__c": f"p{number}"},
            )
        case "DELETE":
            call("DELETE", f"/sobjects/Account/{record_id}")
        case _:
            records = [
                {
                    "attributes": {"type": "Contact"},
                    "LastName": f"L{each}",
                    "AccountId": record_id,
                    "Legacy_Id__c": "c",
                }
                for each in range(150)
            ]
            call("POST", "/composite/sobjects", {"records": records})


def fail(org: Org, call: Any, chance: random.Random, accounts: list[str]) -> None:
    """Changes that end in an error."""
    with Savepoint(org):
        for number in range(30, 36):
            change(call, chance, accounts, number)
        raise ZeroDivisionError


@pytest.mark.parametrize("seed", range(8))
def test_nothing_remains(org: Org, call: Any, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - deterministic on purpose
    accounts = [call.create("Account", Name=f"A{each}", Legacy_Id__c=str(each)) for each in range(6)]
    for number in range(4):
        change(call, chance, accounts, number)
    before = picture(org)
    with Savepoint(org) as outer:
        for number in range(10, 14):
            change(call, chance, accounts, number)
        with Savepoint(org):
            change(call, chance, accounts, 20)
        middle = picture(org)
        with pytest.raises(ZeroDivisionError):
            fail(org, call, chance, accounts)
        assert picture(org) == middle
        outer.rollback()
    assert picture(org) == before
    assert org.store.journal is None
    call.create("Account", Name="After", Legacy_Id__c="n10")
