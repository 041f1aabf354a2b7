"""A ledger that cannot be trusted any more: what of it is still certain, and putting a new one in its place.

The old one is read, moved aside and kept, never changed and never deleted. Of its rows nothing is believed; its log is, as far as each event follows
from the one before; and any text in it that looks like a job's id is a reason to ask the org.

**Invariant:** nobody else has the run meanwhile; the new ledger appears whole, by rename, after the old one was moved aside.
"""

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeGuard

from migrator.clock import Clock
from migrator.errors import ExitCode, MigratorError
from migrator.model.ids import to_18
from migrator.model.run import Event, LedgerRow, NewEvent, RunRow
from migrator.state import store
from migrator.state.beacon import Beacon
from migrator.state.chain import Stored, broken_at
from migrator.state.lease import Locks
from migrator.state.ledger import as_event
from migrator.state.record import read_record
from migrator.state.runstore import RunStore
from migrator.state.storage import LEDGER_NAME, explained, sync_folder

#: where what was moved aside is, in the run folder; the second time it has another number
ASIDE = "damaged"
_DRAFT = "rescue"
#: an ingest or query job's id (key prefix 750), alone or in JSON; ids have 15 or 18 characters
_JOB = re.compile(rb"(?<![0-9A-Za-z])750[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?(?![0-9A-Za-z])")
#: how a ledger in PostgreSQL is told to be damaged
_DAMAGE = frozenset({"state-corrupt", "ledger-behind"})
_FILES = (LEDGER_NAME, f"{LEDGER_NAME}-wal", f"{LEDGER_NAME}-shm", store.NOTE_NAME)


