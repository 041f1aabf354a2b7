"""Lanes, lock keys and slices."""

import pytest

from migrator.model.plan import RelationshipRule, WhenMissing
from migrator.model.schedule import Guarantee, Lane, LookupSpec
from migrator.planner import choose_lane
from migrator.planner.lanes import lock_key, slice_rows
from tests.planner.builders import sobject


@pytest.mark.parametrize("guarantee", [Guarantee.UPSERT, Guarantee.UPDATE])
def test_few_repeatable_rows_go_over_rest(guarantee: Guarantee) -> None:
    assert choose_lane(0, guarantee) is Lane.REST
    assert choose_lane(2_000, guarantee) is Lane.REST
    assert choose_lane(2_001, guarantee) is Lane.BULK2
    assert choose_lane(None, guarantee) is Lane.BULK2


def test_a_keyless_insert_never_goes_over_rest() -> None:
    assert choose_lane(1, Guarantee.INSERT) is Lane.BULK2


CHILD = sobject(
    "Child__c",
    {
        "A__c": "->Account",
        "B__c": "->Account required",
        "C__c": "->Account required",
        "D__c": "->Account master2",
        "E__c": "->Account master",
    },
)


@pytest.mark.parametrize(
    ("group_by", "sent", "expected"),
    [
        ("A__c", "ABCDE", "A__c"),
        (None, "ABCDE", "E__c"),
        (None, "ABCD", "D__c"),
        (None, "ABC", "B__c"),
        (None, "A", None),
        (None, "", None),
    ],
)
def test_the_lock_key_is_stated_or_the_strongest_parent(
    group_by: str | None, sent: str, expected: str | None
) -> None:
    lookups = tuple(
        LookupSpec(RelationshipRule(f"{name}__c"), ("Account",), WhenMissing.FAIL) for name in sent
    )
    assert lock_key(group_by, lookups, CHILD) == expected


def test_slices_are_one_batch_where_rows_lock() -> None:
    assert slice_rows(Lane.BULK2, "A__c") == 10_000
    assert slice_rows(Lane.BULK2, None) == 0
    assert slice_rows(Lane.REST, "A__c") == 2_000
