"""The run folder: immutable files that appear by rename, each with its checksum.

A file is written under a temporary name, synced, renamed, and its folder synced; whoever holds its `FileRef` can trust it.

**Invariant:** a published file is never changed; nothing outside the run folder is written; modes are 0600 and 0700.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import quote

from migrator.errors import ExitCode, MigratorError
from migrator.model.run import FileRef

_CHUNK = 1 << 20
#: where half-written files and DuckDB's spills live; emptied when a workspace is opened
_TEMPORARY = "tmp"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_DISK = {errno.EROFS, errno.EIO}


class Workspace:
    """The files of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            with disk_faults(root):
                self._folder(root)
                self._folder(root / _TEMPORARY)
        except (NotADirectoryError, FileExistsError, PermissionError) as fault:
            raise MigratorError(
                "state-read-only",
                f"the run folder {root} cannot be made ({errno.errorcode.get(fault.errno or 0, 'error')})",
                hint="name a folder that can be written with --state-dir",
                exit_code=ExitCode.USAGE,
            ) from fault

    @classmethod
    @contextmanager
    def founded(cls, root: Path) -> Iterator[Self]:
        """The folder of a run that is only being made: whatever it holds goes again, and it too, when that fails. One that was there before stays."""
        new = not root.exists()
        try:
            yield cls(root)
        except BaseException:
            if new:
                shutil.rmtree(root, ignore_errors=True)
            raise

    def discard_empty(self) -> None:
        """Remove the folder if nothing is in it: no run came of it."""
        with suppress(OSError):
            if [one.name for one in self.root.iterdir()] == [_TEMPORARY]:
                (self.root / _TEMPORARY).rmdir()
                self.root.rmdir()

    @property
    def spill(self) -> Path:
        """Where DuckDB puts what does not fit into its memory."""
        return self.root / _TEMPORARY / "spill"

    def path(self, ref: FileRef) -> Path:
        """Where the file is.

        Raises MigratorError `state-corrupt` when it is missing or has another size than recorded; `verify` looks at every byte.
        """
        path = self._inside(ref.path)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise _corrupt(ref, "is missing") from None
        if size != ref.size:
            raise _corrupt(ref, "has another size than recorded")
        return path

    def publish(self, relpath: str, chunks: Iterable[bytes], rows: int) -> FileRef:
        """Write a file; it is either there whole, under its name, or not at all."""
        ref = self._write(relpath, chunks, rows)
        self._keep_names(self._inside(relpath).parent)
        return ref

    def publish_all(self, folder: str, files: Iterable[tuple[str, Iterable[bytes], int]]) -> list[FileRef]:
        """Write files (name, bytes, rows) into one folder, one after the other: their names are made durable together."""
        refs = [self._write(f"{folder}/{name}", chunks, rows) for name, chunks, rows in files]
        self._keep_names(self._inside(folder))
        return refs

    def _write(self, relpath: str, chunks: Iterable[bytes], rows: int) -> FileRef:
        digest, size = hashlib.sha256(), 0
        with self.scratch() as folder:
            made = folder / "file"
            with disk_faults(self.root), _create(made) as descriptor:
                for chunk in chunks:
                    _write_all(descriptor, chunk)
                    digest.update(chunk)
                    size += len(chunk)
            return self._place(FileRef(relpath, digest.hexdigest(), size, rows), made)

    def adopt(self, relpath: str, made: Path, rows: int, sealed: tuple[str, int] | None = None) -> FileRef:
        """Publish a file that was made in a scratch folder. `sealed`: what `seal` said about it, when that was done already."""
        with disk_faults(self.root):
            digest, size = sealed or _digest(made)
        ref = self._place(FileRef(relpath, digest, size, rows), made)
        self._keep_names(self._inside(relpath).parent)
        return ref

    def seal(self, made: Path) -> tuple[str, int]:
        """Checksum and size of a finished file, when the disk has its bytes. It may be read meanwhile."""
        with disk_faults(self.root):
            digest, size = _digest(made)
            _sync(made)
        return digest, size

    def _place(self, ref: FileRef, made: Path) -> FileRef:
        """Give a whole file its name; `_keep_names` makes it durable."""
        final = self._inside(ref.path)
        with disk_faults(self.root):
            self._folder(final.parent)
            made.chmod(0o600)
            _sync(made)
            made.replace(final)
        return ref

    def _keep_names(self, folder: Path) -> None:
        with disk_faults(self.root):
            _sync(folder)

    def measured(self, relpath: str, rows: int) -> FileRef | None:
        """The file as it is now; None: it is not there. For a run whose ledger has lost what it said of its files."""
        try:
            digest, size = _digest(self._inside(relpath))
        except FileNotFoundError:
            return None
        return FileRef(relpath, digest, size, rows)

    def names(self, folder: str) -> tuple[str, ...]:
        """The files in a folder of the run, as they sort."""
        path = self._inside(folder)
        return tuple(sorted(one.name for one in path.iterdir() if one.is_file())) if path.is_dir() else ()

    def verify(self, ref: FileRef) -> Path:
        """The path of a file that is what its reference says.

        Raises MigratorError `state-corrupt` when it is missing or its bytes differ.
        """
        path = self._inside(ref.path)
        try:
            digest, size = _digest(path)
        except FileNotFoundError:
            raise _corrupt(ref, "is missing") from None
        except OSError as fault:
            raise _corrupt(
                ref, f"cannot be read ({errno.errorcode.get(fault.errno or 0, 'error')})"
            ) from fault
        if (digest, size) != (ref.sha256, ref.size):
            raise _corrupt(ref, "has other bytes than recorded")
        return path

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for half-made files, on the same disk; gone afterwards."""
        with disk_faults(self.root):
            folder = Path(tempfile.mkdtemp(dir=self.root / _TEMPORARY))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed process left half-made. Only for the process that holds the run's lease."""
        for leftover in sorted((self.root / _TEMPORARY).iterdir()):
            shutil.rmtree(leftover, ignore_errors=True)

    def _inside(self, relpath: str) -> Path:
        parts = PurePosixPath(relpath).parts
        if not parts or relpath.startswith("/") or ".." in parts:
            raise ValueError(f"not a path inside the run folder: {relpath!r}")
        return self.root.joinpath(*parts)

    def _folder(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(mode=0o700, exist_ok=True)
            _sync(one.parent)


def folder_name(step: str) -> str:
    """A step id as the name of a folder, the same on every file system; different ids give different names."""
    return quote(step, safe=" -_=,+@.") if step.strip(".") else "%2E" * len(step)


@contextmanager
def disk_faults(root: Path) -> Iterator[None]:
    """Turn a full or lost disk into a pause that can be resumed."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _NO_SPACE:
            raise MigratorError(
                "disk-full",
                f"no space left for the run folder {root}",
                hint="free some space, then `migrator resume`: nothing is lost",
                exit_code=ExitCode.PAUSED,
            ) from fault
        if fault.errno in _NO_DISK:
            raise MigratorError(
                "disk-lost",
                f"the disk of the run folder {root} cannot be written",
                hint="make it writable again, then `migrator resume`: nothing is lost",
                exit_code=ExitCode.PAUSED,
            ) from fault
        raise


@contextmanager
def _create(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _corrupt(ref: FileRef, how: str) -> MigratorError:
    return MigratorError(
        "state-corrupt",
        f"{ref.path} of the run folder {how}",
        hint="restore the file from a copy of the run folder; the run cannot be trusted without it",
    )
