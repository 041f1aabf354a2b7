"""An index of one field: key → the sequence numbers of the records that have it.

The common case, one record per key, costs one dictionary entry and no list.
"""

from collections.abc import Iterable, Sequence


class Index:
    """Keys are the stored text, or its lower case where the field does not care for case; null is never a key."""

    __slots__ = ("entries", "folds")

    def __init__(self, *, folds: bool) -> None:
        self.folds = folds
        self.entries: dict[str, int | list[int]] = {}

    def keys_of(self, cells: Sequence[str]) -> Sequence[str]:
        """The keys of these cells."""
        return list(map(str.lower, cells)) if self.folds else cells

    def add_fresh(self, keys: Sequence[str], seqs: Iterable[int]) -> None:
        """Add keys that are known to be new and different from each other."""
        self.entries.update(zip(keys, seqs, strict=True))
        self.entries.pop("", None)

    def add(self, key: str, seq: int) -> None:
        """Add one record."""
        if not key:
            return
        held = self.entries.get(key)
        if held is None:
            self.entries[key] = seq
        elif isinstance(held, list):
            held.append(seq)
        else:
            self.entries[key] = [held, seq]

    def add_cells(self, cells: Sequence[str], seqs: Sequence[int]) -> None:
        """Add many records, whatever their keys."""
        keys = self.keys_of(cells)
        if len(set(keys)) == len(keys) and self.entries.keys().isdisjoint(keys):
            self.add_fresh(keys, seqs)
            return
        for key, seq in zip(keys, seqs, strict=True):
            self.add(key, seq)

    def remove(self, cell: str, seq: int) -> None:
        """Forget one record."""
        key = cell.lower() if self.folds else cell
        held = self.entries.get(key)
        if isinstance(held, list):
            held.remove(seq)
            if len(held) == 1:
                self.entries[key] = held[0]
        elif held == seq:
            del self.entries[key]

    def find(self, value: str) -> list[int]:
        """The records that have this value."""
        held = self.entries.get(value.lower() if self.folds else value)
        if held is None:
            return []
        return list(held) if isinstance(held, list) else [held]
