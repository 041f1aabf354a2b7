"""The front of the data plane: one method for each thing that is done with many rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

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
    Settled,
    SettleJob,
    SourceFile,
    WholeJob,
)
from migrator.data.workspace import Workspace
from migrator.model.run import FileRef, Outcome


class Engine:
    """The data plane of one run. Methods are called from worker threads; each opens its own DuckDB connection."""

    def __init__(self, workspace: Workspace, *, memory_limit_mb: int = 512, threads: int = 2) -> None:
        self.workspace = workspace
        self._memory_limit_mb = memory_limit_mb
        self._threads = threads

    def freeze_source_file(
        self, step: str, source: SourceFile, path: Path, *, delimiter: str, encoding: str
    ) -> FileRef:
        """Copy a checked source file into the run folder, as UTF-8 without a byte order mark: page 0 of its extract."""
        raise NotImplementedError

    def check_page(self, ref: FileRef, columns: Sequence[str], rows: int) -> None:
        """Raise PageBroken unless the page has these columns and that many records (as the org told)."""
        raise NotImplementedError

    def prepare_load(self, job: LoadJob) -> Prepared:
        """Transform, look up, decide what is not sent, order, and cut into slices."""
        raise NotImplementedError

    def prepare_link(self, job: LinkJob) -> Prepared:
        """The same for the second pass."""
        raise NotImplementedError

    def cut_again(self, job: RetryJob) -> Prepared:
        """New slices of the rows that wait. `outcomes` is None, `total` the rows that were cut."""
        raise NotImplementedError

    def match(self, job: MatchJob) -> Matched:
        """Pair source and target records of a reference object."""
        raise NotImplementedError

    def settle(self, job: SettleJob) -> Settled:
        """The outcomes of a slice from its job's result files. Raises ResultsMismatch."""
        raise NotImplementedError

    def write_replies(self, step: str, slice_no: int, attempt: int, replies: Iterable[Reply]) -> FileRef:
        """Keep what the org answered to a slice sent over REST."""
        raise NotImplementedError

    def settle_rest(self, job: RestJob) -> Settled:
        """The outcomes of a slice from its replies. Raises ResultsMismatch unless each row has exactly one."""
        raise NotImplementedError

    def settle_whole(self, job: WholeJob) -> Settled:
        """One outcome for all rows of a slice."""
        raise NotImplementedError

    def read_slice(self, ref: FileRef) -> Iterator[Mapping[str, str | None]]:
        """The rows of a slice file, in order: an empty cell is left out, `#N/A` is None (set to null)."""
        raise NotImplementedError

    def compare(self, job: CompareJob) -> Comparison:
        """Compare what was read back with what was sent."""
        raise NotImplementedError

    def repeated_ids(self, files: Sequence[FileRef]) -> int:
        """How many target ids stand in more than one final outcome: 0, or two source rows became one record."""
        raise NotImplementedError

    def outcome_counts(self, files: Sequence[FileRef]) -> Mapping[Outcome, int]:
        """Final outcomes in these files."""
        raise NotImplementedError

    def export_outcomes(self, name: str, files: Sequence[FileRef]) -> FileRef:
        """CSV of the final outcomes (`report/<name>.csv`): source key, target id, outcome, code, message."""
        raise NotImplementedError


def check_source_file(path: Path, *, delimiter: str = ",", encoding: str = "utf-8") -> SourceFile:
    """Everything that is wrong with a CSV file, with file and line; needs no run and no network."""
    raise NotImplementedError
