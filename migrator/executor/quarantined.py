"""Quarantined rows of attempts for which nothing could be looked up (answers over REST that never add up): written down for people.

**Invariant:** every quarantined row is in a file that `resolve` takes, once the run has ended or paused.
"""

from collections.abc import Iterator
from dataclasses import replace

from migrator.data import Engine
from migrator.data.later import UnknownRows
from migrator.executor.change import Change
from migrator.executor.jobs import folder, rows_file, sending, sent_columns
from migrator.executor.run import Run
from migrator.model.run import Attempt, AttemptState


def untold(run: Run) -> Iterator[Attempt]:
    """Attempts whose quarantined rows are in no file yet."""
    for attempts in run.settled.values():
        for one in attempts:
            if one.state is AttemptState.QUARANTINED and one.outcomes is None:
                place = f"{folder('quarantine', one.step)}/{one.slice}-{one.id}-rows.csv"
                if all(file.path != place for file in run.steps[one.step].files):
                    yield one


def written_down(run: Run, engine: Engine) -> Change:
    """The run with a file of rows for each of them."""
    change = Change(run)
    for attempt in untold(run):
        rows = rows_file(run, attempt.step, run.slices[(attempt.step, attempt.slice)].round)
        unknown = UnknownRows(rows, attempt.slice, attempt.id)
        file = engine.quarantined_rows(
            attempt.step, unknown, sent_columns(sending(run.schedule.step(attempt.step)))
        )
        row = change.run.steps[attempt.step]
        note = f"{attempt.rows:,} quarantined rows are in {file.path}"
        row = replace(row, files=(*row.files, file), notes=(*row.notes, note))
        change = change.step(row, "rows-written", attempt=attempt.id, rows=file.rows)
    return change
