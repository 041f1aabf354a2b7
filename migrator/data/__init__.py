"""The data plane: everything that is done with many rows, on DuckDB over immutable files.

`jobs` holds the frozen values that go in and come out; `Engine` does the work; `Workspace` keeps the files.
"""

from migrator.data import jobs
from migrator.data.engine import Engine, check_source_file
from migrator.data.faults import PageBroken, ResultsMismatch
from migrator.data.prepare import prepared_anew
from migrator.data.spread import spread_of_column
from migrator.data.workspace import Workspace, folder_name

__all__ = [
    "Engine",
    "PageBroken",
    "ResultsMismatch",
    "Workspace",
    "check_source_file",
    "folder_name",
    "jobs",
    "prepared_anew",
    "spread_of_column",
]
