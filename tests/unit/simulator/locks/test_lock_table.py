"""The lock table by itself, in virtual time: who gets a lock, who waits, who is refused."""

from collections.abc import Sequence

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.agenda import Agenda
from migrator.simulator.locks.table import Claim, LockTable

WAIT = 10.0


class Traffic:
    """Transactions with names; what became of them and when, in order."""

    def __init__(self, clock: VirtualClock, agenda: Agenda) -> None:
        self.clock = clock
        self.agenda = agenda
        self.table = LockTable(self.agenda, WAIT)
        self.log: list[tuple[float, str, str]] = []
        self._start = self.clock.now()

    def at(self, seconds: float, name: str, keys: str, holding: float) -> None:
        """A transaction that begins then, takes these keys (one character each) and holds them so long."""
        self.agenda.at(self._start + seconds, lambda now: self._begin(name, keys, holding, now))

    def _begin(self, name: str, keys: str, holding: float, now: float) -> int:
        def granted(since: float) -> None:
            self._note(since, name, "granted")
            self.agenda.at(since + holding, end)

        def refused(when: float, missed: Sequence[str]) -> int:
            self._note(when, name, f"missed {''.join(missed)}")
            return 0

        def end(when: float) -> int:
            self.table.release(claim, when)
            return 0

        claim = Claim(keys, granted, refused)
        self.table.claim(claim, now)
        return 0

    def _note(self, now: float, name: str, what: str) -> None:
        self.log.append((round(now - self._start, 3), name, what))

    def run(self) -> list[tuple[float, str, str]]:
        """What happens until nothing more does."""
        self.clock.advance(1_000)
        self.agenda.advance(self.clock.now())
        assert len(self.table) == 0
        return self.log


@pytest.fixture
def traffic() -> Traffic:
    clock = VirtualClock()
    return Traffic(clock, Org(load_schema(), clock=clock).part(Agenda))


def test_transactions_without_a_key_in_common_do_not_wait(traffic: Traffic) -> None:
    traffic.at(0, "a", "kl", 5)
    traffic.at(1, "b", "mn", 5)
    assert traffic.run() == [(0, "a", "granted"), (1, "b", "granted")]


def test_waiters_get_a_lock_in_the_order_in_which_they_came(traffic: Traffic) -> None:
    for second, name in enumerate("abcd"):
        traffic.at(second, name, "k", 2)
    assert traffic.run() == [
        (0, "a", "granted"),
        (2, "b", "granted"),
        (4, "c", "granted"),
        (6, "d", "granted"),
    ]


def test_a_waiter_gives_up_after_the_wait_and_says_what_it_missed(traffic: Traffic) -> None:
    traffic.at(0, "a", "km", 15)
    traffic.at(1, "b", "klm", 1)
    assert traffic.run() == [(0, "a", "granted"), (11, "b", "missed km")]


def test_a_lock_that_is_free_just_in_time_is_granted(traffic: Traffic) -> None:
    traffic.at(0, "a", "k", WAIT)
    traffic.at(0, "b", "k", 1)
    assert traffic.run() == [(0, "a", "granted"), (WAIT, "b", "granted")]


def test_what_is_held_while_waiting_stays_locked(traffic: Traffic) -> None:
    traffic.at(0, "a", "l", 4)
    traffic.at(1, "b", "kl", 1)  # has k, waits for l
    traffic.at(2, "c", "k", 1)
    assert traffic.run() == [(0, "a", "granted"), (4, "b", "granted"), (5, "c", "granted")]


def test_who_gives_up_lets_go_of_what_it_held(traffic: Traffic) -> None:
    traffic.at(0, "a", "l", 30)
    traffic.at(1, "b", "kl", 1)
    traffic.at(2, "c", "k", 1)
    assert sorted(traffic.run()) == [(0, "a", "granted"), (11, "b", "missed l"), (11, "c", "granted")]


def test_of_two_that_wait_for_each_other_one_is_refused_at_once(traffic: Traffic) -> None:
    traffic.at(0, "x", "k", 2)
    traffic.at(1, "a", "mkl", 3)  # holds m, waits for k
    traffic.at(1, "b", "lm", 3)  # holds l, waits for m
    log = traffic.run()
    assert sorted(log) == [(0, "x", "granted"), (2, "a", "missed l"), (2, "b", "granted")]


def test_a_circle_of_three_is_one_too(traffic: Traffic) -> None:
    for name, first in (("x", "k"), ("y", "l"), ("z", "m")):
        traffic.at(0, name, first, 2)
    traffic.at(1, "a", "kl", 1)
    traffic.at(1, "b", "lm", 1)
    traffic.at(1, "c", "mk", 1)
    log = traffic.run()
    assert max(log)[0] < WAIT
    assert [entry[2][:6] for entry in log if entry[1] in "abc"].count("missed") == 1
    assert [entry[2] for entry in log if entry[1] in "abc"].count("granted") == 2


def test_in_order_of_the_keys_nobody_waits_in_a_circle(traffic: Traffic) -> None:
    for name, keys in (("a", "kl"), ("b", "lm"), ("c", "km"), ("d", "klm")):
        traffic.at(0, name, keys, 2)
    assert [entry[2] for entry in traffic.run()] == ["granted"] * 4


def test_a_cancelled_transaction_neither_holds_nor_waits(traffic: Traffic) -> None:
    seen: list[str] = []

    def claim(name: str, keys: str) -> Claim:
        made = Claim(keys, lambda _: seen.append(name), lambda _, missed: len(missed))
        traffic.table.claim(made, traffic.clock.now())
        return made

    first, second, third = claim("first", "k"), claim("second", "lk"), claim("third", "kl")
    traffic.table.cancel(second, traffic.clock.now())
    traffic.table.cancel(first, traffic.clock.now())
    assert seen == ["first", "third"]
    traffic.table.release(third, traffic.clock.now())
    assert traffic.run() == []
