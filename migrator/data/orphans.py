"""Orphans: records that were given a parent and have none any more, e.g. because the parent was deleted after the load.

Looked for among all loaded records, not only in the sample; only the cells of those whose relationship field is empty now are read again.

**Invariant:** an orphan is counted once, as an orphan and not also as a difference of its field.
"""

from collections.abc import Mapping

from migrator.data.jobs import CompareJob
from migrator.data.lookups import loaded
from migrator.data.rows import cells, latest, sent_names
from migrator.data.session import Session, read_parquet
from migrator.data.sql import cell, ident, present, text
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef

#: ends the name of the field in the report of differences
ORPHANED = " (orphaned)"


def find_orphans(
    session: Session, workspace: Workspace, job: CompareJob, answered: Mapping[str, str]
) -> None:
    """Add them to `differences`, as `<field> (orphaned)` (see `ORPHANED`). Needs `records` and `readback`; `answered`: the read columns by lower-case name."""
    done = read_parquet([workspace.path(ref) for ref in job.link_outcomes]) if job.link_outcomes else None
    _of_rows(session, workspace, job, job.sent, answered, 'p."row" = e."row"', 'e."row" = r."row"')
    for refs in job.links if done else ():
        arrived = f"p.{cell('Id')} = e.target_id AND e.target_id IN (SELECT target_id FROM {done} WHERE final AND {loaded()})"
        _of_rows(session, workspace, job, refs, answered, arrived, "e.source_key = r.source_key")


def _of_rows(
    session: Session,
    workspace: Workspace,
    job: CompareJob,
    refs: tuple[FileRef, ...],
    answered: Mapping[str, str],
    paired: str,
    narrowed: str,
) -> None:
    source = latest(workspace, refs)
    names = sent_names(session, source)
    fields = [
        one.name
        for one in job.columns
        if one.type == "reference" and one.name in names and one.name.casefold() in answered
    ]
    if not fields:
        return
    empty = {name: f"b.{ident(answered[name.casefold()])} IS NULL" for name in fields}
    flags = ", ".join(f"{when} AS {ident('#' + name)}" for name, when in empty.items())
    session.run(
        f'CREATE OR REPLACE TEMP TABLE empties AS SELECT r."row", r.source_key, r.target_id, {flags} FROM records AS r '
        f'JOIN readback AS b ON to18(b."Id") = r.target_id WHERE {" OR ".join(empty.values())}'
    )
    again = cells(session, f"(FROM {source} AS r SEMI JOIN empties AS e ON {narrowed})", names)
    session.run(f"CREATE OR REPLACE TEMP TABLE given AS SELECT * FROM {again}")
    for name in fields:
        field = text(name + ORPHANED)
        session.run(
            f"INSERT INTO differences SELECT e.source_key, e.target_id, {field}, p.{cell(name)}, '' FROM empties AS e "
            f"JOIN given AS p ON {paired} WHERE e.{ident('#' + name)} AND {present(f'p.{cell(name)}')} IS NOT NULL"
        )
        session.run(
            f"DELETE FROM differences WHERE field = {text(name)} "
            f"AND target_id IN (SELECT target_id FROM differences WHERE field = {field})"
        )
