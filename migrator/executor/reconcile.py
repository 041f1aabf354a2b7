"""Rows whose fate is unknown are looked up in the target: a read, then a comparison, and an outcome only where there is no doubt.

The lookup is a query job of its own, in the same ledger, so that it survives a crash like everything else. It begins when nothing else of the
sObject is under way: a record that another job is making at the same moment must not pass for one of the unknown rows.

**Invariant:** pure; nothing is sent, and a row is never guessed: where records and rows do not pair up one to one, they are quarantined.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from migrator.data.jobs import Pages, SentColumn
from migrator.data.later import ReconcileJob, UnknownRows
from migrator.executor.actions import Action, BeginLookUp, Reconcile, Reconciled
from migrator.executor.budget import NOT_SENT
from migrator.executor.change import Change, added, finished
from migrator.executor.jobs import external_id, operation, rows_file, sending, sent_columns
from migrator.executor.run import Run
from migrator.model.plan import Operation
from migrator.model.run import Attempt, AttemptKind, AttemptState, Outcome
from migrator.model.schedule import Guarantee, LinkStep, LoadStep
from migrator.soql import queries

#: how much earlier than the job's creation a record of it may claim to be made: the org's servers need not agree to the second
WINDOW_MARGIN = 300.0
_MARKS = ("CreatedDate", "CreatedById", "SystemModstamp")
#: fields with which a run sets the marks of a record itself
_AUDIT = frozenset({"CreatedDate", "CreatedById"})


@dataclass(frozen=True, slots=True)
class LookUp:
    """The query for the records that unknown rows may have become, and its columns."""

    soql: str
    columns: tuple[str, ...]


def unknown(change: Change, attempt: Attempt, why: str) -> Change:
    """What the attempt's job did cannot be told by the job any more: its rows are looked up."""
    told = replace(attempt, state=AttemptState.UNKNOWN, note=why)
    return change.attempt(told, "fate-unknown", job=attempt.job_id, rows=attempt.rows)


def lookup_actions(run: Run, attempt: Attempt) -> Iterator[Action]:
    """What an attempt of unknown fate asks for."""
    step = sending(run.schedule.step(attempt.step))
    if operation(step).deletes or lookup_of(run, attempt) is not None:
        yield Reconcile(attempt.id)
        return
    mark = lookup_slice(attempt)
    begun = any(one.slice == mark for one in run.live_of(attempt.step))
    if not begun and not _others_under_way(run, step):
        yield BeginLookUp(attempt.step, attempt.id)


def lookup_slice(attempt: Attempt) -> int:
    """The number by which a lookup is known to belong to that attempt; slices have numbers from 0."""
    return -1 - attempt.id


def lookup_of(run: Run, attempt: Attempt) -> Attempt | None:
    """The finished lookup of the attempt's rows."""
    mark = lookup_slice(attempt)
    done = (one for one in run.settled.get(attempt.step, ()) if one.slice == mark)
    return next((one for one in done if one.state is AttemptState.HARVESTED), None)


def unknown_of(run: Run, sobject: str) -> tuple[Attempt, ...]:
    """The attempts of that sObject whose rows' fate is unknown."""
    found = (one for one in run.live.values() if one.state is AttemptState.UNKNOWN)
    return tuple(one for one in found if sending(run.schedule.step(one.step)).sobject == sobject)


def _others_under_way(run: Run, step: LoadStep | LinkStep) -> bool:
    for one in run.live.values():
        other = run.schedule.step(one.step)
        if one.kind is AttemptKind.QUERY or one.state is AttemptState.UNKNOWN:
            continue
        waits = run.held(one.step) and one.state in NOT_SENT
        if isinstance(other, LoadStep | LinkStep) and other.sobject == step.sobject and not waits:
            return True
    return False


