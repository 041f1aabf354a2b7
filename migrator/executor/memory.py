"""How much memory the data plane gets where nobody says.

Every column of a row passes through some twenty vectors of DuckDB's, whatever is in it, so what a step needs grows with its columns and not with its rows.
"""

from migrator.model.schedule import LoadStep, Schedule

#: MB; a process takes about 150 more
DEFAULT = 192
#: columns that fit into that; each further one takes a megabyte (measured: 200 columns take 170)
_COLUMNS = 50


def memory_for(schedule: Schedule) -> int:
    """MB that the widest load of the schedule can be prepared with."""
    widths = (len(one.columns) + len(one.lookups) for one in schedule.steps if isinstance(one, LoadStep))
    return DEFAULT + max(0, max(widths, default=0) - _COLUMNS)
