"""The way to a PostgreSQL server: URLs, connections, and what can go wrong with them in words and exit codes.

The URL has no password: libpq takes it from PGPASSWORD, a password file or a service file. A server that is not this machine must show a
certificate for its name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import errors as faults

from migrator.errors import ExitCode, MigratorError
from migrator.state.ddl import SCHEMA
from migrator.state.storage import corrupt
from migrator.state.transitions import IllegalWrite

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
CONNECT_SECONDS = 10
_LOOPBACK = frozenset({"", "localhost", "127.0.0.1", "::1"})


def checked_url(url: str) -> str:
    """The URL as it is connected to. Raises MigratorError `usage` for one with a password or without verified TLS."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise _unfit(
            "a ledger is named by a URL that begins with postgresql://", "leave it out for a ledger in a file"
        )
    if parts.password is not None or "password" in asked:
        raise _unfit(
            "the ledger's URL holds a password", "give it in PGPASSWORD or a password file (~/.pgpass)"
        )
    hosts = [*asked.get("host", []), parts.hostname or ""]
    if all(one in _LOOPBACK or one.startswith("/") for one in hosts):
        return url
    if asked.get("sslmode", ["verify-full"]) != ["verify-full"]:
        raise _unfit("the ledger's server must show a certificate for its name", "sslmode=verify-full")
    return url if "sslmode" in asked else f"{url}{'&' if parts.query else '?'}sslmode=verify-full"


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
        raise MigratorError(
            "ledger-unreachable",
            f"{place} cannot be reached: {type(fault).__name__}",
            hint="look at the server and the network, then resume the run, or run the plan if it had not begun; what was committed is safe",
            exit_code=ExitCode.PAUSED,
        ) from fault


def connect(url: str) -> Connection:
    """A connection on which a commit that returned is on the disk of the server."""
    return psycopg.connect(
        checked_url(url),
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name="migrator",
        options=f"-c search_path={SCHEMA} -c synchronous_commit=on -c default_transaction_isolation=read\\ committed",
    )


def place_of(url: str) -> str:
    """What the database is called in messages."""
    parts = urlsplit(url)
    return f"the ledger at {parts.hostname or 'localhost'}{parts.path}"
