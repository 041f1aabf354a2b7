"""A run as its files tell it, without its ledger: steps, rounds, slices, and what was read.

Only the log of the old ledger is believed, where it is whole: by the checksums in it pages count again. Everything else is read anew, or is asked of the org.

**Invariant:** a file counts when something vouches for it; what contradicts itself is refused with its name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from migrator.data import Engine, PageBroken, Workspace, prepared_anew
from migrator.errors import MigratorError
from migrator.executor.jobs import OUTCOMES, ROUND_BASE, folder
from migrator.executor.run import Goal, Policy, Run, from_ledger, with_step
from migrator.model.run import (
    Attempt,
    AttemptKind,
    AttemptState,
    Event,
    FileRef,
    LedgerRow,
    LedgerState,
    Page,
    RunRow,
    Slice,
    StepPhase,
    StepRow,
)
from migrator.model.schedule import ExtractStep, GateStep, LinkStep, LoadStep
from migrator.model.schedule_text import parse_schedule

S = AttemptState
#: how an attempt came to its end, by where it ended
PATHS = {
    (AttemptKind.BULK2, S.HARVESTED): (
        S.PLANNED,
        S.CREATED,
        S.UPLOADING,
        S.UPLOADED,
        S.CLOSING,
        S.CLOSED,
        S.TERMINAL,
        S.HARVESTED,
    ),
    (AttemptKind.BULK2, S.ABANDONED): (S.PLANNED, S.CREATED, S.UPLOADING, S.CLOSED, S.TERMINAL, S.ABANDONED),
    (AttemptKind.BULK2, S.UNKNOWN): (S.PLANNED, S.CREATED, S.UPLOADING, S.UNKNOWN),
    (AttemptKind.REST, S.HARVESTED): (S.PLANNED, S.SENDING, S.HARVESTED),
    (AttemptKind.QUERY, S.HARVESTED): (S.PLANNED, S.CREATED, S.TERMINAL, S.HARVESTED),
    (AttemptKind.GATE, S.OPENING): (S.PLANNED, S.OPENING),
}


#: events after which a gate holds nothing
_SHUT = frozenset({"gate-closed", "gate-skipped", "gate-missing", "gate-unavailable"})


def history(attempt: Attempt) -> tuple[Attempt, ...]:
    """The attempt in each state on its way, as the ledger wants to have seen it."""
    return tuple(replace(attempt, state=state) for state in PATHS[attempt.kind, attempt.state])


def bare_run(row: RunRow) -> Run:
    """The run as if nothing had been done."""
    state = LedgerState(row, {}, (), (), ())
    return from_ledger(state, parse_schedule(row.schedule_json), Goal.LOAD, Policy())


def sending_steps(run: Run) -> list[LoadStep | LinkStep]:
    """The steps that send rows, in schedule order."""
    return [one for one in run.schedule.steps if isinstance(one, LoadStep | LinkStep)]


def with_files(run: Run, engine: Engine) -> Run:
    """The run with the rounds and slices that its files tell of; nothing of them is sent yet."""
    for step in sending_steps(run):
        rounds = list(_rounds(engine, step.id))
        if rounds:
            run = _laid_out(run, engine, step, rounds)
    return run


def _rounds(engine: Engine, step: str) -> Iterator[FileRef]:
    """The rows files of the step, in order."""
    place = folder("rows", step)
    numbered = sorted((int(name.split(".")[0].split("-")[0]), name) for name in engine.workspace.names(place))
    for expected, (number, name) in enumerate(numbered, start=1):
        if number != expected:
            raise _contradiction(f"{place} has no rows of round {expected}")
        found = engine.workspace.measured(f"{place}/{name}", 0)
        if found is not None:
            yield replace(found, rows=sum(engine.outline(found).values()))


def _laid_out(run: Run, engine: Engine, step: LoadStep | LinkStep, rounds: Sequence[FileRef]) -> Run:
    place = folder("outcomes", step.id)
    names = [
        one for one in engine.workspace.names(place) if re.fullmatch(r"(prepared|again-\d+)\.parquet", one)
    ]
    files = list(rounds)
    for name in names:
        found = engine.workspace.measured(f"{place}/{name}", 0)
        if found is not None:
            files.append(replace(found, rows=engine.row_count([found])))
    anew = [number for number, one in enumerate(rounds, start=1) if prepared_anew(one)]
    row = StepRow(
        step.id,
        StepPhase.OPEN,
        total=engine.row_count(files),
        rounds=len(rounds),
        files=tuple(files),
        counts={ROUND_BASE: anew[-1] - 1} if anew else {},
        started=run.row.started,
    )
    slices = {(one.step, one.no): one for one in _slices(engine, step, rounds)}
    queue = {**run.queue, step.id: tuple(no for _, no in slices)}
    return replace(with_step(run, row), slices={**run.slices, **slices}, queue=queue)


def _slices(engine: Engine, step: LoadStep | LinkStep, rounds: Sequence[FileRef]) -> Iterator[Slice]:
    for number, rows in enumerate(rounds, start=1):
        packing = engine.packing(rows)
        for no, count in engine.outline(rows).items():
            path = f"{folder('slices', step.id)}/{no}.csv"
            file = engine.workspace.measured(path, count)
            if file is None:
                raise _contradiction(f"{path} is missing")
            yield Slice(step.id, no, number, file, step.lane, *packing.get(no, ("", 0)))


def later_files(run: Run, step: str, round_: int) -> tuple[FileRef, ...]:
    """The rows files and outcome files of the step that came after a round."""
    files = run.steps[step].files
    rows = [one for one in files if not one.path.startswith(OUTCOMES)][round_:]
    made = [
        one
        for one in files
        if (found := re.search(r"/again-(\d+)\.parquet$", one.path)) and int(found[1]) > round_
    ]
    return (*rows, *made)


def highest_attempt(workspace: Workspace, run: Run, events: Sequence[Event]) -> int:
    """A number that no attempt of the old ledger had: files keep their names."""
    numbers = [int(one.facts["attempt"] or 0) for one in events if isinstance(one.facts.get("attempt"), int)]
    for step in run.schedule.steps:
        for kind in ("extract", "results", "replies", "outcomes"):
            for name in workspace.names(folder(kind, step.id)):
                numbers += [int(one) for one in re.findall(r"\d+", name)]
    return max(numbers, default=0)


# -- what the log vouches for


def read_before(run: Run, engine: Engine, events: Sequence[Event], first_id: int) -> list[LedgerRow]:
    """Extracts whose pages are all there, byte for byte what the log says: ledger rows that say so.

    What an undo takes back was written down when it began, and can be read nowhere else: its files count as those of rows do.
    """
    workspace = engine.workspace
    taken_back = {
        one.source_extract for one in run.schedule.steps if isinstance(one, LoadStep) and one.undoes
    }
    rows: list[LedgerRow] = []
    for step in run.schedule.steps:
        if not isinstance(step, ExtractStep):
            continue
        if step.id in taken_back:
            rows.append(_kept(run, step, engine))
            continue
        if step.file:
            rows += _frozen(step, workspace, events)
            continue
        rows += _read(run, step, workspace, events, first_id + len(rows)) or _overwritten(run, step)
    return rows


def _read(
    run: Run, step: ExtractStep, workspace: Workspace, events: Sequence[Event], number: int
) -> list[LedgerRow]:
    done = [one for one in events if one.kind == "query-read" and one.facts.get("step") == step.id]
    again = [one for one in events if one.kind == "read-again" and one.facts.get("step") == step.id]
    if not done or (again and again[-1].seq > done[-1].seq):
        return []
    told = done[-1]
    attempt = Attempt(number, step.id, AttemptKind.QUERY, S.HARVESTED, rows=int(told.facts["rows"] or 0))
    pages = _pages(step, attempt, workspace, events, int(told.facts["attempt"] or 0))
    if pages is None:
        return []
    row = StepRow(step.id, StepPhase.DONE, total=attempt.rows, started=run.row.started, finished=told.at)
    return [row, *history(attempt), *pages]


def _overwritten(run: Run, step: ExtractStep) -> list[LedgerRow]:
    """Before-images that nobody vouches for, of records that the run may have overwritten: what is there now is no before-image."""
    load = f"load.{step.object_name}"
    if step.id != f"before.{step.object_name}" or run.steps[load].total is None:
        return []
    note = (
        "the former values of records are not certain any more; `undo --restore-updates` cannot put them back"
    )
    return [StepRow(step.id, StepPhase.DONE, total=0, notes=(note,))]


def _pages(
    step: ExtractStep, attempt: Attempt, workspace: Workspace, events: Sequence[Event], old: int
) -> list[Page] | None:
    """The pages of the old attempt; None: one of them is not what was stored."""
    pages: list[Page] = []
    for one in events:
        if one.kind == "page-stored" and one.facts.get("attempt") == old:
            seq, count = int(one.facts["page"] or 0), int(one.facts["rows"] or 0)
            file = workspace.measured(f"{folder('extract', step.id)}/{old}-{seq:05d}.csv", count)
            if file is None or file.sha256 != one.facts["sha256"]:
                return None
            pages.append(Page(attempt.id, step.id, len(pages), file))
    return pages if pages and sum(one.file.rows for one in pages) == attempt.rows else None


def _kept(run: Run, step: ExtractStep, engine: Engine) -> StepRow:
    """The records that an undo takes back, as many as its schedule says."""
    place, rows = folder("extract", step.id), step.expected or 0
    for name in engine.workspace.names(place):
        file = engine.workspace.measured(f"{place}/{name}", rows)
        if file is None:
            continue
        try:
            engine.check_page(file, step.columns, rows)
        except PageBroken:
            continue
        return StepRow(step.id, StepPhase.DONE, rows, files=(file,), started=run.row.started)
    raise _contradiction(f"{place} has no file with the {rows} records of {step.id}")


def _frozen(step: ExtractStep, workspace: Workspace, events: Sequence[Event]) -> Iterator[LedgerRow]:
    told = [one for one in events if one.kind == "step-done" and one.facts.get("step") == step.id]
    if not told:
        return
    place, facts = folder("extract", step.id), told[-1].facts
    for name in workspace.names(place):
        file = workspace.measured(f"{place}/{name}", int(facts.get("rows") or 0))
        if file is not None and file.sha256 == facts.get("sha256"):
            yield StepRow(step.id, StepPhase.DONE, total=file.rows, files=(file,), finished=told[-1].at)
            return


def gates_before(run: Run, events: Sequence[Event], first_id: int) -> tuple[list[LedgerRow], list[str]]:
    """Gates that may be open, with what was found; and what a person has to look at, where the log does not say."""
    rows: list[LedgerRow] = []
    notes: list[str] = []
    for step in run.schedule.steps:
        if not isinstance(step, GateStep):
            continue
        mine = [one for one in events if one.facts.get("step") == step.id and one.kind.startswith("gate-")]
        found = [one for one in mine if one.kind == "gate-found"]
        if not found:
            notes.append(
                f"{step.id}: the log does not say what it found; see that the target is as it was before the run"
            )
        elif mine[-1].kind not in _SHUT:
            attempt = Attempt(
                first_id + len(rows),
                step.id,
                AttemptKind.GATE,
                S.OPENING,
                job_state=str(found[-1].facts["found"]),
            )
            rows += [StepRow(step.id, StepPhase.OPEN, started=found[-1].at), *history(attempt)]
    return rows, notes


def _contradiction(what: str) -> MigratorError:
    return MigratorError(
        "state-corrupt",
        f"the files of the run do not fit together: {what}",
        hint="restore the run folder from a copy; without it nobody can tell what was sent",
    )
