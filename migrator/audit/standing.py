"""How a run stands."""

from pathlib import Path

from migrator.model.schedule_text import parse_schedule
from migrator.model.summary import Summary, summarize
from migrator.state import read_ledger


def peek(folder: Path) -> Summary:
    """How a run stands, while it may be going on in another process."""
    state = read_ledger(folder)
    return summarize(state, parse_schedule(state.run.schedule_json))
