"""What rows lock, as far as a describe tells, and how the plan has the last word."""

import pytest

from migrator.model.plan import Locks, RelationshipRule, WhenMissing
from migrator.model.schedule import LookupSpec, strong
from migrator.planner.lockset import lock_set
from tests.planner.builders import sobject

CHILD = sobject(
    "Child__c",
    {
        "Plain__c": "->Account",
        "Required__c": "->Account required",
        "Second__c": "->Account master2",
        "First__c": "->Account master",
        "Self__c": "->Child__c",
        "OwnerId": "->User required",
    },
)


def keys(sent: str, locks: Locks | None = None, name: str = "Child__c") -> dict[str, float]:
    target = CHILD if name == "Child__c" else sobject(name, dict.fromkeys(sent.split(), "->Account"))
    lookups = tuple(
        LookupSpec(RelationshipRule(one), ("Account",), WhenMissing.FAIL) for one in sorted(sent.split())
    )
    return {one.field: one.weight for one in lock_set(locks or Locks(), lookups, target)}


def test_masters_come_first_and_what_locks_nothing_is_left_out() -> None:
    found = keys("First__c Second__c Plain__c Required__c Self__c OwnerId")
    assert found == {"First__c": 1.0, "Second__c": 1.0, "Required__c": 0.7, "Plain__c": 0.3}
    assert list(found) == ["First__c", "Second__c", "Required__c", "Plain__c"]


@pytest.mark.parametrize(
    ("name", "sent", "binding"),
    [
        ("Contact", "AccountId ReportsToId", {"AccountId"}),
        ("CampaignMember", "CampaignId ContactId", {"CampaignId", "ContactId"}),
        ("Task", "WhatId WhoId", {"WhatId", "WhoId"}),
        ("Anything__c", "AccountId", set()),
    ],
)
def test_standard_pairs_lock_their_parents(name: str, sent: str, binding: set[str]) -> None:
    found = lock_set(
        Locks(),
        [LookupSpec(RelationshipRule(one), ("Account",), WhenMissing.FAIL) for one in sent.split()],
        sobject(name, dict.fromkeys(sent.split(), "->Account")),
    )
    assert {one.field for one in strong(found)} == binding


def test_the_plan_has_the_last_word() -> None:
    sent = "First__c Second__c Plain__c"
    assert keys(sent, Locks(group_by="Plain__c")) == {"Plain__c": 1.0}
    assert list(keys(sent, Locks(keys=("Second__c", "Plain__c")))) == ["Second__c", "Plain__c"]
    assert keys(sent, Locks(weights={"First__c": 0.0, "Plain__c": 0.9})) == {
        "Second__c": 1.0,
        "Plain__c": 0.9,
    }
