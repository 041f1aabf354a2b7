"""Whatever transactions come: locks exclude each other, everybody gets an answer, and nothing stays behind."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.agenda import Agenda
from tests.unit.simulator.locks.test_lock_table import WAIT, Traffic

KEYS = "klmno"
CLOCK = VirtualClock()
AGENDA = Org(load_schema(), clock=CLOCK).part(Agenda)


@dataclass(frozen=True, slots=True)
class Wish:
    """A transaction: when it begins, what it takes in which order, how long it lasts."""

    begin: int
    keys: str
    holding: int


def wishes(*, ordered: bool) -> st.SearchStrategy[list[Wish]]:
    chosen = st.lists(st.sampled_from(KEYS), min_size=1, unique=True).map(
        lambda keys: "".join(sorted(keys) if ordered else keys)
    )
    return st.lists(st.builds(Wish, st.integers(0, 20), chosen, st.integers(0, 12)), max_size=12)


def run(wanted: list[Wish]) -> dict[int, tuple[float, str]]:
    """What each transaction was told, and when."""
    traffic = Traffic(CLOCK, AGENDA)
    for number, wish in enumerate(wanted):
        traffic.at(wish.begin, str(number), wish.keys, wish.holding)
    log = traffic.run()
    assert len({name for _, name, _ in log}) == len(log) == len(wanted)
    return {int(name): (time, told) for time, name, told in log}


@given(wishes(ordered=False))
def test_nobody_has_what_another_has(wanted: list[Wish]) -> None:
    told = run(wanted)
    for first, one in enumerate(wanted):
        for second, other in enumerate(wanted[:first]):
            if told[first][1] == told[second][1] == "granted" and set(one.keys) & set(other.keys):
                begin, start = told[first][0], told[second][0]
                assert begin >= start + other.holding or start >= begin + one.holding


@given(wishes(ordered=False))
def test_who_is_refused_missed_something_that_others_had(wanted: list[Wish]) -> None:
    for number, (time, what) in run(wanted).items():
        wish = wanted[number]
        assert wish.begin <= time <= wish.begin + WAIT * len(wish.keys)
        if what != "granted":
            assert set(what.removeprefix("missed ")) <= set(wish.keys)


@given(wishes(ordered=True))
def test_in_order_of_the_keys_only_time_refuses(wanted: list[Wish]) -> None:
    for number, (time, what) in run(wanted).items():
        if what != "granted":
            assert time >= wanted[number].begin + WAIT


@given(wishes(ordered=False))
def test_the_same_transactions_end_the_same_way(wanted: list[Wish]) -> None:
    assert run(wanted) == run(wanted)
