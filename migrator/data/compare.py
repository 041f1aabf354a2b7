"""Comparing what was read back from the target with what was sent.

A field that was not sent (an empty cell) is the org's business and is not compared; one that was set to null must be empty.

**Invariant:** which rows are sampled depends on their source keys alone; values leave this module in the report file only.
"""

from collections.abc import Mapping, Sequence

from migrator.data.jobs import CompareJob, Comparison, SentColumn
from migrator.data.keys import RecordKey
from migrator.data.lookups import loaded
from migrator.data.orphans import ORPHANED, find_orphans
from migrator.data.presence import of_share, presence, shares
from migrator.data.rows import cells, latest, sent_names
from migrator.data.scan import scan
from migrator.data.session import Session, csv_header, read_parquet
from migrator.data.sql import cell, ident, kept, present, text
from migrator.data.workspace import Workspace, folder_name

#: fields that are compared by one statement
_AT_ONCE = 16


def compare(session: Session, workspace: Workspace, job: CompareJob) -> Comparison:
    """Counts over all loaded rows, field values over the sample; differences go into a CSV report."""
    source = read_parquet([workspace.path(ref) for ref in job.outcomes]) if job.outcomes else _NO_OUTCOMES
    session.run(
        f'CREATE TEMP VIEW records AS SELECT "row", source_key, target_id FROM {source} WHERE final AND {loaded()}'
    )
    session.run(f"CREATE TEMP VIEW readback AS {scan(workspace, job.readback)}")
    there = presence(session)
    some = "" if job.sample is None else f"ORDER BY md5(source_key), source_key LIMIT {job.sample}"
    session.run(
        f'CREATE TEMP TABLE sample AS SELECT "row", source_key, target_id FROM met WHERE n IS NOT NULL {some}'
    )
    (sampled,) = session.one("SELECT count(*) FROM sample")
    found = _differences(session, workspace, job)
    orphaned = {
        name.removesuffix(ORPHANED): count for name, count in found.items() if name.endswith(ORPHANED)
    }
    differing = {name: count for name, count in found.items() if not name.endswith(ORPHANED)}
    session.run(
        "INSERT INTO differences SELECT source_key, target_id, '(record missing)', '', '' FROM met WHERE n IS NULL"
    )
    namesakes = _namesakes(session, workspace, job)
    path = session.folder / "report.csv"
    session.run(
        "COPY (SELECT for_people(source_key) AS source_key, target_id, field, for_people(sent) AS sent, for_people(found) AS found "
        f"FROM differences ORDER BY field, source_key) TO {text(str(path))} (FORMAT csv, HEADER true)"
    )
    (lines,) = session.one("SELECT count(*) FROM differences")
    report = workspace.adopt(f"compare/{folder_name(job.step)}.csv", path, lines)
    duplicated = there.rows - there.records + there.repeated + namesakes
    return Comparison(there.rows, sampled, there.missing, duplicated, differing, report, orphaned, namesakes)


def _namesakes(session: Session, workspace: Workspace, job: CompareJob) -> int:
    """How many keys of loaded records another record of the target has as well; each of the loaded records goes into `differences`."""
    names = {
        name.casefold(): name for ref in job.readback.files[:1] for name in csv_header(workspace.path(ref))
    }
    name = names.get((job.key or "").casefold())
    if name is None:
        return 0
    key = RecordKey.of(job.key or "", job.columns, case_sensitive=job.key_case_sensitive).form(ident(name))
    keys = read_parquet(
        [
            session.write_parquet(
                f'SELECT to18("Id") AS id, {key} AS key FROM readback WHERE {key} IS NOT NULL', "keys.parquet"
            )
        ]
    )
    session.run("CREATE TEMP TABLE namesakes (id VARCHAR, key VARCHAR)")
    (entries,) = session.one(f"SELECT count(*) FROM {keys}")
    count = shares(session, entries)
    for share in range(count):
        these = f"FROM {keys} WHERE {of_share('key', share, count)}"
        session.run(
            f"INSERT INTO namesakes SELECT DISTINCT id, key {these} AND key IN (SELECT key {these} GROUP BY 1 HAVING count(DISTINCT id) > 1)"
        )
    session.run(
        "INSERT INTO differences SELECT source_key, target_id, '(several records of one key)', '', '' "
        "FROM records SEMI JOIN namesakes ON id = target_id"
    )
    (count,) = session.one("SELECT count(DISTINCT key) FROM namesakes SEMI JOIN records ON id = target_id")
    return int(count)


