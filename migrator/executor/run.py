"""A run in memory: the ledger's rows, indexed, and what is known only while a process lives (what is busy, what is due).

**Invariant:** everything that a resumed run needs is in the ledger's rows; `busy`, `due`, `tries`, `streaks` and `waits` may be lost at any instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from migrator.errors import ExitCode
from migrator.executor.actions import (
    AttemptAction,
    StepAction,
)
from migrator.executor.budget import Trip, trips
from migrator.executor.dispatch import in_order
from migrator.model.platform import PARALLELISM
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    FileRef,
    LedgerState,
    Page,
    RunRow,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import Schedule, Step, VerifyStep
from migrator.planner import shared_locks

#: what an action is busy with: an attempt's id, or a step's
Key = int | str


class Goal(StrEnum):
    """Which steps are performed: all that move records, those that verify, or none: gates are put back."""

    LOAD = "load"
    VERIFY = "verify"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers by which a run is steered; times in seconds."""

    #: how many attempts of one step are on their way at once at most, where the plan does not say; an org works at about so many batches at once
    in_flight: int = PARALLELISM
    #: rounds of re-sending rows with a fault that may pass (guarantee: at most 6 tries a row)
    max_rounds: int = 6
    #: pause before the second round; doubled each round, at most `max_round_delay`
    round_delay: float = 15.0
    max_round_delay: float = 600.0
    poll_first: float = 0.5
    poll_factor: float = 1.6
    poll_max: float = 60.0
    #: the run pauses after more fruitless requests in a row on one attempt than this, which went on for so many seconds
    max_lost: int = 8
    patience: float = 900.0
    #: whether the org's daily allowances are waited for; else the run pauses
    wait: bool = True
    #: seconds in which nothing moves before the process is taken for stuck
    still: float = 600.0
    #: how long a stopping run waits for what is under way; what is not back by then is resolved by `resume`
    stop_patience: float = 10.0
    #: how often results that do not add up are fetched again before they are quarantined
    max_refetch: int = 5
    #: how many jobs one slice may need because uploads were cut
    max_tries: int = 20

    def poll_delay(self, polls: int, expected: float = 0.0) -> float:
        """How long to wait before the next poll, after `polls` of them; `expected`: how long the job will probably take (0: not known).

        Where that is known one poll comes shortly before the end, the ones before it as rarely as may be, those after it in small steps that grow.
        """
        if expected <= self.poll_first:
            return float(min(self.poll_max, self.poll_first * self.poll_factor**polls))
        before = int(0.97 * expected / self.poll_max)
        if polls < before:
            return self.poll_max
        near = polls - before
        delay = 0.97 * expected - before * self.poll_max if near == 0 else 0.03 * expected * 1.3 ** (near - 1)
        return float(min(self.poll_max, max(self.poll_first / 2, delay)))

    def lost_delay(self, lost: int, chance: float = 1.0) -> float:
        """How long to wait after `lost` fruitless requests in a row; `chance` (0 to 1) is the full jitter."""
        return float(min(self.poll_max, 2.0 ** max(0, lost - 1)) * chance)

    def next_round_delay(self, rounds: int, chance: float) -> float:
        """How long to wait before the rows of round `rounds` are sent once more; `chance` (0 to 1) is the full jitter.

        Runs that lost the same fight for a lock do not meet again at the same instant
        (AWS Architecture Blog, "Exponential Backoff And Jitter").
        """
        return float(min(self.max_round_delay, self.round_delay * 2.0 ** max(0, rounds - 1)) * chance)


