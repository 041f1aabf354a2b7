"""What a run looks like on a terminal, and as plain lines where there is none."""

from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self, TextIO

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from migrator.cli.text import plain, span
from migrator.clock import Clock
from migrator.errors import ExitCode
from migrator.model.lockreport import lock_lines, lock_values
from migrator.model.progress import Progress, StepProgress
from migrator.model.run import Outcome
from migrator.model.summary import Again, StepSummary, Summary

#: seconds between lines where there is no terminal; more of them the longer the run takes already, so that a log stays readable
LINE_EVERY = 2.0
LINE_EVERY_SHARE = 0.02
LINE_EVERY_MOST = 60.0
_MARKS = {"done": ("✓", "green"), "open": ("▸", "cyan"), "pending": ("·", "dim")}


class Watcher(Protocol):
    """Something that is told how a run stands."""

    def update(self, progress: Progress) -> None:
        """The run stands like this now."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def make_console(stream: TextIO, clock: Clock) -> Watcher:
    """Live bars on a terminal, plain lines elsewhere."""
    console = _Console(file=stream)
    return Bars(console) if console.is_terminal else Lines(stream, clock)


class Lines:
    """One line a step when it changes, and every few seconds while it moves."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._told: dict[str, tuple[str, str]] = {}
        self._at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, progress: Progress) -> None:
        """Tell what has changed."""
        now = self._clock.monotonic()
        pause = min(LINE_EVERY_MOST, max(LINE_EVERY, progress.elapsed * LINE_EVERY_SHARE))
        due = now - self._at >= pause
        for step in progress.steps:
            stands = (step.phase, step.note if step.kind == "gate" else "")
            moved = self._told.get(step.id) != stands
            if step.phase != "pending" and (moved or (due and step.phase == "open")):
                self._told[step.id] = stands
                self._at = now
                click.echo(f"{progress.elapsed:7.1f}s {line(step)}", file=self._stream)


def line(step: StepProgress) -> str:
    """A step in a line."""
    total = "" if step.total is None else f" of {step.total:,}"
    failed = f", {step.failed:,} without success" if step.failed else ""
    lane = f" [{step.lane}]" if step.lane else ""
    note = f" ({step.note})" if step.note else ""
    if step.kind == "gate":
        return plain(f"{step.phase:5} {step.id}{note}")
    return plain(f"{step.phase:5} {step.id}{lane}: {step.done:,}{total} rows{failed}{note}")


def in_view(steps: Sequence[StepProgress], room: int) -> tuple[StepProgress, ...]:
    """As many of the steps as there is room for, in their order: what moves first, then what comes next, then what was done last."""
    ranks = {"open": 0, "pending": 1, "done": 2}

    def rank(place: int) -> tuple[int, int]:
        phase = steps[place].phase
        return ranks[phase], -place if phase == "done" else place

    seen = sorted(sorted(range(len(steps)), key=rank)[: max(room, 1)])
    return tuple(steps[place] for place in seen)


