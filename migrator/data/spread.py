"""How the rows of a source file spread over the values of one column, before a run is begun."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from migrator.data.session import read_csv
from migrator.data.sql import ident

#: what counting may take; a file's distinct values that need more go to the disk
_MEMORY = "256MB"


def spread_of_column(
    path: Path, columns: Sequence[str], column: str, *, delimiter: str = ",", top: int = 200
) -> tuple[int, int, tuple[tuple[str, int], ...]]:
    """Rows with a value, distinct values, and the `top` most frequent with their rows. The file was checked before, and is UTF-8."""
    name = ident(column)
    with duckdb.connect(config={"memory_limit": _MEMORY, "threads": 1}) as connection:
        connection.execute(
            f"CREATE TEMP TABLE counted AS SELECT {name} AS value, count(*) AS n "
            f"FROM {read_csv([path], columns, delimiter=delimiter)} WHERE {name} IS NOT NULL GROUP BY 1"
        )
        rows, values = connection.execute(
            "SELECT coalesce(sum(n), 0)::BIGINT, count(*) FROM counted"
        ).fetchall()[0]
        largest = connection.execute(
            f"SELECT value, n FROM counted ORDER BY n DESC, value LIMIT {top}"
        ).fetchall()
    return rows, values, tuple((str(value), int(n)) for value, n in largest)