@dataclass(frozen=True, slots=True)
class Streak:
    """What happens to an attempt again and again, since when, and how often: requests get no usable answer (`lost`), or its job does not move."""

    since: float
    count: int
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the run will begin nothing new, and how the command ends."""

    code: str
    what: str
    hint: str
    exit_code: ExitCode

    def __str__(self) -> str:
        return f"stopped[{self.code}] {self.what} → {self.hint}"


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Mappings are never changed in place."""

    row: RunRow
    schedule: Schedule
    goal: Goal
    policy: Policy
    steps: Mapping[str, StepRow]
    slices: Mapping[tuple[str, int], Slice]
    #: attempts that are not final, by id
    live: Mapping[int, Attempt]
    #: attempts that are final, by step, in order of id
    settled: Mapping[str, tuple[Attempt, ...]]
    #: slices without a live attempt that still have to be sent, by step, in order
    queue: Mapping[str, tuple[int, ...]]
    #: pages by attempt, in order
    pages: Mapping[int, tuple[Page, ...]]
    next_attempt: int
    #: which steps each step waits for
    before: Mapping[str, tuple[str, ...]]
    #: steps that lock records of one sObject: slices of two of them are never on their way at the same time
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)
    busy: Mapping[Key, StepAction | AttemptAction] = field(default_factory=dict)
    due: Mapping[Key, float] = field(default_factory=dict)
    #: polls, or results that did not add up, in a row
    tries: Mapping[Key, int] = field(default_factory=dict)
    streaks: Mapping[Key, Streak] = field(default_factory=dict)
    #: what is waited for, in words, where it is not simply a job at work
    waits: Mapping[Key, str] = field(default_factory=dict)
    stop: Stop | None = None
    #: why no slice may begin now; empty: it may
    held_back: str = ""
    #: why steps are held, by step; empty name: the run itself
    trips: Mapping[str, Trip] = field(default_factory=dict)

    def held(self, step: str) -> bool:
        """Whether nothing more of the step may be sent, and nothing that waits for it may begin."""
        return step in self.trips or any(one.everything for one in self.trips.values())

    #: who confirmed which gate, for gates that wait for a person
    answers: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, step: Step) -> bool:
        """Whether the goal asks for this step."""
        if self.goal is Goal.RESTORE:
            return False
        return isinstance(step, VerifyStep) == (self.goal is Goal.VERIFY)

    @property
    def wanted_steps(self) -> tuple[Step, ...]:
        """The steps that the goal asks for, in schedule order."""
        return tuple(step for step in self.schedule.steps if self.wanted(step))

    @property
    def over(self) -> bool:
        """Whether nothing is left to do for the goal."""
        done = all(self.steps[step.id].phase is StepPhase.DONE for step in self.wanted_steps)
        return done and (self.goal is Goal.VERIFY or not self.holds_gates)

    @property
    def all_done(self) -> bool:
        """Whether every step that moves records, or opens a gate, is done."""
        steps = (step for step in self.schedule.steps if not isinstance(step, VerifyStep))
        return all(self.steps[step.id].phase is StepPhase.DONE for step in steps)

    @property
    def holds_gates(self) -> bool:
        """Whether a gate is (perhaps) open that has to be put back."""
        return any(one.kind is AttemptKind.GATE for one in self.live.values())

    def live_of(self, step: str) -> tuple[Attempt, ...]:
        """The step's attempts that are on their way."""
        return tuple(attempt for attempt in self.live.values() if attempt.step == step)

    def ended(self, step: str) -> bool:
        """Whether nothing of a step that sends rows is left to send."""
        row = self.steps[step]
        return row.total is not None and not (row.waiting or self.queue.get(step) or self.live_of(step))

    def slices_answered(self, step: str) -> int:
        """How many slices of the step have outcomes."""
        return sum(one.outcomes is not None for one in self.settled.get(step, ()))

    def outcome_files(self, step: str) -> tuple[FileRef, ...]:
        """The files that hold the outcomes of the step's rows so far: what its preparation decided, then its attempts."""
        made = tuple(one for one in self.steps[step].files if one.path.startswith("outcomes/"))
        return made + tuple(one.outcomes for one in self.settled.get(step, ()) if one.outcomes is not None)

    def extract_files(self, step: str) -> tuple[FileRef, ...]:
        """The pages of a finished extract (or the frozen source file)."""
        for attempt in reversed(self.settled.get(step, ())):
            if attempt.state is AttemptState.HARVESTED:
                return tuple(page.file for page in self.pages.get(attempt.id, ()))
        return self.steps[step].files[-1:]


def key_of(action: StepAction | AttemptAction) -> Key:
    """What the action is busy with."""
    return action.step if isinstance(action, StepAction) else action.attempt


