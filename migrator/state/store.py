"""Where ledgers are: making, opening, reading and listing them.

A run folder holds the ledger itself, or a note that names the PostgreSQL database where it is.
"""

import json
import os
import secrets
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.model.run import Event, LedgerState, RunRow
from migrator.state import lease
from migrator.state.ballast import Ballast
from migrator.state.beacon import Beacon, Mark
from migrator.state.chain import Stored, first_hash
from migrator.state.content import hash_of
from migrator.state.ddl import SQLITE as TABLES
from migrator.state.ddl import VERSION
from migrator.state.filesystem import refuse_remote
from migrator.state.lease import Holder, Locks
from migrator.state.ledger import Ledger, as_event, check_beacon, check_whole
from migrator.state.migrate import migrate, version_of
from migrator.state.record import NAME as RECORD_NAME
from migrator.state.record import write_record
from migrator.state.rows import RUN, SQLITE
from migrator.state.runstore import Head, RunStore
from migrator.state.sqlite import SqliteStore, read_all, read_run, read_state, transaction
from migrator.state.storage import (
    LEDGER_NAME,
    corrupt,
    explained,
    open_for_reading,
    open_for_writing,
    private_folder,
    quick_check,
    sync_file,
    sync_folder,
)

#: the note in a run folder whose ledger is in PostgreSQL
NOTE_NAME = "ledger.json"


def open_ledger(
    folder: Path, clock: Clock, *, create: RunRow | None = None, url: str = "", beside: Path | None = None
) -> Ledger:
    """The ledger of the run in that folder, for this process alone; a new one for the run `create`.

    `url` names a PostgreSQL database for a new ledger (without a password); empty: a SQLite file in the folder. `beside`: a run in whose database, if it has
    one, the new ledger is. Raises MigratorError:
    `lease-held` (exit code LEASE) while another process has it, `run-exists`, `run-not-found`, `ledger-behind`, `state-not-local`, and
    those of a damaged, foreign or unwritable ledger.
    """
    if create is None and not has_ledger(folder):
        raise _not_found(folder)
    path = folder / LEDGER_NAME
    if beside is not None and _note(beside):
        url, _ = _read_note(beside)
    with explained(path):
        if create is not None and has_ledger(folder):
            raise MigratorError(
                "run-exists", f"{folder} holds a run already", hint="resume it, or start a new one"
            )
        private_folder(folder)
        refuse_remote(folder)
        beacon, ballast = Beacon(folder), Ballast(folder)
        store = _remote(folder, clock, create, url) if url or _note(folder) else _local(folder, clock, create)
        try:
            ballast.keep()
            if create is not None:
                beacon.write(Mark(0, first_hash(create.run_id)))
                write_record(folder, create)
            return Ledger(store, beacon, clock, ballast, folder)
        except BaseException:
            ballast.release()
            store.close()
            raise


def has_ledger(folder: Path) -> bool:
    """Whether the folder has a ledger, or a note of where it is."""
    return (folder / LEDGER_NAME).exists() or (folder / NOTE_NAME).exists()


def _local(folder: Path, clock: Clock, create: RunRow | None) -> RunStore:
    path = folder / LEDGER_NAME
    locks = Locks(folder, clock)
    locks.take_run()
    try:
        if create is not None:
            _create(path, create)
        return _open(path, locks)
    except BaseException:
        locks.close()
        raise


def _open(path: Path, locks: Locks) -> SqliteStore:
    connection = _checked(path)
    try:
        version = version_of(connection, path)
        if version != VERSION:
            migrate(connection, path, version)
            connection.close()
            connection = _checked(path)
        return SqliteStore(path, connection, locks)
    except BaseException:
        connection.close()
        raise


def _checked(path: Path) -> sqlite3.Connection:
    connection = open_for_writing(path)
    try:
        quick_check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path, run: RunRow) -> None:
    """Make it beside its place and move it there whole: a crash leaves no half ledger."""
    draft = path.with_name(f".{LEDGER_NAME}.{secrets.token_hex(8)}")
    try:
        with closing(open_for_writing(draft, new=True)) as connection, transaction(connection):
            for statement in TABLES:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO ledger (one, epoch, head, events, content) VALUES (1, 0, ?, 0, ?)",
                (first_hash(run.run_id), f"{hash_of(run):064x}"),
            )
            connection.execute(RUN.insert(SQLITE), RUN.values(run))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


