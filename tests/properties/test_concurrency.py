"""The window of slices under way finds what an org bears, stays under its ceiling, and is the same after a crash."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from migrator.executor import Policy
from migrator.executor.concurrency import START, Window, after, kept, window_of
from migrator.model.run import Attempt, AttemptKind, AttemptState

ROWS = 10_000


def settled(number: int, *, locked: int = 0, processing_ms: int = 40_000, retries: int = 0) -> Attempt:
    return Attempt(
        number,
        "load.Contact",
        AttemptKind.BULK2,
        AttemptState.HARVESTED,
        slice=number,
        rows=ROWS,
        locked=locked,
        processing_ms=processing_ms,
        retries=retries,
    )


@dataclass
class Load:
    """Slices sent by the window, in a org that bears so many at once: with more, every slice meets locks."""

    window: Window
    ceiling: int
    number: int = 1
    widest: int = 0

    def one_window(self, bears: int) -> None:
        """As many slices as the window has, all begun together; then each of them is settled."""
        size = self.window.size
        self.widest = max(self.widest, size)
        begun = range(self.number, self.number + size)
        self.number += size
        for each in begun:
            told = settled(each, locked=ROWS // 50 if size > bears else 0)
            self.window = after(self.window, told, ceiling=self.ceiling, next_attempt=self.number)
            self.window = window_of(kept({}, self.window))  # a crash after each commit changes nothing


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_it_converges_after_what_the_org_bears_has_changed(ceiling: int, before: int, later: int) -> None:
    load = Load(Window(), ceiling)
    for bears in (before, later):
        for _ in range(20):
            load.one_window(bears)
        sizes = []
        for _ in range(20):
            load.one_window(bears)
            sizes.append(load.window.size)
        best = min(bears, ceiling)
        assert max(sizes) <= best + 1, "a window too wide is halved at once"
        assert max(sizes) >= best, "what the org bears is used"
        assert sum(sizes) >= 0.6 * best * len(sizes)
    assert load.widest <= max(ceiling, START)


@given(
    st.integers(1, 20),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(1, 200_000), st.integers(0, 1), st.booleans()), max_size=60
    ),
)
def test_it_is_never_above_the_ceiling_and_never_nothing(
    ceiling: int, told: list[tuple[int, int, int, bool]]
) -> None:
    window = Window()
    for number, (locked, took, retries, opens) in enumerate(told, start=1):
        attempt = settled(number, locked=locked, processing_ms=took, retries=retries)
        window = after(window, attempt, ceiling=ceiling, next_attempt=number + 1, opens=opens)
        assert 1 <= window.size <= max(ceiling, START)


def test_a_window_is_halved_once_for_what_began_before() -> None:
    window = Window(size=8)
    for number in range(1, 9):
        window = after(window, settled(number, locked=200), ceiling=15, next_attempt=9)
    assert (window.size, window.halved) == (4, 1)


def test_what_makes_it_smaller() -> None:
    calm = after(Window(size=8), settled(1), ceiling=15, next_attempt=2)
    assert calm.size == 9
    for wrong in (settled(2, locked=51), settled(2, retries=1), settled(2, processing_ms=130_000)):
        assert after(calm, wrong, ceiling=15, next_attempt=3).size == 4
    gave_up = replace(settled(2), note="TooManyLockFailure : Too many lock failure")
    assert after(calm, gave_up, ceiling=15, next_attempt=3).size == 4
    assert after(calm, settled(2, locked=50), ceiling=15, next_attempt=3).size == 10, (
        "one row in 200 may wait"
    )


def test_a_canary_that_ends_well_opens_it() -> None:
    assert after(Window(), settled(1), ceiling=15, next_attempt=2, opens=True).size == 15
    assert after(Window(), settled(1, locked=200), ceiling=15, next_attempt=2, opens=True).size == 1


@given(st.floats(1.0, 20_000.0), st.floats(0.98, 1.15))
def test_a_job_is_looked_at_when_it_is_over_and_rarely_before(expected: float, longer: float) -> None:
    """Waves wait for their last slice, so an end that is seen late costs all of them; each look is an API request."""
    policy, now, polls = Policy(), 0.0, 0
    while now < expected * longer:
        delay = policy.poll_delay(polls, expected)
        assert delay <= policy.poll_max
        now += delay
        polls += 1
    assert now - expected * longer <= max(policy.poll_first, 0.1 * expected)
    assert polls <= expected * longer / policy.poll_max + 10
