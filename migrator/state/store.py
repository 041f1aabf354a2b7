"""Where ledgers are: making, opening, reading and listing them."""

import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import LedgerState, RunRow
from migrator.state.chain import first_hash
from migrator.state.ddl import check_version, create_tables
from migrator.state.lease import Lease, take_lease
from migrator.state.ledger import Ledger, check_chain, read_run, read_state, transaction
from migrator.state.rows import RUN
from migrator.state.storage import (
    LEDGER_NAME,
    explained,
    open_for_reading,
    open_for_writing,
    private_folder,
    quick_check,
    sync_folder,
)


def open_ledger(folder: Path, clock: Clock, *, create: RunRow | None = None) -> Ledger:
    """The ledger in the run folder, for this process alone; a new one for the run `create`.

    Raises MigratorError: `lease-held` (exit code LEASE) while another process has it, `run-exists`, `run-not-found`,
    and those of a damaged, foreign or unwritable file.
    """
    path = folder / LEDGER_NAME
    if create is None and not path.exists():
        raise _not_found(folder)
    with explained(path):
        private_folder(folder)
        lease = take_lease(folder, clock)
        try:
            if create is not None:
                _create(path, create)
            return _open(path, lease, clock)
        except BaseException:
            lease.close()
            raise


def _open(path: Path, lease: Lease, clock: Clock) -> Ledger:
    connection = open_for_writing(path)
    try:
        quick_check(connection, path)
        check_version(connection)
        check_chain(connection, path)
        return Ledger(path, connection, lease, clock)
    except BaseException:
        connection.close()
        raise


def _create(path: Path, run: RunRow) -> None:
    """Make it beside its place and move it there whole: a crash leaves no half ledger."""
    if path.exists():
        raise MigratorError(
            "run-exists", f"{path.parent} holds a run already", hint="resume it, or start a new one"
        )
    draft = path.with_name(f".{LEDGER_NAME}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(open_for_writing(draft)) as connection, transaction(connection):
            create_tables(connection)
            head = first_hash(run.run_id)
            connection.execute("INSERT INTO ledger (one, epoch, head, events) VALUES (1, 0, ?, 0)", (head,))
            connection.execute(RUN.insert, RUN.values(run))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_ledger(folder: Path) -> LedgerState:
    """Everything in the ledger, also while a run is writing to it; takes no lease and changes nothing."""
    path = folder / LEDGER_NAME
    if not path.exists():
        raise _not_found(folder)
    with explained(path), closing(open_for_reading(path)) as connection:
        check_version(connection, may_migrate=False)
        return read_state(connection, path)


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run folder. `run` is None when its ledger cannot be read; `fault` then says why."""

    folder: Path
    run: RunRow | None
    fault: MigratorError | None = None


def list_runs(state_dir: Path) -> tuple[FoundRun, ...]:
    """All runs below the state folder, newest first."""
    if not state_dir.is_dir():
        return ()
    found = [_found(path.parent) for path in state_dir.glob(f"*/{LEDGER_NAME}")]
    # run ids begin with the time, so that an unreadable one still finds about its place
    found.sort(key=lambda one: (one.folder.name[:15], one.run.started if one.run else 0.0, one.folder.name))
    return tuple(reversed(found))


def _found(folder: Path) -> FoundRun:
    path = folder / LEDGER_NAME
    try:
        with explained(path), closing(open_for_reading(path)) as connection:
            check_version(connection, may_migrate=False)
            return FoundRun(folder, read_run(connection, path))
    except MigratorError as fault:
        return FoundRun(folder, None, fault)
    except sqlite3.Error:
        return FoundRun(folder, None, MigratorError("state-corrupt", f"{path} cannot be read"))


def _not_found(folder: Path) -> MigratorError:
    return MigratorError(
        "run-not-found", f"{folder} holds no run", hint="`status` lists the runs", exit_code=ExitCode.USAGE
    )
