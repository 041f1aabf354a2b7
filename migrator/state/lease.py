"""One writer per run: an exclusive lock of the operating system on a file in the run folder.

The system lets go of it when the holder dies, however it dies, so that there is never a stale lock to remove.
"""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError

try:
    import fcntl
except ImportError:  # no POSIX
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "ledger.lock"
# a glance by `holder` may have the lock for an instant
_TRIES, _PAUSE = 5, 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on a run."""

    pid: int
    host: str
    since: float


class Lease:
    """A held lock. `close` gives it back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def close(self) -> None:
        """Give it back; twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def take_lease(folder: Path, clock: Clock) -> Lease:
    """Take the lock. Raises MigratorError `lease-held` naming the holder when another process has it."""
    _need_posix()
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(folder, descriptor, clock)
        _write_holder(descriptor, clock)
    except BaseException:
        os.close(descriptor)
        raise
    return Lease(descriptor)


def _lock(folder: Path, descriptor: int, clock: Clock) -> None:
    for trial in range(1, _TRIES + 1):
        if _locked(descriptor, exclusive=True):
            return
        if trial < _TRIES and not clock.wait(_PAUSE):
            break
    raise _held(folder, _read_holder(descriptor))


def holder(folder: Path) -> Holder | None:
    """Who works on the run now; None: nobody."""
    _need_posix()
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return None if _locked(descriptor, exclusive=False) else _read_holder(descriptor)
    finally:
        os.close(descriptor)


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


def _write_holder(descriptor: int, clock: Clock) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": clock.now()})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _read_holder(descriptor: int) -> Holder:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(found["pid"]), str(found["host"]), float(found["since"]))
    except (ValueError, KeyError, TypeError):
        return Holder(0, "?", 0.0)  # it has just begun to write this


def _held(folder: Path, who: Holder) -> MigratorError:
    return MigratorError(
        "lease-held",
        f"run {folder.name} is being worked on by process {who.pid} on {who.host}",
        hint="wait for it, or stop it and resume",
        exit_code=ExitCode.LEASE,
    )
