"""What several threads ask for at once is done at once, and each gets its own answer."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from migrator.data import ResultsMismatch
from migrator.data.jobs import Settled
from migrator.data.together import Together
from migrator.model.run import Outcome
from tests.unit.data.bench import Bench

COLUMNS = ("Name", "Amount")
SLICE = 6
SLICES = 12


class Counter:
    """Work that keeps what it was asked, and waits at its first call until all others have come."""

    def __init__(self, others: int, refuse: str = "-") -> None:
        self.asked: list[list[str]] = []
        self.others = others
        self.refuse = refuse
        self.begun = threading.Event()
        self.together: Together[str, str] = Together(threads=1)

    def __call__(self, jobs: Sequence[str]) -> str:
        self.asked.append(sorted(jobs))
        if len(self.asked) == 1:
            self.begun.set()
            while len(self.together._waiting) < self.others:
                threading.Event().wait(0.001)
        if self.refuse in jobs:
            raise ValueError(self.refuse)
        return "+".join(sorted(jobs))

    def all(self, *jobs: tuple[str, str, str]) -> list[Future[str]]:
        """The first (kind, name, job), and then the others while it is under way."""
        with ThreadPoolExecutor(len(jobs)) as pool:
            first = pool.submit(self.together.do, *jobs[0], self)
            self.begun.wait()
            return [first, *(pool.submit(self.together.do, *one, self) for one in jobs[1:])]


def test_what_came_while_one_was_done_is_done_at_once() -> None:
    work = Counter(3)
    done = work.all(("k", "1", "a"), ("k", "2", "b"), ("k", "3", "c"), ("k", "4", "d"))
    assert work.asked == [["a"], ["b", "c", "d"]]
    assert [one.result() for one in done] == ["a", "b+c+d", "b+c+d", "b+c+d"]


def test_only_what_is_alike_and_has_another_name_is_done_at_once() -> None:
    work = Counter(3)
    done = work.all(("k", "1", "a"), ("k", "2", "b"), ("k", "2", "c"), ("other", "4", "d"))
    assert sorted(work.asked) == [["a"], ["b"], ["c"], ["d"]]
    assert [one.result() for one in done] == ["a", "b", "c", "d"]


def test_a_call_whose_company_failed_is_done_alone() -> None:
    work = Counter(3, refuse="c")
    first, *others, refused = work.all(("k", "1", "a"), ("k", "2", "b"), ("k", "4", "d"), ("k", "3", "c"))
    assert first.result() == "a"
    assert isinstance(refused.exception(), ValueError)
    # whoever led the company has its error
    assert [one.result() for one in others if not one.exception()]
    assert work.asked[1] == ["b", "c", "d"]
    assert all(len(one) == 1 for one in work.asked[2:])


class Slow:
    """Work that says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()

    def __call__(self, jobs: Sequence[str]) -> str:
        self.begun.set()
        self.end.wait(30)
        return "+".join(sorted(jobs))


def test_a_second_work_begins_with_as_many_as_are_at_work_and_never_with_one() -> None:
    together: Together[str, str] = Together(threads=2)
    first, second, third = Slow(), Slow(), Slow()

    def ask(name: str, work: Slow) -> Future[str]:
        return pool.submit(together.do, "k", name, name, work)

    with ThreadPoolExecutor(7) as pool:
        done = [ask("a", first)]
        assert first.begun.wait(30)
        done.append(ask("b", second))
        assert not second.begun.wait(0.1)
        done.append(ask("c", second))
        assert second.begun.wait(30)
        # two are at work in the second: one more is no reason for a third, whether or not there is room for it
        done.append(ask("d", third))
        first.end.set()
        assert done[0].result(30) == "a"
        assert not third.begun.wait(0.1)
        done.append(ask("e", third))
        assert third.begun.wait(30)
        third.end.set()
        second.end.set()
    assert [one.result() for one in done] == ["a", "b+c", "b+c", "d+e", "d+e"]