class Bars:
    """Live bars, one for each step; when the terminal is too low for all, for those that matter now."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ended = False
        self._progress = Progress((), 0.0, 0)
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._live.__exit__(kind, error, trace)

    def update(self, progress: Progress) -> None:
        """Draw this from now on."""
        self._progress = progress

    def _draw(self) -> Group:
        table = Table.grid(padding=(0, 1))
        for _ in range(6):
            table.add_column(no_wrap=True)
        steps = self._progress.steps
        if not self._ended:  # the last picture stays on the terminal, and shows them all
            steps = in_view(steps, self._console.height - 4)
        for step in steps:
            mark, style = _MARKS[step.phase]
            total = step.total or 0
            bar: ProgressBar | Text = ProgressBar(total=max(total, 1), completed=step.done, width=28)
            if step.phase == "pending" or step.kind == "gate":
                bar = Text("")
            count = (
                ""
                if step.phase == "pending" or step.kind == "gate"
                else f"{step.done:,}" + (f" / {total:,}" if total else "")
            )
            failed = Text(f"{step.failed:,} without success" if step.failed else "", style="red")
            name, note = Text(plain(step.id), style=style), Text(plain(step.note), style="dim")
            table.add_row(Text(mark, style=style), name, bar, count, failed, note)
        left_out = Counter(step.phase for step in self._progress.steps) - Counter(
            step.phase for step in steps
        )
        more = ", ".join(f"{count} {phase}" for phase, count in sorted(left_out.items()))
        parts = [Text(f"  {more}: not shown", style="dim")] if more else []
        return Group(table, *parts, Text(self._foot(), style="dim"))

    def _foot(self) -> str:
        loads = [one for one in self._progress.steps if one.kind in {"load", "link", "verify"}]
        done = sum(one.done for one in loads)
        known = [one.total for one in self._progress.steps if one.total is not None and one.kind == "load"]
        elapsed = self._progress.elapsed
        rate = done / elapsed if elapsed else 0.0
        left = sum(known) - sum(one.done for one in loads if one.kind == "load")
        eta = f", about {span(left / rate)} for the rows known so far" if rate and left > 0 else ""
        return f"{span(elapsed)}, {rate:,.0f} rows/s, {self._progress.requests:,} requests{eta}"


def print_outcomes(summary: Summary) -> None:
    """The table of outcomes, which adds up or says that it does not."""
    shown = [outcome for outcome in Outcome if any(one.tallies.get(outcome) for one in summary.steps)]
    table = Table(title=f"outcomes of {summary.run.run_id}", title_justify="left", caption_justify="left")
    table.add_column("step")
    table.add_column("lane")
    for heading in (*[one.value for one in shown], "rows"):
        table.add_column(heading, justify="right")
    table.add_column("adds up")
    for one in summary.steps:
        table.add_row(*_cells(one, shown))
    _print(table)
    if summary.held_gates:
        print_gates(summary)
    for one in summary.steps:
        for code, count in one.faults.items():
            fields = one.fields_of(code)
            where = f" ({fields})" if fields else ""
            _print(Text(plain(f"  {one.step}: {count:,} rows {code}{where}"), style="red"))
        for told in one.notes:
            _print(Text(plain(f"  {one.step}: {told}"), style="dim"))
    for locked in summary.locked:
        for told in lock_lines(locked):
            _print(Text(plain(f"  {locked.step}: {told}"), style="dim"))


def print_gates(summary: Summary) -> None:
    """The gates and how each stands; what is to be put back stands out."""
    if not summary.gates:
        return
    table = Table(title="gates", title_justify="left")
    for heading in ("gate", "what it does", "state", "note"):
        table.add_column(heading)
    for one in summary.gates:
        state = f"[red]{one.state}, to be put back[/]" if one.held else one.state
        table.add_row(plain(one.step), plain(one.what), state, plain(one.note))
    _print(table)


def _cells(one: StepSummary, shown: Iterable[Outcome]) -> list[str]:
    counts = [f"{one.tallies.get(outcome, 0):,}" for outcome in shown]
    total = "?" if one.total is None else f"{one.total:,}"
    balance = "[green]yes[/]" if one.balanced else "[yellow]not yet[/]"
    return [plain(one.step), one.lane or "-", *counts, total, balance]


def print_verification(summary: Summary) -> None:
    """What reading the target back found."""
    table = Table(title="verification", title_justify="left")
    for heading in (
        "object",
        "records",
        "compared",
        "missing",
        "duplicated",
        "orphaned",
        "differing",
        "without success",
        "verdict",
    ):
        table.add_column(heading, justify="left" if heading in {"object", "verdict"} else "right")
    for one in summary.verification:
        orphaned, differing = sum(one.orphaned.values()), sum(one.differing.values())
        tone = "green" if one.verdict == "equal" else "red"
        verdict = f"[{tone}]{one.verdict}[/]" if one.verdict else "not run"
        numbers = (
            one.rows,
            one.compared,
            one.missing,
            one.duplicated,
            orphaned,
            differing,
            one.unsuccessful,
        )
        table.add_row(plain(one.object_name), *(f"{number:,}" for number in numbers), verdict)
    if summary.verification:
        _print(table)
    for step in summary.not_read_back:
        left = step.unsuccessful
        told = f", {left:,} of its {step.total or 0:,} rows ended without success" if left else ""
        what = f"  {step.step}: nothing is read back of it ({step.operation}){told}"
        _print(Text(plain(what), style="red" if left else ""))
    for one in summary.verification:
        if one.extra:
            told = f"  {one.object_name}: {one.extra:,} records more were made by our user while jobs of the run were at work than the run knows of"
            _print(Text(plain(told), style="red"))
        if one.duplicate_keys:
            told = f"  {one.object_name}: {one.duplicate_keys:,} keys of loaded records are other records' as well"
            _print(Text(plain(told), style="red"))
        for name, count in one.orphaned.items():
            _print(
                Text(plain(f"  {one.object_name}.{name}: {count:,} records lost their parent"), style="red")
            )
        for name, count in one.differing.items():
            _print(Text(plain(f"  {one.object_name}.{name}: {count:,} rows differ"), style="red"))


def print_second_run(summary: Summary) -> None:
    """What a second run would do, when that was worked out."""
    if not summary.repeated:
        return
    table = Table(title="a second run", title_justify="left")
    table.add_column("step")
    for each in Again:
        table.add_column(each.heading, justify="right")
    table.add_column("verdict")
    for one in summary.repeated:
        counts = one.again or {}
        verdict = "[red]creates[/]" if counts.get(Again.CREATE) else "[green]creates nothing[/]"
        table.add_row(plain(one.step), *(f"{counts.get(each, 0):,}" for each in Again), verdict)
    _print(table)
    for one in summary.repeated:
        if one.again_report is not None:
            told = f"  {one.step}: {one.again_report.rows:,} rows would be created again: {one.again_report.path}"
            _print(Text(plain(told), style="red"))


def _print(what: Table | Text) -> None:
    width = None if Console().is_terminal else 140
    _Console(width=width, highlight=False).print(what)


class _Console(Console):
    """A console whose broken pipe is the boundary's business, as everybody else's."""

    def on_broken_pipe(self) -> None:
        """Pass it on; rich would end the process with the exit code of failed rows."""
        raise BrokenPipeError


def gates_json(summary: Summary) -> list[dict[str, object]]:
    """The gates as JSON values."""
    return [
        {
            "step": one.step,
            "what": one.what,
            "state": one.state,
            "to_put_back": one.held,
            "note": one.note,
        }
        for one in summary.gates
    ]


def summary_json(summary: Summary, exit_code: ExitCode) -> dict[str, object]:
    """The summary as JSON values."""
    return {
        "run": summary.run.run_id,
        "plan": summary.run.plan_name,
        "status": summary.run.status.value,
        "complete": summary.complete,
        "verified": summary.verified,
        "exit_code": int(exit_code),
        "gates": gates_json(summary),
        "locks": [lock_values(one) for one in summary.locked],
        "steps": [
            {
                "step": one.step,
                "object": one.object_name,
                "operation": one.operation,
                "lane": one.lane,
                "guarantee": one.guarantee,
                "phase": one.phase.value,
                "rows": one.total,
                "outcomes": {outcome.value: count for outcome, count in one.tallies.items()},
                "waiting": one.waiting,
                "faults": dict(one.faults),
                "fault_fields": {code: dict(found) for code, found in one.fault_fields.items()},
                "notes": list(one.notes),
            }
            for one in summary.steps
        ],
        "verification": [
            {
                "object": one.object_name,
                "done": one.done,
                "rows": one.rows,
                "compared": one.compared,
                "missing": one.missing,
                "duplicated": one.duplicated,
                "duplicate_keys": one.duplicate_keys,
                "extra": one.extra,
                "orphaned": dict(one.orphaned),
                "differing": dict(one.differing),
                "without_success": one.unsuccessful,
                "verdict": one.verdict or None,
            }
            for one in summary.verification
        ],
        "second_run": [
            {
                "step": one.step,
                "object": one.object_name,
                **{each.value: count for each, count in (one.again or {}).items()},
                "report": one.again_report.path if one.again_report else None,
            }
            for one in summary.repeated
        ],
    }
