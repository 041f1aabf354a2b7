"""Which records a transaction locks, rule by rule."""

from collections.abc import Sequence

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.locks.keys import GROUP, Keys
from migrator.simulator.records.compile import Operation
from migrator.simulator.records.context import Context
from migrator.simulator.settings import LockOrder, LockSettings, LookupLocks

SCHEMA = {
    "objects": {
        "Account": {"fields": {"Key__c": {"type": "text", "unique": True, "external_id": True}}},
        "Fleet__c": {"fields": {}},
        "Plane__c": {"fields": {"Fleet__c": {"type": "master_detail", "to": "Fleet__c"}}},
        "Seat__c": {
            "fields": {
                "Key__c": {"type": "text", "unique": True, "external_id": True},
                "Plane__c": {"type": "master_detail", "to": "Plane__c", "reparentable": True},
                "Free__c": {"type": "lookup", "to": "Account"},
                "Kept__c": {"type": "lookup", "to": "Account", "on_delete": "restrict"},
                "Beside__c": {"type": "lookup", "to": "Seat__c"},
            }
        },
    }
}


class World:
    """An org with records, and the locks of transactions on them."""

    def __init__(self, **settings: object) -> None:
        self.org = Org(load_schema(SCHEMA), OrgSettings(), VirtualClock())
        self.keys = Keys(self.org.store, LockSettings(**settings))  # type: ignore[arg-type] # what each test gives

    def add(self, sobject: str, **values: str) -> str:
        table = self.org.store.table(sobject)
        return table.id_of(table.insert(values))

    def locks(
        self, operation: str, sobject: str, columns: str, *rows: Sequence[str], key: str | None = None
    ) -> list[str]:
        described = self.org.schema.sobject(sobject)
        assert described is not None
        compiled = self.org.dml.compile(
            described,
            columns.split(),
            Operation(operation),
            external_id=key,
            null_marker="#N/A",
            trusted=True,
        )
        return self.keys.of(compiled, rows)


def test_a_detail_locks_its_master_and_the_masters_above() -> None:
    world = World()
    fleet = world.add("Fleet__c")
    plane = world.add("Plane__c", Fleet__c=fleet)
    assert world.locks("insert", "Plane__c", "Fleet__c", [fleet], [fleet]) == [fleet]
    assert set(world.locks("insert", "Seat__c", "Plane__c", [plane], [plane])) == {plane, fleet}
    seat = world.add("Seat__c", Plane__c=plane)
    assert set(world.locks("update", "Seat__c", "Id Name", [seat, "x"])) == {seat, plane, fleet}
    assert set(world.locks("delete", "Seat__c", "Id", [seat])) == {seat, plane, fleet}


def test_a_new_master_and_the_old_one_are_locked() -> None:
    world = World()
    old, new = (world.add("Plane__c", Fleet__c=world.add("Fleet__c")) for _ in range(2))
    seat = world.add("Seat__c", Plane__c=old)
    assert {seat, old, new} <= set(world.locks("update", "Seat__c", "Id Plane__c", [seat, new]))


@pytest.mark.parametrize(
    ("lookups", "locked"),
    [
        (LookupLocks.NEVER, set()),
        (LookupLocks.RESTRICTED, {"kept"}),
        (LookupLocks.ALWAYS, {"kept", "free", "beside"}),
    ],
)
def test_lookups_lock_by_their_delete_rule_or_as_told(lookups: LookupLocks, locked: set[str]) -> None:
    world = World(lookups=lookups)
    plane = world.add("Plane__c", Fleet__c=world.add("Fleet__c"))
    names = {
        world.add("Account"): "free",
        world.add("Account"): "kept",
        world.add("Seat__c", Plane__c=plane): "beside",
    }
    found = world.locks("insert", "Seat__c", "Free__c Kept__c Beside__c", list(names))
    assert {names[key] for key in found if key in names} == locked


def test_parents_by_external_id_and_by_short_ids_are_the_same_parents() -> None:
    world = World()
    account = world.add("Account", Key__c="A")
    assert world.locks("insert", "Contact", "AccountId", [account[:15]], [account]) == [account]
    assert world.locks("insert", "Contact", "Account.Key__c", ["A"], ["unknown"], [""]) == [account]
    assert world.locks("insert", "Contact", "AccountId", ["#N/A"], ["nonsense"], [""]) == []


