"""The way to a PostgreSQL server: URLs, connections, and what can go wrong with them in words and exit codes.

The URL has no password: libpq takes it from PGPASSWORD, a password file or a service file. A server that is not this machine must show a
certificate for its name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import psycopg
from psycopg import errors as faults
from psycopg.conninfo import conninfo_to_dict

from migrator.errors import ExitCode, MigratorError
from migrator.state.ddl import SCHEMA
from migrator.state.storage import corrupt
from migrator.state.transitions import IllegalWrite

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
CONNECT_SECONDS = 10
#: characters of libpq's reason that are told: of several hosts it tells all
MAX_REASON = 400
_FORM = "postgresql://user@host:5432/database, with libpq's parameters behind a question mark"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotConnected(psycopg.OperationalError):
    """No connection came about; libpq's reason is its text, which holds names and addresses and no secret."""


def checked_url(url: str) -> str:
    """The URL as it is connected to. Raises MigratorError `usage` for one with a password, without verified TLS, or that libpq does not read.

    Where it does not say which host is meant, the environment or a service file may name one elsewhere; a socket of this machine has no use for TLS.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise _unfit(
            "a ledger is named by a URL that begins with postgresql://", "leave it out for a ledger in a file"
        )
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        parts = urlsplit(url)
    except (psycopg.ProgrammingError, ValueError) as fault:
        raise _unfit("the ledger's URL cannot be read", _FORM) from fault
    if "password" in parameters:
        raise _unfit(
            "the ledger's URL holds a password", "give it in PGPASSWORD or a password file (~/.pgpass)"
        )
    hosts = [one for name in ("host", "hostaddr") for one in parameters.get(name, "").split(",") if one]
    if hosts and all(one in _LOOPBACK or one.startswith("/") for one in hosts):
        return url
    if parameters.get("sslmode", "verify-full") != "verify-full":
        raise _unfit("the ledger's server must show a certificate for its name", "sslmode=verify-full")
    return url if "sslmode" in parameters else f"{url}{'&' if parts.query else '?'}sslmode=verify-full"


def _unfit(what: str, hint: str) -> MigratorError:
    return MigratorError("usage", what, hint=hint, exit_code=ExitCode.USAGE)


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn the faults of the database into messages; its own words may quote values and are left out."""
    try:
        yield
    except faults.IntegrityError as fault:
        raise IllegalWrite(type(fault).__name__) from fault
    except (faults.DiskFull, faults.OutOfMemory) as fault:
        raise MigratorError(
            "disk-full",
            f"no space is left for {place}",
            hint="make room, then resume",
            exit_code=ExitCode.PAUSED,
        ) from fault
    except (faults.ReadOnlySqlTransaction, faults.InsufficientPrivilege) as fault:
        raise MigratorError(
            "state-read-only",
            f"{place} cannot be written: {type(fault).__name__}",
            hint="use the primary server and a role that may create and write in the schema `migrator`",
            exit_code=ExitCode.PAUSED,
        ) from fault
    except (faults.DataCorrupted, faults.IndexCorrupted) as fault:
        raise corrupt(place, "PostgreSQL cannot read it") from fault
    except (faults.UndefinedTable, faults.UndefinedColumn) as fault:
        raise corrupt(place, "tables of it are missing") from fault
    except psycopg.OperationalError as fault:
        why = str(fault) if isinstance(fault, NotConnected) else type(fault).__name__
        raise MigratorError(
            "ledger-unreachable",
            f"{place} cannot be reached: {why}",
            hint="look at the server and the network, then resume the run, or run the plan if it had not begun; what was committed is safe",
            exit_code=ExitCode.PAUSED,
        ) from fault


def connect(url: str) -> Connection:
    """A connection on which a commit that returned is on the disk of the server."""
    parameters = checked_url(url)
    try:
        return psycopg.connect(
            parameters,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="migrator",
            options=f"-c search_path={SCHEMA} -c synchronous_commit=on -c default_transaction_isolation=read\\ committed",
        )
    except psycopg.OperationalError as fault:
        raise NotConnected(_said(fault)) from fault


def _said(fault: psycopg.OperationalError) -> str:
    """libpq's reason in one line."""
    words = " ".join(str(fault).split()).removeprefix("connection failed: ")
    return words if len(words) <= MAX_REASON else f"{words[:MAX_REASON]}…"


def place_of(url: str) -> str:
    """What the database is called in messages. Raises MigratorError `usage` as `checked_url` does."""
    parts = urlsplit(checked_url(url))
    return f"the ledger at {parts.hostname or 'localhost'}{parts.path}"
