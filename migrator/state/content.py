"""One number for all rows of a ledger, kept at each commit: a flipped bit or a row changed by hand does not fit it.

The sum of the rows' hashes, modulo 2^256: a changed row takes the old hash out and puts the new one in, so that keeping it costs the
same however many rows there are.
"""

import hashlib
from collections.abc import Iterable, Mapping

from migrator.model.run import LedgerRow, LedgerState
from migrator.state.rows import dumps, table_of
from migrator.state.transitions import IllegalWrite

Key = tuple[str, ...]
_MODULUS = 1 << 256


def key_of(row: LedgerRow) -> Key:
    """What tells the row from all others."""
    table = table_of(row)
    return (table.name, *(str(getattr(row, name)) for name in table.key))


def hash_of(row: LedgerRow) -> int:
    """The hash of the row as it is stored."""
    table = table_of(row)
    return int.from_bytes(hashlib.sha256(f"{table.name} {dumps(table.values(row))}".encode()).digest())


def hashes(rows: Iterable[LedgerRow]) -> dict[Key, int]:
    """The hash of each row."""
    return {key_of(one): hash_of(one) for one in rows}


def latest(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Each row as it stands in the end. Raises IllegalWrite when one that never changes comes twice."""
    found: dict[Key, LedgerRow] = {}
    for row in rows:
        key = key_of(row)
        if key in found and not table_of(row).replaced:
            raise IllegalWrite(f"{' '.join(key)} is written twice")
        found[key] = row
    return [*found.values()]


def summed(parts: Iterable[int]) -> int:
    """The sum of hashes."""
    return sum(parts) % _MODULUS


def replaced(total: int, known: Mapping[Key, int], changed: Mapping[Key, int]) -> int:
    """The sum once `changed` rows have taken the place of those `known`."""
    return (total + sum(new - known.get(key, 0) for key, new in changed.items())) % _MODULUS


def rows_in(state: LedgerState) -> tuple[LedgerRow, ...]:
    """Every row of a ledger."""
    return (state.run, *state.steps.values(), *state.slices, *state.attempts, *state.pages)