def test_an_upsert_locks_the_records_it_finds() -> None:
    world = World()
    fleet = world.add("Fleet__c")
    plane = world.add("Plane__c", Fleet__c=fleet)
    seat = world.add("Seat__c", Plane__c=plane, Key__c="1A")
    found = world.locks("upsert", "Seat__c", "Key__c", ["1A"], ["1B"], key="Key__c")
    assert set(found) == {seat, plane, fleet}


def test_an_opportunity_locks_its_account_when_it_is_made() -> None:
    world = World(lookups=LookupLocks.NEVER)
    account = world.add("Account")
    assert world.locks("insert", "Opportunity", "Name AccountId", ["x", account]) == [account]
    opportunity = world.add("Opportunity", AccountId=account)
    assert world.locks("update", "Opportunity", "Id Name", [opportunity, "y"]) == [opportunity]


@pytest.mark.parametrize(
    ("status", "date", "locked"),
    [("Not Started", "2026-01-01", True), ("Completed", "2026-01-01", False), ("Not Started", "", False)],
)
def test_a_new_task_locks_what_it_is_about_when_it_is_open_and_has_a_date(
    status: str, date: str, *, locked: bool
) -> None:
    world = World()
    account = world.add("Account")
    contact = world.add("Contact", AccountId=account)
    opportunity = world.add("Opportunity", AccountId=world.add("Account"))
    found = world.locks(
        "insert", "Task", "Status ActivityDate WhoId WhatId", [status, date, contact, opportunity]
    )
    behind = world.org.store.table("Opportunity").get(1)["AccountId"]
    assert set(found) == ({contact, account, opportunity, behind} if locked else set())


def test_a_changed_or_deleted_task_locks_always() -> None:
    world = World()
    account = world.add("Account")
    task = world.add("Task", Status="Completed", WhatId=account)
    assert set(world.locks("update", "Task", "Id Subject", [task, "x"])) == {task, account}
    assert set(world.locks("delete", "Task", "Id", [task])) == {task, account}


def test_a_deletion_locks_what_goes_with_it() -> None:
    world = World()
    fleet = world.add("Fleet__c")
    planes = [world.add("Plane__c", Fleet__c=fleet) for _ in range(2)]
    seat = world.add("Seat__c", Plane__c=planes[0])
    assert set(world.locks("delete", "Fleet__c", "Id", [fleet])) == {fleet, *planes, seat}


@pytest.mark.parametrize(
    ("operation", "sobject", "columns", "taken"),
    [
        ("insert", "User", "LastName", True),
        ("update", "User", "Id UserRoleId", True),
        ("update", "User", "Id Title", False),
        ("update", "UserRole", "Id Name", True),
        ("insert", "GroupMember", "GroupId", True),
        ("insert", "Group", "Name", True),
        ("insert", "Account", "Name", False),
    ],
)
def test_users_roles_and_groups_take_the_group_membership_lock(
    operation: str, sobject: str, columns: str, *, taken: bool
) -> None:
    world = World()
    row = [world.add(sobject) if name == "Id" else "" for name in columns.split()]
    assert (GROUP in world.locks(operation, sobject, columns, row)) is taken


@pytest.mark.parametrize(("private", "taken"), [(frozenset(), False), (frozenset({"Account"}), True)])
def test_a_new_owner_takes_it_where_sharing_is_private(private: frozenset[str], *, taken: bool) -> None:
    world = World(private_sharing=private)
    old, new = world.org.user_id, world.add("User")
    account = world.add("Account", OwnerId=old)
    assert (GROUP in world.locks("update", "Account", "Id OwnerId", [account, new])) is taken
    assert GROUP not in world.locks("update", "Account", "Id OwnerId", [account, old])
    assert GROUP not in world.locks("insert", "Account", "Name OwnerId", ["x", new])


@pytest.mark.parametrize(("order", "expected"), [(LockOrder.ROWS, [2, 0, 1]), (LockOrder.SORTED, [0, 1, 2])])
def test_locks_are_taken_by_id_or_as_rows_come(order: LockOrder, expected: list[int]) -> None:
    world = World(order=order)
    accounts = [world.add("Account") for _ in range(3)]
    rows = [[accounts[place]] for place in (2, 0, 2, 1)]
    assert world.locks("insert", "Contact", "AccountId", *rows) == [accounts[place] for place in expected]


def test_nothing_is_written_by_looking() -> None:
    world = World()
    account = world.add("Account", Key__c="A")
    context = Context(world.org.user_id, 0.0)
    before = len(world.org.truth)
    world.locks("delete", "Account", "Id", [account])
    assert (len(world.org.truth), world.org.store.table("Account").exists(1)) == (before, True)
    assert not world.org.dml.delete([account], context).errors
