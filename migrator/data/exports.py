"""What a report says about many rows: counts by outcome, and the list of outcomes for people.

**Invariant:** a row is counted once, by its final outcome; the list holds keys, ids, codes and messages, and no other value.
"""

from collections.abc import Mapping, Sequence

import duckdb

from migrator.data.session import Session, read_parquet
from migrator.data.sql import text
from migrator.data.workspace import Workspace, folder_name
from migrator.errors import MigratorError
from migrator.model.run import FileRef, Outcome


def repeated_ids(session: Session, workspace: Workspace, files: Sequence[FileRef]) -> int:
    """Target ids that more than one final outcome has."""
    if not files:
        return 0
    source = read_parquet([workspace.path(ref) for ref in files])
    (found,) = session.one(
        f"SELECT count(*) FROM (SELECT target_id FROM {source} WHERE final AND target_id <> '' GROUP BY 1 HAVING count(*) > 1)"
    )
    return int(found)


def some_ids(session: Session, workspace: Workspace, files: Sequence[FileRef], count: int) -> tuple[str, ...]:
    """Ids of created records, the first by their ids of the first file that has any."""
    for ref in files:
        found = session.rows(
            f"SELECT target_id FROM {read_parquet([workspace.path(ref)])} "
            f"WHERE final AND target_id <> '' AND outcome = {text(Outcome.CREATED.value)} ORDER BY 1 LIMIT {count}"
        )
        if found:
            return tuple(str(one) for (one,) in found)
    return ()


def fault_fields(
    session: Session, workspace: Workspace, files: Sequence[FileRef]
) -> Mapping[str, Mapping[str, int]]:
    """The fields that final faults name, by code, the most frequent first; several fields of one fault are joined by commas.

    Raises MigratorError `state-corrupt` when a file is missing or damaged.
    """
    if not files:
        return {}
    source = read_parquet([workspace.path(ref) for ref in files])
    try:
        counted = session.rows(
            f"SELECT code, fields, count(*) FROM {source} WHERE final AND code <> '' AND fields <> '' GROUP BY 1, 2 ORDER BY 3 DESC, 2"
        )
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as fault:
        what = f"a file of outcomes in {workspace.root} cannot be read"
        raise MigratorError("state-corrupt", what, hint="restore the run folder from a copy of it") from fault
    found: dict[str, dict[str, int]] = {}
    for code, fields, count in counted:
        found.setdefault(code, {})[fields] = count
    return found


def export_outcomes(session: Session, workspace: Workspace, name: str, files: Sequence[FileRef]) -> FileRef:
    """A CSV for people, in the order of the source."""
    columns = "source_key, target_id, outcome, code, message, fields"
    if files:
        source = read_parquet([workspace.path(ref) for ref in files])
        relation = f'SELECT "row", {columns} FROM {source} WHERE final'
    else:
        relation = "SELECT 0 AS \"row\", '' AS source_key, '' AS target_id, '' AS outcome, '' AS code, '' AS message, '' AS fields WHERE false"
    path = session.folder / "export.csv"
    session.run(
        "COPY (SELECT for_people(source_key) AS source_key, target_id, outcome, code, for_people(message) AS message, fields "
        f'FROM ({relation}) ORDER BY "row", source_key) TO {text(str(path))} (FORMAT csv, HEADER true)'
    )
    (count,) = session.one(f"SELECT count(*) FROM ({relation})")
    return workspace.adopt(f"report/{folder_name(name)}.csv", path, count)
