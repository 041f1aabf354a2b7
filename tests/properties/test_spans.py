"""The time in which jobs were at work, in few spans: nothing of it is left out, and no more is taken in than the number of spans asks for."""

from hypothesis import given
from hypothesis import strategies as st

from migrator.executor.extra import Span, spans

TIMES = st.integers(0, 400).map(float)
FOUND = st.lists(st.tuples(TIMES, TIMES).map(lambda one: (min(one), max(one))), max_size=30)


def within(instant: float, found: list[Span]) -> bool:
    return any(first <= instant <= last for first, last in found)


@given(FOUND, st.integers(1, 6))
def test_spans_hold_the_time_of_all_jobs_and_are_few(found: list[Span], most: int) -> None:
    made = spans(found, most)
    assert len(made) <= most
    assert made == sorted(made)
    assert all(any(first <= one[0] and one[1] <= last for first, last in made) for one in found)
    assert all(within(end, found) for one in made for end in one), "they begin and end with a job"


@given(FOUND)
def test_where_there_is_room_for_all_no_time_between_jobs_is_in_them(found: list[Span]) -> None:
    made = spans(found, 30)
    for second in range(401):
        if within(float(second), made):
            assert within(float(second), found)


def test_the_least_time_is_taken_in() -> None:
    assert spans([(0, 10), (12, 20), (30, 40), (100, 110)], 2) == [(0, 40), (100, 110)]
    assert spans([(0, 10), (11, 20)], 5) == [(0, 20)], "seconds that follow each other are one span"
