"""Taking a run back: which records it left, and which of them may be touched now.

A record that was changed since stays as it is; and a record stays that one which stays looks up, or Salesforce would delete or change that one with it.

**Invariant:** only records whose creation by the run is certain are deleted; one that existed before it never is.
"""

from collections.abc import Sequence

from migrator.data.jobs import SentColumn
from migrator.data.keys import quick_key
from migrator.data.later import Left, LeftJob, UndoJob
from migrator.data.rows import cells, latest, line_column, sent_names
from migrator.data.scan import scan
from migrator.data.session import Session, csv_header, read_parquet
from migrator.data.sql import SET_NULL, cell, ident, line, text
from migrator.data.stage import Staged
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef, Outcome

#: codes of rows that are not taken back
CHANGED, CHILD_STAYS, GONE_ALREADY = "'CHANGED_SINCE'", "'CHILD_STAYS'", "'ALREADY_GONE'"
_FORCED = "(FORMAT csv, HEADER true, FORCE_QUOTE *)"


def left_by(session: Session, of: Workspace, into: Workspace, job: LeftJob) -> Left:
    """What a load step of the run in folder `of` left, as files of the undo's folder `into`."""
    outcomes = read_parquet([of.path(ref) for ref in job.outcomes]) if job.outcomes else None
    if outcomes is None:
        return Left(None, None, 0)
    session.run(
        f"CREATE TEMP TABLE done AS SELECT \"row\", target_id AS id, outcome FROM {outcomes} WHERE final AND target_id <> '' "
        f"AND outcome IN ({text(Outcome.CREATED.value)}, {text(Outcome.UPDATED.value)})"
    )
    before = "(SELECT NULL::VARCHAR AS id WHERE false)"
    if job.before is not None:
        session.run(f"CREATE TEMP VIEW before AS {scan(of, job.before)}")
        before = '(SELECT DISTINCT to18("Id") AS id FROM before)'
    created = f"SELECT done.* FROM done ANTI JOIN {before} AS b USING (id) WHERE outcome = {text(Outcome.CREATED.value)}"
    columns, joins = _looked_up(session, of, job)
    made = session.folder / "created.csv"
    session.run(
        f'COPY (SELECT d.id AS "Id"{columns} FROM ({created}) AS d{joins} ORDER BY d.id) TO {text(str(made))} {_FORCED}'
    )
    (count,) = session.one(f"SELECT count(*) FROM ({created})")
    kept = into.adopt(f"extract/created.{job.name}/0.csv", made, count) if count else None
    updated, lacking = _overwritten(session, into, job) if job.before is not None else (None, 0)
    return Left(kept, updated, lacking)


def _looked_up(session: Session, of: Workspace, job: LeftJob) -> tuple[str, str]:
    """SQL: the looked-up ids of each created record, as more columns, and the joins that they need."""
    columns, joins = "", ""
    for number, (refs, names, own) in enumerate(
        ((job.rows, job.lookups, 'd."row"'), (job.links, job.linked, "d.id"))
    ):
        if not names or not refs:
            continue
        alias, newest = ident(f"#r{number}"), ident(f"#c{number}")
        source = latest(of, refs)
        found = cells(session, f"(FROM {source})", sent_names(session, source))
        session.run(f"CREATE TEMP TABLE {newest} AS SELECT * FROM {found}")
        key = f'{alias}."row"' if number == 0 else f"{alias}.{cell('Id')}"
        joins += f" LEFT JOIN {newest} AS {alias} ON {key} = {own}"
        columns += "".join(f", {alias}.{cell(name)} AS {ident(name)}" for name in names)
    return columns, joins


def _overwritten(session: Session, into: Workspace, job: LeftJob) -> tuple[FileRef | None, int]:
    """The former values of the records that the run changed; and how many it says it changed without there being any."""
    updated = f"SELECT DISTINCT id FROM done WHERE outcome = {text(Outcome.UPDATED.value)}"
    total, found = session.one(
        f'SELECT count(*), count(b.id) FROM ({updated}) AS d LEFT JOIN (SELECT DISTINCT to18("Id") AS id FROM before) AS b USING (id)'
    )
    if not found or not job.fields:
        return None, int(total)
    made = session.folder / "before.csv"
    fields = "".join(f", {ident(name)}" for name in job.fields)
    session.run(
        f'COPY (SELECT to18("Id") AS "Id"{fields} FROM before WHERE to18("Id") IN ({updated}) '
        f'QUALIFY row_number() OVER (PARTITION BY to18("Id") ORDER BY "#row") = 1 ORDER BY 1) TO {text(str(made))} {_FORCED}'
    )
    return into.adopt(f"extract/before.{job.name}/0.csv", made, found), int(total - found)


