"""What of a run is still to be written, by how its steps stand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.model.run import Outcome, StepPhase, StepRow
from migrator.model.schedule import ExtractStep, LinkStep, LoadStep, Side, VerifyStep
from migrator.preflight import room_for
from migrator.preflight.room import FACTOR, MARGIN, Room
from tests.unit.report.runs import SCHEDULE

FLOOR = 64 << 20
EACH, ROWS = 1_000, 100_000


def planned(rows: int | None) -> tuple[ExtractStep | LoadStep | LinkStep | VerifyStep, ...]:
    """An extract, a load, its second pass and its verification."""
    extract = ExtractStep("extract.A", "Account", "Account", Side.SOURCE, ("Id",), expected=rows)
    found = {one.id: one for one in SCHEDULE.steps}
    load, link = found["load.Account"], found["link.Account"]
    assert isinstance(load, LoadStep)
    assert isinstance(link, LinkStep)
    verify = found["verify.Account"]
    assert isinstance(verify, VerifyStep)
    return extract, replace(load, expected=rows), replace(link, expected=rows), verify


def width(_side: Side, _sobject: str, _columns: Sequence[str]) -> int:
    return EACH


NAMES = {"extract": "extract.A", "load": "load.Account", "link": "link.Account", "verify": "verify.Account"}


def room(rows: int | None = ROWS, standing: Mapping[str, StepRow] | None = None) -> Room:
    rows_of = {NAMES[name]: replace(row, step=NAMES[name]) for name, row in (standing or {}).items()}
    return room_for(replace(SCHEDULE, steps=planned(rows)), width, Path("nowhere"), rows_of)


DONE = StepRow("", StepPhase.DONE, ROWS, {Outcome.CREATED: ROWS})
HALF = StepRow("", StepPhase.OPEN, ROWS, {Outcome.CREATED: ROWS // 2}, waiting=7)


EXTRACTED = {"extract": DONE}
LOADED = EXTRACTED | {"load": DONE}
OVER = LOADED | {"link": DONE}


@pytest.mark.parametrize(
    ("standing", "steps"),
    [
        (EXTRACTED, 3),
        (EXTRACTED | {"load": HALF}, 2.5),
        (LOADED, 2),
        (LOADED | {"link": HALF}, 1.5),
    ],
)
def test_what_is_done_needs_no_room_any_more(standing: dict[str, StepRow], steps: float) -> None:
    found = room(ROWS, standing)
    assert found.estimated == steps * ROWS * EACH
    assert found.needed(FLOOR) == round(FACTOR * steps * ROWS * EACH) + MARGIN


def test_a_run_that_begins_needs_what_its_plan_says() -> None:
    assert room().estimated == 4 * ROWS * EACH
    assert room().needed(FLOOR) == room().whole
    assert room(1).needed(FLOOR) > MARGIN


def test_a_small_rest_needs_little_more_than_what_must_be_free_for_anything() -> None:
    rest = room(10, {"extract": DONE, "load": replace(HALF, total=10, tallies={Outcome.CREATED: 9})})
    assert rest.estimated == (1 + 10 + 10) * EACH
    assert rest.needed(FLOOR) == FLOOR + 2 * round(FACTOR * rest.estimated)


def test_a_run_that_is_over_needs_nothing_although_nobody_has_verified_it() -> None:
    assert room(ROWS, OVER).needed(FLOOR) == 0
    assert room(None, OVER).needed(FLOOR) == 0


def test_rows_that_nobody_counted_are_known_once_they_are_prepared() -> None:
    found = room(None, EXTRACTED)
    assert found.unknown == ("load.Account", "link.Account", "verify.Account")
    assert found.needed(FLOOR) == MARGIN
    found = room(None, EXTRACTED | {"load": HALF})
    assert found.unknown == ()
    assert found.estimated == 2.5 * ROWS * EACH