class Wreck:
    """The ledger of a run folder that is to be replaced; its run is held until it is closed.

    Raises MigratorError `lease-held` while another process has the run, `nothing-to-rescue` when nothing tells what the run was, and what says nothing
    about a ledger in PostgreSQL: that its server does not answer, say.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock
        self._locks = Locks(folder, clock)
        self._locks.take_run()
        self._lease: RunStore | None = None
        try:
            self._lease = store.kept_out(folder, clock)
            scratch = folder / "tmp"
            scratch.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=scratch) as name:
                copy = _copied(folder / LEDGER_NAME, Path(name))
                self.damage, row = _looked_at(folder, copy)
                self.run = read_record(folder) or row or _unknown(folder)
            self.events = _events(folder, scratch, self.run.run_id)
            self.job_ids = _job_ids(folder)
        except BaseException:
            self.close()
            raise

    def replace(self, row: RunRow, rows: Sequence[LedgerRow], events: Sequence[NewEvent]) -> Path:
        """Put a new ledger with these rows in the place of the old one; where that one is now."""
        draft = self.folder / "tmp" / _DRAFT
        for old in sorted(draft.glob("*")) if draft.is_dir() else ():
            old.unlink()
        with store.open_ledger(draft, self._clock, create=row) as ledger:
            ledger.commit(rows, events)
        aside = self._move_aside()
        with explained(draft):
            (draft / LEDGER_NAME).replace(self.folder / LEDGER_NAME)
            sync_folder(self.folder)
        return aside

    def _move_aside(self) -> Path:
        number = 1
        while (aside := self.folder / f"{ASIDE}-{number}").exists():
            number += 1
        with explained(self.folder):
            aside.mkdir(mode=0o700)
            beacon = Beacon(self.folder).path
            for path in (*(self.folder / name for name in _FILES), beacon):
                if path.exists():
                    path.replace(aside / path.name)
            sync_folder(aside)
            sync_folder(self.folder)
        return aside

    def close(self) -> None:
        """Let go of the run."""
        if self._lease is not None:
            self._lease.close()
        self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _copied(path: Path, into: Path) -> Path:
    """A copy of a ledger: SQLite writes beside what it reads, and nothing may be written beside this one."""
    copy = into / LEDGER_NAME
    for one in (path, path.with_name(f"{path.name}-wal")):
        if one.exists():
            shutil.copyfile(one, copy.with_name(one.name))
    return copy


def _looked_at(folder: Path, copy: Path) -> tuple[str, RunRow | None]:
    """Why the ledger cannot be trusted (empty: it can), and what run it says that it is."""
    if not store.has_ledger(folder):
        return "its ledger is not there", None
    try:
        if (folder / store.NOTE_NAME).exists():
            return "", store.read_audited(folder)[0].run
        return "", store.audited_file(copy, Beacon(folder))[0].run
    except MigratorError as fault:
        if (folder / store.NOTE_NAME).exists() and fault.code not in _DAMAGE:
            raise
        return fault.diagnostic.what.replace(str(copy), str(folder / LEDGER_NAME)), None
    except (ValueError, TypeError, KeyError, OverflowError):  # a value that none of ours is
        return f"{folder / LEDGER_NAME} is damaged: a row of it cannot be read", None


def _unknown(folder: Path) -> RunRow:
    raise MigratorError(
        "nothing-to-rescue",
        f"neither the ledger nor run.json of {folder} says what the run was",
        hint="restore one of them from a backup; nothing was changed",
        exit_code=ExitCode.REFUSED,
    )


def _sources(folder: Path) -> list[Path]:
    """The folders with the ledger, and with those that were moved aside before."""
    asides = (path for path in folder.glob(f"{ASIDE}-*") if path.is_dir())
    return [folder, *sorted(asides, key=_number, reverse=True)]


def _number(aside: Path) -> int:
    number = aside.name.removeprefix(f"{ASIDE}-")
    return int(number) if number.isdecimal() else 0


def _events(folder: Path, scratch: Path, run_id: str) -> tuple[Event, ...]:
    """What is whole of the logs, the oldest first, numbered anew: a ledger that was made anew goes on from those before it."""
    found: list[Event] = []
    for place in reversed(_sources(folder)):
        if (place / LEDGER_NAME).exists():
            with tempfile.TemporaryDirectory(dir=scratch) as name:
                stored = _stored(_copied(place / LEDGER_NAME, Path(name)))
        else:
            stored = _whole(store.remains(place)[0])
        broken = broken_at(run_id, stored)
        found += [as_event(one) for one in (stored if broken is None else stored[: broken - 1])]
    return tuple(replace(one, seq=seq) for seq, one in enumerate(found, start=1))


def _stored(path: Path) -> list[Stored]:
    """The events that SQLite still gives, one by one until one is missing."""
    found: list[tuple[object, ...]] = []
    try:
        with closing(sqlite3.connect(path)) as connection:
            for row in connection.execute("SELECT seq, at, kind, facts, hash FROM event ORDER BY seq"):
                found.append(row)  # noqa: PERF402 - what came before a fault counts, if the chain says so
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        return _whole(found)
    return _whole(found)


def _whole(events: Sequence[tuple[object, ...]]) -> list[Stored]:
    """Those that have the form of an event."""
    return [one for one in events if _is_stored(one)]


def _is_stored(one: tuple[object, ...]) -> TypeGuard[Stored]:
    kinds = (int, float | int, str, str, str)
    return len(one) == len(kinds) and all(
        isinstance(value, kind) for value, kind in zip(one, kinds, strict=True)
    )


def _job_ids(folder: Path) -> frozenset[str]:
    """Whatever in the old ledgers looks like a job's id."""
    found: set[str] = set()
    for place in _sources(folder):
        found |= {one.decode() for one in _JOB.findall(store.remains(place)[1].encode())}
        path = place / LEDGER_NAME
        for each in (path, path.with_name(f"{path.name}-wal")):
            if each.exists():
                found |= {one.decode() for one in _JOB.findall(each.read_bytes())}
    # the last three characters are a checksum of the others' case: what is damaged itself does not pass for a job, mostly
    return frozenset(one for one in found if len(one) == 18 and to_18(one[:15]) == one)
