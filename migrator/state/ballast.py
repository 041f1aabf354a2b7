"""Room that is kept for the end of a run: a file that is given up when the disk is full, so that the last commits still arrive.

It is there while a process drives the run. Making it is also how a disk that cannot be written shows itself before anything is sent.
"""

import os
from pathlib import Path

NAME = "ballast"
#: enough for thousands of commits and the run's manifest
BYTES = 32 * 1024 * 1024
_BLOCK = 1 << 20


class Ballast:
    """The ballast of one run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def keep(self) -> None:
        """Take the room, unless a killed process has left it. Raises OSError where the disk is full, read-only or broken."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _allocate(descriptor)
            os.fsync(descriptor)
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def release(self) -> bool:
        """Give the room back; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def _allocate(descriptor: int) -> None:
    """Blocks that are really taken: a file with a hole would keep no room."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, BYTES)
        return
    for at in range(os.fstat(descriptor).st_size, BYTES, _BLOCK):
        os.pwrite(descriptor, bytes(_BLOCK), at)
