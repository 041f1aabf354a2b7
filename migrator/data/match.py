"""Matching: source and target records of a reference object are the same when their keys are.

**Invariant:** a source record has at most one counterpart; where the target has several records of one key, none of them is taken.
"""

from collections.abc import Sequence

from migrator.data.jobs import KEY_SEPARATOR, Matched, MatchJob
from migrator.data.lookups import MATCH_FOLDER
from migrator.data.scan import scan, source_key
from migrator.data.session import Session
from migrator.data.sql import ident, text
from migrator.data.workspace import Workspace, folder_name


def match(session: Session, workspace: Workspace, job: MatchJob) -> Matched:
    """Write the match file: every source record (target_id NULL when it has none) and every other target record (source_key NULL)."""
    source_name = _joined(job.source_sql)
    target_name = _joined([ident(name) for name in job.on])
    session.run(
        f"CREATE TEMP TABLE source AS SELECT source_key, min(name) AS name, lower(trimmed(min(name))) AS norm FROM "
        f"(SELECT {source_key(job.key)} AS source_key, {source_name} AS name FROM ({scan(workspace, job.source)})) "
        "WHERE source_key IS NOT NULL GROUP BY source_key"
    )
    session.run(
        f"CREATE TEMP TABLE target AS SELECT DISTINCT to18({ident(job.target_id)}) AS id, {target_name} AS name, "
        f"lower(trimmed({target_name})) AS norm FROM ({scan(workspace, job.target)})"
    )
    session.run(
        "CREATE TEMP TABLE single AS SELECT norm, min(id) AS id, min(name) AS name, count(*) AS n FROM target "
        "WHERE norm IS NOT NULL GROUP BY norm"
    )
    session.run(
        "CREATE TEMP TABLE pairs AS SELECT s.source_key, s.name, CASE WHEN t.n = 1 THEN t.id END AS target_id, "
        "coalesce(t.n > 1, false) AS ambiguous FROM source AS s LEFT JOIN single AS t USING (norm)"
    )
    total, matched, ambiguous, empty = session.one(
        "SELECT count(*), count(target_id), count(*) FILTER (WHERE ambiguous), count(*) FILTER (WHERE name IS NULL) FROM pairs"
    )
    path = session.write_parquet(
        "SELECT source_key, name, target_id FROM pairs UNION ALL SELECT NULL, name, id FROM single "
        "WHERE n = 1 AND id NOT IN (SELECT target_id FROM pairs WHERE target_id IS NOT NULL) ORDER BY source_key NULLS LAST, name, target_id",
        "match.parquet",
    )
    (rows,) = session.one(f"SELECT count(*) FROM read_parquet({text(str(path))})")
    ref = workspace.adopt(
        f"{MATCH_FOLDER}/{folder_name(job.step)}{f'+{job.nth}' if job.nth else ''}.parquet", path, rows
    )
    notes = []
    if ambiguous:
        notes.append(f"{ambiguous} records have several counterparts in the target and are left unmatched")
    if empty:
        notes.append(f"{empty} records have no value to match by")
    return Matched(ref, total, matched, ambiguous, tuple(notes))


def _joined(parts: Sequence[str]) -> str:
    """NULL when any part is."""
    return f" || {text(KEY_SEPARATOR)} || ".join(f"({part})" for part in parts)
