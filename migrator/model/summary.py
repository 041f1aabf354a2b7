"""What a run came to: outcomes per object that add up, faults, and what verification found.

**Invariant:** made from the ledger alone, so `status` and `report` say the same as the run itself did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.errors import ExitCode
from migrator.model.gates import BY_HAND, Confirm, told
from migrator.model.lockfigures import LockFigures, lock_figures
from migrator.model.lockreport import LockReport
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    FileRef,
    LedgerState,
    Outcome,
    RunRow,
    RunStatus,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import (
    GateStep,
    LinkStep,
    LoadStep,
    MatchStep,
    Schedule,
    Step,
    VerifyStep,
)

#: outcomes that make a run end with exit code 1
UNSUCCESSFUL = frozenset({Outcome.FAILED, Outcome.BLOCKED, Outcome.QUARANTINED})


#: how many fields are named of one code's faults
FIELDS_SHOWN = 3

#: in `StepRow.counts`: what a second run would do to the rows of the step, by `Again`
SECOND_RUN = "again."
#: in the counts of a comparison: records of our user that the run knows nothing of
EXTRA = "extra"


class Again(StrEnum):
    """What a second run of the same plan would do to a row. REFUSED: the org would not take it. UNSENT: the plan leaves it out, or it does not fit."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DELETE = "delete"
    REFUSED = "refused"
    UNSENT = "unsent"

    @property
    def heading(self) -> str:
        """How its figures are headed."""
        match self:
            case Again.CREATE | Again.UPDATE | Again.DELETE:
                return f"would {self.value}"
            case Again.UNCHANGED | Again.REFUSED:
                return self.value
            case Again.UNSENT:
                return "not sent"


@dataclass(frozen=True, slots=True)
class StepSummary:
    """One step that gives rows an outcome. `total` is None before it is prepared; `lane` is empty for reference objects."""

    step: str
    object_name: str
    sobject: str
    operation: str
    lane: str
    guarantee: str
    phase: StepPhase
    total: int | None
    tallies: Mapping[Outcome, int]
    waiting: int
    faults: Mapping[str, int]
    jobs: int
    rounds: int
    notes: tuple[str, ...]
    started: float | None
    finished: float | None
    outcome_files: tuple[FileRef, ...]
    #: what a second run would do to the step's rows; None: it was not worked out
    again: Mapping[Again, int] | None = None
    #: the rows that it would create, when there are any
    again_report: FileRef | None = None
    #: how many faults of each code name which fields, the most frequent first; empty where the rows were not looked at
    fault_fields: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    #: how its rows spread over the records that they lock, and how they travel; None: they lock nothing, or are not cut yet
    locks: LockFigures | None = None

    @property
    def balanced(self) -> bool:
        """Whether every row has exactly one outcome."""
        return self.total is not None and sum(self.tallies.values()) == self.total

    def fields_of(self, code: str) -> str:
        """The fields that faults of the code name, in words: `OwnerId`, or with numbers unless all of them name the same."""
        found = list(self.fault_fields.get(code, {}).items())
        if len(found) == 1 and found[0][1] == self.faults.get(code):
            return found[0][0]
        shown = [f"{names} {count:,}" for names, count in found[:FIELDS_SHOWN]]
        return ", ".join([*shown, "…"] if len(found) > FIELDS_SHOWN else shown)

    @property
    def unsuccessful(self) -> int:
        """Rows that failed, were blocked or are quarantined."""
        return sum(self.tallies.get(one, 0) for one in UNSUCCESSFUL)