# -- PostgreSQL


def _postgres() -> Any:
    """The module that speaks to PostgreSQL: a module of ours with an optional dependency."""
    if find_spec("psycopg") is None:
        raise MigratorError(
            "postgres-missing",
            "the run's ledger is in PostgreSQL, and its driver is not installed",
            hint="pip install 'migrator[postgres]'",
            exit_code=ExitCode.USAGE,
        )
    return import_module("migrator.state.postgres")


def _remote(folder: Path, clock: Clock, create: RunRow | None, url: str) -> RunStore:
    postgres = _postgres()
    if create is not None:
        place = postgres.place_of(url)
        with postgres.explained(place), postgres.connect(url) as connection:
            postgres.prepare(connection, place)
            postgres.create(connection, create)
        _write_note(folder, url, create.run_id)
        run_id = create.run_id
    else:
        url, run_id = _read_note(folder)
        place = postgres.place_of(url)
        with postgres.explained(place), postgres.connect(url) as connection:
            postgres.prepare(connection, place)
    store: RunStore = postgres.PostgresStore(url, run_id, clock)
    return store


def _note(folder: Path) -> bool:
    return (folder / NOTE_NAME).exists()


def _read_note(folder: Path) -> tuple[str, str]:
    path = folder / NOTE_NAME
    try:
        found = json.loads(path.read_bytes())
        return str(found["url"]), str(found["run"])
    except (ValueError, KeyError, TypeError) as fault:
        raise corrupt(path, "it does not say where the ledger is") from fault


def _readable_note(folder: Path) -> bool:
    try:
        return _note(folder) and bool(_read_note(folder))
    except MigratorError:
        return False


def kept_out(folder: Path, clock: Clock) -> RunStore | None:
    """The lease of a run whose ledger is in PostgreSQL, taken whatever its ledger is like; None: there is none to take.

    Raises MigratorError `lease-held` while another process has it, `ledger-unreachable` when nobody can tell.
    """
    if not _readable_note(folder):
        return None
    found: RunStore | None = _postgres().keep_out(*_read_note(folder), clock)
    return found


def remains(folder: Path) -> tuple[list[tuple[object, ...]], str]:
    """The events of a ledger in PostgreSQL as they are stored, and all that is said in it; empty where the folder names none."""
    if not _readable_note(folder):
        return [], ""
    found: tuple[list[tuple[object, ...]], str] = _postgres().remains(*_read_note(folder))
    return found


def _write_note(folder: Path, url: str, run_id: str) -> None:
    draft = folder / f".{NOTE_NAME}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": url, "run": run_id}, file)
    sync_file(draft)
    draft.replace(folder / NOTE_NAME)
    sync_folder(folder)


# -- looking


def read_ledger(folder: Path) -> LedgerState:
    """Everything in the ledger, also while a run is writing to it; takes no lease and changes nothing."""
    if _note(folder):
        url, run_id = _read_note(folder)
        postgres = _postgres()
        state: LedgerState = postgres.look(url, run_id, postgres.read_state)
        return state
    path = folder / LEDGER_NAME
    if not path.exists():
        raise _not_found(folder)
    with explained(path), closing(open_for_reading(path)) as connection:
        version_of(connection, path, may_migrate=False)
        return read_state(connection, path)


def read_audited(folder: Path) -> tuple[LedgerState, tuple[Event, ...]]:
    """Everything in the ledger and its whole log, once they are seen to be what was committed; takes no lease and changes nothing.

    Raises MigratorError `state-corrupt` where they are not.
    """
    if not has_ledger(folder):
        raise _not_found(folder)
    if not _note(folder):
        return audited_file(folder / LEDGER_NAME, Beacon(folder))
    told = Beacon(folder).read()
    url, run_id = _read_note(folder)
    postgres = _postgres()
    state, stored, head, place = postgres.look(url, run_id, postgres.read_all)
    return _audited(place, state, stored, head, told)


