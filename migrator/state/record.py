"""The run's own row told a second time, beside its ledger: what the plan was, against which orgs, when it began.

Without it a damaged ledger could not be replaced: files tell what was sent, and not what was meant.

**Invariant:** the file appears whole, by rename, and is what its checksum says; it is written whenever what a run is changes.
"""

import hashlib
import json
import os
import secrets
from pathlib import Path

from migrator.model.run import RunRow
from migrator.state.rows import RUN, dumps
from migrator.state.storage import sync_file, sync_folder

NAME = "run.json"


def write_record(folder: Path, run: RunRow) -> None:
    """Write it down. Raises OSError."""
    values = dict(zip(RUN.columns, RUN.values(run), strict=True))
    text = json.dumps({"sha256": _checksum(values), "run": values}, ensure_ascii=False)
    draft = folder / f".{NAME}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        sync_file(draft)
        draft.replace(folder / NAME)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(folder)


def read_record(folder: Path) -> RunRow | None:
    """What it says; None: there is none, or it is not whole."""
    try:
        found = json.loads((folder / NAME).read_bytes())
        values = found["run"]
        if found["sha256"] != _checksum(values):
            return None
        row = RUN.row([values[name] for name in RUN.columns])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return row if isinstance(row, RunRow) else None


def differs(before: RunRow, after: RunRow) -> bool:
    """Whether what the run is has changed, and not only how it stands."""
    told = ("plan_digest", "schedule_json", "identity_json", "target_user_id")
    return any(getattr(before, one) != getattr(after, one) for one in told)


def _checksum(values: dict[str, object]) -> str:
    return hashlib.sha256(dumps(values).encode("utf-8", "surrogatepass")).hexdigest()
