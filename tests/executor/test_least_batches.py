"""What the benchmark of locks says no schedule can do: the parts of its bound against counting, where that can be done."""

from itertools import chain, combinations, product
from math import comb, exp, isclose, log

import pytest

from benchmarks.contention.least import WITHIN, _divergence, _families, full_chance, least
from benchmarks.contention.sets import ROW_SECONDS, DataSet, data_sets


@pytest.mark.parametrize(("others", "batches", "places", "times"), [(3, 3, 6, 2), (4, 2, 3, 2), (3, 4, 3, 1)])
def test_families_are_no_fewer_than_there_are(others: int, batches: int, places: int, times: int) -> None:
    choices = list(chain.from_iterable(combinations(range(batches), n) for n in range(times + 1)))
    exact = sum(sum(map(len, family)) <= places for family in product(choices, repeat=others))
    assert _families(others, batches, places, times) >= log(exact) - 1e-9


@pytest.mark.parametrize(("share", "chance"), [(0.5, 0.3), (1.0, 0.7), (0.9, 0.5)])
def test_the_tail_is_no_smaller_than_it_is(share: float, chance: float) -> None:
    count = 40
    least_many = round(share * count)
    exact = sum(
        comb(count, n) * chance**n * (1 - chance) ** (count - n) for n in range(least_many, count + 1)
    )
    bound = exp(-count * _divergence(share, chance))
    assert exact <= bound or isclose(exact, bound)


def set_named(name: str) -> DataSet:
    return next(one for one in data_sets(1.0, None) if one.name == name)


def test_a_junction_cannot_have_both() -> None:
    data = set_named("junction")
    found = least(data)
    assert (found.rows, found.apart, found.of) == (30, 40, "Lead")
    # three rows of a lead in batches of three times that would not end in time
    assert 3 * data.batch * found.full / 100 > WITHIN * data.bound / ROW_SECONDS
    assert found.chance < -100
    assert "77 % full" in str(found)


def test_the_bound_says_nothing_where_there_is_nothing_to_say() -> None:
    assert full_chance(20_000, 400, 3, 2_000, 6_000, 90) is None, "there is time for three batches"
    assert full_chance(20_000, 4, 3, 2_000, 4_600, 90) is None, "four campaigns: leads meet anywhere"
    assert least(set_named("one parent a row")).full == 0
