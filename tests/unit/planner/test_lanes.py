"""Lanes, lock keys and slices."""

import pytest

from migrator.model.schedule import Guarantee, Lane
from migrator.planner.lanes import choose_lane, slice_rows


@pytest.mark.parametrize("guarantee", [Guarantee.UPSERT, Guarantee.UPDATE])
def test_few_repeatable_rows_go_over_rest(guarantee: Guarantee) -> None:
    assert choose_lane(0, guarantee) is Lane.REST
    assert choose_lane(2_000, guarantee) is Lane.REST
    assert choose_lane(2_001, guarantee) is Lane.BULK2
    assert choose_lane(None, guarantee) is Lane.BULK2


def test_a_keyless_insert_never_goes_over_rest() -> None:
    assert choose_lane(1, Guarantee.INSERT) is Lane.BULK2


def test_slices_are_one_batch_where_rows_lock() -> None:
    assert slice_rows(Lane.BULK2, locking=True) == 10_000
    assert slice_rows(Lane.BULK2, locking=False) == 0
    assert slice_rows(Lane.REST, locking=True) == 2_000
