"""Where the faults of a run are: what the ledger counts by code, with the fields that the rows' own files name."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from migrator.data import Engine, Workspace
from migrator.errors import MigratorError
from migrator.model.summary import Summary

#: for counting in outcome files; MB
MEMORY = 256


def explained(folder: Path, summary: Summary) -> Summary:
    """The summary with the fields that faults are about; reads the outcome files of steps that have faults.

    Where they cannot be read, as on a full disk or when one of them is damaged, the summary stays as it is: how the run ended is what has to be told.
    """
    if not any(one.faults for one in summary.steps):
        return summary
    try:
        with closing(Engine(Workspace(folder), memory_limit_mb=MEMORY)) as engine:
            steps = tuple(
                replace(one, fault_fields=engine.fault_fields(one.outcome_files)) if one.faults else one
                for one in summary.steps
            )
    except MigratorError:
        return summary
    return replace(summary, steps=steps)
