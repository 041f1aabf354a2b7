"""What a run looks like where there is no terminal: few lines, and each says something new."""

import io

from rich.console import Console

from migrator.cli.console import Bars, Lines, in_view
from migrator.clock import VirtualClock
from migrator.model.progress import Progress, StepProgress


def load(done: int, phase: str = "open", note: str = "") -> StepProgress:
    return StepProgress("load.Account", "Account", "load", phase, 10_000, done, 0, "bulk2", note)


def gate(phase: str, note: str) -> StepProgress:
    return StepProgress("gate.1.defer_sharing", "", "gate", phase, None, 0, 0, note=note)


def test_a_gate_tells_what_it_waits_for() -> None:
    clock, stream = VirtualClock(), io.StringIO()
    lines = Lines(stream, clock)
    looks = [("open", ""), ("done", "stays so until the run is over"), ("open", "being put back")]
    looks += [("open", f"being put back: recalculations under way: {n}") for n in (2, 2, 2, 1)]
    for phase, note in [*looks, ("done", "as it was found")]:
        lines.update(Progress((gate(phase, note),), clock.monotonic(), 0))
    assert [line.split("s ", 1)[1] for line in stream.getvalue().splitlines()] == [
        "open  gate.1.defer_sharing",
        "done  gate.1.defer_sharing (stays so until the run is over)",
        "open  gate.1.defer_sharing (being put back)",
        "open  gate.1.defer_sharing (being put back: recalculations under way: 2)",
        "open  gate.1.defer_sharing (being put back: recalculations under way: 1)",
        "done  gate.1.defer_sharing (as it was found)",
    ]


def test_a_long_run_does_not_fill_the_log() -> None:
    clock, stream = VirtualClock(), io.StringIO()
    lines = Lines(stream, clock)
    began = clock.monotonic()
    for second in range(4 * 3_600):
        lines.update(Progress((load(second),), clock.monotonic() - began, 0))
        clock.wait(1.0)
    told = stream.getvalue().splitlines()
    assert told[1].lstrip().startswith("2.0s"), "lively in the beginning"
    assert len(told) < 450


def test_a_wait_is_told_with_its_reason() -> None:
    stream = io.StringIO()
    note = "the org's request allowance is spent; asked again every 2 min"
    Lines(stream, VirtualClock()).update(Progress((load(5, note=note),), 1.0, 0))
    assert stream.getvalue().strip() == f"1.0s open  load.Account [bulk2]: 5 of 10,000 rows ({note})"


def steps(*phases: str) -> tuple[StepProgress, ...]:
    return tuple(StepProgress(f"load.{n}", "", "load", phase, 10, 5, 0) for n, phase in enumerate(phases))


def test_on_a_low_terminal_what_moves_is_seen() -> None:
    many = steps(*["done"] * 40, "open", "done", "open", *["pending"] * 40)
    seen = [one.id for one in in_view(many, 6)]
    assert seen == ["load.40", "load.42", "load.43", "load.44", "load.45", "load.46"]
    assert in_view(many, 1_000) == many
    late = steps(*["done"] * 40, "open")
    assert [one.id for one in in_view(late, 3)] == ["load.38", "load.39", "load.40"], (
        "then what was done last"
    )


def test_bars_fit_the_terminal_until_the_end() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=12)
    with Bars(console) as bars:
        bars.update(Progress(steps(*["done"] * 30, "open", *["pending"] * 30), 7_500.0, 3))
        console.print(bars._draw())
        drawn = stream.getvalue()
        assert "load.30" in drawn
        assert "load.29" not in drawn
        assert "2 h 5 min" in drawn
        assert "30 done, 23 pending: not shown" in drawn
    assert "load.0 " in stream.getvalue(), "the last picture shows them all"
