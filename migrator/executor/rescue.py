"""A new ledger for a run whose own cannot be trusted any more: from its files, from what is whole of its log, and from the org's own jobs.

What the org did is asked of the org: its jobs of the last seven days repeat every row that they were given, and so each is known by its rows. A slice that no
job has, that nothing speaks of and that cannot have been in one, was never processed. For every other slice its rows are looked up in the target by `resume`,
like all rows of unknown fate, and quarantined where that does not tell.

**Invariant:** the old ledger is read and kept; a slice is sent again only if no job can have had it, or if sending twice does no harm.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from migrator.clock import Clock
from migrator.data import Engine, Workspace
from migrator.data.jobs import Settled
from migrator.data.later import StandingJob
from migrator.errors import ExitCode, MigratorError
from migrator.executor import jobs
from migrator.executor.change import added
from migrator.executor.evidence import Answer, Evidence, Key
from migrator.executor.jobs import OUTCOMES
from migrator.executor.rounds import rung
from migrator.executor.run import with_attempt, with_step
from migrator.executor.salvage import (
    bare_run,
    gates_before,
    history,
    later_files,
    read_before,
    sending_steps,
    with_files,
)
from migrator.executor.users import check_identities
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    Facts,
    FileRef,
    LedgerRow,
    Outcome,
    RunStatus,
    Slice,
)
from migrator.model.schedule import Guarantee, Lane, LinkStep, LoadStep
from migrator.model.wire import JobInfo
from migrator.review import Ends
from migrator.state import Wreck, read_ledger

#: the org forgets its jobs after seven days (Bulk API guide, "Get All Jobs"); an hour less, so that none is missed
KEPT = 7 * 86_400.0 - 3_600.0
_WHY = "the ledger was damaged, and no job or file tells what became of its rows"


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was found. `answered`, `pending` and `unknown` count slices; `doubtful`: ids of jobs that match no slice; `aborted`: open jobs.

    `aside`: where the old ledger is now; None: nothing was changed.
    """

    damage: str
    events: int
    answered: int
    pending: int
    unknown: int
    doubtful: tuple[str, ...]
    aborted: tuple[str, ...]
    notes: tuple[str, ...]
    aside: Path | None


def rescue(wreck: Wreck, ends: Ends, *, clock: Clock, memory_mb: int, by: str, apply: bool) -> Rescued:
    """Make the run's ledger anew; with `apply` it takes the place of the old one, and open jobs of the run are aborted.

    Raises MigratorError `nothing-to-rescue` when the ledger is whole, `jobs-at-work` while jobs of the run are not at their end, `state-corrupt` when the files
    contradict themselves.
    """
    workspace = Workspace(wreck.folder)
    damage = wreck.damage or _damaged_file(wreck.folder, workspace)
    if not damage:
        raise MigratorError(
            "nothing-to-rescue",
            f"the ledger of run {wreck.run.run_id} and its files are whole",
            hint="resume it",
            exit_code=ExitCode.USAGE,
        )
    check_identities(wreck.run, ends)
    engine = Engine(workspace, memory_limit_mb=memory_mb)
    try:
        run = with_files(bare_run(wreck.run), engine)
        readers = tuple(one for one in (ends.source, ends.target) if one is not None)
        found = Evidence(wreck, run, ends.target, readers, engine, clock, apply=apply)
        found.gather()
        ledger = _Ledger(found)
        rows, notes = ledger.rows()
    finally:
        engine.close()
    aside = None
    if apply:
        undone = any(one.kind == "undo-begun" for one in wreck.events)
        status = RunStatus.UNDONE if undone else RunStatus.PAUSED
        row = replace(wreck.run, status=status, finished=None)
        facts: Facts = {"by": by, "damage": damage, "events": len(wreck.events), **ledger.counts()}
        aside = wreck.replace(row, rows, [("rescued", facts)])
    return Rescued(
        damage=damage,
        events=len(wreck.events),
        **ledger.counts(),
        doubtful=tuple(one.id for one in found.doubtful),
        aborted=tuple(one.id for one in found.open),
        notes=tuple(notes),
        aside=aside,
    )


def _damaged_file(folder_: Path, workspace: Workspace) -> str:
    """The first file of a whole ledger that is not what the ledger says; empty: all are."""
    state = read_ledger(folder_)
    refs = [
        *(one.file for one in state.pages),
        *(one.file for one in state.slices),
        *(one.outcomes for one in state.attempts if one.outcomes is not None),
        *(file for row in state.steps.values() for file in row.files),
    ]
    for ref in refs:
        try:
            workspace.verify(ref)
        except MigratorError as fault:
            return fault.diagnostic.what
    return ""


