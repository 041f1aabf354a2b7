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

#: what to say of a row that nobody said anything about; the codes are those of docs/errors.md
_SAID = {
    "ALREADY_GONE": "the record was not there any more",
    "CHANGED_SINCE": "the record was changed after the run",
    "CHILD_STAYS": "a record that stays looks this one up",
    "DATA_BOOLEAN": "the value is neither true nor false",
    "DATA_DATE": "the value is no date or time that Salesforce reads, as 2024-02-29 or 2024-02-29T05:06:07.000Z",
    "DATA_ENCODING": "the value holds a NUL character",
    "DATA_NA": "the value is the text that means null in Bulk API; give it another one with `values`",
    "DATA_NUMBER": "the value is no number that Salesforce reads, as 1234.5",
    "DATA_TOO_LONG": "the value is longer than the field, or the row than Bulk API takes",
    "DUPLICATE_KEY": "another row has this external id or record id; none of them was sent",
    "DUPLICATE_SOURCE_KEY": "an earlier row of the source has this key and other values",
    "KEY_NULL": "the external id or record id has no value",
    "NOT_FOLLOWED": "the record that `follow` points at was not selected",
    "SOURCE_DELETED": "the record was deleted in the source after it was read",
    "SOURCE_KEY_NULL": "the key of the row in its file is empty",
    "SOURCE_ROW_GONE": "the source no longer has the row",
    "VALUE_NOT_MAPPED": "the value is not among `values`",
}


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
        said = " ".join(f"WHEN {text(code)} THEN {text(words)}" for code, words in _SAID.items())
        message = f"CASE WHEN message <> '' THEN message ELSE CASE code {said} ELSE '' END END"
        relation = (
            f'SELECT "row", {columns.replace("message", f"{message} AS message")} FROM {source} WHERE final'
        )
    else:
        relation = "SELECT 0 AS \"row\", '' AS source_key, '' AS target_id, '' AS outcome, '' AS code, '' AS message, '' AS fields WHERE false"
    path = session.folder / "export.csv"
    session.run(
        "COPY (SELECT for_people(source_key) AS source_key, target_id, outcome, code, for_people(message) AS message, fields "
        f'FROM ({relation}) ORDER BY "row", source_key) TO {text(str(path))} (FORMAT csv, HEADER true)'
    )
    (count,) = session.one(f"SELECT count(*) FROM ({relation})")
    return workspace.adopt(f"report/{folder_name(name)}.csv", path, count)
