"""What a report says, worked out once for all of its forms.

**Invariant:** every number comes from the summary, and every form shows the same ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from migrator.model.run import Outcome, RunStatus, StepPhase
from migrator.model.schedule import LinkStep, LoadStep, MatchStep
from migrator.model.summary import GateSummary, StepSummary, Summary, VerificationSummary

#: shown in this order, the good ones first
OUTCOMES = tuple(Outcome)


class Kind(StrEnum):
    """What a step does to its rows."""

    MATCH = "match"
    LOAD = "load"
    LINK = "link"


class Verdict(StrEnum):
    """The one thing to know about a run."""

    VERIFIED = "verified"
    MOVED = "moved"
    PARTLY = "partly"
    DIFFERENT = "different"
    REPEATS = "repeats"
    UNFINISHED = "unfinished"
    UNBALANCED = "unbalanced"

    @property
    def good(self) -> bool:
        """Whether nothing is left to look into."""
        return self in {Verdict.VERIFIED, Verdict.MOVED}


@dataclass(frozen=True, slots=True)
class RowsFile:
    """A CSV file that lists the rows of one step with their outcomes; the path is shown as it is."""

    step: str
    object_name: str
    path: str
    rows: int


@dataclass(frozen=True, slots=True)
class Fault:
    """How many answers of one code the rows of a step got; a row that was sent again may have had several."""

    step: StepSummary
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A run, as its report tells it."""

    summary: Summary
    #: when the report was made, epoch seconds
    made: float
    verdict: Verdict
    headline: str
    detail: str
    matched: tuple[StepSummary, ...]
    loaded: tuple[StepSummary, ...]
    linked: tuple[StepSummary, ...]
    #: rows of all loads by outcome, every outcome there
    totals: Mapping[Outcome, int]
    #: rows of all loads; those of loads that have not begun are not known yet
    rows: int
    faults: tuple[Fault, ...]
    verification: tuple[VerificationSummary, ...]
    gates: tuple[GateSummary, ...]
    files: tuple[RowsFile, ...]

    @property
    def seconds(self) -> float | None:
        """How long the run took, pauses included; None while it goes on."""
        run = self.summary.run
        return None if run.finished is None else run.finished - run.started

    @property
    def notes(self) -> list[tuple[str, str]]:
        """What steps noted, each with the step's id."""
        noted = [(one.step, note) for one in self.summary.steps for note in one.notes]
        return noted + [(one.step, note) for one in self.verification for note in one.notes]

    def file_of(self, step: str) -> RowsFile | None:
        """Where the rows of that step are listed."""
        return next((one for one in self.files if one.step == step), None)


def gather(summary: Summary, made: float, files: Sequence[RowsFile] = ()) -> Facts:
    """Work a summary out."""
    kinds = {one.step: kind_of(summary, one) for one in summary.steps}
    loaded = tuple(one for one in summary.steps if kinds[one.step] is Kind.LOAD)
    verdict, headline, detail = _verdict(summary, loaded)
    return Facts(
        summary=summary,
        made=made,
        verdict=verdict,
        headline=headline,
        detail=detail,
        matched=tuple(one for one in summary.steps if kinds[one.step] is Kind.MATCH),
        loaded=loaded,
        linked=tuple(one for one in summary.steps if kinds[one.step] is Kind.LINK),
        totals=_totals(loaded),
        rows=sum(one.total or 0 for one in loaded),
        faults=tuple(_faults(summary)),
        verification=summary.verification,
        gates=summary.gates,
        files=tuple(files),
    )


def kind_of(summary: Summary, step: StepSummary) -> Kind:
    """What the step does, as the schedule has it."""
    match summary.schedule.step(step.step):
        case LoadStep():
            return Kind.LOAD
        case LinkStep():
            return Kind.LINK
        case MatchStep():
            return Kind.MATCH
        case other:
            raise TypeError(f"{type(other).__name__} gives no row an outcome")


def _totals(steps: Sequence[StepSummary]) -> dict[Outcome, int]:
    return {outcome: sum(one.tallies.get(outcome, 0) for one in steps) for outcome in OUTCOMES}


def _faults(summary: Summary) -> Iterator[Fault]:
    found = [Fault(step, code, count) for step in summary.steps for code, count in step.faults.items()]
    yield from sorted(found, key=lambda one: (-one.count, one.step.step, one.code))


def _verdict(summary: Summary, loaded: Sequence[StepSummary]) -> tuple[Verdict, str, str]:
    rows = sum(one.total or 0 for one in loaded)
    done = sum(sum(one.tallies.values()) for one in loaded)
    if summary.run.status is not RunStatus.COMPLETE:
        return (
            Verdict.UNFINISHED,
            _unfinished(summary.run.status),
            f"{counted(done)} of {counted(rows, 'row')} known so far {'has' if rows == 1 else 'have'} an outcome.",
        )
    if not summary.complete:
        return (
            Verdict.UNBALANCED,
            "The outcomes do not add up",
            "At least one row has no outcome, or two. This is a bug: please report it.",
        )
    unsuccessful = sum(one.unsuccessful for one in summary.steps)
    wrong = sum(one.wrong for one in summary.verification)
    if unsuccessful:
        return (
            Verdict.PARTLY,
            f"Finished, {counted(unsuccessful, 'row')} without success",
            "Each of them is listed with the reason below, and in the files of outcomes.",
        )
    if wrong:
        return (
            Verdict.DIFFERENT,
            f"Moved, and {counted(wrong, 'difference')} found by verification",
            "The target does not hold what was sent: see the verification below.",
        )
    if summary.created_again:
        return (
            Verdict.REPEATS,
            f"Moved, and a second run would create {counted(summary.created_again, 'record')}",
            "The target holds what was sent; running the plan again would not leave it as it is: see the second run below.",
        )
    if summary.verified:
        return (
            Verdict.VERIFIED,
            f"{counted(rows, 'row')} accounted for and verified",
            f"Every source row has one outcome, and the target was read back: it holds what was sent.{_unread(summary)}",
        )
    return (
        Verdict.MOVED,
        f"{counted(rows, 'row')} accounted for",
        "Every source row has one outcome. The target was not read back yet: `migrator verify` does that."
        if summary.verification
        else f"Every source row has one outcome.{_unread(summary)}",
    )


def _unread(summary: Summary) -> str:
    left = [one.step for one in summary.not_read_back]
    return f" Nothing is read back of {', '.join(left)}." if left else ""


def _unfinished(status: RunStatus) -> str:
    match status:
        case RunStatus.PAUSED:
            return "Paused: `migrator resume` goes on"
        case RunStatus.STOPPED:
            return "Stopped before the end: `migrator resume` goes on"
        case RunStatus.UNDONE:
            return "Taken back by `migrator undo`, in a run of its own"
        case _:
            return "Not finished: still going, or interrupted"


def counted(number: int, noun: str = "") -> str:
    """A number for people, with its noun when there is one."""
    return f"{number:,}" if not noun else f"{number:,} {noun}{'' if number == 1 else 's'}"


def phase_word(step: StepSummary) -> str:
    """How far a step is, in a word."""
    match step.phase:
        case StepPhase.DONE:
            return "done" if step.balanced else "unbalanced"
        case StepPhase.OPEN:
            return "going"
        case StepPhase.PENDING:
            return "waiting"


def seconds_of(step: StepSummary) -> float | None:
    """How long the step took; None while it goes on."""
    return None if step.started is None or step.finished is None else step.finished - step.started
