"""What the files of a run say by themselves, for a ledger that is made anew.

**Invariant:** reads files and writes new ones; a file that contradicts itself or its neighbours is told, never mended.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from migrator.data.jobs import Settled
from migrator.data.later import StandingJob
from migrator.data.rows import header, sent_names, write_lines
from migrator.data.session import Session, read_parquet
from migrator.data.settle import publish
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef


def outline(session: Session, workspace: Workspace, rows: FileRef) -> Mapping[int, int]:
    """The slices of a round, by number, with how many rows each has."""
    source = read_parquet([workspace.path(rows)])
    return dict(session.rows(f"SELECT slice, count(*) FROM {source} GROUP BY 1 ORDER BY 1"))


def row_count(session: Session, workspace: Workspace, files: Sequence[FileRef]) -> int:
    """How many rows there are in rows files and outcome files together; a row may be in several."""
    if not files:
        return 0
    parts = " UNION ALL ".join(f'SELECT "row" FROM {read_parquet([workspace.path(ref)])}' for ref in files)
    (count,) = session.one(f'SELECT count(DISTINCT "row") FROM ({parts})')
    return int(count)


def is_slice(session: Session, workspace: Workspace, rows: FileRef, file: FileRef, no: int) -> bool:
    """Whether a slice file is, byte for byte, what the rows file of its round says."""
    source = read_parquet([workspace.path(rows)])
    names = sent_names(session, source)
    lines = session.folder / f"lines-{no}.csv"
    session.run_in_order(write_lines(f"{source} WHERE slice = {no}", names, lines))
    digest = hashlib.sha256(f"{header(names)}\n".encode())
    digest.update(lines.read_bytes())
    lines.unlink()
    return digest.hexdigest() == file.sha256


def standing(session: Session, workspace: Workspace, job: StandingJob) -> Settled:
    """The outcomes that still stand: rows that were sent or prepared once more in a later round are waiting ones here."""
    source = read_parquet([workspace.path(job.outcomes)])
    again = '(SELECT NULL::BIGINT AS "row" WHERE false)'
    if job.later:
        again = (
            "("
            + " UNION ".join(f'SELECT "row" FROM {read_parquet([workspace.path(ref)])}' for ref in job.later)
            + ")"
        )
    session.run(
        "CREATE TEMP TABLE settled AS SELECT s.* REPLACE (CASE WHEN a.\"row\" IS NULL THEN s.outcome ELSE '' END AS outcome, "
        # what was final and is in a later round was taken back by a person, with its fault
        "CASE WHEN s.final AND a.\"row\" IS NOT NULL THEN '' ELSE s.code END AS code, "
        f's.final AND a."row" IS NULL AS final) FROM {source} AS s LEFT JOIN {again} AS a ON a."row" = s."row"'
    )
    found = publish(session, workspace, job.step, job.name)
    # whoever is in a later round waits no more for it
    (open_,) = session.one(
        f'SELECT count(*) FROM settled AS s ANTI JOIN {again} AS a ON a."row" = s."row" WHERE NOT final'
    )
    return replace(found, waiting=int(open_))
