"""What a second run would do to the rows of a step: its prepared rows beside the target as it is now.

Nothing is sent. A record that would be created gets an id that no org has, so that the rows of later steps which look it up are
judged as well.

**Invariant:** every prepared row is counted exactly once, and a row is "unchanged" only when the target holds every cell that would be sent.
"""

from collections.abc import Mapping, Sequence

from migrator.data.jobs import Pages
from migrator.data.keys import RecordKey
from migrator.data.later import Survey, SurveyJob, SurveyKey
from migrator.data.lookups import loaded
from migrator.data.rows import cells, sent_names
from migrator.data.scan import scan
from migrator.data.session import Session, csv_header, read_parquet
from migrator.data.sql import cell, ident, kept, present, text
from migrator.data.workspace import Workspace, folder_name
from migrator.model.plan import Operation
from migrator.model.run import FileRef, Outcome
from migrator.model.summary import Again

#: in the id of a record that is not there yet; no record id has it
_NEW = "~"
#: what a row of that verdict would become, for the lookups of later steps
_BECOMES = {
    Again.CREATE: Outcome.CREATED,
    Again.UPDATE: Outcome.UPDATED,
    Again.UNCHANGED: Outcome.UNCHANGED,
    Again.DELETE: Outcome.DELETED,
    Again.REFUSED: Outcome.FAILED,
}


def survey(
    session: Session, workspace: Workspace, first: Workspace, pages_in: Workspace, job: SurveyJob
) -> Survey:
    """Judge the rows. `first`: the folder of the run that is repeated; `pages_in`: where the pages of `readback` are."""
    source = read_parquet([workspace.path(job.rows)])
    names = sent_names(session, source)
    session.run(
        f'CREATE TEMP VIEW mine AS SELECT k.source_key, c.* FROM {source} AS k JOIN {cells(session, source, names)} AS c USING ("row")'
    )
    session.run(_found(job, names, scan(pages_in, job.readback), _answered(pages_in, job.readback)))
    session.run(
        f'CREATE TEMP TABLE judged AS SELECT "row", source_key, id, {_verdict(job)} AS verdict FROM found'
    )
    counts = dict(session.rows("SELECT verdict, count(*) FROM judged GROUP BY 1"))
    becomes = " ".join(
        f"WHEN {text(one.value)} THEN {text(outcome.value)}" for one, outcome in _BECOMES.items()
    )
    created = text(Again.CREATE.value)
    new = f"concat({text(job.key_prefix.ljust(3, _NEW) + _NEW)}, lpad(\"row\"::VARCHAR, 11, '0'))"
    path = session.write_parquet(
        f"SELECT \"row\", source_key, CASE WHEN verdict = {created} THEN {new} ELSE coalesce(id, '') END AS target_id, "
        f"CASE verdict {becomes} END AS outcome, '' AS code, '' AS message, '' AS fields, true AS final FROM judged ORDER BY \"row\"",
        "outcomes.parquet",
    )
    outcomes = workspace.adopt(f"outcomes/{folder_name(job.step)}/surveyed.parquet", path, job.rows.rows)
    return Survey(
        {one: counts[one.value] for one in Again if counts.get(one.value)},
        outcomes,
        _listed(session, first, job),
    )


def _answered(pages_in: Workspace, readback: Pages) -> dict[str, str]:
    """The columns that were read back, by lower-case name."""
    headers = (csv_header(pages_in.path(ref)) for ref in readback.files[:1])
    return {name.casefold(): name for header in headers for name in header}


