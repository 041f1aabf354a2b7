"""What changed in the source between the extract of a step and its load: taken over, or a reason not to begin.

**Invariant:** each record counts once, as it is in the later of the two extracts; one that is deleted by then is a row of the step, which is not sent.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from migrator.data.jobs import LinkJob, LoadJob, Pages
from migrator.data.scan import scan
from migrator.data.session import Session, csv_header
from migrator.data.sql import ident, text
from migrator.data.workspace import Workspace
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import FileRef

DELETED = "IsDeleted"
Job = TypeVar("Job", bound=LoadJob | LinkJob)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many records of an extract were changed and deleted since, and how many came that it does not have."""

    changed: int
    deleted: int
    new: int

    def __str__(self) -> str:
        return f"{self.changed:,} records were changed, {self.deleted:,} deleted and {self.new:,} are new"


def caught_up(session: Session, workspace: Workspace, job: Job) -> tuple[Job, tuple[str, ...]]:
    """The job with the pages as they are by now, and what to say of it. Raises MigratorError `source-moved` where nothing may have changed."""
    if job.changes is None or not any(ref.rows for ref in job.changes.files):
        return job, ()
    names = [name for name in csv_header(workspace.path(job.pages.files[0])) if name != DELETED]
    session.run(
        f"CREATE TEMP TABLE later AS SELECT * FROM ({scan(workspace, job.changes)}) "
        'QUALIFY row_number() OVER (PARTITION BY to18("Id") ORDER BY "#row" DESC) = 1'
    )
    session.run(f"CREATE TEMP TABLE earlier AS SELECT s.* FROM ({scan(workspace, job.pages)}) AS s")
    found = _moved(session, names)
    if found == Moved(0, 0, 0):
        return job, ()
    if job.frozen:
        raise MigratorError(
            "source-moved",
            f"{job.step}: the source is not frozen: {found} since they were read",
            hint="freeze the source and begin a new run, or let the plan say `consistency: catch_up`; nothing of this step was sent",
            exit_code=ExitCode.REFUSED,
        )
    pages = _merged(session, workspace, names)
    return replace(job, pages=pages, changes=None, flagged=True), (f"since they were read {found}",)


def _moved(session: Session, names: list[str]) -> Moved:
    differs = " OR ".join(f"l.{ident(name)} IS DISTINCT FROM e.{ident(name)}" for name in names) or "false"
    gone = f"lower(l.{ident(DELETED)}) = 'true'"
    changed, deleted, new = session.one(
        f'SELECT count(*) FILTER (e."Id" IS NOT NULL AND NOT {gone} AND ({differs})), count(*) FILTER (e."Id" IS NOT NULL AND {gone}), '
        f'count(*) FILTER (e."Id" IS NULL AND NOT {gone}) FROM later AS l LEFT JOIN earlier AS e ON to18(e."Id") = to18(l."Id")'
    )
    return Moved(changed, deleted, new)


def _merged(session: Session, workspace: Workspace, names: list[str]) -> Pages:
    listed = ", ".join(ident(name) for name in names)
    path = session.folder / "caught-up.csv"
    rows = (
        f'SELECT {listed}, \'false\' AS {ident(DELETED)} FROM earlier WHERE to18("Id") NOT IN (SELECT to18("Id") FROM later) UNION ALL '
        f"SELECT {listed}, lower({ident(DELETED)}) FROM later WHERE lower({ident(DELETED)}) <> 'true' "
        'OR to18("Id") IN (SELECT to18("Id") FROM earlier)'
    )
    session.run(
        f'COPY (FROM ({rows}) ORDER BY "Id") TO {text(str(path))} (FORMAT csv, HEADER true, FORCE_QUOTE *)'
    )
    (count,) = session.one(f"SELECT count(*) FROM ({rows})")
    relative = path.relative_to(workspace.root).as_posix()
    return Pages((FileRef(relative, "", path.stat().st_size, count),))
