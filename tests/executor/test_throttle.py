"""What holds a run back: nothing new begins meanwhile, and it goes on by itself."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.errors import ExitCode
from migrator.executor.throttle import in_window
from migrator.model.progress import Progress
from migrator.model.run import Outcome
from migrator.state import read_ledger
from tests.executor.orgs import Lab, make_lab

PLAN = """
version: 1
name: throttled
source: {{files: data}}
target: {{org: merged}}
throttle: {{{throttle}}}
objects:
  - {{object: Contact, operation: insert}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    data = tmp_path / "data"
    data.mkdir()
    with (data / "Contact.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Id", "LastName"), *((f"{n}", f"P{n}") for n in range(20))])
    return make_lab(tmp_path, "name: Throttled\nobjects: {}\n")


def loaded(lab: Lab, at: Callable[[str], None] = lambda _point: None) -> tuple[float, set[str]]:
    """Seconds that it took, and what was shown of it."""
    shown: set[str] = set()

    def watch(progress: Progress) -> None:
        shown.update(one.note for one in progress.steps if one.note)

    lab.watch = watch  # type: ignore[method-assign]
    began = lab.clock.now()
    assert lab.drive(fuse=at).exit_code is ExitCode.OK
    assert read_ledger(lab.folder).steps["load.Contact"].tallies == {Outcome.CREATED: 20}
    return lab.clock.now() - began, shown


def test_a_closed_window_opens_by_itself(lab: Lab) -> None:
    minute = int(lab.clock.now() // 60) % 1440
    first, last = (minute + 90) % 1440, (minute + 150) % 1440
    window = "-".join(f"{one // 60:02}:{one % 60:02}" for one in (first, last))
    lab.begin(PLAN.format(throttle=f"window: '{window}'"))
    seconds, shown = loaded(lab)
    assert 5_340 <= seconds <= 5_500
    assert shown == {f"held back: it is not {window} UTC"}


def test_a_file_holds_it_back_until_it_is_gone(lab: Lab) -> None:
    stop = lab.folder.parent / "stop"
    stop.touch()
    lab.begin(PLAN.format(throttle="file: stop"))
    looks = 0
    wait = lab.clock.wait

    def counted(seconds: float) -> bool:
        nonlocal looks
        looks += 1
        if looks == 3:
            stop.unlink()
        return bool(wait(seconds))

    lab.clock.wait = counted  # type: ignore[method-assign]
    seconds, shown = loaded(lab)
    assert seconds >= 60
    assert shown == {"held back: the file stop is there"}


def test_records_in_the_target_hold_it_back(lab: Lab) -> None:
    with lab.ends() as ends:
        ends.target.send_rows("Account", "insert", None, [{"Name": "busy"}], {})
        (account,) = ends.target.query("SELECT Id FROM Account")
    lab.begin(PLAN.format(throttle="soql: SELECT COUNT() FROM Account"))
    wait = lab.clock.wait

    def quiet(seconds: float) -> bool:
        with lab.ends() as ends:
            ends.target.delete_record("Account", account["Id"])
        return bool(wait(seconds))

    lab.clock.wait = quiet  # type: ignore[method-assign]
    _, shown = loaded(lab)
    assert shown == {"held back: the plan's query finds records in the target"}


def test_an_allowance_that_is_not_spent_holds_nothing_back(lab: Lab) -> None:
    lab.begin(PLAN.format(throttle="api_requests: 90%"))
    seconds, shown = loaded(lab)
    assert seconds < 30
    assert not shown


@pytest.mark.parametrize(
    ("window", "minute", "inside"),
    [
        ((60, 120), 59, False),
        ((60, 120), 60, True),
        ((60, 120), 120, False),
        ((1320, 360), 1330, True),
        ((1320, 360), 0, True),
        ((1320, 360), 360, False),
    ],
)
def test_a_window_may_go_over_midnight(window: tuple[int, ...], minute: int, inside: bool) -> None:
    assert in_window(window, 86_400 * 365 + minute * 60) is inside