def test_what_waits_begins_when_nothing_is_at_work() -> None:
    together: Together[str, str] = Together(threads=2)
    first, second = Slow(), Slow()
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(together.do, "k", "a", "a", first)]
        assert first.begun.wait(30)
        done.append(pool.submit(together.do, "k", "b", "b", second))
        assert not second.begun.wait(0.1)
        first.end.set()
        assert second.begun.wait(30)
        second.end.set()
    assert [one.result() for one in done] == ["a", "b"]


def _settle_all(bench: Bench, settle: Callable[[list[Callable[[], Settled]]], list[object]]) -> list[object]:
    """Slices with rows of their own, with equal rows, with a damaged result, with a row fault; and what comes of them."""
    rows = [[f"k{n:03d}", f"name {n if n % 36 else 0}", str(n)] for n in range(SLICE * SLICES)]
    rows[SLICE * 2 : SLICE * 3] = [[f"k{n:03d}", "the same", ""] for n in range(SLICE * 2, SLICE * 3)]
    done = bench.load(bench.pages(("Id", *COLUMNS), rows), COLUMNS, max_slice_rows=SLICE)
    assert len(done.slices) == SLICES
    jobs = [
        replace(
            bench.answer(done, COLUMNS, no=one.no, bad={1: "X_Y:no:Name --"} if one.no % 2 else {}),
            attempt=one.no,
        )
        for one in done.slices
    ]
    broken = bench.workspace.publish("broken.csv", [b'"sf__Id","sf__Created","Name","Amount"\n"1","2"\n'], 1)
    jobs[4] = replace(jobs[4], successful=broken)
    jobs[7] = replace(jobs[7], successful=jobs[8].successful)
    return settle([lambda job=job: bench.engine.settle(job) for job in jobs])  # type: ignore[misc]


def _told(settle: Callable[[], Settled], bench: Bench) -> object:
    try:
        done = settle()
    except ResultsMismatch as fault:
        return fault.reason
    return done.tallies, done.faults, done.notes, done.outcomes.path, bench.parquet(done.outcomes)


@pytest.mark.parametrize("workers", [4, 12])
def test_slices_settled_at_once_have_the_outcomes_of_slices_settled_alone(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, workers: int
) -> None:
    def at_once(calls: list[Callable[[], Settled]]) -> list[object]:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda one: _told(one, bench), calls))

    found = _settle_all(bench, at_once)
    with Bench(tmp_path_factory.mktemp("alone")) as other:
        alone = _settle_all(other, lambda calls: [_told(one, other) for one in calls])
    assert found == alone
    assert sum(isinstance(one, str) for one in found) == 2
    with bench.engine._session() as session:
        assert session.rows("SELECT table_name FROM duckdb_tables()") == []


@pytest.mark.parametrize("equal", [360, 365, 370])
def test_equal_rows_of_one_slice_cut_nothing_off_the_answers_of_another(bench: Bench, equal: int) -> None:
    """Equal rows pair with each other up to a limit, which must not pass for the end of what other slices were answered."""
    size = 3000
    rows = [[f"k{n:05d}", "the same" if n < equal else f"name {n}", "1"] for n in range(4 * size)]
    done = bench.load(bench.pages(("Id", *COLUMNS), rows), COLUMNS, max_slice_rows=size)
    jobs = [replace(bench.answer(done, COLUMNS, no=one.no), attempt=one.no) for one in done.slices]
    pairing = bench.engine._pairing
    # as while as many others are under way as may be: all of these come before one is done
    pairing._at_work = [1] * pairing._threads
    with ThreadPoolExecutor(len(jobs)) as pool:
        settled = [pool.submit(bench.engine.settle, one) for one in jobs]
        while len(pairing._waiting) < len(jobs):
            threading.Event().wait(0.001)
        with pairing._changed:
            pairing._at_work.clear()
            pairing._changed.notify_all()
    assert [one.result().tallies for one in settled] == [{Outcome.CREATED: size}] * len(jobs)
