"""The front of the data plane: one method for each thing that is done with many rows."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from migrator.data import again, exports, prepare, salvage, scan, second_run, sources, undo
from migrator.data import compare as comparing
from migrator.data import match as matching
from migrator.data import reconcile as reconciling
from migrator.data import resolve as resolving
from migrator.data import settle as settling
from migrator.data.correlate import Pairing
from migrator.data.jobs import (
    CompareJob,
    Comparison,
    LinkJob,
    LoadJob,
    Matched,
    MatchJob,
    Prepared,
    Reply,
    RestJob,
    RetryJob,
    SentColumn,
    Settled,
    SettleJob,
    SourceFile,
    WholeJob,
)
from migrator.data.later import (
    AgainJob,
    Left,
    LeftJob,
    ReconcileJob,
    Reopened,
    ReopenJob,
    Resolved,
    ResolveJob,
    StandingJob,
    Survey,
    SurveyJob,
    UndoJob,
    UnknownRows,
)
from migrator.data.rows import packing_of
from migrator.data.session import Database, Session
from migrator.data.sql import SET_NULL
from migrator.data.workspace import Workspace, folder_name
from migrator.model.run import FileRef

#: of the memory limit, for each thread: below 96 MB one does not read, join and write a wide extract
_THREAD_MB = 80


class Engine:
    """The data plane of one run. Methods may be called from several threads at once; they share its memory limit.

    `threads`: of DuckDB, when the limit is enough for several: what each reads and writes takes the same memory, however few the rows.
    """

    def __init__(self, workspace: Workspace, *, memory_limit_mb: int = 512, threads: int = 2) -> None:
        self.workspace = workspace
        threads = max(1, min(threads, memory_limit_mb // _THREAD_MB))
        self._database = Database(workspace, memory_limit_mb=memory_limit_mb, threads=threads)
        self._pairing: Pairing = Pairing(threads)

    def _session(self) -> AbstractContextManager[Session]:
        return self._database.session()

    def close(self) -> None:
        """Free what the engine holds in memory; its files stay. It opens again when it is needed."""
        self._database.close()

    def freeze_source_file(
        self,
        step: str,
        source: SourceFile,
        path: Path,
        *,
        delimiter: str = ",",
        encoding: str = "utf-8",
        nth: int = 0,
    ) -> FileRef:
        """Copy a checked source file into the run folder, as UTF-8 without a byte order mark; `nth`: how often it was done before.

        Raises PageBroken when the file is no longer what was checked.
        """
        chunks = sources.frozen(path, delimiter=delimiter, encoding=encoding, columns=len(source.columns))
        ref = self.workspace.publish(f"extract/{folder_name(step)}/{nth}.csv", chunks, source.rows)
        with self._session() as session:
            scan.check_records(
                session, self.workspace.path(ref), source.columns, source.rows, delimiter=delimiter
            )
        return ref

    def check_page(self, ref: FileRef, columns: Sequence[str], rows: int) -> None:
        """Raise PageBroken unless the page has these columns and that many records (as the org told)."""
        with self._session() as session:
            scan.check_page(session, self.workspace.path(ref), columns, rows)

    def prepare_load(self, job: LoadJob) -> Prepared:
        """Transform, look up, decide what is not sent, order, and cut into slices."""
        with self._session() as session:
            return prepare.prepare_load(session, self.workspace, job)

    def prepare_link(self, job: LinkJob) -> Prepared:
        """The same for the second pass."""
        with self._session() as session:
            return prepare.prepare_link(session, self.workspace, job)

    def prepare_undo(self, job: UndoJob) -> Prepared:
        """Judge what of another run may be taken back, and cut it into slices."""
        with self._session() as session:
            return prepare.prepare_undo(session, self.workspace, job)

    def left_by(self, run: Workspace, job: LeftJob) -> Left:
        """What a load step of the run in that folder left; the files are this engine's workspace's."""
        with self._session() as session:
            return undo.left_by(session, run, self.workspace, job)

    def reconcile(self, job: ReconcileJob) -> tuple[Settled, tuple[FileRef, ...]]:
        """Compare unknown rows with the records that they may have become; files of both sides where nobody can tell."""
        with self._session() as session:
            return reconciling.reconcile(session, self.workspace, job)

    def quarantined_rows(self, step: str, unknown: UnknownRows, columns: Sequence[SentColumn]) -> FileRef:
        """CSV of quarantined rows for people, of an attempt for which nothing was looked up."""
        with self._session() as session:
            return reconciling.quarantined_rows(session, self.workspace, step, unknown, columns)

    def resolve(self, job: ResolveJob) -> Resolved:
        """A person's assignment of quarantined rows, checked; with the outcomes that follow from it when nothing is wrong."""
        with self._session() as session:
            return resolving.resolve(session, self.workspace, job)

    def reopen(self, job: ReopenJob) -> Reopened:
        """Let the failed and blocked rows of an outcome file wait again."""
        with self._session() as session:
            return again.reopen(session, self.workspace, job)

    def prepare_again(self, job: AgainJob) -> Prepared:
        """Prepare the rows that wait anew and cut them. `total` counts them."""
        with self._session() as session:
            return prepare.prepare_again(session, self.workspace, job)

    def cut_again(self, job: RetryJob) -> Prepared:
        """New slices of the rows that wait. `outcomes` is None, `total` the rows that were cut."""
        with self._session() as session:
            return prepare.cut_again(session, self.workspace, job)

    def packing(self, rows: FileRef) -> Mapping[int, tuple[str, int]]:
        """Group and wave of the slices of a round that have one, by number (see `CutSlice`), from its rows file."""
        with self._session() as session:
            return packing_of(session, self.workspace.path(rows))

    def match(self, job: MatchJob) -> Matched:
        """Pair source and target records of a reference object."""
        with self._session() as session:
            return matching.match(session, self.workspace, job)

    def settle(self, job: SettleJob) -> Settled:
        """The outcomes of a slice from its job's result files. Raises ResultsMismatch."""
        with self._session() as session:
            return settling.settle(session, self.workspace, job, self._pairing)

    def settle_told(self, job: SettleJob) -> Settled:
        """The outcomes of those rows that have a result, where some have none. Raises ResultsMismatch."""
        with self._session() as session:
            return settling.settle_told(session, self.workspace, job)

    def write_replies(self, step: str, slice_no: int, attempt: int, replies: Iterable[Reply]) -> FileRef:
        """Keep what the org answered to a slice sent over REST."""
        kept = list(replies)
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(settling.REPLY_COLUMNS)
        for one in kept:
            flags = ("true" if one.success else "false", "true" if one.created else "false")
            writer.writerow((one.position, one.id, *flags, one.code, one.message, one.fields))
        relpath = f"replies/{folder_name(step)}/{slice_no}-{attempt}.csv"
        return self.workspace.publish(relpath, [buffer.getvalue().encode()], len(kept))

    def settle_rest(self, job: RestJob) -> Settled:
        """The outcomes of a slice from its replies. Raises ResultsMismatch unless each row has exactly one."""
        with self._session() as session:
            return settling.settle_rest(session, self.workspace, job)

    def settle_whole(self, job: WholeJob) -> Settled:
        """One outcome for all rows of a slice."""
        with self._session() as session:
            return settling.settle_whole(session, self.workspace, job)

    def read_slice(self, ref: FileRef) -> Iterator[Mapping[str, str | None]]:
        """The rows of a slice file, in order: an empty cell is left out, `#N/A` is None (set to null)."""
        with self.workspace.path(ref).open("r", encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader)
            for record in reader:
                yield {
                    name: None if value == SET_NULL else value
                    for name, value in zip(header, record, strict=True)
                    if value != ""
                }

    def compare(self, job: CompareJob) -> Comparison:
        """Compare what was read back with what was sent."""
        with self._session() as session:
            return comparing.compare(session, self.workspace, job)

    def survey(self, job: SurveyJob, *, first: Workspace, pages_in: Workspace) -> Survey:
        """What a second run would do to prepared rows; `first`: the run that is repeated, `pages_in`: where `job.readback` is."""
        with self._session() as session:
            return second_run.survey(session, self.workspace, first, pages_in, job)

    def outline(self, rows: FileRef) -> Mapping[int, int]:
        """The slices of a round with how many rows each has, from its rows file."""
        with self._session() as session:
            return salvage.outline(session, self.workspace, rows)

    def row_count(self, files: Sequence[FileRef]) -> int:
        """How many rows are in these rows files and outcome files, each once."""
        with self._session() as session:
            return salvage.row_count(session, self.workspace, files)

    def is_slice(self, rows: FileRef, file: FileRef, no: int) -> bool:
        """Whether a slice file is what the rows file of its round says."""
        with self._session() as session:
            return salvage.is_slice(session, self.workspace, rows, file, no)

    def standing(self, job: StandingJob) -> Settled:
        """What still stands of an outcome file when later rounds are looked at. `waiting`: rows that are in none of them."""
        with self._session() as session:
            return salvage.standing(session, self.workspace, job)

    def repeated_ids(self, files: Sequence[FileRef]) -> int:
        """How many target ids stand in more than one final outcome: 0, or two source rows became one record."""
        with self._session() as session:
            return exports.repeated_ids(session, self.workspace, files)

    def some_ids(self, files: Sequence[FileRef], count: int) -> tuple[str, ...]:
        """Ids of a few records that were created."""
        with self._session() as session:
            return exports.some_ids(session, self.workspace, files, count)

    def fault_fields(self, files: Sequence[FileRef]) -> Mapping[str, Mapping[str, int]]:
        """How many final faults of each code name which fields, the most frequent first."""
        with self._session() as session:
            return exports.fault_fields(session, self.workspace, files)

    def export_outcomes(self, name: str, files: Sequence[FileRef]) -> FileRef:
        """CSV of the final outcomes (`report/<name>.csv`): source key, target id, outcome, code, message, fields."""
        with self._session() as session:
            return exports.export_outcomes(session, self.workspace, name, files)


def check_source_file(path: Path, *, delimiter: str = ",", encoding: str = "utf-8") -> SourceFile:
    """Everything that is wrong with a CSV file, with file and line; needs no run and no network."""
    return sources.check(path, delimiter=delimiter, encoding=encoding)