def _found(job: SurveyJob, names: Sequence[str], readback: str, answered: Mapping[str, str]) -> str:
    """SQL of `found`: each row with how many records its keys find, one of their ids, and whether it holds all that would be sent."""
    hits = [
        f'SELECT m."row", to18(r.{ident(answered["id"])}) AS id, {_same(job, names, answered)} AS same '
        f"FROM mine AS m JOIN ({readback}) AS r ON {_key(job, key, f'm.{cell(key.name)}')} = "
        f"{_key(job, key, f'r.{ident(answered[key.name.casefold()])}')}"
        for key in job.keys
        if key.name in names and key.name.casefold() in answered
    ]
    found = (
        " UNION ALL ".join(hits)
        or 'SELECT NULL::BIGINT AS "row", NULL::VARCHAR AS id, NULL::BOOLEAN AS same WHERE false'
    )
    new = f"contains(m.{cell('Id')}, {text(_NEW)})" if "Id" in names else "false"
    return (
        f'CREATE TEMP TABLE found AS SELECT m."row", m.source_key, coalesce(f.n, 0) AS n, f.id, coalesce(f.same, false) AS same, {new} AS new '
        f'FROM mine AS m LEFT JOIN (SELECT "row", count(DISTINCT id) AS n, min(id) AS id, bool_and(same) AS same FROM ({found}) GROUP BY 1) AS f '
        'USING ("row")'
    )


def _key(job: SurveyJob, key: SurveyKey, value: str) -> str:
    """The form of a key in which the org compares it; NULL for none, which finds nothing."""
    return RecordKey.of(key.name, job.columns, case_sensitive=key.case_sensitive).form(value)


def _same(job: SurveyJob, names: Sequence[str], answered: Mapping[str, str]) -> str:
    """SQL: the record holds every cell that would be sent."""
    if job.operation not in {Operation.UPSERT, Operation.UPDATE}:
        return "true"
    parts = []
    for column in job.columns:
        if column.name not in names or column.name == "Id" or column.name.casefold() not in answered:
            continue
        sent, held = f"m.{cell(column.name)}", f"r.{ident(answered[column.name.casefold()])}"
        left, right = kept(column, present(sent)), kept(column, present(held))
        parts.append(f"({sent} IS NULL OR {left} IS NOT DISTINCT FROM {right})")
    return " AND ".join(parts) or "true"


def _verdict(job: SurveyJob) -> str:
    """SQL over `found`."""

    def said(one: Again) -> str:
        return text(one.value)

    kept = f"CASE WHEN same THEN {said(Again.UNCHANGED)} ELSE {said(Again.UPDATE)} END"
    match job.operation:
        case Operation.INSERT:
            return f"CASE WHEN n > 0 THEN {said(Again.REFUSED)} ELSE {said(Again.CREATE)} END"
        case Operation.UPSERT:
            return (
                f"CASE n WHEN 0 THEN {said(Again.CREATE)} WHEN 1 THEN {kept} ELSE {said(Again.REFUSED)} END"
            )
        case Operation.UPDATE:
            return f"CASE WHEN new THEN {said(Again.UPDATE)} WHEN n = 0 THEN {said(Again.REFUSED)} ELSE {kept} END"
        case Operation.DELETE | Operation.HARD_DELETE:
            return f"CASE WHEN n = 0 THEN {said(Again.UNCHANGED)} ELSE {said(Again.DELETE)} END"
        case Operation.REFERENCE:
            raise ValueError(f"{job.step} sends nothing")


def _listed(session: Session, first: Workspace, job: SurveyJob) -> FileRef | None:
    """The rows that would be created, each with what became of it in the first run."""
    made = f"(FROM judged WHERE verdict = {text(Again.CREATE.value)})"
    (count,) = session.one(f"SELECT count(*) FROM {made}")
    if not count:
        return None
    known = "(SELECT '' AS source_key, '' AS outcome, '' AS code, '' AS target_id WHERE false)"
    if job.first:
        outcomes = read_parquet([first.path(ref) for ref in job.first])
        known = (
            "(SELECT source_key, outcome, code, CASE WHEN "
            + loaded()
            + " THEN target_id ELSE '' END AS target_id "
            f"FROM {outcomes} WHERE final)"
        )
    path = session.folder / "created.csv"
    session.run(
        "COPY (SELECT for_people(j.source_key) AS source_key, coalesce(k.outcome, '') AS first_outcome, coalesce(k.code, '') AS first_code, "
        f"coalesce(k.target_id, '') AS first_target_id FROM {made} AS j LEFT JOIN {known} AS k USING (source_key) ORDER BY j.\"row\") "
        f"TO {text(str(path))} (FORMAT csv, HEADER true)"
    )
    return first.adopt(f"compare/{folder_name(job.step)}-again.csv", path, count)