class _Ledger:
    """The rows of the new ledger."""

    def __init__(self, found: Evidence) -> None:
        self._found = found
        self._engine = found.engine
        self._notes: list[str] = []
        self.unknown: dict[Key, Attempt] = {}
        self.run = found.run
        for key, answer in found.answers.items():
            self.run = with_attempt(self.run, self._standing(answer, self.run.slices[key].round))
        self._doubt()

    def counts(self) -> dict[str, int]:
        """Slices by what is known of them."""
        answered, unknown = len(self._found.answers), len(self.unknown)
        return {
            "answered": answered,
            "pending": len(self.run.slices) - answered - unknown,
            "unknown": unknown,
        }

    def rows(self) -> tuple[list[LedgerRow], list[str]]:
        """All of them, and what a person has to look at."""
        found = self._found
        known = [one for mine in self.run.settled.values() for one in mine]
        every = sorted([*found.ended, *known, *self.unknown.values()], key=lambda one: one.id)
        steps: list[LedgerRow] = []
        for step in sending_steps(self.run):
            if self.run.steps[step.id].total is not None:
                self._sum_up(step)
                steps.append(self.run.steps[step.id])
        slices = list(self._slices())
        attempts = [each for one in every for each in history(one)]
        events = found.wreck.events
        read = read_before(self.run, self._engine, events, found.next_attempt)
        gates, notes = gates_before(self.run, events, found.next_attempt + len(read))
        return [*steps, *slices, *attempts, *read, *gates], notes

    def _doubt(self) -> None:
        """Slices without an answer: whether any job can have had them decides."""
        found = self._found
        now = found.clock.now() + (found.target.skew or 0.0)
        old = now - self.run.row.started > KEPT
        hinted = {found.hints[one] for one in found.gone if one in found.hints}
        loose = any(one not in found.hints for one in found.gone)
        spare = {job.id: job for job in found.doubtful}
        for step in sending_steps(self.run):
            if step.guarantee not in {Guarantee.INSERT, Guarantee.SERIAL_INSERT, Guarantee.DELETE}:
                continue  # sending twice does no harm; of deletes it has to be known that it is the second time
            for key, slice_ in self.run.slices.items():
                if key[0] != step.id or key in found.answers:
                    continue
                suspects = [one for one in found.doubtful if key in found.candidates(one)]
                serial = (
                    rung(self.run, step, slice_.round).lane is Lane.BULK1_SERIAL
                )  # whose jobs are not listed
                if old or loose or key in hinted or suspects or serial:
                    job = next((one for one in suspects if one.id in spare), None)
                    self._look_up(key, spare.pop(job.id) if job else None)

    def _look_up(self, key: Key, job: JobInfo | None) -> None:
        """The rows of the slice are looked up in the target when the run goes on."""
        attempt = Attempt(
            self._found.next_attempt,
            key[0],
            AttemptKind.BULK2,
            AttemptState.UNKNOWN,
            slice=key[1],
            job_id=job.id if job else "",
            rows=self.run.slices[key].file.rows,
            note=_WHY,
        )
        self._found.next_attempt += 1
        self.unknown[key] = attempt
        self.run = with_attempt(self.run, attempt)

    def _standing(self, answer: Answer, round_: int) -> Attempt:
        """The attempt with its outcomes, less what a later round took up again."""
        attempt, settled = answer.attempt, answer.settled
        later = later_files(self.run, attempt.step, round_)
        if later:
            name = f"{attempt.slice}-{attempt.id}+s"
            stands = self._engine.standing(StandingJob(attempt.step, name, settled.outcomes, later))
            settled = replace(stands, locked=settled.locked)
        return replace(
            attempt,
            outcomes=settled.outcomes,
            tallies=settled.tallies,
            waiting=settled.waiting,
            faults=settled.faults,
            locked=settled.locked,
        )

    def _sum_up(self, step: LoadStep | LinkStep) -> None:
        """The step's row: what its preparation decided and what its attempts came to."""
        row = self.run.steps[step.id]
        files: list[FileRef] = []
        tallies: dict[Outcome, int] = {}
        counts = dict(row.counts)
        waiting = 0
        for file in row.files:
            if not file.path.startswith(OUTCOMES):
                files.append(file)
                continue
            stands = self._prepared(step, file)
            files.append(stands.outcomes)
            tallies = added(tallies, stands.tallies)
            counts |= {
                f"fault.{code}": counts.get(f"fault.{code}", 0) + n for code, n in stands.faults.items()
            }
        for attempt in self.run.settled.get(step.id, ()):
            tallies = added(tallies, attempt.tallies)
            waiting += attempt.waiting
        ended = {one: count for one, count in tallies.items() if count}
        row = replace(row, files=tuple(files), tallies=ended, waiting=waiting, counts=counts)
        self.run = with_step(self.run, row)

    def _prepared(self, step: LoadStep | LinkStep, file: FileRef) -> Settled:
        """What preparing decided, as far as it still stands."""
        number = re.search(r"/again-(\d+)\.parquet$", file.path)
        later = later_files(self.run, step.id, int(number[1]) if number else 1)
        name = f"{Path(file.path).stem}+s"
        return self._engine.standing(StandingJob(step.id, name, file, later))

    def _slices(self) -> Iterator[Slice]:
        for (step, no), slice_ in self.run.slices.items():
            sender = jobs.sending(self.run.schedule.step(step))
            lane = rung(self.run, sender, slice_.round).lane
            known = (step, no) in self._found.answers or (step, no) in self.unknown
            if not known and not self._whole(slice_):
                raise MigratorError(
                    "state-corrupt",
                    f"{slice_.file.path} is not what the rows file of its round says, and has to be sent still",
                    hint="restore the file from a copy of the run folder",
                )
            yield replace(slice_, lane=lane)

    def _whole(self, slice_: Slice) -> bool:
        rows = jobs.rows_file(self.run, slice_.step, slice_.round)
        return self._engine.is_slice(rows, slice_.file, slice_.no)
