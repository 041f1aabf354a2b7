"""What the order of rows does to a load: fifteen batches at a time, ten seconds of patience, in virtual time.

The figures are the model's; what is tested is what they say about each other.
"""

import random
from collections.abc import Sequence
from functools import reduce

import pytest

from migrator.clock import SystemClock
from migrator.simulator.bulk.v2.job import IngestJob
from migrator.simulator.settings import LockOrder, LockSettings
from tests.unit.simulator.locks.loads import Done, Load, slices

ROWS = 60_000
BATCH = 2_000  # rows of one job, so that few rows make fifteen batches and more
PARALLEL = 15
DAY = 86_400.0
FAST, SLOW = 0.004, 0.02  # seconds of a row
JUNCTION = {
    "objects": {
        "Campaign__c": {"fields": {}},
        "Person__c": {"fields": {}},
        "Response__c": {
            "fields": {
                "Campaign__c": {"type": "master_detail", "to": "Campaign__c"},
                "Person__c": {"type": "master_detail", "to": "Person__c"},
            }
        },
    }
}


def contacts(
    parents_of_rows: list[int], row: float, order: LockOrder = LockOrder.SORTED, parallel: int = PARALLEL
) -> Done:
    """Contacts under these accounts, in this order, in jobs of one batch each."""
    load = Load(row_seconds=row, batch_parallelism=parallel, locks=LockSettings(order=order))
    accounts = load.seed("Account", ["Name"], [[f"A{n}"] for n in range(max(parents_of_rows) + 1)])
    rows = [[f"L{n}", accounts[parent]] for n, parent in enumerate(parents_of_rows)]
    return load.finish(*[load.start("Contact", "LastName,AccountId", some) for some in slices(rows, BATCH)])


def mild(seed: int = 1) -> list[int]:
    """Ten contacts for each account, more or less."""
    choose = random.Random(seed)  # noqa: S311 - deterministic on purpose
    return [choose.randrange(ROWS // 10) for _ in range(ROWS)]


def mega(seed: int = 1) -> list[int]:
    """The same, but one account has a fifth of all contacts."""
    choose = random.Random(seed)  # noqa: S311 - deterministic on purpose
    return [0 if choose.random() < 0.2 else choose.randrange(1, ROWS // 10) for _ in range(ROWS)]


def test_random_order_in_parallel_is_no_faster_than_one_at_a_time() -> None:
    random_order, serial = contacts(mild(), FAST), contacts(mild(), FAST, parallel=1)
    assert serial.failed == 0
    assert serial.rate == pytest.approx(1 / FAST, rel=0.01)
    assert random_order.failed > 0
    assert random_order.rate < 1.5 * serial.rate


def test_sorted_by_parent_fifteen_batches_are_fifteen_times_as_fast() -> None:
    done = contacts(sorted(mild()), FAST)
    assert done.failed == 0
    assert done.rate == pytest.approx(PARALLEL / FAST, rel=0.2)


def test_slow_rows_contend_more() -> None:
    fast, slow = contacts(mild(), FAST), contacts(mild(), SLOW)
    assert slow.failed > 2 * fast.failed


def test_one_parent_with_very_many_children_is_a_chain() -> None:
    load = sorted(mega())
    biggest = load.count(0)
    done = contacts(load, FAST)
    assert (
        done.seconds > 0.9 * biggest * FAST
    )  # its children come one after the other, however many slots there are
    assert contacts(mega(), FAST).failed > 10 * max(1, done.failed)


def test_slow_rows_of_one_parent_fail_even_when_they_are_sorted() -> None:
    assert contacts(sorted(mega()), SLOW).failed > 0


def test_locks_taken_in_the_order_of_the_rows_make_circles() -> None:
    unordered = contacts(mild(), FAST, LockOrder.ROWS)
    ordered = contacts(mild(), FAST)
    assert unordered.failed > 2 * ordered.failed


Pair = tuple[int, int]  # campaign and person


def responses(*waves: Sequence[Sequence[Pair]]) -> Done:
    """Junction records, in jobs of one batch; each wave of jobs ends before the next begins."""
    load = Load(JUNCTION, row_seconds=FAST, batch_parallelism=PARALLEL)
    campaigns = load.seed("Campaign__c", ["Name"], [[f"C{n}"] for n in range(120)])
    people = load.seed("Person__c", ["Name"], [[f"P{n}"] for n in range(20_000)])

    def start(pairs: Sequence[Pair]) -> IngestJob:
        rows = [[campaigns[campaign], people[person]] for campaign, person in pairs]
        return load.start("Response__c", "Campaign__c,Person__c", rows)

    return reduce(Done.then, [load.finish(*map(start, filter(None, wave)), look=1.0) for wave in waves])


def tiles(pairs: Sequence[Pair]) -> list[list[list[Pair]]]:
    """Waves of jobs that share neither a campaign nor a person with another job of their wave."""
    made: list[list[list[Pair]]] = [[[] for _ in range(PARALLEL)] for _ in range(PARALLEL)]
    for campaign, person in sorted(pairs):
        left, right = campaign % PARALLEL, person % PARALLEL
        made[(right - left) % PARALLEL][left].append((campaign, person))
    return made


def test_a_junction_contends_on_its_second_parent_and_tiles_do_not() -> None:
    choose = random.Random(3)  # noqa: S311 - deterministic on purpose
    pairs = [(choose.randrange(120), choose.randrange(20_000)) for _ in range(ROWS // 2)]
    scattered, by_campaign = responses(slices(pairs, BATCH)), responses(slices(sorted(pairs), BATCH))
    tiled = responses(*tiles(pairs))
    assert scattered.failed > 0
    assert scattered.rate < by_campaign.rate < tiled.rate
    assert tiled.failed == 0


def test_what_happens_does_not_depend_on_who_looks_when() -> None:
    seen = []
    for look in (0.5, 1_000.0):
        load = Load(row_seconds=SLOW, batch_parallelism=PARALLEL)
        accounts = load.seed("Account", ["Name"], [[f"A{n}"] for n in range(500)])
        rows = [[f"L{n}", accounts[n * 7919 % 500]] for n in range(12_000)]
        jobs = [load.start("Contact", "LastName,AccountId", some) for some in slices(rows, BATCH)]
        load.finish(*jobs, look=look)
        events = [
            (event.time, event.origin, len(event)) for event in load.org.truth.events(sobject="Contact")
        ]
        seen.append((events, [(job.processed, job.failed, job.ended) for job in jobs]))
    assert seen[0] == seen[1]
    assert any(failed for _, failed, _ in seen[0][1])


def test_a_day_of_contention_is_over_in_seconds() -> None:
    started = SystemClock().monotonic()
    load = Load(row_seconds=0.9, batch_parallelism=PARALLEL, locks=LockSettings(wait=3_600.0))
    accounts = load.seed("Account", ["Name"], [[f"A{n}"] for n in range(2_000)])
    choose = random.Random(5)  # noqa: S311 - deterministic on purpose
    rows = [[f"L{n}", choose.choice(accounts)] for n in range(120_000)]
    done = load.finish(*[load.start("Contact", "LastName,AccountId", some) for some in slices(rows, 200)])
    assert done.seconds > DAY  # although fifteen batches work side by side: they wait for each other
    assert done.failed > 0
    assert SystemClock().monotonic() - started < 20