def stage_undo(session: Session, workspace: Workspace, job: UndoJob) -> Staged:
    """The rows of a step that takes records back, those that must stay with the reason why."""
    session.run(f'CREATE TEMP TABLE mine AS SELECT *, to18("Id") AS id FROM ({scan(workspace, job.pages)})')
    session.run(
        'CREATE TEMP TABLE now AS SELECT to18("Id") AS id, epoch_ms(try_cast("SystemModstamp" AS TIMESTAMPTZ)) AS at, '
        f'to18("LastModifiedById") AS by FROM ({scan(workspace, job.current)})'
    )
    changed = _changed(job)
    _find_what_stays(session, workspace, job, changed)
    columns = (SentColumn("Id", "id"), *(SentColumn(name) for name in job.fields))
    names = tuple(one.name for one in columns)
    values = {"Id": "mine.id"} | {name: _put_back(f"mine.{ident(name)}") for name in job.fields}
    sent = [cell(name) for name in names]
    verdict = (
        f"CASE WHEN now.id IS NULL THEN {{'o': {text(Outcome.SKIPPED.value)}, 'c': {GONE_ALREADY}}} "
        f"WHEN {changed} THEN {{'o': {text(Outcome.BLOCKED.value)}, 'c': {CHANGED}}} "
        f"WHEN stays.id IS NOT NULL THEN {{'o': {text(Outcome.BLOCKED.value)}, 'c': {CHILD_STAYS}}} END"
    )
    query = (
        f'WITH judged AS (SELECT mine."#row" AS "row", mine.id AS source_key, {verdict} AS verdict, '
        f"{', '.join(f'{sql} AS {cell(name)}' for name, sql in values.items())} FROM mine "
        "LEFT JOIN now USING (id) LEFT JOIN stays ON stays.id = mine.id), "
        f"lined AS (SELECT *, {line(sent)} AS line, {quick_key(columns, sent, 'Id')} AS key FROM judged) "
        "SELECT \"row\", source_key, verdict.o AS outcome, verdict.c AS code, '' AS fields, '' AS message, false AS returns, "
        f"NULL::VARCHAR AS grp, {cell('Id')} AS record_key, strlen(line) + 1 AS bytes, key, line AS {line_column(names)} FROM lined"
    )
    return Staged(session.write_parquet(query, "staged.parquet"), names, keyed=False)


def _changed(job: UndoJob) -> str:
    """SQL: somebody changed the record after the run did."""
    if job.changed_too:
        return "false"
    later = f"now.at > {int(job.not_after * 1000)}"
    users = ", ".join(f"to18({text(one)})" for one in job.users)
    return f"({later} OR now.by NOT IN ({users}))" if users else f"({later})"


def _put_back(value: str) -> str:
    """A former value; a field that was empty is emptied again."""
    return f"coalesce(one_newline(nullif({value}, '')), {text(SET_NULL)})"


def _find_what_stays(session: Session, workspace: Workspace, job: UndoJob, changed: str) -> None:
    """`stays`: records of this step that a record which stays looks up, through any number of others."""
    session.run("CREATE TEMP TABLE held (id VARCHAR)")
    if not job.fields:
        for pages, outcomes in job.children:
            _hold_parents(
                session,
                workspace,
                scan(workspace, pages),
                csv_header(workspace.path(pages.files[0])),
                outcomes,
            )
    own = (
        [name for name in csv_header(workspace.path(job.pages.files[0])) if name != "Id"]
        if job.pages.files
        else []
    )
    ups = " UNION ALL ".join(
        f"SELECT id, to18({ident(name)}) AS parent FROM mine WHERE {ident(name)} IS NOT NULL" for name in own
    )
    session.run(
        f"CREATE TEMP TABLE up AS {ups}"
        if ups and not job.fields
        else "CREATE TEMP TABLE up (id VARCHAR, parent VARCHAR)"
    )
    session.run(
        "CREATE TEMP TABLE stays AS WITH RECURSIVE s(id) AS ("
        "SELECT id FROM held UNION "
        f"(SELECT up.parent FROM up JOIN now ON now.id = up.id WHERE {changed}) UNION "
        "SELECT up.parent FROM s JOIN up ON up.id = s.id) SELECT DISTINCT id FROM s"
    )


def _hold_parents(
    session: Session, workspace: Workspace, rows: str, header: Sequence[str], outcomes: Sequence[FileRef]
) -> None:
    names = [name for name in header if name != "Id"]
    if not names or not outcomes:
        return
    settled = read_parquet([workspace.path(ref) for ref in outcomes])
    over = f"{text(Outcome.DELETED.value)}, {text(Outcome.SKIPPED.value)}"
    session.run(
        f'CREATE OR REPLACE TEMP TABLE staying AS SELECT * FROM ({rows}) WHERE to18("Id") IN '
        f"(SELECT source_key FROM {settled} WHERE final AND outcome NOT IN ({over}))"
    )
    for name in names:
        session.run(
            f"INSERT INTO held SELECT DISTINCT to18({ident(name)}) FROM staying WHERE {ident(name)} IS NOT NULL"
        )
