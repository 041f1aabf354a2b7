"""However slices end, those under way at the same time lock no record in common, and every one of them is sent once."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from migrator.executor.dispatch import in_order, startable
from migrator.model.run import FileRef, Slice
from migrator.model.schedule import Lane


@dataclass(frozen=True)
class Drawn:
    """Slices by wave and group as the data plane cuts them, and how many may be under way."""

    slices: tuple[Slice, ...]
    room: int


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    rows = st.integers(1, 100)
    made = draw(
        st.lists(
            st.tuples(rows, st.sampled_from(["", "", "a", "b", "c"]), st.integers(0, 2)),
            min_size=1,
            max_size=25,
        )
    )
    slices = tuple(
        Slice("load", no, 1, FileRef(f"{no}", "", 1, count), Lane.BULK2, group, wave)
        for no, (count, group, wave) in enumerate(made, start=1)
    )
    return Drawn(slices, draw(st.integers(1, 6)))


@given(drawn(), st.data())
def test_no_two_slices_under_way_share_a_key(case: Drawn, data: st.DataObject) -> None:
    by_no = {("load", one.no): one for one in case.slices}
    queue = list(in_order(case.slices))
    assert sorted(queue) == [one.no for one in case.slices]
    live: list[int] = []
    while queue or live:
        for no in startable(by_no, "load", queue, live, case.room - len(live)):
            live.append(no)
            queue.remove(no)
        assert live, "nothing is under way, and something waits"
        assert len(live) <= case.room
        waves = {by_no[("load", one)].wave for one in live}
        groups = [by_no[("load", one)].group for one in live if by_no[("load", one)].group]
        assert len(waves) == 1
        assert len(set(groups)) == len(groups)
        ended = data.draw(st.sampled_from(live))
        live.remove(ended)
        if data.draw(st.booleans()) and len(queue) < 50:
            queue.insert(0, ended)  # its upload was cut: the slice is first in the queue again
            if data.draw(st.booleans()):
                queue.remove(ended)


@given(drawn())
def test_the_longest_chain_goes_first(case: Drawn) -> None:
    order = in_order(case.slices)
    by_no = {one.no: one for one in case.slices}

    def behind(no: int) -> int:
        one = by_no[no]
        chain = (each for each in case.slices if one.group and each.group == one.group and each.no >= no)
        return sum(each.file.rows for each in chain) or one.file.rows

    for first, second in pairwise(order):
        assert by_no[first].wave <= by_no[second].wave
        if by_no[first].wave == by_no[second].wave:
            assert behind(first) >= behind(second)