def audited_file(path: Path, beacon: Beacon) -> tuple[LedgerState, tuple[Event, ...]]:
    """The same of a ledger in a file, wherever it is."""
    told = beacon.read()
    with explained(path), closing(open_for_reading(path)) as connection:
        version_of(connection, path, may_migrate=False)
        quick_check(connection, path)
        state, stored, head = read_all(connection, path)
    return _audited(str(path), state, stored, head, told)


def _audited(
    place: str, state: LedgerState, stored: tuple[Stored, ...], head: Head, told: Mark | None
) -> tuple[LedgerState, tuple[Event, ...]]:
    check_whole(place, state, stored, head)
    check_beacon(told, state.run.run_id, stored, head)
    return state, tuple(as_event(one) for one in stored)


def holder(folder: Path) -> Holder | None:
    """Who works on the run now; None: nobody."""
    if not _note(folder):
        return lease.holder(folder)
    found: Holder | None = _postgres().holder(*_read_note(folder))
    return found


def unlock(folder: Path) -> None:
    """Take the run from the process that works on it, dead or alive: whatever that one commits from now on is refused."""
    if not has_ledger(folder):
        raise _not_found(folder)
    if _note(folder):
        _postgres().break_leases(*_read_note(folder))
        return
    path = folder / LEDGER_NAME
    with explained(path), closing(open_for_writing(path)) as connection, transaction(connection):
        connection.execute("UPDATE ledger SET epoch = epoch + 1 WHERE one = 1")
    lease.break_locks(folder)


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
    found = [_found(one) for one in _run_folders(state_dir)]
    # run ids begin with the time, so that an unreadable one still finds about its place
    found.sort(key=lambda one: (one.folder.name[:15], one.run.started if one.run else 0.0, one.folder.name))
    return tuple(reversed(found))


def _run_folders(state_dir: Path) -> set[Path]:
    names = (LEDGER_NAME, NOTE_NAME, RECORD_NAME)
    return {path.parent for name in names for path in state_dir.glob(f"*/{name}")}


def _found(folder: Path) -> FoundRun:
    path = folder / LEDGER_NAME
    if not has_ledger(folder):
        return FoundRun(folder, None, corrupt(path, "it is not there"))
    try:
        if _note(folder):
            postgres = _postgres()
            return FoundRun(folder, postgres.look(*_read_note(folder), postgres.read_run))
        with explained(path), closing(open_for_reading(path)) as connection:
            version_of(connection, path, may_migrate=False)
            return FoundRun(folder, read_run(connection, path))
    except MigratorError as fault:
        return FoundRun(folder, None, fault)
    except sqlite3.Error:
        return FoundRun(folder, None, MigratorError("state-corrupt", f"{path} cannot be read"))


def known_jobs(state_dir: Path, *, but: Path | None = None) -> frozenset[str]:
    """The ids of all jobs in any ledger of the state folder that can be read, and of the PostgreSQL ledgers that it names.

    `but`: the run folder whose jobs are left out.
    """
    found: set[str] = set()
    databases: set[str] = set()
    for folder in _run_folders(state_dir):
        if folder == but:
            continue
        path = folder / LEDGER_NAME
        if _note(folder):
            databases |= {_read_note(folder)[0]} if _readable_note(folder) else set()
            continue
        if _found(folder).run is None:
            continue
        with explained(path), closing(open_for_reading(path)) as connection:
            found |= {job for (job,) in connection.execute("SELECT job_id FROM attempt WHERE job_id <> ''")}
    mine = _read_note(but)[1] if but is not None and _readable_note(but) else ""
    for url in sorted(databases):
        with suppress(MigratorError):
            found |= _postgres().known_jobs(url, but=mine)
    return frozenset(found)


def _not_found(folder: Path) -> MigratorError:
    return MigratorError(
        "run-not-found", f"{folder} holds no run", hint="`status` lists the runs", exit_code=ExitCode.USAGE
    )