def from_ledger(state: LedgerState, schedule: Schedule, goal: Goal, policy: Policy) -> Run:
    """The run as the ledger remembers it; nothing is busy and everything is due."""
    settled: dict[str, tuple[Attempt, ...]] = {}
    live: dict[int, Attempt] = {}
    for attempt in sorted(state.attempts, key=lambda one: one.id):
        if attempt.state.final:
            settled[attempt.step] = (*settled.get(attempt.step, ()), attempt)
        else:
            live[attempt.id] = attempt
    pages: dict[int, tuple[Page, ...]] = {}
    for page in sorted(state.pages, key=lambda one: (one.attempt, one.seq)):
        pages[page.attempt] = (*pages.get(page.attempt, ()), page)
    steps = {step.id: state.steps.get(step.id, StepRow(step.id)) for step in schedule.steps}
    return Run(
        row=state.run,
        schedule=schedule,
        goal=goal,
        policy=policy,
        steps=steps,
        slices={(one.step, one.no): one for one in state.slices},
        live=live,
        settled=settled,
        queue=_queue(state, live, settled),
        pages=pages,
        before=_before(schedule),
        apart=_apart(schedule),
        next_attempt=max((one.id for one in state.attempts), default=0) + 1,
        trips={one.step: one for one in trips(schedule, steps, settled)},
    )


def _apart(schedule: Schedule) -> dict[str, frozenset[str]]:
    apart: dict[str, frozenset[str]] = {}
    for shared in shared_locks(schedule):
        for step in shared.steps:
            apart[step] = apart.get(step, frozenset()) | (frozenset(shared.steps) - {step})
    return apart


def _before(schedule: Schedule) -> dict[str, tuple[str, ...]]:
    before: dict[str, tuple[str, ...]] = {step.id: () for step in schedule.steps}
    for edge in schedule.edges:
        before[edge.after] = (*before[edge.after], edge.before)
    return before


def _queue(
    state: LedgerState, live: Mapping[int, Attempt], settled: Mapping[str, tuple[Attempt, ...]]
) -> dict[str, tuple[int, ...]]:
    done = {
        (one.step, one.slice)
        for attempts in settled.values()
        for one in attempts
        if one.state is not AttemptState.ABANDONED
    } | {(one.step, one.slice) for one in live.values()}
    waiting: dict[str, list[Slice]] = {}
    for one in sorted(state.slices, key=lambda each: (each.step, each.no)):
        if (one.step, one.no) not in done:
            waiting.setdefault(one.step, []).append(one)
    return {step: in_order(slices) for step, slices in waiting.items()}


def with_step(run: Run, row: StepRow) -> Run:
    """The run with that step row in the place of the old one."""
    return replace(run, steps={**run.steps, row.step: row})


def with_attempt(run: Run, attempt: Attempt) -> Run:
    """The run with that attempt in the place of the old one, live or settled as its state says."""
    if not attempt.state.final:
        return replace(run, live={**run.live, attempt.id: attempt})
    live = {key: value for key, value in run.live.items() if key != attempt.id}
    mine = (*run.settled.get(attempt.step, ()), attempt)
    return replace(run, live=live, settled={**run.settled, attempt.step: mine})


def released(
    run: Run,
    key: Key,
    *,
    due: float | None = None,
    tries: int | None = None,
    streak: Streak | None = None,
    why: str = "",
) -> Run:
    """The run with `key` no longer busy; due at `due` (at once, when None) for the reason `why`, with that many tries behind it."""
    dues = {one: at for one, at in run.due.items() if one != key}
    counts = {one: count for one, count in run.tries.items() if one != key}
    waits = {one: told for one, told in run.waits.items() if one != key}
    if due is not None:
        dues[key] = due
    if tries:
        counts[key] = tries
    if why:
        waits[key] = why
    without = {one: each for one, each in run.streaks.items() if one != key}
    if streak is not None:
        without[key] = streak
    busy = {one: action for one, action in run.busy.items() if one != key}
    return replace(run, busy=busy, due=dues, tries=counts, streaks=without, waits=waits)