def look_up(run: Run, attempt: Attempt) -> LookUp:
    """The query of an attempt of unknown fate (or of the lookup that belongs to it)."""
    doubtful = run.live[-1 - attempt.slice] if attempt.slice < 0 else attempt
    step = sending(run.schedule.step(doubtful.step))
    names = [one.name for one in sent_columns(step)]
    columns = tuple(dict.fromkeys(("Id", *(name for name in names if name != "Id"), *_MARKS)))
    since = datetime.fromtimestamp(_since(run, doubtful), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = run.row.target_user_id
    if _keyless(step) and operation(step) is Operation.INSERT and not _AUDIT & set(names):
        where = f"CreatedById = '{user}' AND CreatedDate >= {since}"
    else:
        where = f"SystemModstamp >= {since}"
    return LookUp(queries.select(step.sobject, columns, where), columns)


def _since(run: Run, attempt: Attempt) -> float:
    return (run.row.started if attempt.created_at is None else attempt.created_at) - WINDOW_MARGIN


def _keyless(step: LoadStep | LinkStep) -> bool:
    """Whether two records may come of one row: then only a full pairing is an answer."""
    return step.guarantee in {Guarantee.INSERT, Guarantee.SERIAL_INSERT}


def reconcile_job(run: Run, attempt: Attempt) -> ReconcileJob:
    """Compare unknown rows with what the lookup found."""
    step = sending(run.schedule.step(attempt.step))
    found = lookup_of(run, attempt)
    key = external_id(step) if operation(step) is Operation.UPSERT else "Id"
    return ReconcileJob(
        step=step.id,
        mine=_rows(run, attempt),
        others=tuple(_rows(run, one) for one in unknown_of(run, step.sobject) if one.id != attempt.id),
        columns=_compared(step),
        operation=operation(step),
        key=None if _keyless(step) else key,
        key_prefix=step.key_prefix,
        found=Pages(tuple(page.file for page in run.pages.get(found.id, ()))) if found else None,
        known=tuple(
            file
            for one in run.schedule.steps
            if isinstance(one, LoadStep) and one.sobject == step.sobject
            for file in run.outcome_files(one.id)
        )
        + tuple(one.outcomes for one in unknown_of(run, step.sobject) if one.outcomes is not None),
        since=_since(run, attempt),
        user=run.row.target_user_id,
    )


def _rows(run: Run, attempt: Attempt) -> UnknownRows:
    slice_ = run.slices[(attempt.step, attempt.slice)]
    rows = rows_file(run, attempt.step, slice_.round)
    return UnknownRows(rows, attempt.slice, attempt.id, attempt.outcomes)


def _compared(step: LoadStep | LinkStep) -> tuple[SentColumn, ...]:
    return tuple(
        one
        for one in sent_columns(step)
        if one.name != "Id" or isinstance(step, LinkStep) or operation(step).by_id
    )


def reconciled(run: Run, attempt: Attempt, reply: Reconciled, now: float, chance: float) -> Change:
    """Every unknown row has an outcome: found in the target, to be sent again where that is safe, or quarantined."""
    found = reply.settled
    stuck = found.tallies.get(Outcome.QUARANTINED, 0)
    ended = replace(
        attempt,
        # where the org told the fate of other rows of the job, these have outcomes like any
        state=AttemptState.QUARANTINED if stuck and attempt.outcomes is None else AttemptState.HARVESTED,
        outcomes=found.outcomes,
        tallies=found.tallies,
        waiting=found.waiting,
        faults=found.faults,
    )
    row = run.steps[attempt.step]
    looked_up = attempt.rows - (attempt.outcomes.rows if attempt.outcomes else 0)
    again = operation(sending(run.schedule.step(attempt.step))).deletes
    done = "are sent once more" if again else "were looked up in the target"
    # a ledger that was made anew does not always know the job
    whose = f"rows of job {attempt.job_id}" if attempt.job_id else "rows"
    note = f"{looked_up:,} {whose} {done}: {attempt.note}"
    if stuck:
        note = (
            f"{stuck:,} {whose} are quarantined: {attempt.note}; "
            f"both sides are in {', '.join(one.path for one in reply.sides)}"
        )
    row = replace(
        row,
        tallies=added(row.tallies, found.tallies),
        waiting=row.waiting + found.waiting,
        notes=(*row.notes, note),
        files=(*row.files, *reply.sides),
    )
    facts = {"waiting": found.waiting, **{one.value: count for one, count in found.tallies.items()}}
    change = Change(run).attempt(ended, "reconciled", **facts).step(row).free(attempt.id)
    if row.waiting:
        due = now + run.policy.next_round_delay(row.rounds, chance)
        change = replace(change, run=replace(change.run, due={**change.run.due, attempt.step: due}))
    return finished(change, attempt.step, now)
