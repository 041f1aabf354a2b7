"""A real PostgreSQL server of the test run's own, when its programs are installed; else its tests say that they did not run."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

#: how a reason begins that the end of the test run repeats
NOT_RUN = "NOT RUN:"
REASON = f"{NOT_RUN} PostgreSQL's initdb and pg_ctl are not installed (apt-get install postgresql)"


def programs() -> Path | None:
    """The folder with the server's programs; None: not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists() and (one / "pg_ctl").exists()), None)


@dataclass
class Server:
    """A running server that only this machine can reach, through a socket in its folder."""

    bin: Path
    folder: Path
    user: str | None

    @property
    def url(self) -> str:
        """How to connect to it."""
        return f"postgresql://owner@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._call("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", settings)

    def stop(self) -> None:
        """Stop it at once, as a crash does."""
        self._call("pg_ctl", "stop", "-m", "immediate")

    def fresh(self) -> None:
        """Forget all ledgers."""
        psycopg = pytest.importorskip("psycopg", reason=f"{NOT_RUN} psycopg is not installed (make setup)")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS migrator CASCADE")

    def init(self) -> None:
        """Make its folder."""
        self._call("initdb", "--username", "owner", "--auth", "trust", "--encoding", "UTF8", "--no-sync")

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - the server's own programs
            [self.bin / program, "-D", self.folder / "data", *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for as long as it lasts. Skips, to be told at the end of the test run, where there is none."""
    found = programs()
    if found is None:
        pytest.skip(REASON)
    # short: the path of a socket has about a hundred characters
    folder = Path(tempfile.mkdtemp(prefix="mgr-pg-"))
    user: str | None = None
    if os.geteuid() == 0:  # it refuses to run as root
        known = {one.pw_name for one in pwd.getpwall()}
        user = "postgres" if "postgres" in known else "nobody"
        shutil.chown(folder, user)
    server = Server(found, folder, user)
    try:
        server.init()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