@dataclass(frozen=True, slots=True)
class VerificationSummary:
    """What reading the target back found for one object; all counts are rows, `differing` by field."""

    step: str
    object_name: str
    sobject: str
    done: bool
    rows: int
    compared: int
    missing: int
    duplicated: int
    differing: Mapping[str, int]
    report: FileRef | None
    notes: tuple[str, ...] = ()
    #: records that were given a parent and have none any more, by field
    orphaned: Mapping[str, int] = field(default_factory=dict)
    #: keys of loaded records that other records of the target have as well; they are among `duplicated`
    duplicate_keys: int = 0
    #: rows of the object that failed, were blocked or are quarantined: there is nothing of them to compare
    unsuccessful: int = 0
    #: records that our user made while jobs of the run were at work and that no result of them names
    extra: int = 0

    @property
    def wrong(self) -> int:
        """How many findings speak against the load."""
        fields = sum(self.orphaned.values()) + sum(self.differing.values())
        return self.missing + self.duplicated + self.extra + fields

    @property
    def verdict(self) -> str:
        """Empty until it was read back. Equal only when no row of the object was left behind, too."""
        if not self.done:
            return ""
        return "differs" if self.wrong else "incomplete" if self.unsuccessful else "equal"


@dataclass(frozen=True, slots=True)
class GateSummary:
    """One gate. `state` is that of its last attempt, `planned` before there is one; `held`: it changed the org and is not put back."""

    step: str
    what: str
    state: str
    held: bool
    since: float | None
    note: str

    @property
    def by_hand(self) -> bool:
        """Whether it waits for a person's word."""
        return self.note == BY_HAND


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole run."""

    run: RunRow
    schedule: Schedule
    steps: tuple[StepSummary, ...]
    verification: tuple[VerificationSummary, ...]
    gates: tuple[GateSummary, ...] = ()

    @property
    def held_gates(self) -> tuple[GateSummary, ...]:
        """Gates that have to be put back still."""
        return tuple(one for one in self.gates if one.held)

    @property
    def locked(self) -> tuple[LockReport, ...]:
        """What locks were expected to cost, and what they really do, of the loads that are more than one slice."""
        planned = {one.step: one for one in self.schedule.forecasts}
        found = [LockReport(one.step, planned.get(one.step), one.locks) for one in self.steps]
        return tuple(one for one in found if one.planned or (one.real and one.real.slices > 1))

    @property
    def complete(self) -> bool:
        """Whether every row of every object has an outcome."""
        return self.run.status is RunStatus.COMPLETE and all(one.balanced for one in self.steps)

    @property
    def verified(self) -> bool:
        """Whether verification ran for every object."""
        return bool(self.verification) and all(one.done for one in self.verification)

    @property
    def repeated(self) -> tuple[StepSummary, ...]:
        """The steps of which is known what a second run would do."""
        return tuple(one for one in self.steps if one.again is not None)

    @property
    def created_again(self) -> int:
        """How many records a second run would create, as far as that was worked out."""
        return sum((one.again or {}).get(Again.CREATE, 0) for one in self.steps)

    @property
    def load_exit(self) -> ExitCode:
        """The exit code of a finished load."""
        return ExitCode.ROWS_FAILED if any(one.unsuccessful for one in self.steps) else ExitCode.OK

    @property
    def verify_exit(self) -> ExitCode:
        """The exit code of a finished verification; what nothing is read back of must at least have succeeded."""
        unverified = any(one.verdict != "equal" for one in self.verification)
        return ExitCode.ROWS_FAILED if unverified or self.created_again else self.load_exit

    @property
    def not_read_back(self) -> tuple[StepSummary, ...]:
        """The steps that send rows of objects that verification does not look at."""
        seen = {one.object_name for one in self.verification}
        return tuple(one for one in self.steps if one.guarantee != "R" and one.object_name not in seen)


def summarize(state: LedgerState, schedule: Schedule) -> Summary:
    """The summary of what the ledger holds."""
    attempts: dict[str, list[Attempt]] = {}
    for one in state.attempts:
        attempts.setdefault(one.step, []).append(one)
    steps: list[StepSummary] = []
    verification: list[VerificationSummary] = []
    gates: list[GateSummary] = []
    for step in schedule.steps:
        row = state.steps.get(step.id, StepRow(step.id))
        match step:
            case MatchStep() | LoadStep() | LinkStep():
                steps.append(_step_summary(step, row, attempts.get(step.id, []), state))
            case VerifyStep():
                mine = sum(one.unsuccessful for one in steps if one.object_name == step.object_name)
                verification.append(_verification(step, row, mine))
            case GateStep():
                gates.append(_gate_summary(step, row, attempts.get(step.id, [])))
            case _:
                pass
    return Summary(state.run, schedule, tuple(steps), tuple(verification), tuple(gates))


def _gate_summary(step: GateStep, row: StepRow, attempts: list[Attempt]) -> GateSummary:
    last = max(attempts, key=lambda one: one.id, default=None)
    # opening too: it may be open, and only the org knows
    touched = last is not None and last.state in {
        AttemptState.OPENING,
        AttemptState.OPEN,
        AttemptState.SHUTTING,
    }
    return GateSummary(
        step=step.id,
        what=told(step.gate),
        state=last.state.value if last else AttemptState.PLANNED.value,
        held=touched and not isinstance(step.gate, Confirm),
        since=row.started,
        note=last.note if last else "",
    )


def _step_summary(
    step: MatchStep | LoadStep | LinkStep, row: StepRow, attempts: list[Attempt], state: LedgerState
) -> StepSummary:
    faults: dict[str, int] = {}
    for attempt in attempts:
        for code, count in attempt.faults.items():
            faults[code] = faults.get(code, 0) + count
    for key, count in row.counts.items():
        if key.startswith("fault."):
            code = key.removeprefix("fault.")
            faults[code] = faults.get(code, 0) + count
    lanes = sorted({one.lane.value for one in state.slices if one.step == row.step})
    made = tuple(one for one in row.files if one.path.startswith("outcomes/"))
    settled = tuple(one.outcomes for one in attempts if one.outcomes is not None and one.state.final)
    return StepSummary(
        step=step.id,
        object_name=step.object_name,
        sobject=step.sobject,
        operation=_operation(step),
        lane="+".join(lanes),
        guarantee="R" if isinstance(step, MatchStep) else step.guarantee.value,
        phase=row.phase,
        total=row.total,
        tallies=row.tallies,
        waiting=row.waiting,
        faults=dict(sorted(faults.items(), key=lambda item: (-item[1], item[0]))),
        jobs=sum(1 for one in attempts if one.job_id and one.kind is not AttemptKind.QUERY),
        rounds=row.rounds,
        notes=row.notes,
        started=row.started,
        finished=row.finished,
        outcome_files=made + settled,
        again=_again(row),
        locks=lock_figures(row.counts),
        again_report=next((one for one in reversed(row.files) if one.path.startswith("compare/")), None),
    )


def _again(row: StepRow) -> dict[Again, int] | None:
    if not any(key.startswith(SECOND_RUN) for key in row.counts):
        return None
    return {one: row.counts.get(SECOND_RUN + one.value, 0) for one in Again}


def _operation(step: MatchStep | LoadStep | LinkStep) -> str:
    match step:
        case MatchStep():
            return "reference"
        case LoadStep():
            return step.operation.value
        case LinkStep():
            return "link " + ", ".join(one.rule.target for one in step.lookups)


def _verification(step: Step, row: StepRow, unsuccessful: int) -> VerificationSummary:
    reports = [one for one in row.files if one.path.startswith("compare/")]
    return VerificationSummary(
        step=step.id,
        object_name=step.object_name,
        sobject=step.sobject,
        done=row.phase is StepPhase.DONE,
        rows=row.counts.get("rows", 0),
        compared=row.counts.get("compared", 0),
        missing=row.counts.get("missing", 0),
        duplicated=row.counts.get("duplicated", 0),
        differing=_by_field(row, "differing."),
        orphaned=_by_field(row, "orphaned."),
        duplicate_keys=row.counts.get("duplicate.keys", 0),
        unsuccessful=unsuccessful,
        extra=row.counts.get(EXTRA, 0),
        report=reports[-1] if reports else None,
        notes=row.notes,
    )


def _by_field(row: StepRow, prefix: str) -> dict[str, int]:
    found = sorted(row.counts.items())
    return {key.removeprefix(prefix): count for key, count in found if key.startswith(prefix)}
