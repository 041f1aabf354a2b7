"""What happens when: the agenda of an org."""

import pytest

from migrator.clock import VirtualClock
from migrator.simulator import Org, load_schema
from migrator.simulator.agenda import STEP_ROWS, Agenda


@pytest.fixture
def agenda(clock: VirtualClock) -> Agenda:
    return Org(load_schema(), clock=clock).part(Agenda)


def test_entries_happen_in_order_and_at_their_own_time(agenda: Agenda, clock: VirtualClock) -> None:
    start = clock.now()
    seen: list[tuple[str, float]] = []

    def entry(name: str, after: float) -> None:
        def happen(now: float) -> int:
            seen.append((name, now - start))
            return 0

        agenda.at(start + after, happen)

    for name, after in (("c", 3.0), ("a", 1.0), ("b", 1.0), ("d", 9.0)):
        entry(name, after)
    clock.advance(5)
    assert agenda.advance(clock.now()) is False
    assert seen == [("a", 1.0), ("b", 1.0), ("c", 3.0)]
    assert agenda.following == start + 9.0


def test_nobody_waits_for_the_work_of_others(agenda: Agenda, clock: VirtualClock) -> None:
    def happen(now: float) -> int:
        return int(now < 0)

    start = clock.now()
    for after, awaited in ((1.0, False), (2.0, True), (3.0, False), (4.0, True), (4.0, True)):
        agenda.at(start + after, happen, awaited=awaited)
    seen = [(agenda.following - start, agenda.awaited - start)]
    for _ in range(4):
        clock.advance(1.0)
        agenda.advance(clock.now())
        seen.append((agenda.following - start, agenda.awaited - start))
    end = float("inf")
    assert seen == [(1.0, 2.0), (2.0, 2.0), (3.0, 4.0), (4.0, 4.0), (end, end)]


def test_rows_that_take_no_time_leave_room_for_requests(agenda: Agenda, clock: VirtualClock) -> None:
    done: list[float] = []

    def happen(now: float) -> int:
        done.append(now)
        return STEP_ROWS // 2

    for _ in range(5):
        agenda.at(clock.now(), happen)
    looks = [agenda.advance(clock.now()) for _ in range(3)]
    assert looks == [True, True, False]
    assert len(done) == 5


def test_work_that_is_due_faster_than_it_can_be_done_does_so_too(agenda: Agenda, clock: VirtualClock) -> None:
    done: list[float] = []

    def slow(now: float) -> int:
        done.append(now)
        clock.advance(0.05)
        return 0

    for _ in range(100):
        agenda.at(clock.now(), slow)
    assert agenda.advance(clock.now()) is True
    assert 0 < len(done) < 100
    while agenda.advance(clock.now()):
        pass
    assert len(done) == 100
