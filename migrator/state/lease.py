"""One writer per run and per sObject of an org: exclusive locks of the operating system on files.

The run's lock is in its folder; those of sObjects lie in the state folder, where all its runs find them. The system lets go of a
lock when the holder dies, however it dies, so that there is never a stale one to remove.
"""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError

try:
    import fcntl
except ImportError:  # no POSIX
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "ledger.lock"
#: below the state folder
OBJECTS = ".leases"
# a glance by `holder` may have the lock for an instant
_TRIES, _PAUSE = 5, 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on a run. `since` is in seconds since the epoch, by the holder's clock (PostgreSQL: by the database's)."""

    pid: int
    host: str
    since: float
    run: str = ""
    #: what it holds besides the run: `organization id:sobject`
    scopes: tuple[str, ...] = ()


class Locks:
    """The locks of one run's process. `close` gives all back."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._held: list[int] = []

    def take_run(self) -> None:
        """Take the run's lock. Raises MigratorError `lease-held` naming the holder when another process has it."""
        _need_posix()
        path = self._folder / LOCK_NAME
        found = self._take(path)
        if found is not None:
            raise run_held(self._folder.name, found)

    def hold(self, scopes: Sequence[str]) -> None:
        """Take the locks of these sObjects, all or none."""
        before = len(self._held)
        (self._folder.parent / OBJECTS).mkdir(mode=0o700, exist_ok=True)
        for scope in scopes:
            found = self._take(_object_lock(self._folder.parent, scope))
            if found is not None:
                for descriptor in self._held[before:]:
                    os.close(descriptor)
                del self._held[before:]
                raise object_held(scope, found)

    def close(self) -> None:
        """Give all back; twice is harmless."""
        while self._held:
            os.close(self._held.pop())

    def _take(self, path: Path) -> Holder | None:
        """Take a lock for as long as this process lives; who has it, when another one does."""
        found = Holder(0, "?", 0.0)
        for trial in range(1, _TRIES + 1):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                taken = _locked(descriptor, exclusive=True) and _same_file(descriptor, path)
                if taken:
                    _write_holder(descriptor, self._clock, self._folder.name)
                    self._held.append(descriptor)
                    return None
                found = _read_holder(descriptor)
            finally:
                if not self._held or self._held[-1] != descriptor:
                    os.close(descriptor)
            if trial == _TRIES or not self._clock.wait(_PAUSE):
                break
        return found


def holder(folder: Path) -> Holder | None:
    """Who works on the run now; None: nobody."""
    _need_posix()
    found = _holder_of(folder / LOCK_NAME)
    if found is None:
        return None
    scopes = [
        path.name.removesuffix(".lock").replace("-", ":", 1)
        for path in sorted((folder.parent / OBJECTS).glob("*.lock"))
        if (other := _holder_of(path)) is not None and other.run == folder.name
    ]
    return Holder(found.pid, found.host, found.since, folder.name, tuple(scopes))


def break_locks(folder: Path) -> None:
    """Let the next process take the run although its holder lives: its lock files are no longer the ones that count."""
    found = holder(folder)
    if found is not None:
        for scope in found.scopes:
            _object_lock(folder.parent, scope).unlink(missing_ok=True)
        (folder / LOCK_NAME).unlink(missing_ok=True)


def _holder_of(path: Path) -> Holder | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return None if _locked(descriptor, exclusive=False) else _read_holder(descriptor)
    finally:
        os.close(descriptor)


def _object_lock(state_dir: Path, scope: str) -> Path:
    return state_dir / OBJECTS / f"{scope.replace(':', '-', 1)}.lock"


def _need_posix() -> None:
    if fcntl is None:
        raise MigratorError(
            "state-read-only",
            "the run's state needs file locks that this operating system does not have",
            hint="use Linux, macOS, or the Windows Subsystem for Linux",
        )


def _locked(descriptor: int, *, exclusive: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(descriptor: int, path: Path) -> bool:
    """Whether the lock that was got is on the file that others will find; `unlock --force` puts another in its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)


def _write_holder(descriptor: int, clock: Clock, run: str) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": clock.now(), "run": run})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _read_holder(descriptor: int) -> Holder:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(found["pid"]), str(found["host"]), float(found["since"]), str(found.get("run", "")))
    except (ValueError, KeyError, TypeError):
        return Holder(0, "?", 0.0)  # it has just begun to write this


def run_held(run_id: str, who: Holder) -> MigratorError:
    """Another process has the run."""
    return MigratorError(
        "lease-held",
        f"run {run_id} is being worked on by process {who.pid} on {who.host}",
        hint="wait for it, or stop it and resume; `migrator unlock` tells more",
        exit_code=ExitCode.LEASE,
    )


def object_held(scope: str, who: Holder) -> MigratorError:
    """Another run writes the sObject."""
    organization_id, _, sobject = scope.partition(":")
    return MigratorError(
        "lease-held",
        f"{sobject} of org {organization_id} is being written by run {who.run}, process {who.pid} on {who.host}",
        hint="wait for that run, or stop it: two runs that write one sObject could undo each other's work",
        exit_code=ExitCode.LEASE,
    )