_NO_OUTCOMES = "(SELECT NULL::BIGINT AS \"row\", '' AS source_key, '' AS target_id, '' AS outcome, false AS final WHERE false)"


def _differences(session: Session, workspace: Workspace, job: CompareJob) -> dict[str, int]:
    """Fill `differences` (source_key, target_id, field, sent, found) and count it by field."""
    session.run(
        "CREATE TEMP TABLE differences (source_key VARCHAR, target_id VARCHAR, field VARCHAR, sent VARCHAR, found VARCHAR)"
    )
    answered = {
        name.casefold(): name for ref in job.readback.files[:1] for name in csv_header(workspace.path(ref))
    }
    session.run(
        'CREATE TEMP TABLE found AS SELECT * FROM readback SEMI JOIN sample ON to18("Id") = target_id '
        'QUALIFY row_number() OVER (PARTITION BY to18("Id") ORDER BY "#row") = 1'
    )
    load = latest(workspace, job.sent)
    sampled = f'(FROM {load} AS r SEMI JOIN sample ON sample."row" = r."row")'
    session.run(
        f'CREATE TEMP TABLE sent AS SELECT s.source_key, s.target_id, r.* FROM sample AS s JOIN {cells(session, sampled, sent_names(session, load))} AS r USING ("row")'
    )
    _compare_fields(session, "sent", job.columns, answered)
    for number, ref in enumerate(job.links):
        _compare_links(session, workspace, job, number, latest(workspace, ref), answered)
    if job.orphans:
        find_orphans(session, workspace, job, answered)
    return dict(session.rows("SELECT field, count(*) FROM differences GROUP BY field ORDER BY field"))


def _compare_links(
    session: Session,
    workspace: Workspace,
    job: CompareJob,
    number: int,
    source: str,
    answered: dict[str, str],
) -> None:
    """Fields that a link step sent, for the rows where it succeeded."""
    if not job.link_outcomes:
        return
    done = read_parquet([workspace.path(ref) for ref in job.link_outcomes])
    name = f"link{number}"
    sampled = f"(FROM {source} AS r SEMI JOIN sample ON sample.source_key = r.source_key)"
    session.run(
        f"CREATE TEMP TABLE {name} AS SELECT s.source_key, s.target_id, r.* FROM sample AS s JOIN {cells(session, sampled, sent_names(session, source))} AS r "
        f"ON r.{cell('Id')} = s.target_id WHERE s.target_id IN (SELECT target_id FROM {done} WHERE final AND {loaded()})"
    )
    _compare_fields(session, name, [one for one in job.columns if one.name != "Id"], answered)


def _compare_fields(
    session: Session, relation: str, columns: Sequence[SentColumn], answered: Mapping[str, str]
) -> None:
    """The fields that the relation has and the org answered, some at a time: each join reads both sides again, and each column takes memory."""
    names = {one for (one,) in session.rows(f"SELECT column_name FROM (DESCRIBE {relation})")}
    known = [one for one in columns if f"c.{one.name}" in names and one.name.casefold() in answered]
    for first in range(0, len(known), _AT_ONCE):
        some = list(enumerate(known[first : first + _AT_ONCE]))
        values, found = [], []
        for n, one in some:
            sent, held = f"t.{cell(one.name)}", f"found.{ident(answered[one.name.casefold()])}"
            values += [
                f"{sent} AS v{n}",
                f"{held} AS w{n}",
                f"{present(sent)} AS s{n}",
                f"{present(held)} AS f{n}",
            ]
            found.append(
                f"CASE WHEN v{n} IS NOT NULL AND {kept(one, f's{n}')} IS DISTINCT FROM {kept(one, f'f{n}')} "
                f"THEN {{'field': {text(one.name)}, 'sent': v{n}, 'found': w{n}}} END"
            )
        session.run(
            "INSERT INTO differences SELECT source_key, target_id, d.field, d.sent, d.found FROM ("
            f"SELECT source_key, target_id, unnest(list_filter([{', '.join(found)}], lambda one: one IS NOT NULL)) AS d FROM ("
            f'SELECT t.source_key, t.target_id, {", ".join(values)} FROM {relation} AS t JOIN found ON to18(found."Id") = t.target_id))'
        )
